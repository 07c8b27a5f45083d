"""A program of ours in a process of its own: its environment, its phases, its end and that of all it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from trtbench.machine import child_guard
from trtbench.machine.telemetry import Watch
from trtbench.settings.knobs import ROOT, ROWS

STARTING = ("import", "load")  # phases in which an engine's own processes may hang


class Late(Exception):
    """A child did not get through its start in time; the argument is the phase it was in."""


def environment(**additions: str) -> dict[str, str]:
    """The environment of whatever we start: no secrets, no network for models, our package importable."""
    secrets = {name for name, row in ROWS.items() if row.secret} | {"HUGGING_FACE_HUB_TOKEN"}
    env = {name: value for name, value in os.environ.items() if name not in secrets}
    env.update(
        HF_HUB_OFFLINE="1",
        TRANSFORMERS_OFFLINE="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        TOKENIZERS_PARALLELISM="false",
        PYTHONUNBUFFERED="1",
        TRTBENCH_PARENT=str(os.getpid()),
    )
    env.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # NVML's order: an index means the same card to all that we start
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "scripts"), *filter(None, [env.get("PYTHONPATH")])])
    return {**env, **additions}


def computing_environment(threads: int) -> dict[str, str]:
    """The environment of a process that computes: `environment` with a fixed number of threads."""
    return environment(**dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)))


def run_child(
    module: str,
    argument: Path,
    log: Path,
    threads: int,
    phase: Callable[[str], None],
    start_limit: float | None = None,
    watch: Watch | None = None,
) -> int:
    """Run `python -m module argument` in a process group of its own, under a guard; return its status. The parent only
    waits and reads the pipe of phases meanwhile, so it sleeps but for the looks of `watch`. On Ctrl-C or SIGTERM the
    whole group is ended before the exception goes on. Raises Late when importing or loading takes longer than
    `start_limit` seconds."""
    log.parent.mkdir(parents=True, exist_ok=True)
    read_end, write_end = os.pipe()
    # Before the child exists: a signal that comes while it starts must not end this process without a word.
    previous_handler = signal.signal(signal.SIGTERM, interrupt)
    with log.open("ab") as output:
        child = subprocess.Popen(
            child_guard.wrapped(sys.executable, "-m", module, str(argument)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**computing_environment(threads), "TRTBENCH_PROGRESS_FD": str(write_end)},
            pass_fds=(write_end,),
            start_new_session=True,
        )
    os.close(write_end)
    if watch is not None:
        watch.follow(child.pid)
    listener = _Listener(read_end, child, [watch.phase, phase] if watch else [phase], start_limit)
    try:
        listener.start()
        status = child.wait()
        if listener.late is not None:
            raise Late(listener.late)
        return status
    finally:
        listener.timer.cancel()
        _end_group(child)
        listener.join(timeout=1.0)
        signal.signal(signal.SIGTERM, previous_handler)


def interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """A handler that takes a signal as Ctrl-C."""
    raise KeyboardInterrupt


class _Listener(threading.Thread):
    """Hands on the phases that a child writes into a pipe, and ends it when a starting phase takes too long.

    A thread, because a worker that outlives the child may hold the pipe open: the end of the child is what counts."""

    def __init__(
        self,
        read_end: int,
        child: subprocess.Popen[bytes],
        receivers: list[Callable[[str], None]],
        start_limit: float | None,
    ) -> None:
        super().__init__(daemon=True)
        self.read_end, self.child, self.receivers, self.start_limit = read_end, child, receivers, start_limit
        self.timer = threading.Timer(0, lambda: None)
        self.late: str | None = None

    def run(self) -> None:
        with os.fdopen(self.read_end, "r", errors="replace") as pipe:
            for line in pipe:
                phase = line.strip()
                self.timer.cancel()
                if self.start_limit is not None and phase in STARTING:
                    self.timer = threading.Timer(self.start_limit, self._end, [phase])
                    self.timer.daemon = True
                    self.timer.start()
                for receive in self.receivers:
                    receive(phase)

    def _end(self, phase: str) -> None:
        self.late = phase
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.child.pid, signal.SIGTERM)


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """End whatever is left of the child's process group: nothing may go on beside the next trial."""
    for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(child.pid, number)
        except (ProcessLookupError, PermissionError):
            break
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            child.poll()
            try:
                os.killpg(child.pid, 0)
            except (ProcessLookupError, PermissionError):
                break
            time.sleep(0.05)
    child.wait()
