"""Which value of an engine's setting is the fastest in a cell, by what was tried before the first timed trial.

The makers' default stands unless another value is told apart from it: choosing by the smallest mean would let noise choose.
"""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.figures.speedup import MIN_EFFECT, MIN_TRIALS, interval
from trtbench.figures.summary import geometric_mean

LEVEL = 0.95


def best(seconds: Sequence[Sequence[float]]) -> int:
    """The place of the best value. `seconds` has the means of each value's processes, the makers' default first.

    The default, unless another is faster than it: Welch at 1 - 0.05 / (values - 1), and by MIN_EFFECT at least. Of those that
    are, the one with the smallest mean. A value with fewer than MIN_TRIALS processes is not taken. Where the default could not
    run at all, the first value that could stands in its place: it must not cost the engine its lane."""
    first = next((place for place, times in enumerate(seconds) if times), 0)
    default, others = seconds[first], seconds[first + 1 :]
    faster = [
        place for place, times in enumerate(others, first + 1) if told_apart(times, default, len(others)) == "faster"
    ]
    return min(faster, key=lambda place: geometric_mean(seconds[place])) if faster else first


def told_apart(times: Sequence[float], default: Sequence[float], comparisons: int) -> str | None:
    """Whether a value is "faster" or "slower" than the default; None where that can't be told, as with times that are none."""
    if min(len(times), len(default)) < MIN_TRIALS or min(*times, *default) <= 0:
        return None
    beside = interval(times, default, 1 - (1 - LEVEL) / max(1, comparisons))
    assert beside.low is not None and beside.high is not None
    if beside.low > 1 and beside.ratio >= 1 + MIN_EFFECT:
        return "faster"
    return "slower" if beside.high < 1 and beside.ratio <= 1 / (1 + MIN_EFFECT) else None


def decided(seconds: Sequence[Sequence[float]]) -> bool:
    """Whether every other value is told apart from the default, so that trying on would change nothing."""
    return all(told_apart(times, seconds[0], len(seconds) - 1) is not None for times in seconds[1:])
