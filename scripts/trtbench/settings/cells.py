"""A cell: one point of the workload; and the numbers that records are made of, each with what it can be at most.

The bounds are far above what any machine does and low enough that nothing computed from two of them is beyond a float, and
that counting up to a place, a round or a length ends.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from trtbench.settings.knobs import ROWS, Settings

MOST = 10**18  # nanoseconds: 31 years; bytes: 888 PiB
Positive = Annotated[int, msgspec.Meta(gt=0, le=MOST)]
Count = Annotated[int, msgspec.Meta(ge=0, le=MOST)]
Amount = Annotated[float, msgspec.Meta(ge=0, le=MOST)]
Place = Annotated[int, msgspec.Meta(ge=0, le=10**6)]  # numbers of trials, attempts, rounds and places in a run
Id = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]  # of a token
Level = Annotated[float, msgspec.Meta(gt=0, lt=1)]  # of an interval
Bandwidth = Annotated[float, msgspec.Meta(ge=1000, le=MOST)]  # bytes a second; a machine that reads less runs no model


def _most(name: str) -> int:
    """What a setting takes at most: no run has a cell, or a pass, beyond it."""
    most = ROWS[name].high
    assert most is not None
    return int(most)


Batch = Annotated[int, msgspec.Meta(gt=0, le=_most("BATCH_SIZES"))]
PromptLength = Annotated[int, msgspec.Meta(gt=0, le=_most("PROMPT_LENGTHS"))]
NewTokens = Annotated[int, msgspec.Meta(gt=0, le=_most("NEW_TOKENS"))]
T = TypeVar("T")
Calls = Annotated[list[T], msgspec.Meta(max_length=_most("NUM_ITERATIONS"))]  # of a pass, one value each
Row = Annotated[list[int], msgspec.Meta(max_length=_most("NEW_TOKENS"))]
Rows = Annotated[list[Row], msgspec.Meta(max_length=_most("BATCH_SIZES"))]  # what a call returned


class Cell(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True, order=True):
    """One point of the workload. `precision` is what was asked for."""

    batch: Batch
    prompt_length: PromptLength
    new_tokens: NewTokens
    precision: str


def shapes(settings: Settings, precision: str) -> list[Cell]:
    """Every combination of batch size, prompt length and new tokens."""
    return [
        Cell(batch=b, prompt_length=p, new_tokens=n, precision=precision)
        for b in settings.batch_sizes
        for p in settings.prompt_lengths
        for n in settings.new_tokens
    ]
