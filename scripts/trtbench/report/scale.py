"""The axis of a plot of trials, as numbers: where it ends, what is marked on it, and which ceilings lie beyond it. The
PNG and the page's SVG draw from these alone, so that both show the same."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from trtbench.report.language import Language
from trtbench.report.spread import edges

FAR = 2.5  # a ceiling more than this many times the best figure is named at the edge, not drawn to scale
SLOW = 6.0  # a lane that takes more than this many times the least time runs out of the plot
REACH = 1.25  # an interval that ends more than this many times beyond all trials runs out of it too
WIDE = 10.0  # one that ends so many times beyond the axis is not worth an arrow: nothing is known of its lane


def axis_end(
    lanes: Sequence[tuple[Sequence[float], bool]], ceilings: Sequence[float | None], room: float, times: bool = False
) -> float:
    """Where the axis from zero ends: `room` times the largest of all that is drawn to scale, which no single lane may press
    together. `lanes` are the trials of each and whether their figures can be true; `times`: more is worse, and a lane that is
    SLOW sets no axis. Intervals within REACH, and the ceilings that are not FAR off, fit in."""
    setting = [values for values, possible in lanes if possible] or [values for values, _ in lanes]
    least = min(map(statistics.fmean, setting))
    if times:
        setting = [values for values in setting if statistics.fmean(values) <= least * SLOW]
    largest = max(map(max, setting))
    whiskers = [high for values in setting if (high := edges(values).high) <= largest * REACH]
    near = [ceiling for ceiling in ceilings if ceiling is not None and ceiling <= largest * FAR]
    return max([largest, *whiskers, *near]) * room


def beyond(value: float | None, end: float) -> bool:
    """Whether something is only named at the edge, since the axis ends before it."""
    return value is not None and value > end


def reaches(values: Sequence[float], end: float, say: Language) -> str | None:
    """What a plot tells of an interval that ends beyond its axis, and does not begin there too."""
    low, high, firm = edges(values)
    if not firm or beyond(low, end) or not beyond(high, end):
        return None
    return say("plot_wide" if high > end * WIDE else "plot_reaches", low=low, high=high)


def thinned(values: Sequence[float], most: int) -> Sequence[float]:
    """At most `most` of a lane's trials, evenly over the run, which are drawn as dots."""
    return values if len(values) <= most else [values[i * len(values) // most] for i in range(most)]


def height(i: int) -> int:
    """-1, 0 or 1: neighbouring trials lie at three heights, in the order of the run, so that equal ones stay apart."""
    return i % 3 - 1


def ticks(end: float, most: int = 5) -> list[float]:
    """Round numbers from 0 to at most `end` (> 0), `most` steps at the most."""
    raw = end / most
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * (1 - 1e-12))
    return [step * i for i in range(math.floor(end / step + 1e-9) + 1)]


def decades(least: float, most: float, enough: int = 6) -> list[float]:
    """Round numbers between two others for a logarithmic axis: 1, 2 and 5 times powers of ten, or fewer of them."""
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    for factors in ((1, 2, 5), (1, 5), (1,)):
        marks = [factor * 10.0**power for power in powers for factor in factors]
        found = [mark for mark in marks if least <= mark <= most]
        if len(found) <= enough:
            break
    return found


def labels(marks: Sequence[float], say: Language) -> list[str]:
    """The marks of an axis, with the decimal places that all of them need to be written as what they stand at."""
    exact = (n for n in range(6) if all(math.isclose(round(mark, n), mark, abs_tol=1e-12) for mark in marks))
    digits = next(exact, 6)
    return [say.number(mark, digits if mark else 0) for mark in marks]
