"""Stands between a process and what it starts, so that nothing outlives either.

    python -m trtbench.machine.child_guard PROGRAM ARGUMENT...

An executor's worker is a grandchild: MPI starts it, often in a process group of its own, and the kernel's parent-death
signal reaches children only. The guard adopts orphaned descendants (PR_SET_CHILD_SUBREAPER), is told when its own
parent dies, and ends them all: when the program ends, when the parent is killed with SIGKILL, on SIGTERM and SIGINT.
It ends the way the program ended. On systems other than Linux it only passes the end on.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from types import FrameType
from typing import NoReturn

import psutil

PATIENCE = 1.5  # seconds between asking descendants to end and ending them; below the patience of whoever ends us
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def wrapped(*command: str) -> list[str]:
    """The command line that runs `command` under a guard. TRTBENCH_PARENT must name the caller's process id."""
    return [sys.executable, "-m", "trtbench.machine.child_guard", *command]


def end_descendants(patience: float = PATIENCE) -> None:
    """End everything below this process: SIGTERM, then SIGKILL; new ones that appear meanwhile too."""
    deadline = time.monotonic() + patience
    asked_to_end: set[int] = set()
    while living := _living() or _living():  # twice: what ended between collecting and looking is collected now
        overdue = time.monotonic() >= deadline
        for process in living:
            if overdue or process.pid not in asked_to_end:
                asked_to_end.add(process.pid)
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGKILL if overdue else signal.SIGTERM)
        time.sleep(0.02)


def _living() -> list[psutil.Process]:
    """Descendants that still run; dead ones are collected on the way."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    living = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                living.append(process)
    return living


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_descendants()
    os._exit(128 + number)


def main() -> NoReturn:
    parent = os.environ.get("TRTBENCH_PARENT")
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if parent is not None and os.getppid() != int(parent):
            sys.exit(137)  # it was gone before the call
    progress_fd = os.environ.get("TRTBENCH_PROGRESS_FD")
    passed_on = (int(progress_fd),) if progress_fd else ()
    child = subprocess.Popen(sys.argv[1:], env={**os.environ, "TRTBENCH_PARENT": str(os.getpid())}, pass_fds=passed_on)
    for handle in passed_on:
        os.close(handle)
    _, status = os.waitpid(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    end_descendants()
    if child.returncode < 0:
        # Die of the same signal, so that whoever waits for us sees what happened; without a core file of our own.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -child.returncode != signal.SIGKILL:
            signal.signal(-child.returncode, signal.SIG_DFL)
        os.kill(os.getpid(), -child.returncode)
    sys.exit(child.returncode)


if __name__ == "__main__":
    main()
