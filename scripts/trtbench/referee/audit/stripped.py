"""provenance, of what a record of this program can't lack: who takes it out of a record silences what is checked by it.

Some parts every trial has that counts. Others came with a version: a run is taken up again by the same version or a later one
(an earlier one does not read its records), so a trial lacks none of them that an earlier trial of its run has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from trtbench.figures.base import Key
from trtbench.records.trial import CellRecord, Trial
from trtbench.referee.audit.context import Context, numbers
from trtbench.referee.audit.findings import Finding, found


def check(context: Context) -> Iterator[Finding]:
    lacking: dict[tuple[Key, str], list[Trial]] = {}
    carried: set[str] = set()
    asked = context.run.settings.get("NUM_ITERATIONS")
    as_asked = any(_all_calls(t, asked) for t in context.trials if _measured(t))
    for trial in context.trials:
        lacks = [name for name, of_trial in ALWAYS.items() if trial.failure is None and not of_trial(trial)]
        # Where no trial has as many calls as were asked for, the run was told otherwise: count.iterations says it.
        if trial.failure is None and as_asked and not _all_calls(trial, asked):
            lacks.append("iterations")
        if trial.run == context.run.id:
            has = {name: of_trial(trial) for name, of_trial in SINCE.items()}
            sealed = WITH_SEAL if trial.sealed is not None else ()
            lacks += [name for name, there in has.items() if there is False and (name in carried or name in sealed)]
            carried |= {name for name, there in has.items() if there}
        for name in lacks:
            lacking.setdefault(((trial.lane, trial.precision), name), []).append(trial)
    for (key, name), trials in lacking.items():
        yield found("provenance.stripped", key, what=name, trials=numbers(trials))
    yield from _left_out(context)


def _left_out(context: Context) -> Iterator[Finding]:
    """What trials that count say that they go without."""
    for key, members in context.groups.items():
        without: dict[tuple[str, str], list[Trial]] = {}
        for trial in members:
            for one in trial.left_out or []:
                without.setdefault((one.kind, one.reason), []).append(trial)
        for (kind, reason), trials in without.items():
            yield found("provenance.left_out", key, what=kind, reason=reason, trials=numbers(trials))


def _measured(trial: Trial) -> list[CellRecord]:
    return [record for record in trial.cells if record.e2e is not None and record.ttft is not None]


def _whole(record: CellRecord) -> bool:
    """Whether a cell is measured in both passes, or a hole."""
    passes = [part is not None for part in (record.e2e, record.ttft)]
    return not any(passes) if record.hole is not None else all(passes)


def _all_calls(trial: Trial, asked: object) -> bool:
    return all(
        len(part.times) == asked
        for record in _measured(trial)
        for part in (record.e2e, record.ttft)
        if part is not None
    )


def _in_cells(of_cell: Callable[[CellRecord], bool]) -> Callable[[Trial], bool | None]:
    """Whether all measured cells of a trial have it; None where none is measured."""
    return lambda trial: all(map(of_cell, _measured(trial))) if _measured(trial) else None


def _stamped(record: CellRecord) -> bool:
    parts = (record.e2e, record.ttft)
    return (
        record.began is not None
        and record.ended is not None
        and all(
            part is not None and None not in (part.began, part.ended, part.between, part.foreign_cpu) for part in parts
        )
    )


def _told(trial: Trial, kind: str) -> bool:
    """Whether a trial says itself that this failed: provenance.left_out warns of it."""
    return any(one.kind == kind for one in trial.left_out or [])


_with_memory = _in_cells(lambda record: record.memory is not None)

# By words of the finding's sentence.
ALWAYS: dict[str, Callable[[Trial], bool]] = {
    "statement": lambda trial: trial.statement is not None or not _measured(trial),
    # A trial of nothing but holes failed.
    "passes": lambda trial: all(map(_whole, trial.cells)) and not (trial.cells and all(r.hole for r in trial.cells)),
}
SINCE: dict[str, Callable[[Trial], bool | None]] = {
    "telemetry": lambda trial: trial.telemetry is not None,
    "trial": lambda trial: trial.began is not None and trial.ended is not None,
    "cell": _in_cells(_stamped),
    "memory": lambda trial: None if _told(trial, "memory") else _with_memory(trial),
    "config.json": lambda trial: trial.model.config_text is not None,
    "files": lambda trial: trial.model.files is not None,
    "sealed": lambda trial: trial.sealed is not None,
}
WITH_SEAL = ("trial", "cell", "memory")  # came before it; what tells of the model's files may be taken out of a bundle
