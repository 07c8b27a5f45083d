"""The speed-up of one lane over another: the ratio, its interval and the verdict. Its only home.

The unit is the trial. Welch's t-test on the logarithms of trial means (Welch 1947; the interval of a ratio of means
on the log scale as in Kalibera & Jones 2013): the ratio is exp(mean log base - mean log lane), the interval
exp(difference ± t · sqrt(s₁²/n₁ + s₂²/n₂)) with Welch–Satterthwaite degrees of freedom.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import msgspec

from trtbench.figures.student_t import quantile

MIN_TRIALS = 3  # below: minimum, median, maximum and no interval
FIRM_TRIALS = 5  # below: the interval is marked as weak
MIN_EFFECT = 0.01  # what is smaller is not called a difference
MOST_MORE = 1000  # further trials; nobody runs more
FLOOR_SD = 1e-9  # spread assumed of trials that agree to the last digit, so that the arithmetic holds


class Interval(msgspec.Struct, kw_only=True, frozen=True):
    """A ratio of times, base over lane (above 1 the lane is faster), with its two-sided interval."""

    ratio: float
    low: float | None
    high: float | None
    level: float
    trials: int
    base_trials: int
    weak: bool

    @property
    def half_width(self) -> float | None:
        """Half the interval's width as a share of the ratio; None without an interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2 / self.ratio


class Verdict(msgspec.Struct, kw_only=True, frozen=True):
    """`word`: faster, slower, equivalent, inconclusive, none (too few trials, or a stand-in) or void (`reason` is then the
    code of the finding that failed). `more_trials`: how many more of each lane would likely settle an inconclusive one."""

    word: str
    reason: str
    more_trials: int | None = None


def interval(lane: Sequence[float], base: Sequence[float], level: float = 0.95) -> Interval:
    """Compare trial means (same unit, each > 0). Without MIN_TRIALS on both sides there is no interval."""
    base_logs, lane_logs = [math.log(value) for value in base], [math.log(value) for value in lane]
    difference = statistics.fmean(base_logs) - statistics.fmean(lane_logs)
    fewest = min(len(base_logs), len(lane_logs))
    low = high = None
    if fewest >= MIN_TRIALS:
        half_log_width = _half_log_width(base_logs, lane_logs, level)
        low, high = math.exp(difference - half_log_width), math.exp(difference + half_log_width)
    return Interval(
        ratio=math.exp(difference),
        low=low,
        high=high,
        level=level,
        trials=len(lane_logs),
        base_trials=len(base_logs),
        weak=fewest < FIRM_TRIALS,
    )


def _half_log_width(base_logs: Sequence[float], lane_logs: Sequence[float], level: float) -> float:
    """t · standard error of the difference of the means, with Welch–Satterthwaite degrees of freedom."""
    va, vb = (max(statistics.variance(logs), FLOOR_SD**2) / len(logs) for logs in (base_logs, lane_logs))
    df = (va + vb) ** 2 / (va**2 / (len(base_logs) - 1) + vb**2 / (len(lane_logs) - 1))
    return quantile(level, df) * math.sqrt(va + vb)


def verdict(lane: Sequence[float], base: Sequence[float], margin: float, level: float = 0.95) -> Verdict:
    """Faster or slower: the interval excludes 1 and the effect is at least MIN_EFFECT. Equivalent: the 90 % interval lies
    between 1 / (1 + `margin`) and 1 + `margin` (two one-sided tests at 5 %, Schuirmann 1987), the same seen from either
    lane. Anything else is inconclusive."""
    speedup = interval(lane, base, level)
    if speedup.low is None or speedup.high is None:
        return Verdict(word="none", reason="too_few_trials")
    speedup_90 = interval(lane, base, 0.90)
    assert speedup_90.low is not None and speedup_90.high is not None
    within_margin = 1 / (1 + margin) <= speedup_90.low and speedup_90.high <= 1 + margin
    if speedup.low > 1 and speedup.ratio >= 1 + MIN_EFFECT:
        return Verdict(word="faster", reason="interval_excludes_one")
    if speedup.high < 1 and speedup.ratio <= 1 / (1 + MIN_EFFECT):
        return Verdict(word="slower", reason="interval_excludes_one")
    if within_margin:
        return Verdict(word="equivalent", reason="interval_within_margin")
    reason = "effect_too_small" if speedup.low > 1 or speedup.high < 1 else "interval_includes_one"
    return Verdict(word="inconclusive", reason=reason, more_trials=more_trials(lane, base, margin, level))


def more_trials(lane: Sequence[float], base: Sequence[float], margin: float, level: float) -> int | None:
    """The fewest further trials of each lane after which, with the spread and the difference seen so far, the interval
    would exclude 1 or lie within the margin; None beyond MOST_MORE."""
    base_logs, lane_logs = [math.log(value) for value in base], [math.log(value) for value in lane]
    difference = abs(statistics.fmean(base_logs) - statistics.fmean(lane_logs))
    spread = math.sqrt(
        max(statistics.variance(base_logs), FLOOR_SD**2) + max(statistics.variance(lane_logs), FLOOR_SD**2)
    )
    trials = min(len(base_logs), len(lane_logs))

    def settles(total: int) -> bool:
        df = 2 * (total - 1)
        apart = difference >= math.log1p(MIN_EFFECT) and quantile(level, df) * spread / math.sqrt(total) < difference
        return apart or difference + quantile(0.90, df) * spread / math.sqrt(total) <= math.log1p(margin)

    # Both widths only shrink with the number of trials, so the fewest are found by halving.
    low, high = trials + 1, trials + MOST_MORE
    if not settles(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if settles(middle) else (middle + 1, high)
    return low - trials
