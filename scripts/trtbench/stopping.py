"""When a run is long enough: every headline interval narrow, or the time spent."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from trtbench.comparison import compare
from trtbench.records import Trial
from trtbench.runs import Run
from trtbench.settings import Settings
from trtbench.speedup import FIRM_TRIALS


@dataclasses.dataclass(frozen=True)
class Stop:
    """Where a run stands after a round. Seconds; `budget` is None when it does not bind."""

    rounds: int
    spent: float
    next_round: float | None
    budget: float | None


def enough(trials: Sequence[Trial], run: Run, settings: Settings, at: Stop) -> str | None:
    """Say in one sentence why the run stops here, or None. The first round always runs."""
    if at.rounds == 0:
        return None
    if settings.trials == 0:
        widths = headline_widths(trials, run)
        if at.rounds >= FIRM_TRIALS and widths and all(width <= settings.target_precision for width in widths):
            return f"every headline interval is within {settings.target_precision:.1%} after {at.rounds} rounds"
    if at.budget is not None and at.spent + (at.next_round or 0) > at.budget:
        return f"TIME_BUDGET={at.budget:g} s is spent after {at.rounds} rounds; raise it for a narrower interval"
    return None


def headline_widths(trials: Sequence[Trial], run: Run) -> list[float]:
    """Half-widths (share of the ratio) of the headline intervals; empty while one is missing."""
    if not trials:
        return []
    widths = [a.speedup.half_width for row in compare(run, trials).cells for a in row.against if a.headline]
    known = [width for width in widths if width is not None]
    return known if len(known) == len(widths) else []
