"""What our clock adds: e2e times as a trial reports them against a bare loop around the same call. Target: within 1 %.

    PYTHONPATH=scripts python benchmarks/clock_overhead.py [CALLS]

Both time `pytorch-eager` on the `demo` model, 128 prompt and 32 new tokens, in one process, by turns, so that whatever
drifts drifts for both. The bare loop is what anyone would write: clock, generate, clock, the garbage collector left as it is.
Three figures: the wall time reported (for an idle machine), the CPU time that the call itself
took in each loop (which depends less on who else computes), each with the range of nine in ten resamples, and what the clock
counts outside the call.
Exit status 1 when a figure is beyond the target, 3 when the machine was too busy to tell.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from trtbench.lanes.lane import Lane, Plan, create
from trtbench.machine import host
from trtbench.measure.passes import run_pass
from trtbench.measure.trial import load
from trtbench.model import finding, prompt_files, synthetic, workload
from trtbench.model.workload import Workload
from trtbench.records.trial import Cold, Sampling
from trtbench.settings.cells import Cell

CELL = Cell(batch=1, prompt_length=128, new_tokens=32, precision="float32")
TARGET = 0.01


def loaded(scratch: Path) -> tuple[Lane, Workload]:
    folder = synthetic.make("demo", 1, scratch)
    work = workload.build(prompt_files.read_prompts(prompt_files.PROMPTS), folder, [CELL], Sampling(), "x")
    lane = create("pytorch-eager")(
        Plan(
            model=folder,
            model_digest=finding.digest(folder, scratch),
            precision="float32",
            device="cpu",
            threads=host.usable_cores(),
            sampling=Sampling(),
            cells=(CELL,),
            cache=scratch,
        )
    )
    load(lane, Cold())  # as a trial does, with what it has the garbage collector leave alone
    return lane, work


def main(calls: int) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        lane, work = loaded(Path(scratch))
        generate = lane.generate
        inner: list[tuple[int, int]] = []  # wall and CPU nanoseconds of the call itself, whoever made it

        def watched(prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
            wall, cpu = time.perf_counter_ns(), time.process_time_ns()
            output = generate(prompts, new_tokens)
            inner.append((time.perf_counter_ns() - wall, time.process_time_ns() - cpu))
            return output

        lane.generate = watched  # type: ignore[method-assign]
        bare: list[tuple[float, float]] = []  # wall and CPU, ms
        ours: list[tuple[float, float]] = []
        outside: list[float] = []
        for call in range(-3, calls):  # three to warm up
            for is_ours in (True, False) if call % 2 else (False, True):
                if is_ours:
                    wall = run_pass(lane, work, CELL, abs(call), 1, CELL.new_tokens).times[0]
                    outside.append((wall - inner[-1][0]) / 1e6)
                else:
                    prompts = work.prompts(CELL, abs(call))
                    start = time.perf_counter_ns()
                    lane.generate(prompts, CELL.new_tokens)
                    wall = time.perf_counter_ns() - start
                if call >= 0:
                    (ours if is_ours else bare).append((wall / 1e6, inner[-1][1] / 1e6))
    middle, extra = statistics.median(wall for wall, _ in bare), statistics.median(outside)
    print(f"{calls} calls each, {middle:.1f} ms in a bare loop")
    status = 0
    for i, what in enumerate(("wall time reported", "CPU time of the call")):
        share, low, high = difference([one[i] for one in ours], [one[i] for one in bare])
        print(f"{what:<25}{share:+9.2%}   ({low:+.2%} to {high:+.2%})")
        if low > TARGET or high < -TARGET:
            status = 1
        elif not -TARGET < low <= high < TARGET:
            status = status or 3
    print(f"{'counted outside the call':<25}{extra / middle:+9.4%}   ({extra * 1e3:.1f} us)")
    return 1 if extra / middle >= TARGET else status


def difference(ours: list[float], bare: list[float]) -> tuple[float, float, float]:
    """By how much the median of ours is above that of the bare loop, and the range of nine in ten resamples."""
    draw = random.Random(1)
    again = sorted(
        statistics.median(draw.choices(ours, k=len(ours))) / statistics.median(draw.choices(bare, k=len(bare))) - 1
        for _ in range(1000)
    )
    return statistics.median(ours) / statistics.median(bare) - 1, again[50], again[949]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 60))
