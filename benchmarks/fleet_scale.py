"""How a fleet scales: our own share of 10,000 runs over 200 machines, behind a stand-in for Ray that answers at once, takes a
minute and 1 GB at most on two cores; and the page of 1,000 runs has less than 2 MB.

    PYTHONPATH=scripts:tests:tests/fleet python benchmarks/fleet_scale.py [RUNS]

Each share is a process of its own, measured whole, with its children, as the kernel counts them: a fleet from the plan to the page,
its bundles taken as audited; resuming it, when all of it is back; and auditing every bundle again, which is the audit's share.
Making the logs that the stand-in hands out is no part of it. benchmarks/fleet_scale.json has the figures of docs/fleet.md.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from a_cluster import MODEL, bundle_of, machine

from trtbench.fleet import files
from trtbench.fleet import plan as plans
from trtbench.fleet.auditing import Auditors, Judged, judged
from trtbench.fleet.cluster import Job, Machine
from trtbench.fleet.cluster import State as Seen
from trtbench.fleet.conducting import Conductor
from trtbench.fleet.merging import merge
from trtbench.fleet.on_machine import bundle_lines
from trtbench.fleet.outcome import Outcome
from trtbench.fleet.plan import Plan
from trtbench.fleet.state import State
from trtbench.fleet.wanted import Wanted
from trtbench.records.files import encode, write_whole

RUNS, MACHINES, KINDS, MODELS = 10_000, 200, 5, 20
SECONDS, MEGABYTES, PAGE = 60.0, 1000.0, 2e6


def text_of(runs: int) -> str:
    """A plan of so many runs."""
    kinds = "\n".join(f"  kind{n}: {{resource: kind{n}, price: {n + 1}}}" for n in range(KINDS))
    models = ", ".join([MODEL, *(f"org/model-{n}" for n in range(1, MODELS))])
    repeats = runs // (KINDS * MODELS)
    return (
        f"name: scale\nmodels: [{models}]\nprecisions: [float16]\nkinds:\n{kinds}\nsettings: {{SEED: 3}}\n"
        f"repeats: {repeats}\ncurrency: EUR\n"
    )


def prepare(folder: Path, runs: int) -> None:
    """The plan, and the log that each of its runs will have: a bundle of two lanes and three rounds, no two the same."""
    (folder / "plan.yaml").write_text(text_of(runs))
    (folder / "logs").mkdir()
    templates: dict[tuple[str, str], bytes] = {}
    for number, run in enumerate(plans.read(folder / "plan.yaml").wanted()):
        asked = json.dumps({"model": run.model, "settings": run.settings})
        key = run.model, run.kind
        if key not in templates:
            templates[key] = gzip.decompress(bundle_of(asked, len(templates) + 1))
        minute, second = divmod(number, 60)
        created = (
            f'"created": "2026-01-{minute // 1440 + 1:02}T{minute // 60 % 24:02}:{minute % 60:02}:{second:02}+00:00"'
        )
        data = re.sub(rb'"created": "[^"]*"', created.encode(), templates[key], count=1)
        place = hashlib.sha256(f"{run.kind} {number % (MACHINES // KINDS)}".encode()).hexdigest()[:16]
        lines = bundle_lines(gzip.compress(data, 1, mtime=0), place, "")
        (folder / "logs" / run.id).write_text("\n".join(["a line of the run"] * 20 + lines))


class AtOnce:
    """A cluster that is done with whatever it is asked for."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.all = [
            machine(f"{kind:02}{n:054}", **{f"kind{kind}": 1.0})
            for kind in range(KINDS)
            for n in range(MACHINES // KINDS)
        ]
        self.runs: dict[str, str] = {}

    def machines(self) -> Sequence[Machine]:
        return self.all

    def submit(self, job: Job) -> None:
        self.runs[job.id] = json.loads(job.run)["id"]

    def state(self, job_id: str) -> Seen:
        return Seen("ended", self.all[len(job_id) % len(self.all)].id)

    def log(self, job_id: str) -> str:
        return (self.logs / self.runs[job_id]).read_text()

    def stop(self, job_id: str) -> None:
        raise AssertionError


class Trusting(Auditors):
    """Takes bundles as audited: one outcome of each model is real, and stands for all of that model."""

    def __init__(self) -> None:
        super().__init__(1)
        self.known: dict[str, Outcome] = {}
        self.begun: list[Wanted] = []

    def begin(self, path: Path, wanted: Wanted) -> None:
        if wanted.model not in self.known:
            outcome = judged(path, wanted).outcome
            assert outcome is not None
            self.known[wanted.model] = outcome
        self.begun.append(wanted)

    def done(self, wait: bool = False) -> Iterator[tuple[str, Judged]]:
        for wanted in self.begun:
            yield wanted.id, Judged(msgspec.structs.replace(self.known[wanted.model], run=wanted.id), "", wanted.id)
        self.begun = []


def conducted(folder: Path, resume: bool) -> None:
    """From the plan to the page."""
    plan = plans.read(folder / "plan.yaml")
    state = State(folder / "fleet", plan.wanted())
    with state.writing(plan.name, resume), Trusting() as auditors:
        Conductor(plan, state, AtOnce(folder / "logs"), auditors, lambda line: None, sleep=lambda seconds: None).run()
    assert all(course.outcome is not None for course in state.courses.values())
    files.write(state.folder, merge(plan, [course.ran for course in state.courses.values()]), "en")


def audited(folder: Path) -> None:
    """Every bundle, in processes of their own."""
    plan: Plan = plans.read(folder / "plan.yaml")
    state = State(folder / "fleet", plan.wanted())
    with Auditors() as auditors:
        for run, course in state.courses.items():
            auditors.begin(state.bundle(run), course.wanted)
        for run, result in auditors.done(wait=True):
            assert result.outcome is not None, (run, result.refusal)


def measured(what: str, folder: Path) -> dict[str, float]:
    """Seconds, seconds of CPU time and peak MB of a process that does it, and of its largest child."""
    start = time.perf_counter()
    pid = os.posix_spawn(sys.executable, [sys.executable, __file__, what, str(folder)], dict(os.environ))
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f"{what}: the measured process ended with status {os.waitstatus_to_exitcode(status)}")
    peak = json.loads((folder / "peak.json").read_text())
    return {
        "seconds": round(time.perf_counter() - start, 2),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mb": round(peak[0] / 1e6),
        "peak_of_a_child_mb": round(peak[1] / 1e6),
    }


def main(runs: int) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        prepare(folder, runs)
        shares = {what: measured(what, folder) for what in ("conduct", "resume", "audit")}
    with tempfile.TemporaryDirectory() as scratch:
        prepare(Path(scratch), min(runs, 1000))
        page = measured("conduct", Path(scratch))
        page_bytes = (Path(scratch) / "fleet" / "fleet.html").stat().st_size
    for what, row in shares.items():
        print(f"{what:8} {row}")
    print(f"page of {min(runs, 1000):,} runs: {page_bytes / 1e6:.2f} MB, {page['seconds']} s from the plan on")
    if runs == RUNS:
        figures = {"runs": runs, "machines": MACHINES, "shares": shares, "page_of_1000_bytes": page_bytes}
        write_whole(Path(__file__).with_suffix(".json"), encode(figures))
    own = [shares["conduct"], shares["resume"]]
    good = all(row["seconds"] < SECONDS and row["peak_mb"] < MEGABYTES for row in own) and page_bytes < PAGE
    return 0 if good else 1


def once(what: str, folder: Path) -> None:
    """One share, and what it took of the memory at its peak."""
    if what == "audit":
        audited(folder)
    else:
        conducted(folder, resume=what == "resume")
    peaks = [resource.getrusage(who).ru_maxrss * 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    (folder / "peak.json").write_text(json.dumps(peaks))


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in ("conduct", "resume", "audit"):
        once(sys.argv[1], Path(sys.argv[2]))
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS))
