"""fairness, of the settings that were found: each lane was timed with what the trying before the first trial says (law 11)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trtbench.figures.base import Key
from trtbench.figures.best_value import best
from trtbench.figures.summary import Where, shape
from trtbench.records.run import Tried
from trtbench.records.trial import Trial
from trtbench.referee.audit.context import Context, numbers
from trtbench.referee.audit.findings import Finding, found
from trtbench.settings.lanes import MOST_VALUES

Place = tuple[Key, Where]


def check(context: Context) -> list[Finding]:
    lines: dict[Place, list[Tried]] = {}
    for line in context.run.tried or ():
        place = (line.lane, line.precision), (line.batch, line.prompt_length, line.new_tokens)
        lines.setdefault(place, []).append(line)
    findings = [finding for place, tried in lines.items() for finding in _chosen(*place, tried)]
    for key, members in context.groups.items():
        findings += _timed(key, members, lines)
    return findings


def _chosen(key: Key, where: Where, tried: Sequence[Tried]) -> Iterator[Finding]:
    """What was chosen follows from the figures, and no lane was offered more than others."""
    if len(tried) > MOST_VALUES:
        yield found("fairness.offered", key, where, values=len(tried), most=MOST_VALUES)
    excused = all(line.failure for line in tried)
    place = 0 if excused else best([[] if line.failure else line.seconds for line in tried])
    if not excused and not any(
        line.seconds for line in tried
    ):  # nothing was timed: the first that can compute the cell
        place = next(i for i, line in enumerate(tried) if not line.failure)
    if [line.chosen for line in tried] != [i == place for i in range(len(tried))]:
        taken = next((line.value for line in tried if line.chosen), "-")
        yield found("fairness.choice", key, where, setting=tried[0].setting, found=taken, wanted=tried[place].value)


def _timed(key: Key, members: Sequence[Trial], lines: dict[Place, list[Tried]]) -> Iterator[Finding]:
    """Every trial of a lane was timed with the value that was chosen for the cell."""
    other: dict[Where, list[Trial]] = {}
    for trial in members:
        for record in trial.cells:
            where = shape(record.cell)
            chosen = next((line.value for line in lines.get((key, where), ()) if line.chosen), None)
            if record.setting != chosen:
                other.setdefault(where, []).append(trial)
    for where, trials in other.items():
        tried = lines.get((key, where))
        yield found(
            "fairness.setting",
            key,
            where,
            setting=tried[0].setting if tried else "-",
            wanted=next((line.value for line in tried or () if line.chosen), "-"),
            trials=numbers(trials),
        )
