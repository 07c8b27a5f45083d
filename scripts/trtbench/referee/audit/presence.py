"""provenance, of what is there: every place of the run, every trial and attempt, every cell, every lane, once or explained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trtbench.figures.base import Key, departed
from trtbench.figures.summary import Where
from trtbench.records.files import DECISIONS
from trtbench.records.trial import CellRecord, Trial
from trtbench.referee.audit.bases import told_rounds
from trtbench.referee.audit.context import Context, listed, numbers
from trtbench.referee.audit.findings import WARN, Finding, found
from trtbench.referee.record_roofline import on_gpu
from trtbench.settings.cells import Cell
from trtbench.settings.lanes import LANES
from trtbench.settings.sealed import precisions_of

MOST_CELLS = 1_000_000  # that are made of settings

# Where a trial fails before it has any figure: a later cell's phases have their own names.
BEFORE_CELLS = ("process", "import", "prepare", "load")


def check(context: Context) -> Iterator[Finding]:
    yield from _positions(context)
    yield from _rounds(context)
    yield from _numbers(context)
    yield from _cells(context)
    yield from _failed(context)
    yield from _lanes(context)


def _positions(context: Context) -> Iterator[Finding]:
    """Places of the run without a trial, or with two. Every attempt takes the next place and leaves a record there, also one
    that failed; an attempt that is cut off leaves none, and its place goes to the next one."""
    taken = Counter(t.position for t in context.own)
    # A place may be any number: with so many taken, one of the first so many is free.
    missing = [place for place in range(1, min(max(taken, default=0), len(taken) + 7)) if place not in taken]
    twice = sorted(place for place, count in taken.items() if count > 1)
    if missing:
        yield found("provenance.position", missing=listed(missing))
    if twice:
        yield found("provenance.twice", places=listed(twice))


def _rounds(context: Context) -> Iterator[Finding]:
    """Whole rounds that the run says it ran: nothing else in it would miss them."""
    told = told_rounds(context)
    last = max((t.round or 0 for t in context.own), default=0)
    if last < told < float("inf") and any(t.round for t in context.own):
        yield found("provenance.rounds", found=last, told=int(told))


def _numbers(context: Context) -> Iterator[Finding]:
    """Trials that were left out or run again until they pleased."""
    attempts: dict[Key, dict[tuple[str, int], list[Trial]]] = {}
    for trial in context.trials:
        of_lane = attempts.setdefault((trial.lane, trial.precision), {})
        of_lane.setdefault((trial.run, trial.index), []).append(trial)
    for key, of_lane in attempts.items():
        if key not in context.groups:
            continue
        indices = {index for run, index in of_lane if run == context.run.id}
        gaps = [index for index in range(1, min(max(indices, default=0), len(indices) + 7)) if index not in indices]
        if gaps:
            yield found("provenance.gap", key, missing=", ".join(map(str, gaps[:6])))
        wrong = [m[0] for m in of_lane.values() if sorted(t.attempt for t in m) != [*range(1, len(m) + 1)]]
        if wrong and all(t.schema >= DECISIONS for t in wrong):
            yield found("provenance.attempts", key, trials=numbers(wrong))
        retried = [members[-1] for members in of_lane.values() if _without_reason(members)]
        if retried:
            yield found("provenance.retried", key, trials=numbers(retried))


def _without_reason(attempts: Sequence[Trial]) -> bool:
    """Whether one of these attempts at the same trial was run again though it had neither failed nor been disturbed."""
    last = max(t.attempt for t in attempts)
    return any(t.failure is None and not t.disturbed for t in attempts if t.attempt < last)


def _cells(context: Context) -> Iterator[Finding]:
    """Trials with two records of a cell, and trials that count with other cells than the run asked for."""
    asked = _asked(context)
    twice: dict[Key, list[Trial]] = {}
    other: dict[Key, list[Trial]] = {}
    for trial in context.trials:
        cells = [record.cell for record in trial.cells]
        if len(set(cells)) < len(cells):
            twice.setdefault((trial.lane, trial.precision), []).append(trial)
    for key, members in context.groups.items():
        for trial in members:
            shapes = {_shape(record.cell) for record in trial.cells}
            if trial.run == context.run.id and asked and shapes != asked:
                other.setdefault(key, []).append(trial)
    for key, trials in twice.items():
        yield found("provenance.cells", key, what="cells twice", trials=numbers(trials))
    for key, trials in other.items():
        yield found("provenance.cells", key, what="cells of another run", trials=numbers(trials))
    yield from _sometimes(context)


def _sometimes(context: Context) -> Iterator[Finding]:
    """Cells that a lane measured in some of its trials and not in others: memory may run out now and then, and a slow one that
    is called a hole looks the same."""
    for key, members in context.groups.items():
        holes: dict[Where, list[Trial]] = {}
        for trial in members:
            for record in trial.cells:
                if not _measured(record):
                    holes.setdefault(_shape(record.cell), []).append(trial)
        for where, trials in holes.items():
            if (key, where) in context.cells:
                yield found("provenance.cells", key, where, WARN, what="holes now and then", trials=numbers(trials))


def _shape(cell: Cell) -> tuple[int, int, int]:
    return cell.batch, cell.prompt_length, cell.new_tokens


def _asked(context: Context) -> set[tuple[int, int, int]]:
    """The cells of the workload, or where it is not there (it may be somebody's prompts) those of the run's settings."""
    if context.workload is not None:
        return {_shape(cell) for cell in context.workload.cells}
    parts = [_many(context.run.settings, name) for name in ("BATCH_SIZES", "PROMPT_LENGTHS", "NEW_TOKENS")]
    if len(parts[0]) * len(parts[1]) * len(parts[2]) > MOST_CELLS:
        return set()
    return {(batch, prompt, new) for batch in parts[0] for prompt in parts[1] for new in parts[2]}


def _many(settings: Mapping[str, Any], name: str) -> list[Any]:
    """A setting that is a list; nothing where it is none, or not there."""
    value = settings.get(name)
    return [part for part in value if isinstance(part, (int, str))] if isinstance(value, (list, tuple)) else []


def _failed(context: Context) -> Iterator[Finding]:
    """Trials that are said to have failed and hold what only one that did not can hold."""
    asked = _asked(context)
    with_choice = {(t.lane, t.precision) for t in context.trials for record in t.cells if record.setting}
    finished: dict[Key, list[Trial]] = {}
    complete: dict[Key, list[Trial]] = {}
    for trial in context.own:
        key = trial.lane, trial.precision
        if trial.failure is None:
            continue
        if _contradicts(trial, asked, key in with_choice):
            finished.setdefault(key, []).append(trial)
        elif _all_measured(trial, asked):
            complete.setdefault(key, []).append(trial)
    for key, trials in finished.items():
        yield found("provenance.failed", key, trials=numbers(trials))
    for key, trials in complete.items():
        # An engine may end right after its last call, before it can say what it is: seldom, and it would each time.
        yield found("provenance.failed", key, level=WARN, trials=numbers(trials))


def _contradicts(trial: Trial, asked: set[tuple[int, int, int]], choice: bool) -> bool:
    """Whether what a failed trial holds says that it did not fail. A lane says what it is once all its cells are done, or,
    where it is loaded for one value of its choice after another, those of a value; nothing after that can fail, but that
    each cell is a hole."""
    failure, measured = trial.failure, [record for record in trial.cells if _measured(record)]
    assert failure is not None
    if failure.phase == "cells":
        return bool(measured)
    if trial.statement is not None:
        return not choice or _all_measured(trial, asked)
    return bool(trial.cells) and not choice and failure.phase in BEFORE_CELLS


def _measured(record: CellRecord) -> bool:
    return record.hole is None and record.e2e is not None and record.ttft is not None


def _all_measured(trial: Trial, asked: set[tuple[int, int, int]]) -> bool:
    """Whether a trial holds figures of every cell of the run."""
    return bool(asked) and asked <= {_shape(record.cell) for record in trial.cells if _measured(record)}


def _lanes(context: Context) -> Iterator[Finding]:
    """Lanes of the run, in each precision that was asked for, that have neither a trial nor a reason. PyTorch lanes that the
    run sealed as candidates have a finding of their own, which voids (base.unaccounted)."""
    run, own = context.run, context.own
    # A run that was cut off in its first round may not have come to a lane.
    if run.stopped is None and max((t.round or 0 for t in own), default=0) < 2:
        return
    there = {(t.lane, t.precision) for t in own}
    explained = {(a.lane, a.precision) for a in run.absent} | departed(run)
    lanes_explained = {lane for lane, _ in explained}
    device = "cuda" if any(t.statement is not None and on_gpu(t.statement) for t in own) else "cpu"
    sealed = {tuple(key) for key in run.candidates or ()}
    settings_of: dict[str, dict[int, Mapping[str, Any]]] = {}
    for trial in own:
        settings_of.setdefault(trial.lane, {})[id(trial.settings)] = trial.settings
    for lane in dict.fromkeys(run.lanes):
        if lane not in LANES or device not in LANES[lane].precisions:
            continue
        if lane not in settings_of and lane in lanes_explained:
            continue
        steps = list(settings_of.get(lane, {}).values()) or [run.settings]
        wanted = dict.fromkeys(
            (lane, precision)
            for settings in steps
            for precision in precisions_of(LANES[lane], _many(settings, "PRECISION"), device)
        )
        for key in wanted:
            if key not in there | explained | sealed:
                yield found("provenance.lane", key)
