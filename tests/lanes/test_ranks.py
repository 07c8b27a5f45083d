"""A lane in a process for each rank: what they have in common, and what becomes of a rank that fails, ends, or refuses.

Real processes over gloo, with a toy lane; the lanes themselves are split in tests/e2e/test_several_ranks.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from command import TOY, environment

pytest.importorskip("torch")

LONG, SHORT = "60", "1"  # seconds of grace: longer than any of these runs may take, and as short as a failure needs


class Driven(NamedTuple):
    """What came of each call, what else was printed, and how the process ended."""

    told: list[dict[str, Any]]
    said: str
    status: int
    seconds: float


@pytest.fixture
def drive(tmp_path: Path) -> Any:
    """Runs tests/toy/drive_ranks.py; nothing of it is left, neither a process nor a file for its own use."""
    own = tmp_path / "temporary"
    own.mkdir()

    def run(*calls: str, fails: str = "", grace: str = LONG, lane: str = "toy-ranks", model: Path = tmp_path) -> Driven:
        (tmp_path / "sitecustomize.py").write_text(
            "import toy_table, toy_ranks\ntoy_table.install()\ntoy_ranks.install()"
        )
        env = environment(TOY_RANKS=fails, TMPDIR=str(own), OMP_NUM_THREADS="1")
        env["PYTHONPATH"] = os.pathsep.join([str(tmp_path), env["PYTHONPATH"]])
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, str(TOY / "drive_ranks.py"), lane, str(model), grace, *calls],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
        )
        took = time.monotonic() - began
        lines = done.stdout.splitlines()
        told = [json.loads(line[5:]) for line in lines if line.startswith("TOLD ")]
        said = "\n".join(line for line in lines if not line.startswith("TOLD "))
        until = time.monotonic() + 10  # another rank sees that its pipe has closed
        while (left := _using(own)) and time.monotonic() < until:
            time.sleep(0.05)
        assert left == [], said
        assert list(own.iterdir()) == [], said
        return Driven(told, said, done.returncode, took)

    return run


def _using(folder: Path) -> list[int]:
    """The processes that were started with this folder for temporary files."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("TMPDIR") == str(folder):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_ranks_answer_as_one_lane_and_end_with_it(drive: Any) -> None:
    """Twice in one process, as a trial does whose cells want two values of a choice."""
    calls = ("prepare", "load", "begin", "generate", "memory", "generate")
    done = drive(*calls, "statement", "again", *calls)
    assert done.status == 0, done.said
    (statement,) = [told["value"] for told in done.told if told["call"] == "statement"]
    assert statement["tensor_parallel"] == 2
    assert "tensor parallel, one process a rank, all-reduce over gloo" in statement["notes"]
    values = {call: [told["value"] for told in done.told if told["call"] == call] for call in (*calls, "close")}
    assert values["generate"] == [[[6 + 2, 7, 8, 9]]] * 4
    # Summed over the ranks; one that can't tell makes the sum unknown.
    (memory, again) = values["memory"]
    assert memory == again
    assert (memory["weights"], memory["kv_pool"], memory["torch_allocated"]) == (201, 20, None)
    assert values["close"] == [[]]


def test_a_rank_that_ends_ends_the_trial_with_a_sentence(drive: Any) -> None:
    done = drive("load", "generate", fails="1:generate:kill")
    assert done.status == 1, done.said
    assert [told["call"] for told in done.told] == ["load"], "no call may end as if it had gone wrong by itself"
    assert done.said.splitlines()[-1] == "rank 1 of 2 was ended by SIGKILL"
    assert done.seconds < float(LONG), "what has ended can't be waited for"


def test_a_rank_that_fails_alone_ends_the_trial_after_the_grace(drive: Any) -> None:
    done = drive("load", "generate", fails="1:generate:raise", grace=SHORT)
    assert done.status == 1, done.said
    assert [told["call"] for told in done.told] == ["load"]
    assert done.said.splitlines()[-1] == "rank 1 of 2 failed: RuntimeError: the toy's generate is broken"


def test_ranks_that_fail_together_fail_as_a_lane_does(drive: Any) -> None:
    """What is raised comes out of the call, with the next ones as they would be: a cell too large is a hole, and others follow."""
    done = drive("load", "generate", "memory", "generate", fails="all:load:refuse,all:generate:raise", grace=LONG)
    assert done.status == 0, done.said
    load, first, memory, second = done.told[:4]
    assert load["error"] == ["Unsupported", "the toy can't be split"]
    broken = "the toy's generate is broken\nand said more on a second line"
    assert first["error"] == second["error"] == ["RuntimeError", broken]
    assert memory["value"]["weights"] == 201
    assert "Traceback" in done.said and "the toy can't be split" not in done.said


def test_a_rank_that_fails_after_what_they_exchange_fails_the_next_call(drive: Any) -> None:
    done = drive("load", "generate", "pause", "memory", fails="1:generate:late", grace=SHORT)
    assert done.status == 0, done.said
    assert "value" in done.told[1]
    assert done.told[3]["error"] == ["RuntimeError", "rank 1 of 2 failed: RuntimeError: the toy's generate is broken"]
