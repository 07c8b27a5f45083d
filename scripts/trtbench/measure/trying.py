"""The values of an engine's setting, tried before the first timed trial: the makers' default and what they document beside it.

Every lane that has a choice gets the same: rounds in which each value runs once in a fresh process, in a drawn order, on
prompts that no trial has, three rounds at least, and so many more, up to `MOST_ROUNDS`, as `SECONDS` allow until each value is told
apart from the default. What was disturbed is tried again; where the machine does not become quiet, or a value ran fewer than
three times, the default stands. What was chosen on a quiet machine is kept for the next run of the same kind.
"""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Sequence

from trtbench.figures.best_value import best, decided
from trtbench.figures.speedup import MIN_TRIALS
from trtbench.figures.summary import Where, shape
from trtbench.records.run import Tried
from trtbench.records.trial import Trial
from trtbench.settings.lanes import Choice

MOST_ROUNDS = 6
SECONDS = 300.0  # of a lane: no further round is begun that would end later, once there were three

# Times the cells with a value, in round so and so; None where the machine did not become quiet.
TryOut = Callable[[str, int], "Trial | None"]


@dataclasses.dataclass
class Values:
    """What was seen of each value so far: mean seconds a generation for each cell, one a process."""

    choice: Choice
    cells: Sequence[Where]
    seconds: dict[tuple[Where, str], list[float]] = dataclasses.field(default_factory=dict)
    failures: dict[str, str] = dataclasses.field(default_factory=dict)

    def add(self, value: str, trial: Trial) -> None:
        """Take what one process gave."""
        if trial.failure is not None:
            self.failures[value] = trial.failure.reason
            return
        for record in trial.cells:
            if record.e2e is not None:
                mean = sum(record.e2e.times) / len(record.e2e.times) / 1e9
                self.seconds.setdefault((shape(record.cell), value), []).append(mean)

    def of(self, where: Where) -> list[list[float]]:
        """The means of each value in a cell, the default first; those of a value that failed do not count."""
        return [[] if value in self.failures else self.seconds.get((where, value), []) for value in self.choice.values]

    def settled(self) -> bool:
        """Whether further rounds would change nothing in any cell."""
        return all(decided([times for times in self.of(where) if times] or [[]]) for where in self.cells)


def find(choice: Choice, cells: Sequence[Where], seed: int, try_out: TryOut) -> Values | None:
    """Try the values of a choice in these cells; None where the machine did not become quiet."""
    values, began = Values(choice, cells), time.monotonic()
    for number in range(1, MOST_ROUNDS + 1):
        round_began = time.monotonic()
        for value in random.Random(f"{seed} {choice.setting} {number}").sample(choice.values, len(choice.values)):
            if value in values.failures:
                continue
            trial = try_out(value, number)
            if trial is None:
                return None
            values.add(value, trial)
        now = time.monotonic()
        if number >= MIN_TRIALS and (values.settled() or now - began + (now - round_began) > SECONDS):
            break
    return values


def told(
    lane: str,
    precision: str,
    values: Values,
    failure: str | None = None,
    unable: Callable[[str, Where], str] = lambda value, where: "",
) -> list[Tried]:
    """What the run keeps of it: a line for each cell and value. With a `failure` the default is taken for it, or the first value
    that can compute the cell, where `unable` says that the default can't."""
    lines = []
    for where in values.cells:
        seconds = values.of(where)
        reasons = [failure or values.failures.get(value) for value in values.choice.values]
        place = 0 if failure else best(seconds)
        hindered = [unable(value, where) for value in values.choice.values] if failure else [""]
        if hindered[0] and not all(hindered):
            place, reasons = hindered.index(""), [reason or None for reason in hindered]
        for i, value in enumerate(values.choice.values):
            lines.append(
                Tried(
                    lane=lane,
                    precision=precision,
                    batch=where[0],
                    prompt_length=where[1],
                    new_tokens=where[2],
                    setting=values.choice.setting,
                    value=value,
                    seconds=values.seconds.get((where, value), []),
                    chosen=i == place,
                    failure=reasons[i],
                )
            )
    return lines
