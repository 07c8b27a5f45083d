"""The speed-up of one lane over another: the ratio, its interval and the verdict. Its only home.

Where several PyTorch lanes can't be told from the fastest (trtbench.figures.base), the other side is all of them: the
functions that end in `_over` take one list of trial means a candidate, the fastest by its mean first. True is the ratio to
the truly fastest, whichever that is.

The unit is the trial. Welch's t-test on the logarithms of trial means (Welch 1947; the interval of a ratio of means
on the log scale as in Kalibera & Jones 2013): the ratio is exp(mean log base - mean log lane), the interval
exp(difference ± t · sqrt(s₁²/n₁ + s₂²/n₂)) with Welch–Satterthwaite degrees of freedom.
"""

from __future__ import annotations

import dataclasses
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
    code of the finding that failed). `more_trials`: how many more of each lane would likely settle an inconclusive one.
    `candidate`: which of the candidates it is about, in the order in which they were given: the one that the lane is slower
    than, the one with too few trials, or the one whose noise alone stands between the trials and a verdict."""

    word: str
    reason: str
    more_trials: int | None = None
    candidate: int | None = None


@dataclasses.dataclass(frozen=True)
class _Side:
    """One side of a comparison: the mean of the logarithms of its trial means and the variance of that mean."""

    mean: float
    variance: float
    trials: int

    @classmethod
    def of(cls, times: Sequence[float]) -> _Side:
        logs = [math.log(value) for value in times]
        return cls(statistics.fmean(logs), max(statistics.variance(logs), FLOOR_SD**2) / len(logs), len(logs))

    @property
    def noise(self) -> float:
        """The variance of a single trial."""
        return self.variance * self.trials


def _half_width(one: _Side, other: _Side, level: float) -> float:
    """t · standard error of the difference of the means, with Welch–Satterthwaite degrees of freedom."""
    total = one.variance + other.variance
    df = total**2 / (one.variance**2 / (one.trials - 1) + other.variance**2 / (other.trials - 1))
    return quantile(level, df) * math.sqrt(total)


def interval(lane: Sequence[float], base: Sequence[float], level: float = 0.95) -> Interval:
    """Compare trial means (same unit, each > 0). Without MIN_TRIALS on both sides there is no interval."""
    base_logs, lane_logs = [math.log(value) for value in base], [math.log(value) for value in lane]
    difference = statistics.fmean(base_logs) - statistics.fmean(lane_logs)
    fewest = min(len(base_logs), len(lane_logs))
    low = high = None
    if fewest >= MIN_TRIALS:
        half_log_width = _half_width(_Side.of(base), _Side.of(lane), level)
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


def interval_over(lane: Sequence[float], candidates: Sequence[Sequence[float]], level: float = 0.95) -> Interval:
    """The ratio to the first of the candidates, and from the lowest to the highest bound of the intervals to all of them.
    There is none while one of them, or the lane, has fewer than MIN_TRIALS."""
    intervals = [interval(lane, base, level) for base in candidates]
    lows, highs = [i.low for i in intervals if i.low is not None], [i.high for i in intervals if i.high is not None]
    complete = len(lows) == len(intervals)
    return msgspec.structs.replace(
        intervals[0],
        low=min(lows) if complete else None,
        high=max(highs) if complete else None,
        weak=any(i.weak for i in intervals),
    )


def verdict(lane: Sequence[float], base: Sequence[float], margin: float, level: float = 0.95) -> Verdict:
    """The verdict over one base (`verdict_over`); nobody's noise is named, so that it is the same seen from either lane."""
    return msgspec.structs.replace(verdict_over(lane, [base], margin, level), candidate=None)


def verdict_over(
    lane: Sequence[float], candidates: Sequence[Sequence[float]], margin: float, level: float = 0.95
) -> Verdict:
    """Faster or slower: the interval excludes 1 and the effect is at least MIN_EFFECT. Equivalent: the 90 % interval lies
    between 1 / (1 + `margin`) and 1 + `margin` (two one-sided tests at 5 %, Schuirmann 1987), the same seen from either
    lane. Anything else is inconclusive.

    Faster and equivalent must hold against every candidate: an intersection of tests, which needs no correction (Berger
    1982). Slower than one is enough, since the base is at least as fast as each: a union of tests, so that one of k has to
    hold at 1 - (1 - `level`) / k (Bonferroni), unless all hold at `level`."""
    few = [i for i, base in enumerate(candidates) if len(base) < MIN_TRIALS]
    if len(lane) < MIN_TRIALS or few[:1] == [0]:
        return Verdict(word="none", reason="too_few_trials")
    if few:
        return Verdict(word="none", reason="few_trials_of_candidate", candidate=few[0])
    side, bases = _Side.of(lane), [_Side.of(base) for base in candidates]
    word, decider = _word(side, bases, margin, level)
    if word == "slower" and decider is not None:
        return Verdict(word=word, reason="slower_than_candidate", candidate=decider)
    if word in ("faster", "slower"):
        return Verdict(word=word, reason="interval_excludes_one")
    if word == "equivalent":
        return Verdict(word=word, reason="interval_within_margin")
    speedup = interval_over(lane, candidates, level)
    assert speedup.low is not None and speedup.high is not None
    reason = "effect_too_small" if speedup.low > 1 or speedup.high < 1 else "interval_includes_one"
    return Verdict(
        word=word,
        reason=reason,
        more_trials=more_trials_over(lane, candidates, margin, level),
        candidate=_blocker(side, bases, margin, level),
    )


def _word(lane: _Side, bases: Sequence[_Side], margin: float, level: float) -> tuple[str, int | None]:
    """Faster, slower, equivalent or inconclusive, and the candidate that alone makes it slower."""
    effect = math.log1p(MIN_EFFECT)
    gains = [base.mean - lane.mean for base in bases]
    apart = [_half_width(base, lane, level) for base in bases]
    if all(gain > half and gain >= effect for gain, half in zip(gains, apart)):
        return "faster", None
    if all(-gain > half and -gain >= effect for gain, half in zip(gains, apart)):
        return "slower", None
    if len(bases) > 1:
        for i, (base, gain) in enumerate(zip(bases, gains)):
            if -gain >= effect and -gain > _half_width(base, lane, 1 - (1 - level) / len(bases)):
                return "slower", i
    if all(abs(gain) + _half_width(base, lane, 0.90) <= math.log1p(margin) for base, gain in zip(bases, gains)):
        return "equivalent", None
    return "inconclusive", None


def _blocker(lane: _Side, bases: Sequence[_Side], margin: float, level: float) -> int | None:
    """The candidate without whose noise there would be a verdict: were its trials, as many as they are, as quiet as the
    lane's, or, where it is slower than another by its mean, were it known to be no candidate. None where noise of its own
    is not what is in the way."""
    noisiest_first = sorted(range(len(bases)), key=lambda i: -bases[i].noise)
    for i in noisiest_first:
        if bases[i].noise <= lane.noise:
            return None
        rest = [*bases[:i], *bases[i + 1 :]]
        as_quiet = dataclasses.replace(bases[i], variance=lane.noise / bases[i].trials)
        quiet = [*bases[:i], as_quiet, *bases[i + 1 :]]
        if _word(lane, quiet, margin, level)[0] != "inconclusive":
            return i
        if i > 0 and _word(lane, rest, margin, level)[0] != "inconclusive":
            return i
    return None


def more_trials(lane: Sequence[float], base: Sequence[float], margin: float, level: float) -> int | None:
    """The number over one base (`more_trials_over`)."""
    return more_trials_over(lane, [base], margin, level)


def more_trials_over(
    lane: Sequence[float], candidates: Sequence[Sequence[float]], margin: float, level: float
) -> int | None:
    """The fewest further trials of each lane after which, with the spreads and the differences seen so far, there would be
    a verdict against these candidates; None beyond MOST_MORE."""
    side, bases = _Side.of(lane), [_Side.of(base) for base in candidates]

    def after(more: int, one: _Side) -> _Side:
        return _Side(one.mean, one.noise / (one.trials + more), one.trials + more)

    def settles(more: int) -> bool:
        return _word(after(more, side), [after(more, base) for base in bases], margin, level)[0] != "inconclusive"

    # All widths only shrink with the number of trials, so the fewest are found by halving.
    low, high = 1, MOST_MORE
    if not settles(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if settles(middle) else (middle + 1, high)
    return low
