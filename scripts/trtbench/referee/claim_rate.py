"""A published rate held against the published time: whether the two agree, and what explains it where they don't."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trtbench.referee.roofline import Floor

AGREEMENT = 0.02  # how far rate x time may be from the tokens made: room for rounded figures
ROUGHLY = 0.1  # requests a second are often given in two digits

# A prompt is read in no more time than as many decode steps take, which do as much or more for each of its ids.
PROMPT_ROOM = 2.0
SHORTEST_PROMPT = 64  # a start takes its time where the prompt is shorter, too
LONGEST_PROMPT = 131072  # what may have been read where nobody says how much
LEAST_SHARE = 0.01  # of the time, for the steps, where nobody says how long the prompt is

AGREES, PROMPT, DECODE, UNLESS, CONTRADICTS = "agrees", "prompt", "decode", "unless", "contradicts"
REQUESTS, ONE = "requests", "one"


@dataclass(frozen=True)
class Held:
    """What rate and time say of each other. `word`:

    agrees       rate x time is the tokens made
    prompt       it is prompt and new tokens together
    requests     it is the number of sequences: a rate of requests
    one          it is the new tokens of one sequence of several: a rate of each
    decode       it is none of these, and the rate leaves the prompt out: `left` (s), what the steps after the first token leave
                 of the time, is at least what the prompt takes, and at most what it can take
    unless       the same, but how long the prompt is, or what it takes at least, is not known
    contradicts  the steps alone take longer than the time, or `left` is too short for the prompt, or, where `most` (s) is
                 there, longer than that, the longest that a prompt can take
    """

    word: str
    product: float
    made: float
    left: float | None = None
    most: float | None = None


def held(
    batch: float,
    prompt: float,
    tokens: float,
    seconds: float,
    rate: float,
    prefill: Floor | None,
    decode_only: bool = False,
) -> Held:
    """Hold `rate` (output tokens/s of `batch` sequences together) against the time (s) of `tokens` new ids each.

    A rate over the decode steps alone makes the ids after the first in less than the whole time; what is left is the
    prompt's. `prompt`: ids a sequence, 0 if unknown; `prefill`: its floor, None without a card. `decode_only`: the rate is
    said to leave the prompt out, so that it counts no prompt tokens; its sum may come near theirs by chance.
    """
    product, made = rate * seconds, batch * tokens
    if math.isclose(product, made, rel_tol=AGREEMENT):
        return Held(AGREES, product, made)
    if prompt and not decode_only and math.isclose(product, batch * (prompt + tokens), rel_tol=AGREEMENT):
        return Held(PROMPT, product, made)
    if counts_requests(batch, tokens, product):
        return Held(REQUESTS, product, made)
    if batch > 1 and math.isclose(product, tokens, rel_tol=AGREEMENT):
        return Held(ONE, product, made)
    step = batch / rate
    left = seconds - step * (tokens - 1)
    if left <= 0 or tokens <= 1:
        return Held(CONTRADICTS, product, made)
    most = step * PROMPT_ROOM * max(prompt, SHORTEST_PROMPT)
    if not prompt:
        most = min(step * LONGEST_PROMPT, (1 - LEAST_SHARE) * seconds)
    if left > most:
        return Held(CONTRADICTS, product, made, left, most)
    if prefill is None:
        return Held(UNLESS, product, made, left)
    if prefill.refutes(left):
        return Held(CONTRADICTS, product, made, left)
    return Held(DECODE if prompt else UNLESS, product, made, left)


def counts_requests(batch: float, tokens: float, product: float) -> bool:
    """Whether rate x time is about the number of sequences, and not near the tokens made."""
    return math.isclose(product, batch, rel_tol=ROUGHLY) and 2 * product < batch * tokens
