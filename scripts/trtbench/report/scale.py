"""The axis of a plot of trials, as numbers: where it ends, what is marked on it, and which ceilings lie beyond it. The
PNG and the page's SVG draw from these alone, so that both show the same."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trtbench.report.language import Language
from trtbench.report.spread import edges

FAR = 2.5  # a ceiling more than this many times the best figure is named at the edge, not drawn to scale


def axis_end(trials: Sequence[Sequence[float]], ceilings: Sequence[float | None], room: float) -> float:
    """Where the axis from zero ends: `room` times the largest of all that is drawn to scale. `trials` are the values of
    each lane; their intervals and the ceilings that are not FAR off fit in too."""
    best = max(max([*values, edges(values).high]) for values in trials)
    return max([best, *(ceiling for ceiling in ceilings if ceiling is not None and ceiling <= best * FAR)]) * room


def beyond(ceiling: float | None, end: float) -> bool:
    """Whether a ceiling is only named at the edge, since the axis ends before it."""
    return ceiling is not None and ceiling > end


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


def labels(marks: Sequence[float], say: Language) -> list[str]:
    """The marks of an axis, with the decimal places that all of them need to be written as what they stand at."""
    exact = (n for n in range(6) if all(math.isclose(round(mark, n), mark, abs_tol=1e-12) for mark in marks))
    digits = next(exact, 6)
    return [say.number(mark, digits if mark else 0) for mark in marks]
