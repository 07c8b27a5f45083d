"""What our clock adds: e2e times of a trial's own pass against a bare loop around the same call. Target: below 1 %.

    PYTHONPATH=scripts python benchmarks/clock_overhead.py [CALLS]

Both time `pytorch-eager` on the `demo` model, prompt 128, 64 new tokens, in one process, by turns and call by call, so that
whatever drifts drifts for both. The bare loop is what anyone would write: clock, generate, clock, garbage collector left as
it is. The machine should be idle. The difference is of medians, with the range of nine in ten resamples.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from trtbench import host, lanes, models, synthetic, workload
from trtbench.lanes.base import Plan
from trtbench.records import Cell, Sampling
from trtbench.trial import run_pass


def main(calls: int) -> int:
    cell = Cell(batch=1, prompt_length=128, new_tokens=64, precision="float32")
    with tempfile.TemporaryDirectory() as scratch:
        folder = synthetic.make("demo", 1, Path(scratch))
        work = workload.build(workload.read_prompts(workload.PROMPTS), folder, [cell], Sampling(), "x")
        lane = lanes.create("pytorch-eager")(
            Plan(
                model=folder,
                model_digest=models.digest(folder, Path(scratch)),
                precision="float32",
                device="cpu",
                threads=host.usable_cores(),
                sampling=Sampling(),
                cells=(cell,),
                cache=Path(scratch),
            )
        )
        lane.load()
        bare: list[float] = []
        ours: list[float] = []
        for call in range(-3, calls):
            prompts = work.prompts(cell, abs(call))
            turns = [True, False] if call % 2 else [False, True]
            for is_ours in turns:
                if is_ours:
                    took = run_pass(lane, work, cell, abs(call), 1, cell.new_tokens).times[0] / 1e6
                else:
                    start = time.perf_counter_ns()
                    lane.generate(prompts, cell.new_tokens)
                    took = (time.perf_counter_ns() - start) / 1e6
                if call >= 0:
                    (ours if is_ours else bare).append(took)
    difference = statistics.median(ours) / statistics.median(bare) - 1
    draw = random.Random(1)
    resampled = sorted(
        statistics.median(draw.choices(ours, k=calls)) / statistics.median(draw.choices(bare, k=calls)) - 1
        for _ in range(1000)
    )
    print(f"bare loop  {statistics.median(bare):9.2f} ms   (median of {calls})")
    print(f"our clock  {statistics.median(ours):9.2f} ms")
    print(
        f"difference {difference:+9.2%}    (90 % of resamples: {resampled[50]:+.2%} to {resampled[949]:+.2%}; target: within 1 %)"
    )
    return 0 if abs(difference) < 0.01 else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 60))
