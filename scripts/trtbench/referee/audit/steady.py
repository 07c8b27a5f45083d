"""steady and aa: did the times hold still while they were taken, and does the base agree with itself."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Sequence

from trtbench.figures.speedup import MIN_TRIALS, interval
from trtbench.figures.student_t import two_sided_tail
from trtbench.figures.summary import Where, outliers
from trtbench.referee.audit.context import Context, Key, Measured, numbers
from trtbench.referee.audit.findings import Finding, found

DRIFT = 0.02
TRIAL_ALPHA, LANE_ALPHA = 0.01, 0.05
FIRST_Z, FIRST_SHARE = 5.0, 0.10
COMPILE = 3.0


def check(context: Context) -> list[Finding]:
    made: list[Finding] = []
    for key, where, measured in context.by_cell():
        made += _drift(key, where, measured)
        made += _spikes(key, where, measured)
        unsettled = [m.trial for m in measured if not m.record.settled]
        if unsettled:
            made.append(found("steady.unsettled", key, where, trials=numbers(unsettled), of=len(measured)))
        made += _uneven_outliers(context, key, where, measured)
    return made


def _drift(key: Key, where: Where, measured: Sequence[Measured]) -> Iterator[Finding]:
    """Trend through a trial: Theil's slope (1950), tested by Kendall's rank statistic; through a lane: Student's t on
    the trials' trends. Both have to be over DRIFT and significant, or noise alone would make them."""
    changes, wrong = [], []
    for m in measured:
        change, p = trend(m.e2e.times)
        changes.append(change)
        if abs(change) > DRIFT and p < TRIAL_ALPHA:
            wrong.append((abs(change), change, m.trial))
    if wrong:
        worst = max(wrong, key=lambda entry: (entry[0], -entry[2].index))[1]
        yield found("steady.drift", key, where, change=worst, trials=numbers([t for _, _, t in wrong]))
        return
    if len(changes) >= MIN_TRIALS and max(len(m.e2e.times) for m in measured) >= 3:
        mean, spread = statistics.fmean(changes), statistics.stdev(changes)
        if abs(mean) > DRIFT and (
            spread == 0 or two_sided_tail(abs(mean) / (spread / math.sqrt(len(changes))), len(changes) - 1) < LANE_ALPHA
        ):
            yield found("steady.drift", key, where, change=mean, trials=numbers([m.trial for m in measured]))


def trend(times: Sequence[int]) -> tuple[float, float]:
    """Relative change from the first to the last call by the median slope, and the two-sided p of Kendall's test
    (normal approximation with continuity correction; 1 below five calls, where it can hardly be small)."""
    n = len(times)
    if n < 3:
        return 0.0, 1.0
    shown = times if n <= 60 else [times[i * (n - 1) // 59] for i in range(60)]
    step = (n - 1) / (len(shown) - 1)
    slopes, sign = [], 0
    for (i, a), (j, b) in itertools.combinations(enumerate(shown), 2):
        slopes.append((b - a) / ((j - i) * step))
        sign += (b > a) - (b < a)
    change = statistics.median(slopes) * (n - 1) / statistics.median(times)
    if n < 5:
        return change, 1.0
    k = len(shown)
    z = max(0, abs(sign) - 1) / math.sqrt(k * (k - 1) * (2 * k + 5) / 18)
    return change, math.erfc(z / math.sqrt(2))


def _spikes(key: Key, where: Where, measured: Sequence[Measured]) -> Iterator[Finding]:
    """Compilation, or a first call that is unlike the others, inside a timed pass."""
    slow: dict[tuple[str, int], list[float]] = {}
    first = []
    for m in measured:
        for name, part in (("e2e", m.e2e), ("ttft", m.ttft)):
            middle = statistics.median(part.times)
            for call, time in enumerate(part.times):
                if len(part.times) > 1 and time >= COMPILE * middle:
                    slow.setdefault((name, call), []).append(time / middle)
        rest = m.e2e.times[1:]
        if len(rest) >= 3:
            middle = statistics.median(rest)
            mad = statistics.median(abs(t - middle) for t in rest)
            off = m.e2e.times[0] / middle - 1
            if abs(off) >= FIRST_SHARE and 0.6745 * abs(m.e2e.times[0] - middle) > FIRST_Z * mad:
                first.append((abs(off), off, m.trial))
    for (name, call), ratios in slow.items():
        if len(measured) >= MIN_TRIALS and 2 * len(ratios) >= len(measured):
            yield found(
                "steady.compile",
                key,
                where,
                part=name,
                call=call + 1,
                ratio=statistics.median(ratios),
                n=len(ratios),
                of=len(measured),
            )
            return
    if first:
        worst = max(first, key=lambda entry: (entry[0], -entry[2].index))[1]
        yield found("steady.first", key, where, off=worst, trials=numbers([t for _, _, t in first]))


def _uneven_outliers(context: Context, key: Key, where: Where, measured: Sequence[Measured]) -> Iterator[Finding]:
    """Outliers in one of two lanes only: there Welch's interval on few trials is too narrow (see docs/methodology.md)."""
    base = context.base_in(key, where)
    if base is None or base == key:
        return
    mine, n = _outliers(measured)
    theirs, m = _outliers(context.cells[base, where])
    if min(n, m) >= 15 and abs(mine / n - theirs / m) >= 0.04 and min(mine / n, theirs / m) < 0.01:
        yield found("steady.outliers", key, where, mine=mine, n=n, theirs=theirs, m=m, base=base[0])


def _outliers(measured: Sequence[Measured]) -> tuple[int, int]:
    return outliers([m.e2e.times for m in measured]), sum(len(m.e2e.times) for m in measured)


def aa(context: Context) -> list[Finding]:
    """The best PyTorch lane against itself: odd trials against even ones."""
    made = []
    for key, where, measured in context.by_cell():
        if key != context.base_in(key, where) or (key, where) not in context.printed:
            continue
        means = [(m.trial.index, statistics.fmean(m.e2e.times)) for m in measured]
        a = [mean for index, mean in means if index % 2 == 1]
        b = [mean for index, mean in means if index % 2 == 0]
        if min(len(a), len(b)) < MIN_TRIALS:
            made.append(found("aa.few", key, where, trials=len(means), wanted=2 * MIN_TRIALS))
            continue
        ratio = interval(a, b)
        assert ratio.low is not None and ratio.high is not None
        if ratio.low > 1 or ratio.high < 1:
            made.append(found("aa.differs", key, where, ratio=ratio.ratio, low=ratio.low, high=ratio.high))
    return made
