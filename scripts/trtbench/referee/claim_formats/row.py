"""One published row, as every format gives it."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Sum:
    """What a rate was made of, where the file says it: `rate` (tokens/s) counts `tokens` over `seconds`. `what` names the
    tokens."""

    rate: float
    seconds: float
    tokens: float
    what: str


@dataclass(frozen=True)
class Row:
    """One published row. None is what the file doesn't say.

    `latency` is the time of one whole generation in `latency_unit` (ms or s; None: the name says no unit), `throughput` a
    rate of all sequences together in `rate_unit`: tokens (output tokens/s), decode (the same without the prompt's time),
    requests (requests/s), total (prompt and output tokens/s), None where the name says no unit. `batch` sequences run at
    once, or, with `at_most`, no more than that. `prompt` and `new_tokens` are ids a sequence, means where lengths vary.
    `decode` is the time of the decode steps alone, ms. `sums` are rates with the time and tokens that they were made of:
    where there are any, rate and latency are not held against each other. `cards` share the work. `precision` is how the
    file says that weights are stored, in its own words, `cache` what it says of keys and values. `speculative`: a
    step may make several tokens. `on_card` layers at most are computed by the card (None: not known), the rest by the host.
    """

    name: str
    batch: int | None = None
    new_tokens: float | None = None
    prompt: float | None = None
    latency: float | None = None
    latency_unit: str | None = "ms"
    throughput: float | None = None
    rate_unit: str | None = "tokens"
    at_most: bool = False
    decode: float | None = None
    sums: tuple[Sum, ...] = ()
    cards: int | None = None
    precision: str | None = None
    cache: tuple[str, ...] = ()
    speculative: bool = False
    on_card: float | None = math.inf


@dataclass(frozen=True)
class Reading:
    """What was read of a file: `source` names the format, `notes` are sentences on what was understood and what was
    not."""

    source: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
