"""What all checks look at: the records of one run, sorted and grouped once."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Iterator, Sequence

from trtbench.figures.base import Key, candidates, departed, fastest_pytorch, grouped, headline_cells
from trtbench.figures.summary import Figures, Where, figures, shape
from trtbench.model.workload import Workload
from trtbench.records.judgement import Judgement
from trtbench.records.run import Run, sort_key
from trtbench.records.trial import CellRecord, Pass, Trial
from trtbench.settings.knobs import QUANTISED


@dataclasses.dataclass(frozen=True)
class Measured:
    """One cell of one trial that has times."""

    trial: Trial
    record: CellRecord
    e2e: Pass
    ttft: Pass


@dataclasses.dataclass(frozen=True)
class Context:
    """`trials` are all of the records, `groups` the finished trials that count, by lane and precision, in order;
    `base` the best PyTorch lane over all cells, `None` without one, `bases` the candidates by precision and cell. `zero`
    are trials with times that are none; they are in no cell."""

    run: Run
    trials: tuple[Trial, ...]
    groups: dict[Key, list[Trial]]
    judgement: Judgement | None
    workload: Workload | None
    cells: dict[tuple[Key, Where], list[Measured]]
    zero: dict[tuple[Key, Where], list[Trial]]
    printed: dict[tuple[Key, Where], Figures]
    base: Key | None
    bases: dict[tuple[str, Where], list[Key]]

    @classmethod
    def of(
        cls, run: Run, trials: Sequence[Trial], judgement: Judgement | None = None, workload: Workload | None = None
    ) -> Context:
        ordered = tuple(sorted(trials, key=sort_key))
        groups = {key: sorted(members, key=lambda t: t.index) for key, members in grouped(ordered).items()}
        cells: dict[tuple[Key, Where], list[Measured]] = {}
        zero: dict[tuple[Key, Where], list[Trial]] = {}
        for key, members in groups.items():
            for trial in members:
                for record in trial.cells:
                    if record.e2e is not None and record.ttft is not None:
                        lane_in_cell = key, shape(record.cell)
                        if min(*record.e2e.times, *record.ttft.times) <= 0:
                            zero.setdefault(lane_in_cell, []).append(trial)
                        else:
                            cells.setdefault(lane_in_cell, []).append(Measured(trial, record, record.e2e, record.ttft))
        printed = {}
        rows: dict[Where, list[Figures]] = {}
        for (key, where), measured in cells.items():
            lane_figures = figures([m.trial for m in measured], where)
            if isinstance(lane_figures, Figures):
                printed[key, where] = lane_figures
                rows.setdefault(where, []).append(lane_figures)
        # As the comparison shares the candidates' level.
        number_of_cells = headline_cells(groups, run)
        bases = {
            (precision, where): [(f.lane, f.precision) for f in candidates(in_cell, precision, run, number_of_cells)]
            for where, in_cell in rows.items()
            for precision in {f.precision for f in in_cell}
        }
        base = _base(rows, departed(run))
        return cls(run, ordered, groups, judgement, workload, cells, zero, printed, base, bases)

    @functools.cached_property
    def own(self) -> tuple[Trial, ...]:
        """The trials of this run, in the order of their places; those of other runs have places of their own."""
        return tuple(t for t in self.trials if t.run == self.run.id)

    def base_in(self, key: Key, where: Where) -> Key | None:
        """The lane that `key` is compared with in this cell, as the comparison chooses it: the fastest of the candidates."""
        return next(iter(self.candidates_in(key, where)), None)

    def candidates_in(self, key: Key, where: Where) -> list[Key]:
        """All lanes that may be the base of `key` in this cell, the fastest by its mean first."""
        return self.bases.get((key[1], where), [])

    def by_cell(self) -> Iterator[tuple[Key, Where, list[Measured]]]:
        for (key, where), measured in self.cells.items():
            yield key, where, measured


def quantised(trial: Trial) -> bool:
    """Whether the lane was asked for, or says it has, quantised weights."""
    return trial.precision in QUANTISED or (
        trial.statement is not None and trial.statement.weight_precision in QUANTISED
    )


def numbers(trials: Sequence[Trial]) -> str:
    """The numbers of trials for a sentence: `1, 2, 5`, cut after six."""
    return listed({trial.index for trial in trials})


def listed(indices: Collection[int]) -> str:
    """These numbers for a sentence."""
    return ", ".join(map(str, sorted(indices)[:6])) + (", …" if len(indices) > 6 else "")


def _base(rows: dict[Where, list[Figures]], gone: Collection[Key]) -> Key | None:
    """The PyTorch lane that is the base of most cells."""
    votes: dict[Key, int] = {}
    for in_cell in rows.values():
        base = fastest_pytorch(in_cell, gone)
        if base is not None:
            votes[base.lane, base.precision] = votes.get((base.lane, base.precision), 0) + 1
    return min(votes, key=lambda key: (-votes[key], key), default=None)
