"""What was finished is kept and never repeated: kill -9, Ctrl-C, `--resume`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from command import Bench
from trtbench.records import run_folder

pytestmark = pytest.mark.usefixtures("toys")


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def started(bench: Bench, finished: int, **settings: str) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """Start a run of slow trials; return it and its processes once so many trials are finished and one is under way."""
    process = bench.start(TOY_SECONDS="0.2", TRIALS="3", **settings)

    def under_way() -> bool:
        there = bench.results.is_dir() and (bench.results / "runs").is_dir() and bench.runs()
        return bool(there) and len(bench.trials()) == finished and bool(list(bench.runs()[-1].glob(".*.spec.json")))

    wait_for(under_way)
    parent = psutil.Process(process.pid)
    wait_for(lambda: parent.children(recursive=True))
    return process, parent.children(recursive=True)


def gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


@pytest.fixture
def killed(bench: Bench) -> dict[str, bytes]:
    """The records that a run left whose parent was killed after two trials, in the third."""
    process, children = started(bench, finished=2)
    process.kill()
    process.communicate()
    wait_for(lambda: gone(children), 20)
    return bench.trials()


def test_a_killed_run_leaves_whole_records_and_no_process(bench: Bench, killed: dict[str, bytes]) -> None:
    assert len(killed) == 2
    assert [t.failure for t in run_folder.trials(bench.results, bench.runs()[0].name)] == [None, None]


def test_resume_runs_what_is_missing_and_repeats_nothing(bench: Bench, killed: dict[str, bytes]) -> None:
    done = bench("--resume", TRIALS="3")
    assert done.returncode == 0, done.stderr
    assert len(bench.runs()) == 1
    after = bench.trials()
    assert {name: after[name] for name in killed} == killed
    assert len(after) == 6
    found = run_folder.trials(bench.results, bench.runs()[0].name)
    assert sorted((t.lane, t.index) for t in found) == [
        (lane, i) for lane in ("toy-fast", "toy-torch") for i in (1, 2, 3)
    ]
    assert [t.position for t in found] == [1, 2, 3, 4, 5, 6]
    assert all(t.interleaved for t in found)
    assert [path.name for path in bench.runs()[0].iterdir() if path.name.startswith(".")] == []
    again = bench("--resume", TRIALS="3")
    assert again.returncode == 0
    assert bench.trials() == after


def test_resume_keeps_the_order_that_the_seed_fixed(bench: Bench, killed: dict[str, bytes]) -> None:
    bench("--resume", TRIALS="3")
    interrupted = bench.order()
    bench("--new-run", TRIALS="3")
    assert bench.order() == interrupted


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"NUM_ITERATIONS": "3"}, "NUM_ITERATIONS was 2 and is 3"),
        ({"NEW_TOKENS": "9"}, "the prompts, cells or sampling differ"),
        ({"SEED": "1"}, "the prompts, cells or sampling differ"),
        ({"MODEL_NAME": "demo"}, "the model is another one"),
        ({"EQUIVALENCE_MARGIN": "0.1"}, "EQUIVALENCE_MARGIN was 0.03 and is 0.1"),
        ({"HEADLINE": "toy-choice"}, "HEADLINE was toy-fast and is toy-choice"),
    ],
)
def test_resume_with_other_settings_is_refused(bench: Bench, changed: dict[str, str], said: str) -> None:
    bench(TRIALS="1", LANES="toy-fast")
    before = bench.trials()
    done = bench("--resume", **{"TRIALS": "2", "LANES": "toy-fast", **changed})
    assert done.returncode == 2
    assert f"cannot be resumed: {said}" in done.stderr
    assert bench.trials() == before
    assert len(bench.runs()) == 1


def test_a_lane_that_comes_to_rounds_without_it_took_no_turns(bench: Bench) -> None:
    bench(TRIALS="2", LANES="toy-torch")
    assert bench("--resume", TRIALS="2", LANES="toy-torch,toy-fast").returncode == 0
    found = run_folder.trials(bench.results, bench.runs()[0].name)
    assert {(t.lane, t.interleaved) for t in found} == {("toy-torch", True), ("toy-fast", False)}
    carried = {t.lane: (t.sealed.headline, t.sealed.lanes) for t in found if t.sealed}
    assert carried == {"toy-torch": (None, ["toy-torch"]), "toy-fast": ("toy-fast", ["toy-torch", "toy-fast"])}


def test_resume_without_a_run_says_how_to_start_one(bench: Bench) -> None:
    done = bench("--resume")
    assert done.returncode == 2
    assert "holds no run" in done.stderr


def test_a_failed_trial_is_tried_again_as_another_attempt(bench: Bench) -> None:
    assert bench(LANES="toy-raises,toy-fast", TRIALS="1").returncode == 0
    before = bench.trials()
    done = bench("--resume", LANES="toy-raises,toy-fast", TRIALS="1")
    assert done.returncode == 0, done.stderr
    after = bench.trials()
    assert {name: after[name] for name in before} == before
    attempts = [(t.lane, t.index, t.attempt) for t in run_folder.trials(bench.results, bench.runs()[0].name)]
    assert sorted(attempts) == [("toy-fast", 1, 1), ("toy-raises", 1, 1), ("toy-raises", 1, 2)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_kill_end_everything_with_status_130(bench: Bench, number: int) -> None:
    process, children = started(bench, finished=1)
    os.kill(process.pid, number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "finished trials are kept; --resume runs what is missing" in output
    assert "Traceback" not in output
    wait_for(lambda: gone(children), 20)
    kept = bench.trials()
    assert len(kept) == 1
    assert [path.name for path in bench.runs()[0].iterdir() if path.name.startswith(".")] == []
    assert bench("--resume", TRIALS="2").returncode == 0
    assert bench.trials().items() >= kept.items()
    assert len(bench.trials()) == 4


def test_kill_while_it_waits_for_a_quiet_machine_says_what_is_kept(bench: Bench) -> None:
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        process = bench.start(QUIET="wait")
        assert process.stdout is not None
        assert any("waiting at most 60 s" in line for line in process.stdout)
        process.terminate()
        output, _ = process.communicate(timeout=30)
    finally:
        neighbour.kill()
        neighbour.wait()
    assert process.returncode == 130
    assert "finished trials are kept; --resume runs what is missing" in output
    assert bench("--resume").returncode == 0
