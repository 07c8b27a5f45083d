"""What all checks look at: the records of one run, sorted and grouped once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from trtbench.figures.base import Key, base_of, fastest_pytorch, grouped
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
    `base` the best PyTorch lane over all cells, `None` without one. `zero` are trials with times that are none; they
    are in no cell."""

    run: Run
    trials: tuple[Trial, ...]
    groups: dict[Key, list[Trial]]
    judgement: Judgement | None
    workload: Workload | None
    cells: dict[tuple[Key, Where], list[Measured]]
    zero: dict[tuple[Key, Where], list[Trial]]
    printed: dict[tuple[Key, Where], Figures]
    base: Key | None

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
        for (key, where), measured in cells.items():
            lane_figures = figures([m.trial for m in measured], where)
            if isinstance(lane_figures, Figures):
                printed[key, where] = lane_figures
        return cls(run, ordered, groups, judgement, workload, cells, zero, printed, _base(printed))

    def base_in(self, key: Key, where: Where) -> Key | None:
        """The lane that `key` is compared with in this cell, as the comparison chooses it."""
        base = base_of([f for (_, cell), f in self.printed.items() if cell == where], key[1])
        return (base.lane, base.precision) if base else None

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
    indices = sorted({trial.index for trial in trials})
    return ", ".join(map(str, indices[:6])) + (", …" if len(indices) > 6 else "")


def _base(printed: dict[tuple[Key, Where], Figures]) -> Key | None:
    """The PyTorch lane that is the base of most cells."""
    votes: dict[Key, int] = {}
    for where in {where for _, where in printed}:
        base = fastest_pytorch(f for (_, cell), f in printed.items() if cell == where)
        if base is not None:
            votes[base.lane, base.precision] = votes.get((base.lane, base.precision), 0) + 1
    return min(votes, key=lambda key: (-votes[key], key), default=None)
