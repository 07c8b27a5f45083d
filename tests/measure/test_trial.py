"""One trial: the parts of the process in this one, and whole trials of toy lanes as real subprocesses."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import psutil
import pytest

import factory
from trtbench.figures.settled import AGREE, settled
from trtbench.machine import child
from trtbench.measure import out_of_memory, trial, trial_process
from trtbench.measure.passes import WrongCount, check_count, run_pass, timed, warm
from trtbench.measure.spec import Spec
from trtbench.records import run_folder
from trtbench.records.files import encode, write_whole
from trtbench.records.trial import Cold, Sampling, Trial, read_trial
from trtbench.settings.cells import Cell
from trtbench.settings.lanes import LANES

ONE = Cell(batch=1, prompt_length=16, new_tokens=8, precision="float32")
TWO = Cell(batch=2, prompt_length=16, new_tokens=8, precision="float32")


# The timed region


def test_the_clock_runs_only_while_the_lane_generates() -> None:
    call = timed(lambda prompts, n: time.sleep(0.05) or [[7] * n for _ in prompts], [[1], [2]], 3)
    assert call.output == [[7, 7, 7], [7, 7, 7]]
    assert 0.05e9 <= call.nanoseconds < 0.5e9


def test_no_collection_runs_inside_and_it_is_on_again_after_a_failure() -> None:
    inside: list[bool] = []

    def generate(prompts: list[list[int]], n: int) -> list[list[int]]:
        inside.append(gc.isenabled())
        raise MemoryError

    with pytest.raises(MemoryError):
        timed(generate, [[1]], 1)
    assert inside == [False]
    assert gc.isenabled()


# Exactly N ids


@pytest.mark.parametrize("output", [[[1, 2, 3]], [[1, 2, 3], [1, 2, 3]]])
def test_exactly_as_many_ids_as_asked_for(output: list[list[int]]) -> None:
    check_count(output, len(output), 3)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ([[1, 2], [1, 2, 3]], "asked for 2 x 3 new ids, got 2 rows of 2, 3"),
        ([[1, 2, 3]], "got 1 row of 3"),
        ([[1, 2, 3, 4], [1, 2, 3, 4]], "got 2 rows of 4"),
        ([], "got 0 rows of no"),
        ([[], []], "got 2 rows of 0"),
    ],
)
def test_another_count_is_no_result(output: list[list[int]], said: str) -> None:
    with pytest.raises(WrongCount, match=said):
        check_count(output, 2, 3)


# Warm-up


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([], False),
        ([100] * (2 * AGREE - 1), False),
        ([100] * 2 * AGREE, True),
        ([900, 100, 101, 100, 102, 101, 100], True),
        ([100, 100, 100, 103, 103, 103], False),
        ([103, 103, 103, 100, 100, 100], False),
        ([100, 300, 100, 100, 101, 250], True),  # single calls of noise
        ([100, 300, 300, 100, 101, 100], False),
    ],
)
def test_warm_up_has_settled_when_medians_agree(times: list[int], expected: bool) -> None:
    assert settled(times) is expected


SECOND = 10**9


@pytest.mark.parametrize(
    ("times", "limit", "expected"),
    [
        ([SECOND] * 2, 10, False),  # two seconds and not three calls
        ([SECOND // 10] * 6, 10, False),  # settled, and not two seconds
        ([SECOND // 10] * 20, 10, True),
        ([SECOND // 1000] * 50, 10, False),  # the limit counts once there were two seconds
        ([SECOND] * 6, 10, True),
        ([SECOND + n * SECOND // 20 for n in range(9)], 10, False),
        ([SECOND + n * SECOND // 20 for n in range(10)], 10, True),  # the limit, unsettled
        ([SECOND * 9 * n for n in range(1, 6)], 10, False),
        ([SECOND * 9 * n for n in range(1, 7)], 10, True),  # long enough
        ([SECOND * 9] * 3, 3, True),
        ([1], 1, True),  # a wish for fewer
        ([1], 2, False),
    ],
)
def test_how_long_the_warm_up_is(times: list[int], limit: int, expected: bool) -> None:
    assert warm(times, limit) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("the engine fell over"), False),
    ],
)
def test_what_counts_as_out_of_memory(error: BaseException, expected: bool) -> None:
    assert out_of_memory.caused(error) is expected


def test_a_pass_keeps_every_time_and_every_id_once() -> None:
    class Lane:
        calls = 0

        def generate(self, prompts: list[list[int]], n: int) -> list[list[int]]:
            self.calls += 1
            return [[self.calls // 3] * n for _ in prompts]

    made = run_pass(Lane(), factory.a_workload(), ONE, 0, 4, 2)  # type: ignore[arg-type]
    assert len(made.times) == 4
    assert made.outputs == [[[0, 0]], [[1, 1]]]
    assert made.output == [0, 0, 1, 1]
    assert made.foreign_cpu is not None
    assert len(made.foreign_cpu) == 4
    assert made.began is not None and made.ended is not None and made.between is not None
    assert sum(made.times) + made.between == made.ended - made.began


# Whole trials


@pytest.fixture
def results(tmp_path: Path, toys: None) -> Path:
    return tmp_path / "results"


def spec(results: Path, lane: str, cells: list[Cell], **more: Any) -> Spec:
    """A request for a trial of this lane, with its workload already in the run's folder."""
    workload = factory.a_workload(cells, Sampling(seed=7))
    path = run_folder.folder(results, factory.RUN) / "workload.json"
    write_whole(path, encode(workload))
    fields: dict[str, Any] = dict(
        run=factory.RUN,
        lane=lane,
        precision="float32",
        index=1,
        attempt=1,
        position=1,
        round=1,
        interleaved=True,
        device="cpu",
        threads=1,
        iterations=3,
        warmup_limit=2,
        cells=cells,
        sampling=workload.sampling,
        model_path=str(results),
        model=factory.model(),
        workload=str(path),
        workload_digest=workload.digest(),
        cache=str(results / "cache"),
        output="",
        environment=factory.environment(),
        settings=factory.settings(),
    )
    return Spec(**{**fields, **more})


def run(results: Path, lane: str, *cells: Cell, **more: Any) -> tuple[Trial, list[str]]:
    phases: list[str] = []
    trial = trial_process.run_trial(results, spec(results, lane, list(cells or (ONE,)), **more), phases.append, 2e10)
    return trial, phases


def log(results: Path) -> str:
    (path,) = (run_folder.folder(results, factory.RUN) / "logs").iterdir()
    return path.read_text()


def test_a_trial_leaves_its_record_its_log_and_nothing_else(results: Path) -> None:
    trial, phases = run(results, "toy-torch", ONE, TWO)
    home = run_folder.folder(results, factory.RUN)
    (stored,) = (home / "trials").iterdir()
    assert stored.name == "0001-toy-torch-float32-t1-a1.json"
    assert read_trial(stored) == trial
    assert sorted(path.name for path in home.iterdir()) == ["logs", "trials", "workload.json"]
    assert "toy loaded" in log(results)
    assert trial.failure is None
    assert phases[:3] == ["import", "prepare", "load"]
    cell = ["warm-up", "whole generation", "first token", "memory"]
    assert [p for p in phases[3:] if p in cell] == cell * 2


def test_the_record_holds_what_was_measured(results: Path) -> None:
    trial, _ = run(results, "toy-torch", ONE, TWO)
    workload = factory.a_workload([ONE, TWO], Sampling(seed=7))
    for record, cell in zip(trial.cells, (ONE, TWO)):
        assert record.cell == cell
        assert record.e2e is not None
        assert record.ttft is not None
        assert record.memory is not None
        assert len(record.e2e.times) == len(record.ttft.times) == 3
        assert min(record.e2e.times) >= 4 * factory.MS  # the toy sleeps that long
        # The toy's ids are made from the prompt: these are the prompts of calls 0, 1, 2, and of 3, 4, 5 for one token.
        for part, first, new in ((record.e2e, 0, 8), (record.ttft, 3, 1)):
            wanted = [
                [[(sum(p) + i) % 500 for i in range(new)] for p in workload.prompts(cell, first + c)] for c in range(3)
            ]
            assert [part.outputs[number] for number in part.output] == wanted
        assert len(record.warmup) == 2
        assert record.memory.peak_rss is not None
        assert record.memory.peak_rss > 5e6
        assert record.memory.gpu_peak is None
    assert trial.cold.load is not None
    assert trial.cold.prepare is None
    assert trial.telemetry is not None
    assert trial.telemetry.read_bandwidth == 2e10


def test_every_lane_is_asked_the_same_prompts(results: Path) -> None:
    digests = []
    for lane in ("toy-torch", "toy-fast"):
        record = run(results, lane)[0].cells[0]
        assert record.e2e is not None
        assert record.ttft is not None
        digests.append((record.e2e.prompts_digest, record.ttft.prompts_digest))
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("lane", "phase", "reason", "in_log"),
    [
        ("toy-short", "warm-up", "asked for 1 x 8 new ids, got 1 row of 7", "toy loaded"),
        ("toy-raises", "warm-up", "RuntimeError: the engine fell over", "and said more on a second line"),
        ("toy-unprepared", "prepare", "the toy converter refuses this model", "prepare"),
        ("toy-killed", "process", "ended by SIGKILL (last words: last words of the engine)", "last words"),
    ],
)
def test_a_lane_that_fails_is_kept_as_failed_with_its_reason(
    results: Path, lane: str, phase: str, reason: str, in_log: str
) -> None:
    trial, _ = run(results, lane)
    assert trial.failure is not None
    assert trial.failure.phase == phase
    assert reason in trial.failure.reason
    assert "\n" not in trial.failure.reason
    assert in_log in log(results)
    assert trial.cells == []
    (stored,) = (run_folder.folder(results, factory.RUN) / "trials").iterdir()
    assert read_trial(stored) == trial


def test_a_cell_that_does_not_fit_into_memory_is_a_hole_and_the_next_one_is_measured(results: Path) -> None:
    trial, _ = run(results, "toy-greedy", TWO, ONE)
    assert trial.failure is None
    hole, measured = trial.cells
    assert hole.hole is not None
    assert re.fullmatch(
        r"out of memory with batch 2 and 16 \+ 8 tokens \([\d.]+ of the machine's [\d.]+ GiB are free\); "
        "lower BATCH_SIZES, PROMPT_LENGTHS or NEW_TOKENS",
        hole.hole,
    )
    assert hole.e2e is None
    assert measured.e2e is not None


def test_a_trial_of_which_no_cell_fits_has_failed(results: Path) -> None:
    trial, _ = run(results, "toy-greedy", TWO)
    assert trial.failure is not None
    assert trial.failure.reason.startswith("out of memory with batch 2")


def test_a_changed_workload_is_noticed(results: Path) -> None:
    trial, _ = run(results, "toy-torch", workload_digest="0" * 64)
    assert trial.failure is not None
    assert "is not the workload of this run: its digest differs" in trial.failure.reason


def test_a_worker_that_outlives_its_killed_trial_does_not_hold_up_the_parent(results: Path) -> None:
    start = time.monotonic()
    trial, _ = run(results, "toy-orphan")
    assert time.monotonic() - start < 7  # the worker sleeps for 8 seconds with the pipe in its hand
    assert trial.failure is not None
    assert "SIGKILL" in trial.failure.reason


def test_preparing_leaves_a_log_and_no_record(results: Path) -> None:
    trial, phases = run(results, "toy-torch", prepare_only=True)
    assert trial.failure is None
    assert phases == ["import", "prepare", "close"]
    assert not (run_folder.folder(results, factory.RUN) / "trials").exists()


def test_ctrl_c_ends_a_trial_that_hangs_with_all_its_processes(results: Path) -> None:
    def toys_alive() -> list[int]:
        return [p.pid for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]

    def interrupt() -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not worker_started.is_set():
            if any("toy-worker" in " ".join(p.cmdline()) for p in psutil.Process().children(recursive=True)):
                worker_started.set()
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    worker_started = threading.Event()
    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        run(results, "toy-hangs")
    assert worker_started.is_set()
    assert toys_alive() == []
    home = run_folder.folder(results, factory.RUN)
    assert [path.name for path in home.iterdir() if path.name.startswith(".")] == []


# What a trial must not know


def test_a_trial_gets_fixed_threads_no_network_and_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_planted")
    monkeypatch.setenv("NGC_API_KEY", "nvapi_planted")
    monkeypatch.setenv("HUGGING_FACE_HUB_TOKEN", "hf_planted")
    env = child.computing_environment(3)
    assert "planted" not in json.dumps(env)
    assert env["OMP_NUM_THREADS"] == "3"
    assert env["HF_HUB_OFFLINE"] == "1"


def test_what_flashinfer_compiles_is_kept_where_all_caches_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, toys: None
) -> None:
    """It asks for the place when it is imported; one of the user's own stands."""
    (tmp_path / "asks_at_import.py").write_text("import os\nplace = os.environ['FLASHINFER_WORKSPACE_BASE']\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(LANES, "toy-fast", dataclasses.replace(LANES["toy-fast"], modules=("asks_at_import",)))
    lane = Mock(return_value=None, environment=dict)
    monkeypatch.setattr(trial, "create", lambda name: lane)
    spec: Any = SimpleNamespace(
        **dict(lane="toy-fast", model_path="m", precision="float32", device="cpu", threads=1, sampling=None, tp_size=1),
        **dict(cache=str(tmp_path / "cache"), model=SimpleNamespace(digest="d", name="m"), cells=[ONE]),
    )
    for own, place in ("", spec.cache), ("/mine", "/mine"):
        monkeypatch.setenv("FLASHINFER_WORKSPACE_BASE", own)
        if not own:
            monkeypatch.delenv("FLASHINFER_WORKSPACE_BASE")
        monkeypatch.delitem(sys.modules, "asks_at_import", raising=False)
        trial.imported(spec, Cold(), "", [ONE])
        assert sys.modules["asks_at_import"].place == place
