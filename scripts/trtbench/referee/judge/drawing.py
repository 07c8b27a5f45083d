"""Which of the returned sequences are scored, and in which order."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence

import msgspec

from trtbench.figures.summary import Where, shape
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
    passes: dict[tuple[Cell, str], list[Pass]] = {}
    for trial in trials:
        for record in trial.cells:
            for part, timed_pass in (("e2e", record.e2e), ("ttft", record.ttft)):
                if timed_pass is not None:
                    cell = msgspec.structs.replace(record.cell, precision="")
                    passes.setdefault((cell, part), []).append(timed_pass)
    sequences: dict[judgement.Key, Returned] = {}
    for part in ("e2e", "ttft"):
        places = {
            cell: _drawn_places(cell, part, members, seed) for (cell, of), members in passes.items() if of == part
        }
        for turn in range(SEQUENCES):
            for cell, cell_places in sorted(places.items()):
                if turn >= len(cell_places):
                    continue
                call, row = cell_places[turn]
                for timed_pass in passes[cell, part]:
                    output = timed_pass.outputs[timed_pass.output[call]]
                    if row < len(output) and output[row]:
                        sequence = Returned(cell, part, call, row, tuple(output[row]), turn)
                        sequences.setdefault(sequence.key, sequence)
    return list(sequences.values())


def _drawn_places(cell: Cell, part: str, passes: Sequence[Pass], seed: int) -> list[tuple[int, int]]:
    """Calls and rows of a cell that are scored, in the order of their turns."""
    places = [(call, row) for call in range(min(len(p.output) for p in passes)) for row in range(cell.batch)]
    random.Random(f"{seed} {shape(cell)} {part}").shuffle(places)
    return places[:SEQUENCES]


def key_of(where: Where, part: str, timed_pass: Pass | None, call: int, row: int) -> judgement.Key | None:
    """The key of the sequence that a pass returned at this place; None where it returned none."""
    if timed_pass is None or call >= len(timed_pass.output):
        return None
    output = timed_pass.outputs[timed_pass.output[call]]
    return (where, part, call, row, judgement.digest(output[row])) if row < len(output) else None


def prompt_of(workload: Workload, trials: Sequence[Trial], sequence: Returned) -> list[int]:
    """The prompt ids that this sequence followed; first tokens were asked for with the calls after the e2e pass."""
    calls = next(
        (len(r.e2e.times) for t in trials for r in t.cells if shape(r.cell) == shape(sequence.cell) and r.e2e), 0
    )
    first_call = 0 if sequence.part == "e2e" else calls
    return workload.prompts(sequence.cell, first_call + sequence.call)[sequence.row]
