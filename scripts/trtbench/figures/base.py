"""Who is compared with whom: the trials that count by lane, the base of a lane, and the headline's intervals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from trtbench.figures.speedup import Interval, interval
from trtbench.figures.summary import Figures, Where, figures, shape
from trtbench.records.run import counting, sort_key
from trtbench.records.trial import Trial
from trtbench.settings.knobs import QUANTISED
from trtbench.settings.lanes import LANES

Key = tuple[str, str]  # lane, precision


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


def fastest_pytorch(rows: Iterable[Figures], precision: str | None = None) -> Figures | None:
    """The fastest PyTorch lane in full precision: in any, or in `precision` alone."""
    candidates = [
        f for f in rows if LANES[f.lane].baseline and f.precision not in QUANTISED and precision in (None, f.precision)
    ]
    return min(candidates, key=lambda f: (f.latency, f.lane, f.precision), default=None)


def base_of(rows: Sequence[Figures], precision: str) -> Figures | None:
    """The fastest PyTorch lane in this precision, else (for a quantised lane) the fastest in any full precision."""
    base = fastest_pytorch(rows, precision)
    return fastest_pytorch(rows) if base is None and precision in QUANTISED else base


def headline_level(cells: int) -> float:
    """The level of each headline interval: all cells share one error rate of 5 % (Bonferroni)."""
    return 1 - 0.05 / max(1, cells)


def headline_intervals(trials: Iterable[Trial], headline: str | None) -> Iterator[Interval]:
    """The speed-up of the headline lane over its base in every cell where both have figures."""
    groups = grouped(trials)
    cells = cells_of(groups)
    for where in cells:
        rows = [f for members in groups.values() if isinstance(f := figures(members, where), Figures)]
        for f in rows:
            base = base_of(rows, f.precision)
            if f.lane == headline and base is not None and base is not f:
                yield interval(f.latency_trials, base.latency_trials, headline_level(len(cells)))
