"""What disturbed trials do to a comparison: who lost how many, and whether the verdict hangs on leaving them out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from trtbench.figures.base import Key
from trtbench.records.run import counting
from trtbench.records.trial import Trial

# A lane that lost so many trials, and so many times as many for each that counts as another, was not treated as the other.
MANY, TIMES = 3, 2


def left_out(trials: Sequence[Trial]) -> list[Trial]:
    """Trials that somebody disturbed and that were run again: they are kept and don't count."""
    counted = {id(trial) for trial in counting(trials)}
    return [t for t in trials if t.disturbed and t.failure is None and id(t) not in counted]


def any_counts(trials: Sequence[Trial]) -> bool:
    """Whether a disturbed trial counts, because the machine did not become quiet."""
    return any(t.disturbed for t in counting(trials))


def lost(trials: Sequence[Trial]) -> dict[Key, tuple[int, float]]:
    """How many of a lane's trials were left out because others disturbed them, and how many for each that counts: a lane with
    extra trials loses more of them than another, though nobody treated it worse."""
    losers = Counter((t.lane, t.precision) for t in left_out(trials))
    kept = Counter((t.lane, t.precision) for t in counting(trials))
    return {key: (losers[key], losers[key] / max(1, kept[key])) for key in losers | kept}


def unequal(lane: Key, others: Iterable[Key], losses: Mapping[Key, tuple[int, float]]) -> bool:
    """Whether a lane lost TIMES as many trials as one of the others for each that counts, or one of them as the lane, and
    MANY at least. `losses` are those of `lost`."""
    none = (0, 0.0)
    pairs = [sorted((losses.get(lane, none), losses.get(other, none)), key=lambda loss: loss[1]) for other in others]
    return any(most[0] >= MANY and most[1] >= TIMES * least[1] for least, most in pairs)
