"""A published rate held against the published time: whether the two agree, and what explains it where they don't."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trtbench.referee.roofline import Floor

AGREEMENT = 0.02  # how far rate x time may be from the tokens made: room for rounded figures

AGREES, PROMPT, DECODE, UNLESS, CONTRADICTS = "agrees", "prompt", "decode", "unless", "contradicts"


@dataclass(frozen=True)
class Held:
    """What rate and time say of each other. `word`:

    agrees       rate x time is the tokens made
    prompt       it is prompt and new tokens together
    decode       it is not, and the rate leaves the prompt out: `left` (s), what the steps after the first token leave
                 of the time, is at least what the prompt takes
    unless       the same, but how long the prompt is, or what it takes, is not known
    contradicts  the steps alone take longer than the time, or `left` is too short for the prompt
    """

    word: str
    product: float
    made: float
    left: float | None = None


def held(batch: float, prompt: float, tokens: float, seconds: float, rate: float, prefill: Floor | None) -> Held:
    """Hold `rate` (output tokens/s of `batch` sequences together) against the time (s) of `tokens` new ids each.

    A rate over the decode steps alone makes the ids after the first in less than the whole time; what is left is the
    prompt's. `prompt`: ids a sequence, 0 if unknown; `prefill`: its floor, None without a card.
    """
    product, made = rate * seconds, batch * tokens
    if math.isclose(product, made, rel_tol=AGREEMENT):
        return Held(AGREES, product, made)
    if prompt and math.isclose(product, batch * (prompt + tokens), rel_tol=AGREEMENT):
        return Held(PROMPT, product, made)
    left = seconds - batch * (tokens - 1) / rate
    if left <= 0 or tokens <= 1:
        return Held(CONTRADICTS, product, made)
    if prefill is None:
        return Held(UNLESS, product, made, left)
    if prefill.refutes(left):
        return Held(CONTRADICTS, product, made, left)
    return Held(DECODE if prompt else UNLESS, product, made, left)
