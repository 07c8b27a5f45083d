"""Tables with a line a lane, whose columns are left out where no lane has a figure for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from trtbench.comparison.result import Comparison, Row
from trtbench.figures.summary import Figures
from trtbench.report.language import Language
from trtbench.report.names import label

F = TypeVar("F")  # a field: text, or what a format makes of it
Column = tuple[str, Callable[[Figures], "F | None"]]  # the key of its name, and a lane's field


def filled(row: Row, columns: Sequence[Column[F]]) -> tuple[list[str], list[list[F | None]]]:
    """The keys and the fields, one a lane, of the columns in which any lane has a figure."""
    picked = [(key, [pick(f) for f in row.figures]) for key, pick in columns]
    kept = [(key, fields) for key, fields in picked if any(field is not None for field in fields)]
    return [key for key, _ in kept], [fields for _, fields in kept]


def table(
    row: Row, columns: Sequence[Column[F]], comparison: Comparison, say: Language
) -> tuple[list[str], list[list[str | F]]]:
    """Head and lines; a dash where a lane has no figure."""
    keys, fields = filled(row, columns)
    lines: list[list[str | F]] = [
        [label(f.lane, f.precision, comparison), *(field[i] or "-" for field in fields)]
        for i, f in enumerate(row.figures)
    ]
    return [say(key) for key in ("lane", *keys)], lines


def maybe_number(value: float | None, say: Language) -> str | None:
    """The number as text, where there is one."""
    return say.number(value) if value is not None else None


def maybe_share(value: float | None, say: Language) -> str | None:
    """The share in per cent, where there is one."""
    return say.percent(value) if value is not None else None
