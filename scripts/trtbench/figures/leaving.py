"""Which lanes need no further trial: those that can be the base in no cell. The headline never leaves.

A lane is held against the lane that it is compared with: the fastest PyTorch lane of its own precision, cell by cell. One
that is that lane in any cell stays, and so does a PyTorch lane that has no figures in a cell, for there it may be. The rule
looks twice and no more often, since each look is a chance to drop a lane by mistake: after round one at a factor no noise
makes, after round three at a level that seldom errs.
"""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.figures.base import FAR_OFF, Key, base_of, cells_of, departed, grouped, may_be_base, rows_of
from trtbench.figures.speedup import interval
from trtbench.figures.summary import Figures, Where
from trtbench.records.run import Compared, Departure, Run
from trtbench.records.trial import Trial

RATIO = FAR_OFF  # times as long as the best PyTorch lane in every cell: after round one
# Slower in every cell at this level (Welch): after round three. With three PyTorch lanes the fastest is held against the
# better of two others; at 99 % it left 1.01 % of the time when one of them was noisy, at this level half as often.
LEVEL = 0.995
RATIO_ROUND, LEVEL_ROUND = 1, 3


def departures(trials: Sequence[Trial], run: Run, finished: int) -> list[Departure]:
    """The lanes that leave now that the round `finished` is over, each with its figures in every cell; none after rounds
    other than the first and the third, none once a later round has begun (as when a run is taken up again), and none that
    has left already. `trials` are those of the run so far, whether they count or not. The rules are those sealed in the
    run. A lane with a disturbed trial stays: what slowed it may be somebody else."""
    rules = run.rules
    if rules is None or not rules.leaves or finished not in (RATIO_ROUND, LEVEL_ROUND):
        return []
    if any(t.round is None or t.round > finished for t in trials):
        return []
    groups = grouped(trials)
    rows = {where: rows_of(groups, where) for where in cells_of(groups)}
    position = max((t.position for t in trials), default=0)
    leaving = []
    for key in groups:
        if key[0] == run.headline or key in departed(run) or any(t.disturbed for t in groups[key]):
            continue
        by_level = rules.leave_level if finished == LEVEL_ROUND else None
        cells = _slower_everywhere(key, rows, run, rules.leave_ratio, by_level)
        if cells:
            rule = "ratio" if by_level is None else "level"
            leaving.append(
                Departure(lane=key[0], precision=key[1], round=finished, position=position, rule=rule, cells=cells)
            )
    return leaving


def _slower_everywhere(
    key: Key, rows: dict[Where, list[Figures]], run: Run, factor: float, level: float | None
) -> list[Compared]:
    """The lane beside the base of every cell in which it was measured; empty unless it is slower in all of them, at `level`
    or, where that is None, by `factor` in each of its trials against each of the base's. A lane that may be a base has to
    be measured in every cell of the run."""
    cells = []
    for where, in_cell in rows.items():
        own = next((f for f in in_cell if (f.lane, f.precision) == key), None)
        if own is None and may_be_base(key, key[1]):
            return []
        if own is None:
            continue
        base = base_of(in_cell, key[1], run)
        if base is None or base is own:
            return []
        beside = interval(base.latency_trials, own.latency_trials, level or 0.95)
        if level is None:
            is_slower = min(own.latency_trials) >= factor * max(base.latency_trials)
        else:
            is_slower = beside.low is not None and beside.low > 1
        if not is_slower:
            return []
        cells.append(_compared(where, base, beside.ratio, beside.low if level is not None else None))
    return cells


def _compared(where: Where, base: Figures, ratio: float, low: float | None) -> Compared:
    batch, prompt_length, new_tokens = where
    return Compared(
        batch=batch, prompt_length=prompt_length, new_tokens=new_tokens, base=base.lane, ratio=ratio, low=low
    )
