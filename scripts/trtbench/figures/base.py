"""Who is compared with whom: the trials that count by lane, the candidates for the base, and the headline's intervals.

The base is the truly fastest PyTorch lane, and trials seldom tell which one that is. So every lane that they can't tell
from the fastest is a candidate, and what is said of the base has to hold for all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from trtbench.figures.speedup import MIN_TRIALS, Interval, interval, interval_over
from trtbench.figures.summary import Figures, Where, figures, shape
from trtbench.records.run import Run, counting, sort_key
from trtbench.records.trial import Trial
from trtbench.settings.knobs import QUANTISED
from trtbench.settings.lanes import LANES

Key = tuple[str, str]  # lane, precision
CANDIDATE_LEVEL = 0.95  # a PyTorch lane is no candidate for the base once it is slower than the fastest at this level
# Before there are trials for Welch's test, a lane is told from the fastest when each of its trials takes this many times
# as long as the slowest trial of the fastest lane: trials of one lane never lie that far apart on a machine left alone.
FAR_OFF = 2.0


def grouped(trials: Iterable[Trial]) -> dict[Key, list[Trial]]:
    """The trials that count, by lane and precision in the order of the table, each lane's in the order they ran."""
    groups: dict[Key, list[Trial]] = {}
    for trial in counting(sorted(trials, key=sort_key)):
        groups.setdefault((trial.lane, trial.precision), []).append(trial)
    order = list(LANES)
    return {key: groups[key] for key in sorted(groups, key=lambda key: (order.index(key[0]), key[1]))}


def cells_of(groups: dict[Key, list[Trial]]) -> list[Where]:
    """Every cell of these trials, in order."""
    return sorted({shape(record.cell) for members in groups.values() for trial in members for record in trial.cells})


def headline_cells(groups: dict[Key, list[Trial]], run: Run) -> int:
    """How many cells share the error rate of 5 %. Precision is part of a cell, and each has one headline: they are the cells
    that the headline lane was to run, measured or not; all of them where there is no trial of it."""
    headlines: dict[Key, list[Trial]] = {key: members for key, members in groups.items() if key[0] == run.headline}
    return len({(shape(r.cell), t.precision) for ts in (headlines or groups).values() for t in ts for r in t.cells})


def rows_of(groups: dict[Key, list[Trial]], where: Where) -> list[Figures]:
    """The figures of every lane that was measured in this cell."""
    return [f for members in groups.values() if isinstance(f := figures(members, where), Figures)]


def departed(run: Run | None) -> set[Key]:
    """The lanes that left the run early. Each was slower than the base of every cell, and runs no trial that could say
    otherwise: none is a base or a candidate any more."""
    return {(d.lane, d.precision) for d in (run.departures if run else None) or ()}


def may_be_base(key: Key, precision: str) -> bool:
    """Whether a lane may be the base of `precision`: PyTorch lanes in it, and of a quantised one those in any full one."""
    lane, own_precision = key
    return (
        (lane in LANES and LANES[lane].baseline)
        and own_precision not in QUANTISED
        and (own_precision == precision or precision in QUANTISED)
    )


def pool(rows: Iterable[Figures], precision: str, gone: Collection[Key] = ()) -> list[Figures]:
    """The lanes that may be the base of `precision`, without those that are `gone`."""
    return [f for f in rows if may_be_base((f.lane, f.precision), precision) and (f.lane, f.precision) not in gone]


def fastest_pytorch(rows: Iterable[Figures], gone: Collection[Key] = ()) -> Figures | None:
    """The fastest PyTorch lane in any full precision, by its mean."""
    keys = {(f.lane, f.precision): f for f in rows}
    return _fastest([f for key, f in keys.items() if may_be_base(key, key[1]) and key not in gone])


def base_of(rows: Iterable[Figures], precision: str, run: Run | None = None) -> Figures | None:
    """The base that is shown: the fastest of the candidates by its mean. None without a PyTorch lane in this precision
    (for a quantised lane: in any full one)."""
    return _fastest(pool(rows, precision, departed(run)))


def _fastest(rows: Sequence[Figures]) -> Figures | None:
    return min(rows, key=lambda f: (f.latency, f.lane, f.precision), default=None)


def candidates(rows: Iterable[Figures], precision: str, run: Run | None = None, cells: int = 1) -> list[Figures]:
    """The lanes of one cell that may be the base of `precision`, the fastest by its mean first: of `pool` all that can't be
    told from it at the level sealed in the run (CANDIDATE_LEVEL where none is). All `cells` (`headline_cells`) share its error
    rate as they share that of the headline's intervals: a fastest lane ruled out by mistake in one is a wrong number there."""
    rivals = sorted(pool(rows, precision, departed(run)), key=lambda f: (f.latency, f.lane, f.precision))
    sealed = run.rules.candidate_level if run and run.rules else CANDIDATE_LEVEL
    level = 1 - (1 - sealed) / max(1, cells)
    return [f for i, f in enumerate(rivals) if i == 0 or not slower(f, rivals[0], level)]


def rivals_of(f: Figures, rows: Iterable[Figures], run: Run | None = None, cells: int = 1) -> list[Figures]:
    """What a lane is compared with in its cell: the candidates without itself, which a PyTorch lane may be; none for the
    one that is the base."""
    bases = candidates(rows, f.precision, run, cells)
    return [] if bases and bases[0] is f else [base for base in bases if base is not f]


def slower(f: Figures, fastest: Figures, level: float) -> bool:
    """Whether the trials tell a lane from the fastest: Welch's interval of the ratio of their times at this level lies
    above 1; with fewer than three trials on a side, whether it is FAR_OFF."""
    if min(len(f.latency_trials), len(fastest.latency_trials)) < MIN_TRIALS:
        return min(f.latency_trials) >= FAR_OFF * max(fastest.latency_trials)
    low = interval(fastest.latency_trials, f.latency_trials, level).low
    return low is not None and low > 1


def headline_level(cells: int) -> float:
    """The level of each headline interval: all cells (`headline_cells`) share one error rate of 5 % (Bonferroni)."""
    return 1 - 0.05 / max(1, cells)


def headline_rows(trials: Iterable[Trial], run: Run) -> Iterator[tuple[Figures, list[Figures], float]]:
    """The headline lane, its candidates and the level of its interval, in every cell where both have figures."""
    groups = grouped(trials)
    cells = headline_cells(groups, run)
    for where in cells_of(groups):
        rows = rows_of(groups, where)
        for f in rows:
            bases = rivals_of(f, rows, run, cells)
            if f.lane == run.headline and bases:
                yield f, bases, headline_level(cells)


def headline_intervals(trials: Iterable[Trial], run: Run) -> Iterator[Interval]:
    """The speed-up of the headline lane over its base in every cell where both have figures, over all candidates."""
    for f, bases, level in headline_rows(trials, run):
        yield interval_over(f.latency_trials, [base.latency_trials for base in bases], level)
