"""time, of whole trials: their parts fit into them, they ran one after the other, and their clocks are there."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Iterator, Sequence

from trtbench.figures.base import Key
from trtbench.records.trial import CellRecord, Cold, Pass, Trial
from trtbench.referee.audit.context import Context, numbers
from trtbench.referee.audit.findings import Finding, found
from trtbench.settings.lanes import LANES

MS, SECOND = 1_000_000, 1_000_000_000
TRIAL_SLACK = (60 * SECOND, 0.25)  # a process that starts and one that ends
# And an engine with processes of its own, which end one after the other, or hang over its own times or its end and are ended:
# measure/limits.py keeps both within this.
CLOSING = 180 * SECOND
SET = 1.0  # seconds by which a clock that is kept right moves

Contradiction = tuple[str, float, dict[str, float | str]]  # code, how far off, the figures of the sentence


def window_of(part: Pass) -> int | None:
    """Nanoseconds from the begin of a pass to its end; None where it does not tell."""
    return None if part.began is None or part.ended is None else part.ended - part.began


def contradictions(trial: Trial) -> Iterator[Contradiction]:
    """The parts of a trial fit into it, behind one another, and fill it but for a process that starts and ends."""
    accounted = accounted_for(trial)
    if accounted > trial.seconds:
        yield "time.wall", accounted - trial.seconds, dict(what="trial", timed=accounted, seconds=trial.seconds)
        return
    if trial.began is None or trial.ended is None:
        return
    seconds = (trial.ended - trial.began) / SECOND
    if abs(seconds - trial.seconds) > 0.001:
        yield "time.wall", abs(seconds - trial.seconds), dict(what="clock", timed=trial.seconds, seconds=seconds)
        return
    cells = [(record.began, record.ended) for record in trial.cells if record.began is not None]
    edges = [edge for edge in (trial.began, *itertools.chain.from_iterable(cells), trial.ended) if edge is not None]
    if edges != sorted(edges):
        yield "time.order", max(a - b for a, b in zip(edges, edges[1:])), dict(what="cells")
        return
    if len(cells) < len(trial.cells) or _profiled(trial):
        return
    unaccounted = trial.seconds - accounted
    slack = TRIAL_SLACK[0] + TRIAL_SLACK[1] * trial.seconds * SECOND + CLOSING * LANES[trial.lane].spawns
    if unaccounted * SECOND > slack:
        yield "time.unaccounted", unaccounted, dict(what="trial", seconds=unaccounted, of=trial.seconds)


def _profiled(trial: Trial) -> bool:
    """Whether a profiler may have run after the cells: it has no clock of its own in the record, and is PyTorch's."""
    return bool(trial.settings.get("PROFILE")) and trial.index == 1 and LANES[trial.lane].family == "pytorch"


def accounted_for(trial: Trial) -> float:
    """Seconds of a trial that something is recorded for."""
    return (_before(trial.cold) + sum(map(_of_cell, trial.cells))) / SECOND


def _before(cold: Cold) -> int:
    prepare = cold.lookup if cold.prepare_cached else cold.prepare
    return (cold.imports or 0) + (cold.load or 0) + (prepare or 0)


def _of_cell(record: CellRecord) -> int:
    if record.began is not None and record.ended is not None:
        return record.ended - record.began
    total = (record.first_call or 0) + sum(record.warmup)
    for part in (record.e2e, record.ttft):
        if part is not None:
            total += max(sum(part.times), window_of(part) or 0)
    return total + (record.energy.ended - record.energy.began if record.energy is not None else 0)


STAMPS: dict[str, Callable[[Trial], bool]] = {
    "passes": lambda trial: all(window_of(part) is not None for part in _passes(trial)),
    "between": lambda trial: all(part.between is not None for part in _passes(trial)),
    "cells": lambda trial: all(r.began is not None and r.ended is not None for r in trial.cells if r.e2e is not None),
    "trial": lambda trial: trial.began is not None and trial.ended is not None,
}


def _passes(trial: Trial) -> list[Pass]:
    return [part for record in trial.cells for part in (record.e2e, record.ttft) if part is not None]


def unstamped(context: Context, key: Key, members: Sequence[Trial]) -> Iterator[Finding]:
    """Trials without the clocks beside their times. All but the begin and end of a pass came later: a run that has them nowhere
    was recorded before."""
    everyone = [t for of_lane in context.groups.values() for t in of_lane]
    for what, stamped in STAMPS.items():
        lacking = [t for t in members if not stamped(t)]
        if lacking and (what == "passes" or any(map(stamped, everyone))):
            yield found("time.unstamped", key, what=what, trials=numbers(lacking))
            return


def overlapping(context: Context) -> Iterator[Finding]:
    """Trials that ran at the same time, or not in the order of their places. Two clocks must say so: the wall's may have been
    set, the other one starts anew with the machine."""
    own = sorted(context.own, key=lambda t: t.position)
    for earlier, later in zip(own, own[1:]):
        ran, running = _span(earlier), _span(later)
        if ran is None or running is None or running[0] >= ran[1]:
            continue
        started, afterwards = _started(earlier), _started(later)
        # A process that died tells no time of its own; every other one does.
        silent = any(t.failure is not None and _started(t) is None for t in (earlier, later))
        if silent or (
            started is not None and afterwards is not None and afterwards >= started + accounted_for(earlier) - SET
        ):
            continue
        yield found(
            "time.overlap",
            (later.lane, later.precision),
            trial=later.index,
            other=earlier.index,
            other_lane=earlier.lane,
            seconds=(ran[1] - running[0]) / SECOND,
        )
        return


def _span(trial: Trial) -> tuple[int, int] | None:
    """perf_counter_ns of a trial's begin and end; of its passes where it has no others."""
    if trial.began is not None and trial.ended is not None:
        return trial.began, trial.ended
    edges = [edge for part in _passes(trial) for edge in (part.began, part.ended) if edge is not None]
    return (min(edges), max(edges)) if edges else None


def _started(trial: Trial) -> float | None:
    """Seconds since the epoch by the wall's clock; None where the record's text is no time."""
    try:
        return datetime.datetime.fromisoformat(trial.started).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
