"""What the trials of one lane say together: one value a trial, the interval of their mean, or their range."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from trtbench.comparison.result import Row
from trtbench.figures.speedup import FLOOR_SD, MIN_TRIALS
from trtbench.figures.student_t import quantile
from trtbench.figures.summary import Figures


def rates(f: Figures, row: Row) -> list[float]:
    """Output tokens per second, one value a trial."""
    return [row.batch * row.new_tokens / ms * 1e3 for ms in f.latency_trials]


def span(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """The t interval of the geometric mean of trial means, which is the figure the report prints; None below
    MIN_TRIALS. It is symmetric on the logarithmic scale, like the interval of the speed-up."""
    if len(values) < MIN_TRIALS:
        return None
    logs = [math.log(value) for value in values]
    half = quantile(level, len(logs) - 1) * max(statistics.stdev(logs), FLOOR_SD) / math.sqrt(len(logs))
    middle = statistics.fmean(logs)
    return math.exp(middle - half), math.exp(middle + half)


class Edges(NamedTuple):
    """How far the whisker of a lane reaches. `firm`: it is the interval; else the lowest and the highest trial."""

    low: float
    high: float
    firm: bool


def edges(values: Sequence[float]) -> Edges:
    """The interval of the trials, or their range where there are too few for one."""
    interval = span(values)
    return Edges(*interval, firm=True) if interval else Edges(min(values), max(values), firm=False)
