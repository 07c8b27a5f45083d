"""When a run is long enough: every headline interval narrow, or the time spent.

Looking after every round and stopping when the interval is narrow picks the moments at which the spread happens to be
underestimated. Done from the fifth round on, the 95 % interval of a skewed lane holds the truth 91.7 % of the time, and
equal lanes are called different 5.4 % of the time. So a run goes on for nine rounds at least and stops only when
the intervals were narrow after the round before, too (benchmarks/coverage.py; table in docs/methodology.md). Nine
rounds also give both halves of the A/A check four trials and more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from trtbench.errors import counted
from trtbench.figures.base import headline_intervals
from trtbench.figures.speedup import MIN_TRIALS
from trtbench.records.run import Run
from trtbench.records.trial import Trial
from trtbench.settings.knobs import Settings

MIN_ROUNDS = 9


@dataclasses.dataclass(frozen=True)
class Stop:
    """Where a run stands after a round. Seconds; `budget` is None when it does not bind; `asked`: somebody set it."""

    rounds: int
    spent: float
    next_round: float | None
    budget: float | None
    asked: bool = True


def enough(trials: Sequence[Trial], run: Run, settings: Settings, state: Stop) -> str | None:
    """Say in one sentence why the run stops here, or None. The first round always runs."""
    if state.rounds == 0:
        return None
    if settings.trials == 0:
        target = settings.target_precision
        # A run that was taken up again with a further lane has that lane catch up first.
        begun = max((t.round or 0 for t in trials if t.interleaved), default=0)
        if (
            state.rounds >= max(MIN_ROUNDS, begun)
            and narrow(trials, run, target)
            and narrow(without_last(trials), run, target)
        ):
            return f"every headline interval is within {target:.1%} after {counted(state.rounds, 'round')}"
    # A budget that nobody set must not leave a first run without an interval.
    if state.rounds < MIN_TRIALS and not state.asked:
        return None
    if state.budget is not None and state.spent + (state.next_round or 0) > state.budget:
        return f"TIME_BUDGET={state.budget:g} s is spent after {counted(state.rounds, 'round')}; raise it for a narrower interval"
    return None


def every_trial(limit: int, left: bool = False) -> str:
    """Say that no lane has a trial left; `left`: lanes have left the run early, and so have fewer."""
    whose = "each lane that stayed" if left else "each lane"
    return f"all {counted(limit, 'trial')} of {whose} were run" if limit != 1 else f"1 trial of {whose} was run"


def narrow(trials: Sequence[Trial], run: Run, target: float) -> bool:
    """Whether there are headline intervals and all of them are within `target`."""
    widths = headline_widths(trials, run)
    return bool(widths) and all(width <= target for width in widths)


def without_last(trials: Sequence[Trial]) -> list[Trial]:
    """The trials without those of each lane's last round: what was known a round earlier."""
    last = {(t.lane, t.precision): _round(t) for t in sorted(trials, key=_round)}
    return [t for t in trials if _round(t) != last[t.lane, t.precision]]


def _round(trial: Trial) -> int:
    """The round of a trial; records of schema 1 know none, and have one trial of a lane a round."""
    return trial.index if trial.round is None else trial.round


def headline_widths(trials: Sequence[Trial], run: Run) -> list[float]:
    """Half-widths (share of the ratio) of the headline intervals, each over all candidates for the base; empty while one is
    missing. Lanes that left are no candidates."""
    widths = [speedup.half_width for speedup in headline_intervals(trials, run)]
    known = [width for width in widths if width is not None]
    return known if len(known) == len(widths) else []
