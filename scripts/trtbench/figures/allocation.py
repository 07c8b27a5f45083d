"""Which lane an extra trial serves best: the candidate for the base whose own noise widens the headline's range most."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from trtbench.figures.base import Key, headline_rows
from trtbench.figures.speedup import FLOOR_SD, interval_over
from trtbench.figures.summary import Figures
from trtbench.records.run import Run
from trtbench.records.trial import Trial

NOISIER = 2.0  # times the variance of the mean of the headline lane; below, a trial of either serves the interval alike


def widener(trials: Sequence[Trial], run: Run) -> Key | None:
    """The candidate that deserves one trial more in the next round, or None where a round of every lane serves as well:
    looked for in the cell with the widest range, it is the candidate without which the range would shrink most, if the
    variance of its mean is over NOISIER times that of the headline lane's. `trials` are those of the run so far."""
    widest: tuple[float, Figures, list[Figures], float] | None = None
    for f, bases, level in headline_rows(trials, run):
        width = _log_width(f, bases, level)
        if width is None:
            return None
        if widest is None or width > widest[0]:
            widest = width, f, bases, level
    if widest is None:
        return None
    width, f, bases, level = widest
    noisy = [base for base in bases if _variance(base) > NOISIER * _variance(f)]
    if not noisy:
        return None

    # What is left of the range without a candidate says how much of it is that candidate's alone.
    def rest(base: Figures) -> float:
        others = [other for other in bases if other is not base]
        return (_log_width(f, others, level) or 0.0) if others else 0.0

    worst = min(noisy, key=lambda base: (rest(base), -_variance(base), base.lane, base.precision))
    return worst.lane, worst.precision


def _log_width(f: Figures, bases: Sequence[Figures], level: float) -> float | None:
    """From the lowest to the highest bound, as a difference of logarithms."""
    ratio = interval_over(f.latency_trials, [base.latency_trials for base in bases], level)
    return None if ratio.low is None or ratio.high is None else math.log(ratio.high / ratio.low)


def _variance(f: Figures) -> float:
    """Of the mean of the logarithms of the trial means."""
    logs = [math.log(ms) for ms in f.latency_trials]
    return max(statistics.variance(logs), FLOOR_SD**2) / len(logs)
