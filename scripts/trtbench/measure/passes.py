"""The timed passes of a cell: warm-up, whole generations, first tokens.

The timed region is `timed()` below and nothing else: one clock (perf_counter_ns) in the process that asks, from
the moment the ids are handed over until all new ids are in host memory. No hook per token, no sampler beside it.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from trtbench.errors import counted
from trtbench.figures.settled import AGREE, settled
from trtbench.lanes.lane import Lane
from trtbench.machine import processes
from trtbench.machine.phases import Say
from trtbench.measure import limits
from trtbench.measure.spec import Spec
from trtbench.model.workload import Workload, digest_prompts
from trtbench.records.trial import CellRecord, Pass
from trtbench.settings.cells import Cell

WARMUP_CALLS, WARMUP_SECONDS = 3, 2.0  # of every lane at least
WARMUP_MOST = 15.0  # seconds after which calls that could have settled and have not are noisy, not cold


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
        lane.wait_idle()
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


def try_out(lane: Lane, workload: Workload, cell: Cell, spec: Spec, say: Say) -> CellRecord:
    """Warm-up and timed calls with prompts that no pass of a trial has: what a setting is chosen by."""
    record = CellRecord(cell=cell)
    first = 2 * spec.iterations + 2 + spec.warmup_limit  # beyond the numbers of a trial's calls
    _warm_up(lane, workload, cell, spec, first + spec.iterations, record, "trying", say)
    say("trying", limits.calls(spec.iterations, _known(record)))
    cpu = processes.CpuClock(processes.tree_cpu)
    record.e2e = run_pass(lane, workload, cell, first, spec.iterations, cell.new_tokens)
    record.cpu = cpu.use()
    _check_counts(record.e2e, cell, cell.new_tokens)
    return record


def _warm_up(
    lane: Lane, workload: Workload, cell: Cell, spec: Spec, number: int, record: CellRecord, phase: str, say: Say
) -> None:
    """Calls from `number` on until they are warm; their times go into the record, that of the first one, which is cold, apart."""
    say(phase, limits.first_call(cell))
    lane.begin(cell)
    lane.wait_idle()
    first = timed(lane.generate, workload.prompts(cell, number), cell.new_tokens)
    check_count(first.output, cell.batch, cell.new_tokens)
    record.first_call = first.nanoseconds
    # What follows may compile once more: engines find out with the second call what changes from call to call.
    say(phase, limits.first_call(cell) + limits.calls(max(spec.warmup_limit, 2 * AGREE), [first.nanoseconds]))
    while not warm(record.warmup, spec.warmup_limit):
        prompts = workload.prompts(cell, number + 1 + len(record.warmup))
        lane.wait_idle()
        record.warmup.append(timed(lane.generate, prompts, cell.new_tokens).nanoseconds)
    record.settled = settled(record.warmup)


def _known(record: CellRecord) -> list[int]:
    """Nanoseconds of calls like those to be timed: the warm ones, as far as there are any."""
    assert record.first_call is not None
    return record.warmup or [record.first_call]


def _check_counts(timed_pass: Pass, cell: Cell, new_tokens: int) -> None:
    for output in timed_pass.outputs:
        check_count(output, cell.batch, new_tokens)


def measure(lane: Lane, workload: Workload, cell: Cell, spec: Spec, say: Say) -> CellRecord:
    """The timed passes of one cell. Call numbers of them are the same for every lane; warm-up uses later ones."""
    record = CellRecord(cell=cell, began=time.perf_counter_ns())
    calls = spec.iterations
    warmup_call = 2 * calls + 1  # from here on prompts that no other pass has
    _warm_up(lane, workload, cell, spec, warmup_call, record, "warm-up", say)
    say("whole generation", limits.calls(calls, _known(record)))
    cpu = processes.CpuClock(processes.tree_cpu)
    record.e2e = run_pass(lane, workload, cell, 0, calls, cell.new_tokens)
    _check_counts(record.e2e, cell, cell.new_tokens)
    say("first token", limits.first_call(cell) + limits.calls(calls, _known(record)))
    lane.generate(workload.prompts(cell, warmup_call), 1)
    record.ttft = run_pass(lane, workload, cell, calls, calls, 1)
    record.cpu = cpu.use()
    _check_counts(record.ttft, cell, 1)
    record.ended = time.perf_counter_ns()
    return record
