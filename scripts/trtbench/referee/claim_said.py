"""A sentence before it is put into a language: the key of its row among the reports' words, and the figures that stand in it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Union

Figure = Union[str, int, float, "Said"]


@dataclass(frozen=True)
class Said:
    """A row by its `key`, with its `figures` by the names that the row gives them; one of them may be such a part itself."""

    key: str
    figures: dict[str, Figure]


def said(key: str, /, **figures: Figure) -> Said:
    """The sentence, or a part of one, of that row with these figures."""
    return Said(key, figures)


def joined(key: str, parts: Sequence[Figure]) -> Figure:
    """Parts of a sentence (one at least) behind one another, two at a time by a row that has `first` and `then`."""
    return functools.reduce(lambda first, then: said(key, first=first, then=then), parts)
