"""How the audit scales: reading, auditing, comparing and printing 10,000 records in below 12 s and 400 MB, linearly.

    PYTHONPATH=scripts:tests python benchmarks/audit_scale.py [TRIALS]

The records are those of the tests' honest run: two lanes, ten iterations, 200 new ids in each of ten outputs, judged,
with the prompts of a workload. Time (CPU time too: others may be on the machine) and peak resident set are those of the
whole process as the kernel counts them. benchmarks/audit_scale.json has the figures that docs/methodology.md shows.
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
from trtbench.records.files import encode, write_whole
from trtbench.referee.audit import audit
from trtbench.report import text

RECORDS = 10_000
SECONDS, MEGABYTES = 12.0, 400.0
LINEAR = 1.2  # how far the time a record may grow from half as many records to all


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


def measured(results: Path) -> tuple[float, float, float]:
    """Seconds, seconds of CPU time and peak MB of a process that does it."""
    start = time.perf_counter()
    arguments = [sys.executable, __file__, "--once", str(results)]
    pid = os.posix_spawn(sys.executable, arguments, dict(os.environ))
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f"the measured process ended with status {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6


def main(trials: int) -> int:
    rows = []
    for count in (trials // 4, trials // 2, trials):
        with tempfile.TemporaryDirectory() as scratch:
            size = make(Path(scratch), count) / 1e6
            seconds, cpu, peak = measured(Path(scratch))
            rows.append({"records": count, "json_mb": size, "seconds": seconds, "cpu_s": cpu, "peak_mb": peak})
            print(
                f"{count:6} trials, {size:6.1f} MB of JSON: {cpu:6.2f} s of CPU time, {seconds:6.2f} s, {peak:5.0f} MB"
            )
    half, whole = rows[-2], rows[-1]
    growth = whole["cpu_s"] / whole["records"] / (half["cpu_s"] / half["records"])
    print(f"time a record, all against half as many: {growth:.2f} (target: below {LINEAR})")
    if trials == RECORDS:
        figures = {"growth": growth, "rows": [{name: round(value, 2) for name, value in row.items()} for row in rows]}
        write_whole(Path(__file__).with_suffix(".json"), encode(figures))
    return 0 if whole["seconds"] < SECONDS and whole["peak_mb"] < MEGABYTES and growth < LINEAR else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--once"]:
        once(Path(sys.argv[2]))
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS))
