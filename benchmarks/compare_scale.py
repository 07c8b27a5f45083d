"""How compare.py scales: 1,000 stored trials in below 3 s and 300 MB; and `--help` in below 0.3 s.

    PYTHONPATH=scripts:tests python benchmarks/compare_scale.py [TRIALS]

The records are made by the tests' factory: two lanes, ten iterations, 200 new ids in each of ten different outputs.
Time and peak resident set are those of the whole process as the kernel counts them.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import factory
from trtbench.settings.cells import Cell
from trtbench.settings.knobs import ROOT

COMPARE = str(ROOT / "scripts" / "compare.py")


def make(results: Path, trials: int) -> int:
    """Store so many trials; return their bytes on disk."""
    cell = Cell(batch=1, prompt_length=128, new_tokens=200, precision="float32")
    made = []
    for k in range(trials):
        lane, ms = ("pytorch-eager", 240.0) if k % 2 else ("onnxruntime", 100.0)
        times = [ms + (k * 7919 + i * 104729) % 1000 / 500 for i in range(10)]
        record = factory.cell_record(
            cell,
            e2e=factory.timed_pass(times, [factory.ids(cell, first=100 + i) for i in range(10)]),
            ttft=factory.timed_pass([t / 10 for t in times], [factory.ids(cell, 1, 100 + i) for i in range(10)]),
        )
        made.append(factory.trial(lane, cell=cell, cells=[record], index=k // 2 + 1, position=k + 1))
    home = factory.store(results, factory.run(), made)
    return sum(path.stat().st_size for path in home.rglob("*.json"))


def measured(*arguments: str) -> tuple[float, float, int]:
    """Seconds, peak MB and exit status of `compare.py ARGUMENTS`."""
    start = time.perf_counter()
    null = os.open(os.devnull, os.O_WRONLY)
    redirect = [(os.POSIX_SPAWN_DUP2, null, 1)]
    pid = os.posix_spawn(sys.executable, [sys.executable, COMPARE, *arguments], dict(os.environ), file_actions=redirect)
    _, status, usage = os.wait4(pid, 0)
    os.close(null)
    return time.perf_counter() - start, usage.ru_maxrss * 1024 / 1e6, os.waitstatus_to_exitcode(status)


def main(trials: int) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        size = make(Path(scratch), trials)
        print(f"{trials} trials, {size / 1e6:.1f} MB of JSON")
        seconds, peak, status = measured("--results-dir", scratch)
        print(f"compare.py          {seconds:6.2f} s   {peak:6.0f} MB   status {status}   (target: below 3 s, 300 MB)")
    first = min(measured("--help") for _ in range(5))
    print(f"compare.py --help   {first[0]:6.2f} s   {first[1]:6.0f} MB   status {first[2]}   (target: below 0.3 s)")
    good = status in (0, 3) and first[2] == 0 and seconds < 3 and peak < 300 and first[0] < 0.3
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
