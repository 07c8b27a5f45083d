"""The guard: nothing that a program starts outlives it, or the guard's own parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trtbench.machine import child_guard
from trtbench.settings.knobs import ROOT

# A program that starts a grandchild in a session of its own, as MPI does, says its id and waits.
STARTER = """
import subprocess, sys, time
worker = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
                           "print('up', flush=True); time.sleep(600)"], start_new_session=True, stdout=subprocess.PIPE)
worker.stdout.readline()
print(worker.pid, flush=True)
time.sleep(float(sys.argv[1]))
"""
PARENT = """
import os, subprocess, sys
from trtbench.machine import child_guard
os.environ["TRTBENCH_PARENT"] = str(os.getpid())
child = subprocess.Popen(child_guard.wrapped(sys.executable, "-c", sys.argv[1], "600"), stdout=subprocess.PIPE, text=True)
print(child.pid, child.stdout.readline().strip(), flush=True)
child.wait()
"""


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "TRTBENCH_PARENT": str(os.getpid())}


def gone(pid: int, seconds: float = 10.0) -> bool:
    """Wait until a process no longer runs."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("raise SystemExit(3)", 3),
        ("pass", 0),
        ("import os; os.kill(os.getpid(), 9)", -9),
        ("import os; os.abort()", -6),
    ],
)
def test_the_end_of_the_program_is_passed_on(code: str, status: int) -> None:
    done = subprocess.run(child_guard.wrapped(sys.executable, "-c", code), env=environment(), capture_output=True)
    assert done.returncode == status


def test_a_worker_that_outlives_the_program_is_ended() -> None:
    done = subprocess.run(
        child_guard.wrapped(sys.executable, "-c", STARTER, "0"),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert gone(int(done.stdout)), "the worker ignored SIGTERM and was left"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_guard_takes_everything_along(number: int) -> None:
    child = subprocess.Popen(
        child_guard.wrapped(sys.executable, "-c", STARTER, "600"), env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    worker = int(child.stdout.readline())
    child.send_signal(number)
    assert child.wait(10) == 128 + number
    child.stdout.close()
    assert gone(worker)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal exists on Linux only")
def test_a_parent_killed_with_sigkill_leaves_nothing_behind() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, STARTER], env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    kept, worker = map(int, parent.stdout.readline().split())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(kept)
    assert gone(worker)
