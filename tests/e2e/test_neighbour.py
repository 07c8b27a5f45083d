"""A neighbour on the CPU, for a part of a run or all through it. Run alone: any other test beside these is a neighbour.

benchmarks/neighbour.py does the same ten times with real engines; its figures are in docs/methodology.md.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command import Bench
from trtbench.records import run_folder
from trtbench.records.run import Run, counting
from trtbench.records.trial import Trial
from trtbench.referee.audit import audit
from trtbench.referee.audit.findings import FAIL

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("toys")]

BURN = "import os\nfor _ in range((os.cpu_count() or 1) - 1): os.fork()\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
RUN = {
    "LANES": "toy-cpu,toy-cpu-fast",
    "HEADLINE": "toy-cpu-fast",
    "TRIALS": "4",
    "NUM_ITERATIONS": "8",
    "QUIET": "wait",
    "TOY_WAIT": "20",
}


class Neighbour:
    """Keeps every core busy between `come` and `leave`."""

    process: subprocess.Popen[bytes] | None = None

    def come(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", BURN], start_new_session=True)

    def leave(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def neighbour() -> Iterator[Neighbour]:
    one = Neighbour()
    yield one
    one.leave()


@pytest.fixture
def another_bench(tiny_model: Path, tmp_path: Path) -> Bench:
    return Bench(tiny_model, tmp_path / "another")


def records(bench: Bench) -> tuple[Run, list[Trial]]:
    (home,) = bench.runs()
    return run_folder.read(bench.results, home.name), run_folder.trials(bench.results, home.name)


def verdict(bench: Bench, *arguments: str) -> dict[str, Any]:
    """The headline of the latest run's report."""
    report = json.loads((bench.results / "benchmark_comparison_report.json").read_text())
    (against,) = (a for row in report["cells"] for a in row["against"] if a["headline"])
    return dict(against)


def fails(bench: Bench) -> list[str]:
    run, trials = records(bench)
    return [f.code for f in audit(run, trials) if f.level == FAIL]


def test_a_neighbour_for_a_part_of_the_run_changes_nothing(
    bench: Bench, another_bench: Bench, neighbour: Neighbour
) -> None:
    done = bench("--compare", **RUN)
    assert done.returncode == 0, done.stderr
    quiet = verdict(bench)
    assert quiet["verdict"]["word"] == "faster" and "not_quiet" not in quiet["weak"]

    running = another_bench.start("--compare", **RUN)
    deadline = time.monotonic() + 60
    while not _trials(another_bench) and time.monotonic() < deadline:
        time.sleep(0.05)
    neighbour.come()
    time.sleep(3)
    neighbour.leave()
    output, _ = running.communicate(timeout=120)
    assert running.returncode == 0, output
    run, trials = records(another_bench)
    disturbed = [t for t in trials if t.disturbed]
    assert disturbed and run.unquiet is None, output
    assert not any(t.disturbed for t in counting(trials))
    assert {t.index for t in counting(trials)} == {1, 2, 3, 4}
    assert fails(another_bench) == []
    again = verdict(another_bench)
    assert again["verdict"]["word"] == quiet["verdict"]["word"]
    assert again["speedup"]["low"] <= quiet["speedup"]["high"] and quiet["speedup"]["low"] <= again["speedup"]["high"]
    assert f"trial {disturbed[0].index}: others used" in " ".join(output.split())


def test_under_constant_load_no_verdict_is_firm(bench: Bench, neighbour: Neighbour) -> None:
    neighbour.come()
    done = bench("--compare", **{**RUN, "TOY_WAIT": "2"})
    assert done.returncode == 0, done.stderr
    assert "this machine is not quiet: python" in done.stderr
    run, trials = records(bench)
    assert run.unquiet is not None and run.unquiet.kind == "not_quiet"
    assert any(t.disturbed for t in counting(trials))
    assert "not_quiet" in verdict(bench)["weak"]
    assert "NOT QUIET" in done.stdout and "weak: the machine was not quiet" in " ".join(done.stdout.split())
    assert fails(bench) == []
    neighbour.leave()

    # A quiet hour later: what was disturbed is run again, and the verdict is a firm one.
    done = bench("--compare", "--resume", **RUN)
    assert done.returncode == 0, done.stderr
    run, trials = records(bench)
    assert run.unquiet is None and not any(t.disturbed for t in counting(trials))
    assert "not_quiet" not in verdict(bench)["weak"]
    assert fails(bench) == []


def test_a_lane_that_left_is_told_stays_out_and_may_not_be_asked_for_alone(bench: Bench) -> None:
    """On a quiet machine: a lane whose trial was disturbed stays."""
    slow = {**RUN, "LANES": "toy-cpu,toy-cpu-fast,toy-cpu-slow", "TRIALS": "3", "SLOW_LANES": "leave"}
    done = bench("--compare", **slow)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "toy-cpu-slow float32 leaves after 1 round" in done.stderr
    assert "left after round 1" in done.stdout
    run, trials = records(bench)
    assert [(d.lane, d.round, d.rule) for d in run.departures or []] == [("toy-cpu-slow", 1, "ratio")]
    assert run.stopped == "all 3 trials of each lane that stayed were run"
    assert sum(t.lane == "toy-cpu-slow" for t in trials) == 1
    assert fails(bench) == []
    before = bench.trials()
    done = bench("--resume", **{**slow, "LANES": "toy-cpu-slow"})
    assert done.returncode == 2 and "every lane that was asked for has left run" in done.stderr
    assert bench.trials() == before and records(bench)[0] == run
    done = bench("--resume", **{**slow, "SLOW_LANES": "keep"})
    assert done.returncode == 2 and "SLOW_LANES was leave and is keep" in done.stderr


def _trials(bench: Bench) -> list[Path]:
    return list(bench.results.glob("runs/*/trials/*.json"))
