"""What fails or hangs beside the timed passes, or at the end, can't take measured figures along nor hold a run: whole trials
of a toy lane as real subprocesses, with limits of seconds."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from test_trial import ONE, TWO, log, spec

import factory
from command import TOY
from trtbench.figures.settled import AGREE
from trtbench.machine import telemetry
from trtbench.machine.child import Allowance, Late
from trtbench.measure import limits, trial_process
from trtbench.measure.passes import WARMUP_MOST, warm
from trtbench.records import run_folder
from trtbench.records.trial import Trial, read_trial
from trtbench.settings.cells import Cell
from trtbench.settings.lanes import LANES

# Seconds in the place of minutes, but where a test is not about them: a loaded machine takes a while for nothing.
SHORT = {"FIRST": 2.0, "STEADY": 2.0, "TOKEN": 0.0, "EXTRA": (60.0, 1.0), "CLOSE": 60.0}


@pytest.fixture
def results(tmp_path: Path, toys: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy lanes with the one that hangs, and short limits in the processes of trials."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(TOY)]))
    import toy_hanging

    for name, row in toy_hanging.ROWS.items():
        monkeypatch.setitem(LANES, name, row)
    in_trials(tmp_path / "results")
    return tmp_path / "results"


def in_trials(results: Path, *lines: str, **limits: object) -> None:
    """What is done at the start of each process of a trial: other limits, then these lines."""
    lines = (*(f"limits.{name} = {value}" for name, value in {**SHORT, **limits}.items()), *lines)
    (results.parent / "sitecustomize.py").write_text(
        "\n".join(
            [
                "import toy_hanging, toy_table",
                "from trtbench.measure import limits",
                "toy_table.install()",
                "toy_hanging.install()",
                *lines,
            ]
        )
    )


def run(
    results: Path, monkeypatch: pytest.MonkeyPatch, fails: str, *cells: Cell, lane: str = "toy-hanging", **more: Any
) -> Trial:
    """A trial with these failures; it ends soon, nothing of it is left, and its record is what the run's folder holds."""
    monkeypatch.setenv("TOY_FAILS", fails)
    began = time.monotonic()
    trial = trial_process.run_trial(results, spec(results, lane, list(cells or (ONE,)), **more), lambda _: None)
    assert time.monotonic() - began < 60
    assert [p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE] == []
    home = run_folder.folder(results, factory.RUN)
    (stored,) = (home / "trials").iterdir()
    assert read_trial(stored) == trial
    assert [path.name for path in home.iterdir() if path.name.startswith(".")] == []
    return trial


def has_figures(trial: Trial, cell: int = 0) -> bool:
    record = trial.cells[cell]
    return record.e2e is not None and record.ttft is not None and len(record.e2e.times) == len(record.ttft.times) == 3


def left_out(trial: Trial) -> dict[str, str]:
    return {one.kind: one.reason for one in trial.left_out or []}


# Passes beside the timed ones

# A cell's calls: one cold, two to warm up, three timed, one and three for first tokens, one for memory.
MEMORY_CALL = 1 + 2 + 3 + 1 + 3 + 1


@pytest.mark.parametrize("how", ["raise", "oom"])
def test_the_engines_own_times_can_fail_alone(results: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    trial = run(results, monkeypatch, f"engine_metrics:{how}", ONE, TWO)
    assert trial.failure is None and trial.statement is not None
    assert has_figures(trial, 0) and has_figures(trial, 1)
    said = {"raise": "RuntimeError: the toy's engine_metrics is broken", "oom": "MemoryError: you tried to allocate"}
    assert list(left_out(trial)) == ["engine_metrics"]
    assert left_out(trial)["engine_metrics"].startswith(said[how])
    assert all(record.hole is None and record.engine_metrics is None for record in trial.cells)
    assert "Traceback" in log(results)


@pytest.mark.parametrize(
    ("how", "said"),
    [("kill", "the process was ended by SIGKILL"), ("hang", "it hung: engine metrics had no end after 2 seconds")],
)
def test_what_ends_the_process_after_the_last_figure_leaves_a_whole_record(
    results: Path, monkeypatch: pytest.MonkeyPatch, how: str, said: str
) -> None:
    in_trials(results, EXTRA=(2.0, 0.0) if how == "hang" else (60.0, 1.0))
    trial = run(results, monkeypatch, f"engine_metrics:{how}", ONE, TWO)
    assert trial.failure is None and trial.statement is not None
    assert has_figures(trial, 0) and has_figures(trial, 1)
    assert trial.cells[1].memory is not None
    assert left_out(trial)["engine_metrics"].startswith(said)


def test_what_a_lane_says_of_its_memory_can_fail_alone(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = run(results, monkeypatch, "memory:raise")
    assert trial.failure is None and has_figures(trial)
    assert left_out(trial) == {"memory": "RuntimeError: the toy's memory is broken"}
    memory = trial.cells[0].memory
    assert memory is not None and memory.kv_pool is None
    assert (memory.peak_rss or 0) > 5e6 and (memory.load_peak_rss or 0) > 5e6


@pytest.mark.parametrize("how", ["raise", "oom"])
def test_the_pass_for_memory_can_fail_alone_and_is_no_hole(
    results: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    trial = run(results, monkeypatch, f"{MEMORY_CALL}:{how}", ONE, TWO)
    assert trial.failure is None and has_figures(trial, 0) and has_figures(trial, 1)
    assert trial.cells[0].hole is None and trial.cells[0].memory is None
    assert trial.cells[1].memory is not None and list(left_out(trial)) == ["memory"]


def test_the_pass_for_energy_can_fail_alone(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = run(results, monkeypatch, f"{MEMORY_CALL + 1}:raise", energy=True)
    assert trial.failure is None and has_figures(trial) and trial.cells[0].energy is None
    assert left_out(trial) == {"energy": f"RuntimeError: the toy's {MEMORY_CALL + 1} is broken"}


def test_a_profile_can_fail_alone(results: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()  # where a folder would have to be
    trial = run(results, monkeypatch, "", profile=str(tmp_path / "file" / "profile.json"))
    assert trial.failure is None and has_figures(trial) and list(left_out(trial)) == ["profile"]


def test_a_wrong_count_is_told_before_anything_else_can_fail(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the timed calls: those of the warm-up are right."""
    in_trials(
        results,
        "inner = toy_hanging.ToyHanging.generate",
        "toy_hanging.ToyHanging.generate = lambda self, prompts, n: inner(self, prompts, n - (self.calls == 4))",
    )
    trial = run(results, monkeypatch, f"{MEMORY_CALL}:kill,engine_metrics:kill")
    assert trial.failure is not None and trial.failure.phase == "whole generation"
    assert trial.failure.reason == "asked for 1 x 8 new ids, got 1 row of 7"


def test_looking_at_the_gpu_can_fail_alone(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise TypeError("no such field")

    for name in ("start", "stop", "fill"):
        monkeypatch.setattr(telemetry.Watch, name, broken)
    trial = run(results, monkeypatch, "", device="cuda")
    assert trial.failure is None and has_figures(trial)
    assert trial.telemetry is not None
    assert trial.telemetry.problems == ["looking at the GPU failed: TypeError: no such field"] * 3


def test_a_receiver_of_phases_that_fails_ends_no_trial(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> None:
        raise BrokenPipeError

    in_trials(results, CLOSE=1.0)
    monkeypatch.setenv("TOY_FAILS", "close:hang")
    trial = trial_process.run_trial(results, spec(results, "toy-hanging", [ONE]), broken)
    assert trial.failure is None and has_figures(trial) and list(left_out(trial)) == ["close"]


# Hangs


@pytest.mark.parametrize("where", ["close", "exit"])
def test_a_hang_at_the_end_is_ended_and_the_record_counts(
    results: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    in_trials(results, CLOSE=1.0)
    trial = run(results, monkeypatch, f"{where}:hang")
    assert trial.failure is None and trial.statement is not None and has_figures(trial)
    assert left_out(trial) == {"close": "shutting down took longer than 1 s and was ended"}
    assert trial.seconds > 1


def test_the_end_of_an_interpreter_with_an_engine_in_it_is_not_waited_for(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_trials(results, CLOSE=5.0)
    trial = run(results, monkeypatch, "exit:hang", lane="toy-hanging-spawning")
    assert trial.failure is None and has_figures(trial) and trial.left_out is None


@pytest.mark.parametrize(
    ("call", "phase"),
    [(1, "warm-up"), (5, "whole generation"), (MEMORY_CALL, "memory")],
)
def test_a_hang_in_a_call_is_ended_with_its_phase(
    results: Path, monkeypatch: pytest.MonkeyPatch, call: int, phase: str
) -> None:
    trial = run(results, monkeypatch, f"{call}:hang")
    assert trial.failure is not None and trial.failure.phase == phase
    assert trial.failure.reason.startswith(f"it hung: {phase} had no end after ")
    assert len(trial.cells) == (phase == "memory")


@pytest.mark.parametrize(
    ("how", "said"), [("hang", "it hung: warm-up"), ("kill", "ended by SIGKILL"), ("raise", "broken")]
)
def test_what_was_measured_before_a_later_cell_failed_is_in_the_record(
    results: Path, monkeypatch: pytest.MonkeyPatch, how: str, said: str
) -> None:
    trial = run(results, monkeypatch, f"{MEMORY_CALL + 1}:{how}", ONE, TWO)
    assert trial.failure is not None and said in trial.failure.reason and trial.failure.phase == "warm-up"
    assert [record.cell for record in trial.cells] == [ONE]
    assert has_figures(trial) and trial.cells[0].memory is not None


def test_a_hang_between_two_values_is_ended_and_what_was_measured_is_kept(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = run(results, monkeypatch, "close:hang", ONE, TWO, chosen=["plain", "fancy"])
    assert trial.failure is not None and trial.failure.phase == "unload"
    assert [record.cell for record in trial.cells] == [ONE] and has_figures(trial)


# Limits


@pytest.mark.parametrize("seconds", [0.001, 1.0, 60.0, 600.0])
@pytest.mark.parametrize("limit", [1, 3, 10, 100])
def test_an_honest_machine_is_never_cut(seconds: float, limit: int) -> None:
    """Calls that take so long, a first one that compiles for an hour, and each call three times as slow as the slowest before."""
    cell = Cell(batch=1, prompt_length=128, new_tokens=200, precision="float32")
    assert limits.first_call(cell) > 3600
    first = round(seconds * 1e9)
    times: list[int] = []
    while not warm(times, limit):
        times.append(3 * first)
    spent = sum(times) / 1e9
    assert spent < limits.calls(max(limit, 2 * AGREE), [first])
    for calls in (1, 20, 1000):
        assert calls * 3 * seconds < limits.calls(calls, [first])
    assert limits.extra_call([first]) > 2 * seconds
    assert WARMUP_MOST < limits.STEADY


@pytest.mark.parametrize("batch", [1, 64])
def test_a_machine_that_makes_a_token_a_second_is_never_cut_in_its_first_call(batch: int) -> None:
    cell = Cell(batch=batch, prompt_length=2048, new_tokens=2048, precision="float32")
    assert limits.first_call(cell) >= 3600 + batch * 4096


def test_time_in_which_we_do_not_run_is_on_nobodys_bill(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    allowance = Allowance("memory", 600.0)
    now += 3600  # Ctrl-Z, and fg after lunch
    assert not allowance.over()
    for _ in range(17):
        now += allowance.look
        assert not allowance.over()
    now += 2 * allowance.look
    assert allowance.over()


def test_a_container_that_was_paused_ends_no_trial(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parent and trial stand still for longer than any phase may take, and go on."""
    in_trials(results, SLOWER=0.0)
    monkeypatch.setenv("TOY_SECONDS", "0.3")
    monkeypatch.setenv("TOY_FAILS", "")

    def pause() -> None:
        time.sleep(2.0)
        ours = [os.getpid(), *(process.pid for process in psutil.Process().children(recursive=True))]
        if os.fork() == 0:
            for number, patience in ((signal.SIGSTOP, 4.0), (signal.SIGCONT, 0.0)):
                for pid in ours:
                    os.kill(pid, number)
                time.sleep(patience)
            os._exit(0)
        os.wait()

    thread = threading.Thread(target=pause)
    thread.start()
    began = time.monotonic()
    trial = trial_process.run_trial(results, spec(results, "toy-hanging", [ONE]), lambda _: None)
    thread.join()
    assert time.monotonic() - began > 5
    assert trial.failure is None and trial.left_out is None


@pytest.mark.parametrize(("lane", "who"), [("vllm", "the engine"), ("tensorrt-pytorch", "TensorRT-LLM")])
def test_only_a_lane_of_tensorrt_llm_is_told_why_open_mpi_waits(lane: str, who: str, tmp_path: Path) -> None:
    of_lane = spec(tmp_path, lane, [ONE])
    failure = trial_process._hung(of_lane, Late("load", 12), tmp_path / "trial.log", 0)
    assert failure.reason == f"{who} did not start within ENGINE_START_LIMIT=12 seconds"
    assert failure.hint is not None and ("OMPI" in failure.hint) == (who == "TensorRT-LLM")
    (tmp_path / "trial.log").write_text("MPI_ERR_SPAWN\nNo space left on device\n")
    told = trial_process._hung(of_lane, Late("load", 12), tmp_path / "trial.log", 0)
    assert told.reason.endswith(
        ": the disk is full" if who == "the engine" else ": MPI cannot start the executor's worker"
    )


def test_a_rank_that_ends_is_named_with_its_end(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    import toy_ranks

    monkeypatch.setitem(LANES, toy_ranks.NAME, toy_ranks.ROWS[toy_ranks.NAME])
    in_trials(results, "import toy_ranks", "toy_ranks.install()", FIRST=60.0, STEADY=60.0)
    monkeypatch.setenv("TOY_RANKS", "1:generate:leave")
    monkeypatch.setenv("TMPDIR", str(results.parent))
    failure = run(results, monkeypatch, "", lane=toy_ranks.NAME, tp_size=2).failure
    assert failure is not None
    told = "the process ended with status 1 and left no record (last words: rank 1 of 2 ended with status 3)"
    assert failure.reason == told
    assert list(results.parent.glob("trtbench-ranks-*")) == []
