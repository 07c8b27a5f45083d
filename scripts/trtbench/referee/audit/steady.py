"""steady and aa: did the times hold still while they were taken, and does the base agree with itself."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Sequence

from trtbench.figures.base import Key
from trtbench.figures.settled import settled
from trtbench.figures.speedup import MIN_TRIALS, interval
from trtbench.figures.student_t import two_sided_tail
from trtbench.figures.summary import Where, outliers
from trtbench.records.trial import Trial
from trtbench.referee.audit.context import Context, Measured, numbers
from trtbench.referee.audit.findings import Finding, found
from trtbench.referee.audit.machine import BUSY

DRIFT = 0.02
TRIAL_ALPHA, LANE_ALPHA = 0.01, 0.05
FIRST_Z, FIRST_SHARE = 5.0, 0.10
COMPILE = 3.0
APART, MIN_CALLS, MIN_F = 0.05, 3, 25.0


def check(context: Context) -> list[Finding]:
    findings: list[Finding] = []
    for key, where, measured in context.by_cell():
        findings += _drift(key, where, measured)
        findings += _spikes(key, where, measured)
        unsettled = [m.trial for m in measured if not settled(m.record.warmup)]
        if unsettled:
            findings.append(found("steady.unsettled", key, where, trials=numbers(unsettled), of=len(measured)))
        cold = [m.trial for m in measured if m.record.first_call is None or not m.record.warmup]
        if cold:
            findings.append(found("steady.no_warmup", key, where, trials=numbers(cold)))
        findings += _uneven_outliers(context, key, where, measured)
        findings += _unlike_trials(key, where, measured)
    return findings


def _drift(key: Key, where: Where, measured: Sequence[Measured]) -> Iterator[Finding]:
    """Trend through a trial: Theil's slope (1950), tested by Kendall's rank statistic; through a lane: Student's t on
    the trials' trends. Both have to be over DRIFT and significant, or noise alone would make them."""
    changes, drifting = [], []
    for m in measured:
        change, p = trend(m.e2e.times)
        changes.append(change)
        if abs(change) > DRIFT and p < TRIAL_ALPHA:
            drifting.append((abs(change), change, m.trial))
    if drifting:
        worst = max(drifting, key=lambda entry: (entry[0], -entry[2].index))[1]
        yield found("steady.drift", key, where, change=worst, trials=numbers([t for _, _, t in drifting]))
        return
    if len(changes) >= MIN_TRIALS and max(len(m.e2e.times) for m in measured) >= 3:
        mean, deviation = statistics.fmean(changes), statistics.stdev(changes)
        if abs(mean) > DRIFT and (
            deviation == 0
            or two_sided_tail(abs(mean) / (deviation / math.sqrt(len(changes))), len(changes) - 1) < LANE_ALPHA
        ):
            yield found("steady.drift", key, where, change=mean, trials=numbers([m.trial for m in measured]))


def trend(times: Sequence[int]) -> tuple[float, float]:
    """Relative change from the first to the last call by the median slope, and the two-sided p of Kendall's test
    (normal approximation with continuity correction; 1 below five calls, where it can hardly be small)."""
    calls = len(times)
    if calls < 3:
        return 0.0, 1.0
    sampled = times if calls <= 60 else [times[i * (calls - 1) // 59] for i in range(60)]
    step = (calls - 1) / (len(sampled) - 1)
    slopes, sign = [], 0
    for (i, a), (j, b) in itertools.combinations(enumerate(sampled), 2):
        slopes.append((b - a) / ((j - i) * step))
        sign += (b > a) - (b < a)
    change = statistics.median(slopes) * (calls - 1) / statistics.median(times)
    if calls < 5:
        return change, 1.0
    points = len(sampled)
    z = max(0, abs(sign) - 1) / math.sqrt(points * (points - 1) * (2 * points + 5) / 18)
    return change, math.erfc(z / math.sqrt(2))


def _spikes(key: Key, where: Where, measured: Sequence[Measured]) -> Iterator[Finding]:
    """Compilation, or a first call that is unlike the others, inside a timed pass."""
    slow: dict[tuple[str, int], list[float]] = {}
    odd_first_calls: dict[str, list[tuple[float, float, Trial]]] = {}
    for m in measured:
        for name, part in (("e2e", m.e2e), ("ttft", m.ttft)):
            median = statistics.median(part.times)
            for call, time in enumerate(part.times):
                if len(part.times) > 1 and time >= COMPILE * median:
                    slow.setdefault((name, call), []).append(time / median)
        later = m.e2e.times[1:]
        if len(later) >= 3:
            median = statistics.median(later)
            mad = statistics.median(abs(t - median) for t in later)
            ratio = m.e2e.times[0] / median
            if abs(ratio - 1) >= FIRST_SHARE and 0.6745 * abs(m.e2e.times[0] - median) > FIRST_Z * mad:
                code = "steady.first_busy" if ratio > 1 and _busy_at_first(m) else "steady.first"
                odd_first_calls.setdefault(code, []).append((abs(ratio - 1), ratio, m.trial))
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
    for code, odd in odd_first_calls.items():
        worst = max(odd, key=lambda entry: (entry[0], -entry[2].index))[1]
        yield found(code, key, where, ratio=worst, trials=numbers([t for _, _, t in odd]))


def _busy_at_first(m: Measured) -> bool:
    """Whether others used the CPU during the first timed call, or disturbed the trial."""
    seconds = (m.e2e.foreign_cpu or [0.0])[0]
    return bool(m.trial.disturbed) or seconds > BUSY * m.e2e.times[0] / 1e9 * max(m.trial.environment.cores, 1)


def _uneven_outliers(context: Context, key: Key, where: Where, measured: Sequence[Measured]) -> Iterator[Finding]:
    """Outliers in one of two lanes only: there Welch's interval on few trials is too narrow (see docs/methodology.md). Each
    candidate for the base is looked at, since each may be the one that sets a bound."""
    own_outliers, own_calls = _outliers(measured)
    for base in context.candidates_in(key, where):
        if base == key:
            continue
        base_outliers, base_calls = _outliers(context.cells[base, where])
        if (
            min(own_calls, base_calls) >= 15
            and abs(own_outliers / own_calls - base_outliers / base_calls) >= 0.04
            and min(own_outliers / own_calls, base_outliers / base_calls) < 0.01
        ):
            yield found(
                "steady.outliers",
                key,
                where,
                mine=own_outliers,
                n=own_calls,
                theirs=base_outliers,
                m=base_calls,
                base=base[0],
            )
            return


def _outliers(measured: Sequence[Measured]) -> tuple[int, int]:
    return outliers([m.e2e.times for m in measured]), sum(len(m.e2e.times) for m in measured)


def _unlike_trials(key: Key, where: Where, measured: Sequence[Measured]) -> Iterator[Finding]:
    """Trials that hold still and differ: what each process draws anew (a compiler's search for tiles, its place in memory)
    moves all calls of a trial alike, so that neither drift nor outliers see it.

    By noise alone F is above MIN_F with p < 1e-4 in three trials of five calls and p < 1e-6 in five of five (p = 0.0012 in
    three of three, the fewest that are looked at). With many calls F grows though each trial is noisy: it has to be above
    the calls of a trial too, which is to say that the means of the trials spread more than the calls within them.
    """
    enough = [m for m in measured if len(m.e2e.times) >= MIN_CALLS]
    if len(enough) < MIN_TRIALS:
        return
    spread, f_ratio = between_trials([m.e2e.times for m in enough])
    if spread > APART and f_ratio > max(MIN_F, statistics.fmean(len(m.e2e.times) for m in enough)):
        by_mean = sorted((statistics.fmean(m.e2e.times), m.trial.index) for m in enough)
        yield found("steady.trials", key, where, spread=spread, fastest=by_mean[0][1], slowest=by_mean[-1][1])


def between_trials(trials: Sequence[Sequence[int]]) -> tuple[float, float]:
    """How far the means of the trials lie apart, relative to their mean, and F of a one-way analysis of variance over the
    calls with the trials as groups (Fisher 1925; infinite where no trial has any variance)."""
    means = [statistics.fmean(times) for times in trials]
    calls = [len(times) for times in trials]
    overall = sum(map(sum, trials)) / sum(calls)
    # A product is rounded correctly and a power is not, so only products scale exactly.
    apart = (mean - overall for mean in means)
    between = sum(n * (d * d) for n, d in zip(calls, apart, strict=True)) / (len(trials) - 1)
    deviations = (time - mean for times, mean in zip(trials, means, strict=True) for time in times)
    within = sum(d * d for d in deviations) / (sum(calls) - len(trials))
    return (max(means) - min(means)) / statistics.fmean(means), between / within if within else math.inf


def aa(context: Context) -> list[Finding]:
    """The best PyTorch lane against itself: odd trials against even ones."""
    findings = []
    for key, where, measured in context.by_cell():
        if key != context.base_in(key, where) or (key, where) not in context.printed:
            continue
        means = [(m.trial.index, statistics.fmean(m.e2e.times)) for m in measured]
        odd = [mean for index, mean in means if index % 2 == 1]
        even = [mean for index, mean in means if index % 2 == 0]
        if min(len(odd), len(even)) < MIN_TRIALS:
            findings.append(found("aa.few", key, where, trials=len(means), wanted=2 * MIN_TRIALS))
            continue
        speedup = interval(odd, even)
        assert speedup.low is not None and speedup.high is not None
        if speedup.low > 1 or speedup.high < 1:
            findings.append(found("aa.differs", key, where, ratio=speedup.ratio, low=speedup.low, high=speedup.high))
    return findings
