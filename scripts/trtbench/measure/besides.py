"""What stands beside the timed passes of a cell: memory, energy, the engine's own times, a profile.

None of it can take figures along that are measured: what fails is told in the record, and absent.
"""

from __future__ import annotations

import functools
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from trtbench.errors import in_one_line
from trtbench.lanes.lane import Lane
from trtbench.machine import processes
from trtbench.machine.phases import Say
from trtbench.measure import limits, out_of_memory, profiling
from trtbench.measure.passes import WrongCount, check_count
from trtbench.measure.spec import UNFINISHED, Spec
from trtbench.model.workload import Workload
from trtbench.records.trial import CellRecord, Energy, LeftOut, Memory, Trial
from trtbench.settings.cells import Cell

ENERGY_SECONDS = 5.0  # the counter of energy moves in steps: less says little

Kind = Literal["memory", "energy", "engine_metrics", "profile", "close"]
T = TypeVar("T")
WITHOUT: dict[Kind, str] = {
    "memory": "its memory",
    "energy": "its energy",
    "engine_metrics": "the engine's own times",
    "profile": "a profile",
    "close": "an orderly end",
}


def leave_out(trial: Trial, kind: Kind, reason: str) -> None:
    """Note what a trial goes without, and why."""
    trial.left_out = [*(one for one in trial.left_out or [] if one.kind != kind), LeftOut(kind=kind, reason=reason)]


def keep_without(trial: Trial, kind: Kind, keep: Callable[[], None]) -> None:
    """Keep the record as it is should the process not come to the end of what begins now."""
    earlier = trial.left_out
    leave_out(trial, kind, UNFINISHED)
    keep()
    trial.left_out = earlier


def attempt(trial: Trial, kind: Kind, take: Callable[[], T]) -> T | None:
    """What `take` returns; None where it fails, which the record and the log then tell. A wrong count of ids goes on: whatever
    a lane is asked for, it must answer with as many as asked for."""
    try:
        return take()
    except WrongCount:
        raise
    except Exception as error:
        print(f"without {kind}:", flush=True)
        traceback.print_exception(error)
        leave_out(trial, kind, in_one_line(error))
        no_memory = out_of_memory.caused(error)
        out_of_memory.clear_frames(error)
    if no_memory:
        out_of_memory.give_memory_back()  # only now: while an exception is handled, its frames hold what did not fit
    return None


def memory_and_energy(lane: Lane, workload: Workload, record: CellRecord, spec: Spec, trial: Trial, say: Say) -> None:
    """The passes that belong to a cell, after its timed ones."""
    assert record.e2e is not None
    cell, times = record.cell, record.e2e.times
    say("memory", limits.calls(1, times))
    peak = attempt(trial, "memory", lambda: peak_rss(lane, workload, cell, 2 * spec.iterations))
    if peak is not None:
        record.memory = attempt(trial, "memory", lane.memory) or Memory()
        record.memory.peak_rss = peak
    if spec.energy:
        say("energy", limits.calls(2, [*times, round(ENERGY_SECONDS * 1e9)]))
        record.energy = attempt(trial, "energy", lambda: energy_pass(lane, workload, cell, spec.iterations))


def peak_rss(lane: Lane, workload: Workload, cell: Cell, call: int) -> int:
    """One more generation, untimed, with the process tree's resident set sampled every 10 ms beside it: its peak in bytes."""
    peak = processes.tree_rss()
    done = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, processes.tree_rss())

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        lane.generate(workload.prompts(cell, call), cell.new_tokens)
    finally:
        done.set()
        sampler.join()
    return max(peak, processes.tree_rss())


def energy_pass(lane: Lane, workload: Workload, cell: Cell, calls: int) -> Energy:
    """Generations without a pause until ENERGY_SECONDS are over, with the prompts of the first `calls` calls in turn."""
    prompts = [workload.prompts(cell, call) for call in range(calls)]
    tokens = 0
    began = now = time.perf_counter_ns()
    while now - began < ENERGY_SECONDS * 1e9:
        output = lane.generate(prompts[tokens // (cell.batch * cell.new_tokens) % calls], cell.new_tokens)
        now = time.perf_counter_ns()
        check_count(output, cell.batch, cell.new_tokens)
        tokens += cell.batch * cell.new_tokens
    return Energy(began=began, ended=now, tokens=tokens)


def engine_metrics(
    lane: Lane,
    workload: Workload,
    records: Sequence[CellRecord],
    spec: Spec,
    trial: Trial,
    say: Say,
    keep: Callable[[], None],
) -> None:
    """The engine's own times in these cells. This asks an engine for what no timed call asks it for, so it comes when the record
    is whole and lies on the disk: the first that fails, or ends this process, is the last."""
    if type(lane).engine_metrics is Lane.engine_metrics:
        return
    for record in records:
        if record.e2e is None:
            continue
        cell, earlier = record.cell, trial.left_out
        keep_without(trial, "engine_metrics", keep)
        say("engine metrics", limits.extra_call(record.e2e.times))
        prompts = workload.prompts(cell, 2 * spec.iterations)
        record.engine_metrics = attempt(
            trial, "engine_metrics", functools.partial(lane.engine_metrics, prompts, cell.new_tokens)
        )
        if trial.left_out is not earlier:
            return


def profile(
    lane: Lane,
    workload: Workload,
    records: Sequence[CellRecord],
    spec: Spec,
    trial: Trial,
    say: Say,
    keep: Callable[[], None],
) -> None:
    """Decode steps of each measured cell, profiled."""
    measured = [record for record in records if record.e2e is not None]
    if not spec.profile or not measured:
        return
    keep_without(trial, "profile", keep)
    say("profile", sum(limits.first_call(record.cell) for record in measured))
    cells = [(record.cell, workload.prompts(record.cell, 0)) for record in measured]
    attempt(trial, "profile", lambda: profiling.write(lane, cells, spec.device, Path(spec.profile)))
