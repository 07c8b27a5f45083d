"""One trial: a fresh process that loads one lane, warms up with the full shape, then times every cell.

    python -m trtbench.trial SPEC.json

The timed region is `timed()` below and nothing else: one clock (perf_counter_ns) in the process that asks, from
the moment the ids are handed over until all new ids are in host memory. No hook per token, no sampler beside it.
"""

from __future__ import annotations

import datetime
import gc
import importlib
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from trtbench import host, lanes, profiling, shortage
from trtbench.errors import UserError
from trtbench.lanes.base import Lane, Plan, Unsupported
from trtbench.records import (
    SCHEMA,
    Cell,
    CellRecord,
    Cold,
    Energy,
    Environment,
    Failure,
    Memory,
    Model,
    Pass,
    Sampling,
    Trial,
    encode,
    read_as,
    write_whole,
)
from trtbench.workload import Workload, digest_prompts

SEE_LOG = "The trial's log has the whole message."
AGREE = 3  # so many warm-up calls in a row …
WITHIN = 0.05  # … must lie within this share of the fastest of them
ENERGY_SECONDS = 5.0  # the counter of energy moves in steps: less says little


class Spec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What one trial has to do; paths are absolute."""

    run: str
    lane: str
    precision: str
    index: int
    attempt: int
    position: int
    interleaved: bool
    device: str
    threads: int
    iterations: int
    warmup_limit: int
    cells: list[Cell]
    sampling: Sampling
    model_path: str
    model: Model
    workload: str
    workload_digest: str
    cache: str
    output: str
    environment: Environment
    settings: dict[str, Any]
    prepare_only: bool = False
    start_limit: float | None = None
    energy: bool = False
    profile: str = ""  # a file to write, empty without PROFILE


class WrongCount(Exception):
    """A lane returned another number of new ids than asked for."""


def timed(
    generate: Callable[[list[list[int]], int], list[list[int]]], prompts: list[list[int]], new_tokens: int
) -> tuple[int, list[list[int]]]:
    """Time one call: nanoseconds and the new ids. This is the only timed region of the program."""
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter_ns()
        output = generate(prompts, new_tokens)
        stop = time.perf_counter_ns()
    finally:
        gc.enable()
    return stop - start, output


def check_count(output: list[list[int]], batch: int, new_tokens: int) -> None:
    """Raise WrongCount unless `output` is `batch` rows of exactly `new_tokens` ids."""
    counts = sorted({len(row) for row in output})
    if len(output) != batch or counts != [new_tokens]:
        found = ", ".join(map(str, counts)) or "no"
        raise WrongCount(f"asked for {batch} x {new_tokens} new ids, got {len(output)} rows of {found}")


def run_pass(lane: Lane, workload: Workload, cell: Cell, first_call: int, calls: int, new_tokens: int) -> Pass:
    """Time `calls` generations with the cell's prompts number `first_call` and up; keep every time and every id."""
    times: list[int] = []
    outputs: list[list[list[int]]] = []
    number: list[int] = []
    foreign: list[float] = []
    handed = []
    others = host.ForeignCpu()
    began = time.perf_counter_ns()
    for call in range(first_call, first_call + calls):
        prompts = workload.prompts(cell, call)
        others.mark()
        took, output = timed(lane.generate, prompts, new_tokens)
        foreign.append(others.seconds())
        times.append(took)
        handed.append(prompts)
        if output not in outputs:
            outputs.append(output)
        number.append(outputs.index(output))
    return Pass(
        times=times,
        outputs=outputs,
        output=number,
        prompts_digest=digest_prompts(handed),
        foreign_cpu=foreign,
        began=began,
        ended=time.perf_counter_ns(),
    )


def settled(times: list[int]) -> bool:
    """Say whether the last AGREE warm-up calls agree."""
    last = times[-AGREE:]
    return len(last) == AGREE and max(last) - min(last) <= WITHIN * min(last)


def memory_pass(lane: Lane, workload: Workload, cell: Cell, call: int) -> Memory:
    """One more generation, untimed, with the process tree's resident set sampled every 10 ms beside it."""
    peak = host.tree_rss()
    done = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, host.tree_rss())

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        lane.generate(workload.prompts(cell, call), cell.new_tokens)
    finally:
        done.set()
        sampler.join()
    found = lane.memory()
    found.peak_rss = max(peak, host.tree_rss())
    return found


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


def measure(lane: Lane, workload: Workload, cell: Cell, spec: Spec, say: Callable[[str], None]) -> CellRecord:
    """All passes of one cell. Call numbers of the timed passes are the same for every lane; warm-up uses later ones."""
    record = CellRecord(cell=cell)
    n, beyond = spec.iterations, 2 * spec.iterations + 1
    say("warm-up")
    took, output = timed(lane.generate, workload.prompts(cell, beyond), cell.new_tokens)
    check_count(output, cell.batch, cell.new_tokens)
    record.first_call = took
    while len(record.warmup) < spec.warmup_limit and not settled(record.warmup):
        took, _ = timed(lane.generate, workload.prompts(cell, beyond + 1 + len(record.warmup)), cell.new_tokens)
        record.warmup.append(took)
    record.settled = settled(record.warmup)
    say("whole generation")
    record.e2e = run_pass(lane, workload, cell, 0, n, cell.new_tokens)
    say("first token")
    lane.generate(workload.prompts(cell, beyond), 1)
    record.ttft = run_pass(lane, workload, cell, n, n, 1)
    say("memory")
    record.memory = memory_pass(lane, workload, cell, 2 * n)
    if spec.energy:
        say("energy")
        record.energy = energy_pass(lane, workload, cell, n)
    record.engine_metrics = lane.engine_metrics(workload.prompts(cell, 2 * n), cell.new_tokens)
    for part, wanted in ((record.e2e, cell.new_tokens), (record.ttft, 1)):
        for output in part.outputs:
            check_count(output, cell.batch, wanted)
    return record


def run(spec: Spec, say: Callable[[str], None]) -> Trial:
    """Run the trial and return its record; what goes wrong in the lane becomes the record's failure or a cell's hole."""
    began = time.perf_counter_ns()
    trial = Trial(
        schema=SCHEMA,
        run=spec.run,
        lane=spec.lane,
        precision=spec.precision,
        index=spec.index,
        attempt=spec.attempt,
        position=spec.position,
        interleaved=spec.interleaved,
        started=datetime.datetime.now(datetime.timezone.utc).isoformat(),
        seconds=0.0,
        workload_digest=spec.workload_digest,
        settings=spec.settings,
        model=spec.model,
        environment=spec.environment,
        cold=Cold(),
    )
    phase = "import"

    def enter(name: str) -> None:
        nonlocal phase
        phase = name
        say(name)

    lane: Lane | None = None
    try:
        workload = read_as(Workload, Path(spec.workload))
        if workload.digest() != spec.workload_digest:
            raise UserError(f"{spec.workload} is not the workload of this run: its digest differs.")
        enter("import")
        start = time.perf_counter_ns()
        for module in lanes.LANES[spec.lane].modules:
            importlib.import_module(module)
        lane = lanes.create(spec.lane)(
            Plan(
                model=Path(spec.model_path),
                model_digest=spec.model.digest,
                precision=spec.precision,
                device=spec.device,
                threads=spec.threads,
                sampling=spec.sampling,
                cells=tuple(spec.cells),
                cache=Path(spec.cache),
                model_name=spec.model.name,
            )
        )
        trial.cold.imports = time.perf_counter_ns() - start
        enter("prepare")
        prepared = lane.prepare()
        if prepared is not None:
            trial.cold.prepare, trial.cold.prepare_cached = prepared.nanoseconds, prepared.cached
            trial.cold.prepared_bytes = prepared.bytes
        if not spec.prepare_only:
            enter("load")
            start = time.perf_counter_ns()
            lane.load()
            trial.cold.load = time.perf_counter_ns() - start
            load_peak = host.tree_rss()
            # What is loaded by now lives to the end: freezing it makes the collection before each timed call short.
            gc.collect()
            gc.freeze()
            for cell in spec.cells:
                record = measured_or_hole(lane, workload, cell, spec, enter)
                if record.memory is not None:
                    record.memory.load_peak_rss = load_peak
                trial.cells.append(record)
            trial.statement = lane.statement()
            if spec.profile:
                enter("profile")
                whole = [(r.cell, workload.prompts(r.cell, 0)) for r in trial.cells if not r.hole]
                try:
                    profiling.write(lane, whole, spec.device, Path(spec.profile))
                except Exception as error:  # the figures are taken; a profiler that fails must not lose them
                    print(f"no profile: {error!r}", file=sys.stderr)
            if all(record.hole for record in trial.cells):
                trial.failure = Failure(phase="cells", reason=trial.cells[0].hole or "no cell could run")
    except Unsupported as reason:
        trial.failure = Failure(phase=phase, reason=str(reason))
    except WrongCount as reason:
        trial.failure = Failure(
            phase=phase, reason=str(reason), hint="The trial does not count; the lane ignored the length asked for."
        )
    except (Exception, SystemExit) as error:
        import traceback

        traceback.print_exc()  # into the trial's log
        trial.failure = Failure(
            phase=phase,
            reason=f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}",
            hint=SEE_LOG,
        )
    finally:
        if lane is not None:
            try:
                lane.close()
            except Exception as error:  # the figures are taken; a broken close must not lose them
                print(f"closing the lane failed: {error!r}", file=sys.stderr)
    trial.seconds = (time.perf_counter_ns() - began) / 1e9
    return trial


def measured_or_hole(lane: Lane, workload: Workload, cell: Cell, spec: Spec, say: Callable[[str], None]) -> CellRecord:
    """Measure a cell; one that the lane does not support or that does not fit into memory becomes a hole with its reason."""
    try:
        return measure(lane, workload, cell, spec, say)
    except Unsupported as reason:
        return CellRecord(cell=cell, hole=str(reason))
    except Exception as error:
        if not shortage.out_of_memory(error):
            raise
        shortage.let_go(error)
        hole = shortage.sentence(error, cell)
    shortage.give_back()  # only now: while an exception is handled, its frames hold what did not fit
    return CellRecord(cell=cell, hole=hole)


def main() -> int:
    parent = os.environ.get("TRTBENCH_PARENT")
    host.die_with_parent(int(parent) if parent else None)
    spec = read_as(Spec, Path(sys.argv[1]))
    channel = os.environ.get("TRTBENCH_PROGRESS_FD")
    pipe = os.fdopen(int(channel), "w", buffering=1) if channel else None

    def say(phase: str) -> None:
        print(f"[{spec.lane} {spec.precision} {spec.index}] {phase}", flush=True)
        if pipe is not None:
            print(phase, file=pipe)

    trial = run(spec, say)
    write_whole(Path(spec.output), encode(trial))
    return 0


if __name__ == "__main__":
    from trtbench.errors import run_main

    run_main(main)
