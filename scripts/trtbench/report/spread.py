"""What the trials of one lane say together: one value a trial, and the interval of their mean."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

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


def ticks(top: float, most: int = 5) -> list[float]:
    """Round numbers from 0 to at most `top` (> 0), `most` steps at the most."""
    raw = top / most
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * (1 - 1e-12))
    return [step * i for i in range(math.floor(top / step + 1e-9) + 1)]
