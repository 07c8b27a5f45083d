"""What all checks look at: the records of one run, sorted and grouped once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from trtbench.figures.base import base_of
from trtbench.figures.summary import Figures, Where, figures, shape
from trtbench.model.workload import Workload
from trtbench.records.judgement import Judgement
from trtbench.records.run import Run, counting, sort_key
from trtbench.records.trial import CellRecord, Pass, Trial
from trtbench.settings.knobs import QUANTISED
from trtbench.settings.lanes import LANES

Key = tuple[str, str]  # lane, precision


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
        groups: dict[Key, list[Trial]] = {}
        for trial in sorted(counting(ordered), key=lambda t: (list(LANES).index(t.lane), t.precision, t.index)):
            groups.setdefault((trial.lane, trial.precision), []).append(trial)
        cells: dict[tuple[Key, Where], list[Measured]] = {}
        zero: dict[tuple[Key, Where], list[Trial]] = {}
        for key, members in groups.items():
            for trial in members:
                for record in trial.cells:
                    if record.e2e is not None and record.ttft is not None:
                        at = key, shape(record.cell)
                        if min(*record.e2e.times, *record.ttft.times) <= 0:
                            zero.setdefault(at, []).append(trial)
                        else:
                            cells.setdefault(at, []).append(Measured(trial, record, record.e2e, record.ttft))
        printed = {}
        for (key, where), measured in cells.items():
            made = figures([m.trial for m in measured], where)
            if isinstance(made, Figures):
                printed[key, where] = made
        return cls(run, ordered, groups, judgement, workload, cells, zero, printed, _base(printed))

    def base_in(self, key: Key, where: Where) -> Key | None:
        """The lane that `key` is compared with in this cell, as the comparison chooses it."""
        best = base_of([f for (_, at), f in self.printed.items() if at == where], key[1])
        return (best.lane, best.precision) if best else None

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
    found = sorted({trial.index for trial in trials})
    return ", ".join(map(str, found[:6])) + (", …" if len(found) > 6 else "")


def _base(printed: dict[tuple[Key, Where], Figures]) -> Key | None:
    """The PyTorch lane that is the base of most cells."""
    votes: dict[Key, int] = {}
    for where in {where for _, where in printed}:
        rows = [f for (_, at), f in printed.items() if at == where]
        candidates = [f for f in rows if LANES[f.lane].baseline and f.precision not in QUANTISED]
        best = min(candidates, key=lambda f: (f.latency, f.lane, f.precision), default=None)
        if best is not None:
            votes[best.lane, best.precision] = votes.get((best.lane, best.precision), 0) + 1
    return min(votes, key=lambda key: (-votes[key], key), default=None)
