"""Who is first in a table, and who cannot be told from it. The unit is the machine: what differs between two of one kind is part of
every difference between kinds, so runs on one machine, however many and on however many of its cards, are one figure of it."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence

import msgspec

from trtbench.figures.speedup import FLOOR_SD, MIN_EFFECT, MIN_TRIALS, Interval, interval
from trtbench.figures.student_t import quantile
from trtbench.figures.summary import geometric_mean
from trtbench.fleet.result import Best, Name, Standing

LEVEL = 0.95


def ranked(
    samples: Mapping[Name, Sequence[float]], value: Callable[[Name, float], float], ratios: bool = False
) -> tuple[dict[Name, Standing], Best | None]:
    """How each stands, and who is first by its mean. `samples` are what each took, one figure a machine: time, energy or cost, the
    less the better. `value` makes of a mean what the table shows, and `ratios` has every other's ratio to the first with its
    interval. Nobody is first where there are none.

    The first is compared with every other, and these comparisons share one error rate: with n of them each stands at 1 - 0.05 / n
    (Bonferroni). So who truly is the fastest is called behind in at most one table of twenty (it has one comparison that can go
    wrong, with whoever is first by chance), and as rarely somebody else is told apart from all others: multiple comparisons with
    the best (Hsu 1981). That what is called behind is not just as fast is not promised so strictly."""
    if not samples:
        return {}, None
    means = {name: geometric_mean(sample) for name, sample in samples.items()}
    first, *others = sorted(samples, key=lambda name: (means[name], name))
    best = samples[first]
    few = {name for name in others if min(len(best), len(samples[name])) < MIN_TRIALS}
    level = 1 - (1 - LEVEL) / max(1, len(others) - len(few))
    standings = {first: Standing(rank=1, word="first", value=value(first, means[first]))}
    for rank, name in enumerate(others, 2):
        taken = samples[name]
        ratio = _interval(best, taken, level) if ratios else None
        behind = name not in few and _told_apart(best, taken, level, ratio)
        standings[name] = Standing(
            rank=rank,
            word="few" if name in few else "behind" if behind else "among",
            value=value(name, means[name]),
            ratio=ratio,
        )
    sides = [best, *(samples[name] for name in others if name in few or not few)]
    return standings, Best(
        first=first,
        value=standings[first].value,
        others=len(others),
        alike=[name for name in others if standings[name].word == "among"],
        open=[name for name in others if name in few],
        fewest=min(len(side) for side in sides),
        one_each=all(len(side) == 1 for side in sides),
    )


def _told_apart(best: Sequence[float], other: Sequence[float], level: float, known: Interval | None) -> bool:
    """Whether the first is faster by trtbench.figures.speedup's rule: the interval excludes 1, and the effect is no trifle."""
    if known is None:
        # Degrees of freedom are from those of the smaller side to those of both, and quantiles of whole ones are known from the
        # table before: most pairs are decided by them, and an interval takes a hundred times as long.
        sides = [[math.log(value) for value in side] for side in (best, other)]
        gain = statistics.fmean(sides[1]) - statistics.fmean(sides[0])
        error = math.sqrt(sum(max(_variance(side), FLOOR_SD**2) / len(side) for side in sides))
        fewest, most = min(map(len, sides)) - 1, sum(map(len, sides)) - 2
        if gain > _quantile(level, fewest) * error * (1 + 1e-6) and gain > math.log1p(MIN_EFFECT) + 1e-9:
            return True
        if gain < _quantile(level, most) * error * (1 - 1e-6) or gain < math.log1p(MIN_EFFECT) - 1e-9:
            return False
        known = _interval(best, other, level)
    return known.low is not None and known.low > 1 and known.ratio >= 1 + MIN_EFFECT


def _interval(best: Sequence[float], other: Sequence[float], level: float) -> Interval:
    """The ratio of the other's time to the first's; without limits where no number can hold them, as with machines of which one
    took a million times what another did."""
    try:
        return interval(best, other, level)
    except OverflowError:
        without = interval(best[:1], other[:1], level)
        ratio = geometric_mean(other) / geometric_mean(best)
        return msgspec.structs.replace(without, ratio=ratio, trials=len(best), base_trials=len(other))


def _variance(values: Sequence[float]) -> float:
    mean = statistics.fmean(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


@functools.lru_cache(1000)
def _quantile(level: float, df: int) -> float:
    return quantile(level, df)
