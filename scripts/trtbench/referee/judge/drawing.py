"""Which of the returned sequences are scored, and in which order."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence

import msgspec

from trtbench.figures.summary import shape
from trtbench.model.workload import Workload
from trtbench.records import judgement
from trtbench.records.trial import Pass, Trial
from trtbench.settings.cells import Cell

SEQUENCES = 12  # calls of each cell that are drawn


@dataclasses.dataclass(frozen=True)
class Returned:
    """One returned sequence and where it was returned."""

    cell: Cell
    part: str
    call: int
    row: int
    ids: tuple[int, ...]
    turn: int = 0  # 0: the first that is drawn of its cell

    @property
    def key(self) -> judgement.Key:
        return shape(self.cell), self.part, self.call, self.row, judgement.digest(self.ids)


def drawn(trials: Sequence[Trial], seed: int) -> list[Returned]:
    """Distinct sequences in the order they are to be scored: one call after the other in a seeded order, each for all
    cells and lanes before the next, so that whatever time allows covers every lane. First tokens come last."""
    groups: dict[tuple[Cell, str], list[tuple[Trial, Pass]]] = {}
    for trial in trials:
        for record in trial.cells:
            for part, made in (("e2e", record.e2e), ("ttft", record.ttft)):
                if made is not None:
                    cell = msgspec.structs.replace(record.cell, precision="")
                    groups.setdefault((cell, part), []).append((trial, made))
    found: dict[judgement.Key, Returned] = {}
    for wanted in ("e2e", "ttft"):
        places = {}
        for (cell, part), members in groups.items():
            if part == wanted:
                all_places = [(c, r) for c in range(min(len(m.output) for _, m in members)) for r in range(cell.batch)]
                random.Random(f"{seed} {shape(cell)} {part}").shuffle(all_places)
                places[cell] = all_places[:SEQUENCES]
        for turn in range(SEQUENCES):
            for cell, mine in sorted(places.items()):
                if turn >= len(mine):
                    continue
                call, row = mine[turn]
                for _, made in groups[cell, wanted]:
                    output = made.outputs[made.output[call]]
                    if row < len(output) and output[row]:
                        one = Returned(cell, wanted, call, row, tuple(output[row]), turn)
                        found.setdefault(one.key, one)
    return list(found.values())


def prompt_of(workload: Workload, trials: Sequence[Trial], sequence: Returned) -> list[int]:
    """The prompt ids that this sequence followed; first tokens were asked for with the calls after the e2e pass."""
    calls = next(
        (len(r.e2e.times) for t in trials for r in t.cells if shape(r.cell) == shape(sequence.cell) and r.e2e), 0
    )
    first = 0 if sequence.part == "e2e" else calls
    return workload.prompts(sequence.cell, first + sequence.call)[sequence.row]
