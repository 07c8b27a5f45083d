"""The passes of a cell: warm-up, whole generations, first tokens, memory, energy.

The timed region is `timed()` below and nothing else: one clock (perf_counter_ns) in the process that asks, from
the moment the ids are handed over until all new ids are in host memory. No hook per token, no sampler beside it.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from trtbench.errors import counted
from trtbench.figures.settled import AGREE, settled
from trtbench.lanes.lane import Lane
from trtbench.machine import processes
from trtbench.measure.spec import Spec
from trtbench.model.workload import Workload, digest_prompts
from trtbench.records.trial import CellRecord, Energy, Memory, Pass
from trtbench.settings.cells import Cell

WARMUP_CALLS, WARMUP_SECONDS = 3, 2.0  # of every lane at least
WARMUP_MOST = 15.0  # seconds after which calls that could have settled and have not are noisy, not cold
ENERGY_SECONDS = 5.0  # the counter of energy moves in steps: less says little


class WrongCount(Exception):
    """A lane returned another number of new ids than asked for."""


class Call(NamedTuple):
    """One timed call: perf_counter_ns right before and right after it, and the new ids."""

    began: int
    ended: int
    output: list[list[int]]

    @property
    def nanoseconds(self) -> int:
        return self.ended - self.began


def timed(
    generate: Callable[[list[list[int]], int], list[list[int]]], prompts: list[list[int]], new_tokens: int
) -> Call:
    """Time one call. This is the only timed region of the program."""
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter_ns()
        output = generate(prompts, new_tokens)
        stop = time.perf_counter_ns()
    finally:
        gc.enable()
    return Call(start, stop, output)


def check_count(output: list[list[int]], batch: int, new_tokens: int) -> None:
    """Raise WrongCount unless `output` is `batch` rows of exactly `new_tokens` ids."""
    lengths = sorted({len(row) for row in output})
    if len(output) != batch or lengths != [new_tokens]:
        lengths_returned = ", ".join(map(str, lengths)) or "no"
        raise WrongCount(
            f"asked for {batch} x {new_tokens} new ids, got {counted(len(output), 'row')} of {lengths_returned}"
        )


def run_pass(lane: Lane, workload: Workload, cell: Cell, first_call: int, calls: int, new_tokens: int) -> Pass:
    """Time `calls` generations with the cell's prompts number `first_call` and up; keep every time and every id."""
    times: list[int] = []
    outputs: list[list[list[int]]] = []
    output_numbers: list[int] = []
    foreign_seconds: list[float] = []
    prompts_given = []
    foreign_cpu = processes.ForeignCpu()
    between = 0
    began = left = time.perf_counter_ns()
    for number in range(first_call, first_call + calls):
        prompts = workload.prompts(cell, number)
        foreign_cpu.mark()
        call = timed(lane.generate, prompts, new_tokens)
        foreign_seconds.append(foreign_cpu.seconds())
        times.append(call.nanoseconds)
        between += call.began - left
        left = call.ended
        prompts_given.append(prompts)
        if call.output not in outputs:
            outputs.append(call.output)
        output_numbers.append(outputs.index(call.output))
    ended = time.perf_counter_ns()
    return Pass(
        times=times,
        outputs=outputs,
        output=output_numbers,
        prompts_digest=digest_prompts(prompts_given),
        foreign_cpu=foreign_seconds,
        began=began,
        ended=ended,
        between=between + ended - left,
    )


def warm(times: Sequence[int], limit: int) -> bool:
    """Whether so many warm-up calls are enough: WARMUP_CALLS and WARMUP_SECONDS at least, then settled or at the `limit`, or
    long enough (WARMUP_MOST) with calls enough to settle. A limit below WARMUP_CALLS is a wish for fewer."""
    if limit < WARMUP_CALLS:
        return len(times) >= limit
    seconds = sum(times) / 1e9
    if len(times) < WARMUP_CALLS or seconds < WARMUP_SECONDS:
        return False
    return settled(times) or len(times) >= limit or (len(times) >= 2 * AGREE and seconds >= WARMUP_MOST)


def memory_pass(lane: Lane, workload: Workload, cell: Cell, call: int) -> Memory:
    """One more generation, untimed, with the process tree's resident set sampled every 10 ms beside it."""
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
    memory = lane.memory()
    memory.peak_rss = max(peak, processes.tree_rss())
    return memory


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


def try_out(lane: Lane, workload: Workload, cell: Cell, spec: Spec, say: Callable[[str], None]) -> CellRecord:
    """Warm-up and timed calls with prompts that no pass of a trial has: what a setting is chosen by."""
    record = CellRecord(cell=cell)
    say("trying")
    first = 2 * spec.iterations + 2 + spec.warmup_limit  # beyond the numbers of a trial's calls
    record.first_call = _warm_up(lane, workload, cell, spec, first + spec.iterations, record)
    cpu = processes.CpuClock(processes.tree_cpu)
    record.e2e = run_pass(lane, workload, cell, first, spec.iterations, cell.new_tokens)
    record.cpu = cpu.use()
    for output in record.e2e.outputs:
        check_count(output, cell.batch, cell.new_tokens)
    return record


def _warm_up(lane: Lane, workload: Workload, cell: Cell, spec: Spec, number: int, record: CellRecord) -> int:
    """Calls from `number` on until they are warm; their times go into the record. Returns the first one's, which is cold."""
    lane.begin(cell)
    first = timed(lane.generate, workload.prompts(cell, number), cell.new_tokens)
    check_count(first.output, cell.batch, cell.new_tokens)
    while not warm(record.warmup, spec.warmup_limit):
        prompts = workload.prompts(cell, number + 1 + len(record.warmup))
        record.warmup.append(timed(lane.generate, prompts, cell.new_tokens).nanoseconds)
    record.settled = settled(record.warmup)
    return first.nanoseconds


def measure(lane: Lane, workload: Workload, cell: Cell, spec: Spec, say: Callable[[str], None]) -> CellRecord:
    """All passes of one cell. Call numbers of the timed passes are the same for every lane; warm-up uses later ones."""
    record = CellRecord(cell=cell, began=time.perf_counter_ns())
    calls = spec.iterations
    warmup_call = 2 * calls + 1  # from here on prompts that no other pass has
    say("warm-up")
    record.first_call = _warm_up(lane, workload, cell, spec, warmup_call, record)
    say("whole generation")
    cpu = processes.CpuClock(processes.tree_cpu)
    record.e2e = run_pass(lane, workload, cell, 0, calls, cell.new_tokens)
    say("first token")
    lane.generate(workload.prompts(cell, warmup_call), 1)
    record.ttft = run_pass(lane, workload, cell, calls, calls, 1)
    record.cpu = cpu.use()
    say("memory")
    record.memory = memory_pass(lane, workload, cell, 2 * calls)
    if spec.energy:
        say("energy")
        record.energy = energy_pass(lane, workload, cell, calls)
    record.engine_metrics = lane.engine_metrics(workload.prompts(cell, 2 * calls), cell.new_tokens)
    for timed_pass, new_tokens in ((record.e2e, cell.new_tokens), (record.ttft, 1)):
        for output in timed_pass.outputs:
            check_count(output, cell.batch, new_tokens)
    record.ended = time.perf_counter_ns()
    return record
