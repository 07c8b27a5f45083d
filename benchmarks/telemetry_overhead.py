"""What telemetry costs: the same calls on a GPU with the sampler looking on and without. Target: under 0.5 %.

    PYTHONPATH=scripts python benchmarks/telemetry_overhead.py [SECONDS [LANE [MODEL]]]

As in a real trial one process generates and its parent looks on. By turns, two seconds with and two without, so that
whatever drifts drifts for both; the order within a pair is drawn. The figure is the mean, over the pairs, of the ratio of
a call's mean time with the sampler to that without, and the range of nine in ten resamples of the pairs. A second figure
is the same between two blocks without it: what this machine gives where there is no difference.
Exit status 1 when the cost is beyond the target, 3 when the machine was too busy to tell, 2 without a GPU.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TARGET = 0.005
BLOCK = 2.0  # seconds


def worker(lane_name: str, model: str) -> int:
    """Generate for so many seconds for every line on standard input, and print the times in nanoseconds."""
    from trtbench.lanes import lane
    from trtbench.lanes.lane import Plan
    from trtbench.machine import host
    from trtbench.measure.passes import timed
    from trtbench.model import finding, prompt_files, synthetic, workload
    from trtbench.records.trial import Sampling
    from trtbench.settings.cells import Cell

    cell = Cell(batch=1, prompt_length=128, new_tokens=32, precision="float16")
    with tempfile.TemporaryDirectory() as scratch:
        folder = synthetic.make(model, 1, Path(scratch))
        work = workload.build(prompt_files.read_prompts(prompt_files.PROMPTS), folder, [cell], Sampling(), "x")
        lane = lane.create(lane_name)(
            Plan(
                model=folder,
                model_digest=finding.digest(folder, Path(scratch)),
                precision="float16",
                device="cuda",
                threads=host.usable_cores(),
                sampling=Sampling(),
                cells=(cell,),
                cache=Path(scratch),
            )
        )
        lane.prepare()
        lane.load()
        for line in sys.stdin:
            times, end = [], time.perf_counter() + float(line)
            while time.perf_counter() < end:
                times.append(timed(lane.generate, work.prompts(cell, len(times) % 8), cell.new_tokens).nanoseconds)
            print("times " + json.dumps(times), flush=True)
    return 0


def block(child: subprocess.Popen[str], watched: bool) -> tuple[float, int]:
    """Mean time of a call in ms over one block, and how often the sampler looked meanwhile."""
    from trtbench.machine.telemetry import Watch

    assert child.stdin is not None and child.stdout is not None
    watch: Any = Watch() if watched else None
    if watch is not None:
        watch.start()
        watch.follow(child.pid)
    child.stdin.write(f"{BLOCK}\n")
    child.stdin.flush()
    line = next(line for line in child.stdout if line.startswith("times "))
    looks = 0
    if watch is not None:
        watch.stop()
        if watch.problems:
            raise SystemExit(f"the sampler did not look: {watch.problems[0]}")
        looks = watch.looks
    return statistics.fmean(json.loads(line[6:])) / 1e6, looks


def main(seconds: float, lane: str, model: str) -> int:
    from trtbench.errors import UserError
    from trtbench.machine import device

    try:
        found = device.resolve("cuda")
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    draw = random.Random(1)
    command = [sys.executable, __file__, "--worker", lane, model]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        for _ in range(2):  # warm-up
            block(child, False)
        cost: list[float] = []
        nothing: list[float] = []
        looks, middle = 0, []
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(cost) < 3:
            kinds = ["with", "without", "again"]
            draw.shuffle(kinds)
            got = {}
            for kind in kinds:
                got[kind], seen = block(child, kind == "with")
                looks += seen
            cost.append(got["with"] / statistics.fmean((got["without"], got["again"])) - 1)
            nothing.append(got["again"] / got["without"] - 1)
            middle.append(got["without"])
    print(
        f"{(found.names or ['?'])[0]}, {lane} on {model}, {len(cost)} rounds, {statistics.median(middle):.2f} ms a call, "
        f"{looks} looks in {len(cost) * BLOCK:g} s"
    )
    shown = {}
    for name, shares in (("with the sampler", cost), ("no difference at all", nothing)):
        again = sorted(statistics.fmean(draw.choices(shares, k=len(shares))) for _ in range(2000))
        shown[name] = again[100], again[1899]
        print(f"{name:<22}{statistics.fmean(shares):+8.3%}   ({again[100]:+.3%} to {again[1899]:+.3%})")
    for low, high in (shown["no difference at all"], shown["with the sampler"]):
        if not -TARGET < low <= high < TARGET:
            # A machine that finds a difference where there is none can tell nothing.
            return 1 if low > TARGET and (low, high) == shown["with the sampler"] else 3
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        sys.exit(worker(*sys.argv[2:4]))
    given = sys.argv[1:]
    sys.exit(
        main(
            float(given[0]) if given else 60.0,
            given[1] if len(given) > 1 else "pytorch-eager",
            given[2] if len(given) > 2 else "demo",
        )
    )
