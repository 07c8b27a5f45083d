"""One trial: a fresh process that loads one lane, warms up with the full shape, then times every cell.

python -m trtbench.measure.trial SPEC.json
"""

from __future__ import annotations

import datetime
import gc
import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from trtbench.errors import Unsupported, UserError, in_one_line, run_main
from trtbench.lanes.lane import Lane, Plan, create
from trtbench.lanes.ranks import Ranks
from trtbench.machine import processes
from trtbench.machine.phases import Say, tethered
from trtbench.measure import besides, limits, out_of_memory
from trtbench.measure.passes import WrongCount, measure, try_out
from trtbench.measure.spec import SEE_LOG, UNFINISHED, Spec
from trtbench.model.workload import Workload
from trtbench.records.files import encode, read_as, write_whole
from trtbench.records.trial import CellRecord, Cold, Failure, Statement, Trial
from trtbench.settings.cells import Cell
from trtbench.settings.lanes import LANES


def run(spec: Spec, say: Say, keep: Callable[[Trial], None]) -> None:
    """Run the trial; what goes wrong in the lane becomes the record's failure or a cell's hole.

    `keep` gets the record whenever something has come to it that could be lost, and once more before the lane is closed: an
    engine can hang in any call of its own, and in its end most of all."""
    began = time.perf_counter_ns()
    trial = spec.record(started=datetime.datetime.now(datetime.timezone.utc).isoformat())
    entered = "import"

    def enter(phase: str, limit: float | None = None) -> None:
        nonlocal entered
        entered = phase
        say(phase, limit)

    def keep_unfinished() -> None:
        keep(msgspec.structs.replace(trial, failure=Failure(phase=entered, reason=UNFINISHED)))

    lane: Lane | None = None
    try:
        workload = workload_of(spec)
        values = by_value(spec)
        for place, (value, cells) in enumerate(values, start=1):
            if lane is not None:
                enter("unload", limits.STEADY)
                close(lane)
                lane = None
                gc.unfreeze()
                out_of_memory.give_memory_back()
            enter("import")
            lane = imported(spec, trial.cold, value, cells)
            enter("prepare")
            prepare(lane, trial.cold)
            if spec.prepare_only:
                continue
            enter("load")
            load_peak = load(lane, trial.cold)
            records = []
            for cell in cells:
                record = measured_or_hole(lane, workload, cell, spec, enter)
                record.setting = value or None
                records.append(record)
                trial.cells.append(record)
                if record.hole is None and not spec.trying:
                    keep_unfinished()
                    besides.memory_and_energy(lane, workload, record, spec, trial, enter)
                    record.ended = time.perf_counter_ns()
                if record.memory is not None:
                    record.memory.load_peak_rss = load_peak
                keep_unfinished()
            trial.statement = joined(trial.statement, lane.statement())
            if spec.trying:
                continue
            # With the last statement the record is whole: what comes now only adds to it. Before, an engine that dies over its
            # own times would take the trial along, so they are asked of the last value's cells alone.
            whole = place == len(values) and not all(record.hole for record in trial.cells)
            keep_so_far = (lambda: keep(trial)) if whole else keep_unfinished
            if whole:
                besides.engine_metrics(lane, workload, records, spec, trial, enter, keep_so_far)
            besides.profile(lane, workload, records, spec, trial, enter, keep_so_far)
        if trial.cells and all(record.hole for record in trial.cells):
            trial.failure = Failure(phase="cells", reason=trial.cells[0].hole or "no cell could run")
    except (Exception, SystemExit) as error:
        trial.failure = failure_of(error, entered)
    trial.seconds = (time.perf_counter_ns() - began) / 1e9
    keep(trial)
    # To the very end of the process, whatever hangs there: the record is on the disk.
    say("close", limits.CLOSE)
    if lane is not None:
        close(lane)


def joined(first: Statement | None, other: Statement) -> Statement:
    """What a lane says of itself, over all values of its choice: they differ in attention, CUDA graphs (on where any value has them;
    the notes say for which cells) and notes alone, and in what the engine tells."""
    if first is None:
        return other
    first.attention = " or ".join(dict.fromkeys(part for part in (first.attention, other.attention) if part)) or None
    first.cuda_graphs = first.cuda_graphs or other.cuda_graphs
    first.notes = list(dict.fromkeys([*first.notes, *other.notes]))
    first.asked = sorted({*(first.asked or []), *(other.asked or [])}) or None
    return first


def workload_of(spec: Spec) -> Workload:
    """The run's workload. Raises UserError when the file is not the one that the run was opened with."""
    workload = read_as(Workload, Path(spec.workload))
    if workload.digest() != spec.workload_digest:
        raise UserError(f"{spec.workload} is not the workload of this run: its digest differs.")
    return workload


def by_value(spec: Spec) -> list[tuple[str, list[Cell]]]:
    """The cells by the value of the lane's choice that was found best for them, in the order of their first cells: the lane is
    loaded once for each."""
    chosen = spec.chosen or [""] * len(spec.cells)
    return [(value, [cell for cell, own in zip(spec.cells, chosen) if own == value]) for value in dict.fromkeys(chosen)]


def imported(spec: Spec, cold: Cold, value: str, cells: Sequence[Cell]) -> Lane:
    """The lane for these cells, with its engine's modules imported and its choice set to `value`."""
    # Kernels that FlashInfer compiles for the card on first use, for the next container to find. It asks for this at its import.
    os.environ.setdefault("FLASHINFER_WORKSPACE_BASE", spec.cache)
    start = time.perf_counter_ns()
    if spec.tp_size > 1:
        # Off for all lanes alike; whoever sets it otherwise, has it otherwise for all.
        os.environ.setdefault("NCCL_NVLS_ENABLE", "0")
    lane_class = create(spec.lane)
    asking = time.perf_counter_ns()
    for name, setting in lane_class.environment().items():
        os.environ.setdefault(name, setting)
    start += time.perf_counter_ns() - asking  # a question to the card is no import
    plan = Plan(
        model=Path(spec.model_path),
        model_digest=spec.model.digest,
        precision=spec.precision,
        device=spec.device,
        threads=spec.threads,
        sampling=spec.sampling,
        cells=tuple(cells),
        cache=Path(spec.cache),
        model_name=spec.model.name,
        value=value,
        tp_size=spec.tp_size,
        others=tuple(cell for cell in spec.cells if cell not in cells),
    )
    by_ranks = spec.tp_size > 1 and LANES[spec.lane].over_cards == "ranks"
    lane = Ranks(spec.lane, plan) if by_ranks else lane_class(plan)
    for module in LANES[spec.lane].modules:
        importlib.import_module(module)
    cold.imports = (cold.imports or 0) + time.perf_counter_ns() - start
    return lane


def prepare(lane: Lane, cold: Cold) -> None:
    """Have the lane convert, build or compile, and note what that cost."""
    start = time.perf_counter_ns()
    prepared = lane.prepare()
    took = time.perf_counter_ns() - start
    if prepared is not None:
        if prepared.cached:
            cold.lookup = (cold.lookup or 0) + took
        cold.prepare, cold.prepare_cached, cold.prepared_bytes = prepared.nanoseconds, prepared.cached, prepared.bytes


def load(lane: Lane, cold: Cold) -> int:
    """Load the model; return the process tree's resident set afterwards, in bytes."""
    start = time.perf_counter_ns()
    lane.load()
    cold.load = (cold.load or 0) + time.perf_counter_ns() - start
    peak = processes.tree_rss()
    # What is loaded by now lives to the end: freezing it makes the collection before each timed call short.
    gc.collect()
    gc.freeze()
    return peak


def measured_or_hole(lane: Lane, workload: Workload, cell: Cell, spec: Spec, say: Say) -> CellRecord:
    """Measure a cell; one that the lane does not support or that does not fit into memory becomes a hole with its reason."""
    try:
        return (try_out if spec.trying else measure)(lane, workload, cell, spec, say)
    except Unsupported as unsupported:
        return CellRecord(cell=cell, hole=str(unsupported))
    except Exception as error:
        if not out_of_memory.caused(error):
            raise
        out_of_memory.clear_frames(error)
        reason = out_of_memory.hole_reason(error, cell)
    out_of_memory.give_memory_back()  # only now: while an exception is handled, its frames hold what did not fit
    return CellRecord(cell=cell, hole=reason)


def failure_of(error: BaseException, phase: str) -> Failure:
    """Why the trial gave no figures. What no lane foresaw goes into the trial's log, whole."""
    if isinstance(error, Unsupported):
        return Failure(phase=phase, reason=str(error))
    if isinstance(error, WrongCount):
        return Failure(
            phase=phase, reason=str(error), hint="The trial does not count; the lane ignored the length asked for."
        )
    traceback.print_exception(error)
    return Failure(phase=phase, reason=in_one_line(error), hint=SEE_LOG)


def close(lane: Lane) -> None:
    """Give back what the lane holds."""
    try:
        lane.close()
    except Exception as error:  # the figures are taken; a broken close must not lose them
        print(f"closing the lane failed: {error!r}", file=sys.stderr)


def main() -> int:
    spec = read_as(Spec, Path(sys.argv[1]))
    run(
        spec, tethered(f"[{spec.lane} {spec.precision} {spec.index}] "), lambda trial: keep_at(Path(spec.output), trial)
    )
    if LANES[spec.lane].spawns or spec.tp_size > 1:
        # What an engine has registered for the interpreter's end (MPI's and NCCL's, for two) can hang too. Its processes end with the
        # guard.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


def keep_at(path: Path, trial: Trial) -> None:
    """Write a record. One that is unfinished need not be written: a disk that is full is told with the last one."""
    try:
        write_whole(path, encode(trial))
    except OSError as error:
        if trial.failure is None or trial.failure.reason != UNFINISHED:
            raise
        print(f"not kept yet: {error!r}", file=sys.stderr)


if __name__ == "__main__":
    run_main(main)
