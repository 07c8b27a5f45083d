"""What a generation of pytorch-tuned or pytorch-triton takes with its kernels cut by Inductor alone, or as that lane's file says, and
by the time of whole steps (lanes/tuned/tiles.py), each compiled anew several times.

    PYTHONPATH=scripts python benchmarks/tiles.py [TIMES [LANE [MODEL]]]

Each time two processes on a compile cache of their own: one prepares and times, one takes what it left, as a trial does. Milliseconds of
a generation of 128 + 200 ids at batch 1 in float16, medians of seven. Prints JSON. Exit status 2 without a GPU.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

WAYS = ("not searched", "by whole steps")


def worker(way: str, cache: Path, lane_name: str, model: Path) -> int:
    """Prepare in `cache` unless that was done, then time; prints seconds of preparing and the median in milliseconds."""
    from trtbench.lanes import lane
    from trtbench.lanes.lane import Plan
    from trtbench.lanes.tuned.tiles import Tiles
    from trtbench.machine import host
    from trtbench.measure.passes import timed
    from trtbench.model import finding, prompt_files, workload
    from trtbench.records.trial import Sampling
    from trtbench.settings.cells import Cell

    if way == "not searched":
        Tiles.search = lambda *_: None  # type: ignore[method-assign]
    cell = Cell(batch=1, prompt_length=128, new_tokens=200, precision="float16")
    work = workload.build(prompt_files.read_prompts(prompt_files.PROMPTS), model, [cell], Sampling(), "x")
    made = lane.create(lane_name)(
        Plan(
            model=model,
            model_digest=finding.digest(model, cache),
            precision="float16",
            device="cuda",
            threads=host.usable_cores(),
            sampling=Sampling(),
            cells=(cell,),
            cache=cache,
        )
    )
    prepared = made.prepare()
    made.load()
    times = [timed(made.generate, work.prompts(cell, n), cell.new_tokens).nanoseconds / 1e6 for n in range(10)]
    assert prepared is not None
    print(
        "took " + json.dumps([round(prepared.nanoseconds / 1e9, 1), round(statistics.median(times[3:]), 2)]), flush=True
    )
    return 0


def main(times: int, lane: str, model: str) -> int:
    from trtbench.errors import UserError
    from trtbench.machine import device
    from trtbench.model import synthetic

    try:
        found = device.resolve("cuda")
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = synthetic.make(model, 1, Path(scratch))
        for number in range(times):
            for way in WAYS:
                cache = Path(scratch) / f"{number} {way}"
                cache.mkdir()
                command = [sys.executable, __file__, "--worker", way, str(cache), lane, str(folder)]
                took = []
                for _ in range(2):
                    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
                    took.append(json.loads(next(line[5:] for line in said if line.startswith("took "))))
                rows.append({"cut": way, "prepared_s": took[0][0], "ms": took[0][1], "again_ms": took[1][1]})
                print(rows[-1], file=sys.stderr, flush=True)
    print(json.dumps({"card": (found.names or ["?"])[0], "lane": lane, "model": model, "rows": rows}, indent=1))
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        sys.exit(worker(sys.argv[2], Path(sys.argv[3]), sys.argv[4], Path(sys.argv[5])))
    given = sys.argv[1:]
    sys.exit(
        main(
            int(given[0]) if given else 3,
            given[1] if len(given) > 1 else "pytorch-tuned",
            given[2] if len(given) > 2 else "tinyllama",
        )
    )
