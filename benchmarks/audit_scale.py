"""How the audit scales: reading, auditing, comparing and printing 10,000 records in below 20 s and 500 MB, linearly.

    PYTHONPATH=scripts:tests python benchmarks/audit_scale.py [TRIALS]

The records are those of the tests' honest run: two lanes, ten iterations, 200 new ids in each of ten outputs, judged,
with the prompts of a workload. Time and peak resident set are those of the whole process as the kernel counts them.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import factory
from liars import Story
from trtbench.comparison.comparing import compare
from trtbench.model import workload
from trtbench.records import judgement, run_folder
from trtbench.records.files import encode
from trtbench.referee.audit import audit
from trtbench.report import text

SECONDS, MEGABYTES = 20.0, 500.0
LINEAR = 1.5  # how far the time a record may grow from half as many records to all


def make(results: Path, trials: int) -> int:
    """Store so many trials with their judgement and workload; return their bytes on disk."""
    story = Story(rounds=trials // 2).tell().seal()
    home = factory.store(results, story.run, story.trials)
    (home / "workload.json").write_bytes(encode(story.workload))
    assert story.judged is not None
    judgement.write(home / judgement.FILE, story.judged)
    return sum(path.stat().st_size for path in home.rglob("*.json"))


def once(results: Path) -> None:
    """What is measured."""
    run = run_folder.read(results, factory.RUN)
    trials = run_folder.trials(results, run.id)
    judged = judgement.read(judgement.path(results, run.id))
    findings = audit(run, trials, judged, workload.read_workload(results, run.id))
    made = compare(run, trials, findings, judged)
    assert not made.void, [f.code for f in findings if f.level == "fail"]
    print(len(text.render(made, "en")), "characters of report")


def measured(results: Path) -> tuple[float, float]:
    """Seconds and peak MB of a process that does it."""
    start = time.perf_counter()
    arguments = [sys.executable, __file__, "--once", str(results)]
    pid = os.posix_spawn(sys.executable, arguments, dict(os.environ))
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f"the measured process ended with status {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - start, usage.ru_maxrss * 1024 / 1e6


def main(trials: int) -> int:
    found = {}
    for count in (trials // 4, trials // 2, trials):
        with tempfile.TemporaryDirectory() as scratch:
            size = make(Path(scratch), count)
            found[count] = measured(Path(scratch))
            seconds, peak = found[count]
            print(f"{count:6} trials, {size / 1e6:6.1f} MB of JSON: {seconds:6.2f} s, {peak:5.0f} MB")
    (half, _), (seconds, peak) = found[trials // 2], found[trials]
    growth = seconds / trials / (half / (trials // 2))
    print(f"time a record, all against half as many: {growth:.2f} (target: below {LINEAR})")
    return 0 if seconds < SECONDS and peak < MEGABYTES and growth < LINEAR else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--once"]:
        once(Path(sys.argv[2]))
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10000))
