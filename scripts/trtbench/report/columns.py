"""Tables with a line a lane, whose columns are left out where no lane has a figure for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trtbench.comparison.result import Comparison, Row
from trtbench.figures.summary import Figures
from trtbench.report.language import Language
from trtbench.report.names import label

Column = tuple[str, Callable[[Figures], "str | None"]]  # its name, and a lane's figure as text


def filled(row: Row, columns: Sequence[Column]) -> list[Column]:
    """The columns in which any lane has a figure."""
    return [(name, pick) for name, pick in columns if any(pick(f) is not None for f in row.figures)]


def table(
    row: Row, columns: Sequence[Column], comparison: Comparison, say: Language
) -> tuple[list[str], list[list[str]]]:
    """Head and lines; a dash where a lane has no figure."""
    lines = [[label(f.lane, f.precision, comparison), *(pick(f) or "-" for _, pick in columns)] for f in row.figures]
    return [say("lane"), *(name for name, _ in columns)], lines


def maybe_number(value: float | None, say: Language) -> str | None:
    """The number as text, where there is one."""
    return say.number(value) if value is not None else None


def maybe_share(value: float | None, say: Language) -> str | None:
    """The share in per cent, where there is one."""
    return say.percent(value) if value is not None else None
