"""A cell: one point of the workload."""

from __future__ import annotations

from typing import Annotated

import msgspec

from trtbench.settings.knobs import Settings

Positive = Annotated[int, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Amount = Annotated[float, msgspec.Meta(ge=0)]


class Cell(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True, order=True):
    """One point of the workload. `precision` is what was asked for."""

    batch: Positive
    prompt_length: Positive
    new_tokens: Positive
    precision: str


def shapes(settings: Settings, precision: str) -> list[Cell]:
    """Every combination of batch size, prompt length and new tokens."""
    return [
        Cell(batch=b, prompt_length=p, new_tokens=n, precision=precision)
        for b in settings.batch_sizes
        for p in settings.prompt_lengths
        for n in settings.new_tokens
    ]
