"""A program of ours in a process of its own: its environment, its phases, its end and that of all it started."""

from __future__ import annotations

import contextlib
import os
import select
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


LOOKS = 20  # at the clock while a limit runs
STUBBORN = 5.0  # seconds after which a group that was asked to end is ended


class Late(Exception):
    """A child did not get through a phase in time."""

    def __init__(self, phase: str, limit: float) -> None:
        super().__init__(phase, limit)
        self.phase, self.limit = phase, limit


class Allowance:
    """Seconds that a phase may take. Only time in which this process itself runs is counted, since the end of a phase is
    known to it only then: after Ctrl-Z, a paused container or a suspended machine the phase gets at most two looks' time on
    its bill, whatever a clock says."""

    def __init__(self, phase: str, limit: float) -> None:
        self.phase, self.limit = phase, limit
        self.look = min(max(limit / LOOKS, 0.05), 30.0)
        self._spent, self._seen = 0.0, time.monotonic()

    def over(self) -> bool:
        """Look at the clock; whether the time is spent."""
        now = time.monotonic()
        self._spent += min(now - self._seen, 2 * self.look)
        self._seen = now
        return self._spent >= self.limit


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


def of_interpreter(program: str, env: dict[str, str]) -> dict[str, str]:
    """`env` for a Python that is not this one: its own tools first, as activating its environment does, and nothing of what was
    added beside the packages of this one."""
    if program == sys.executable:
        return env
    path = os.pathsep.join([str(Path(program).parent), *filter(None, [env.get("PATH")])])
    of_this = ("TRTBENCH_PACKAGES", "PYTHONHOME", "VIRTUAL_ENV")
    return {**{name: value for name, value in env.items() if name not in of_this}, "PATH": path}


def run_child(
    module: str,
    argument: Path,
    log: Path,
    threads: int,
    phase: Callable[[str], None],
    start_limit: float | None = None,
    watch: Watch | None = None,
    program: str = sys.executable,
) -> int:
    """Run `program -m module argument` in a process group of its own, under a guard; return its status. The parent only
    waits and reads the pipe of phases meanwhile, so it sleeps but for the looks of `watch`. On Ctrl-C or SIGTERM the
    whole group is ended before the exception goes on. Raises Late when importing or loading takes longer than
    `start_limit` seconds, or any phase longer than the child itself said that it may."""
    log.parent.mkdir(parents=True, exist_ok=True)
    read_end, write_end = os.pipe()
    # Before the child exists: a signal that comes while it starts must not end this process without a word.
    previous_handler = signal.signal(signal.SIGTERM, interrupt)
    with log.open("ab") as output:
        child = subprocess.Popen(
            child_guard.wrapped(program, "-m", module, str(argument)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**of_interpreter(program, computing_environment(threads)), "TRTBENCH_PROGRESS_FD": str(write_end)},
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
            raise listener.late
        return status
    finally:
        listener.ended.set()
        _end_group(child)
        listener.join(timeout=1.0)
        signal.signal(signal.SIGTERM, previous_handler)


def interrupt(number: int, frame: FrameType | None) -> NoReturn:
    """A handler that takes a signal as Ctrl-C."""
    raise KeyboardInterrupt


class _Listener(threading.Thread):
    """Hands on the phases that a child writes into a pipe, and ends its group when a phase takes too long.

    A thread, because a worker that outlives the child may hold the pipe open: the end of the child is what counts. It goes on
    looking at the clock when the pipe is closed: a process can hang in its very end."""

    def __init__(
        self,
        read_end: int,
        child: subprocess.Popen[bytes],
        receivers: list[Callable[[str], None]],
        start_limit: float | None,
    ) -> None:
        super().__init__(daemon=True)
        self.read_end, self.child, self.receivers, self.start_limit = read_end, child, receivers, start_limit
        self.phase = ""
        self.allowance: Allowance | None = None
        self.late: Late | None = None
        self.ended = threading.Event()

    def run(self) -> None:
        begun_line = b""
        with os.fdopen(self.read_end, "rb", buffering=0) as pipe:
            while not self._overdue():
                look = self.allowance.look if self.allowance is not None else None
                if not select.select([pipe], [], [], look)[0]:
                    continue
                read = pipe.read(4096)
                if not read:
                    break
                *lines, begun_line = (begun_line + read).split(b"\n")
                for line in lines:
                    self._take(line.decode("utf-8", "replace").strip())
        while self.allowance is not None and not self.ended.wait(self.allowance.look) and not self._overdue():
            pass

    def _take(self, line: str) -> None:
        """A phase, and behind a tab how many seconds it may take."""
        phase, _, seconds = line.partition("\t")
        limit = float(seconds) if seconds else self.start_limit if phase in STARTING else None
        self.allowance = Allowance(phase, limit) if limit is not None else None
        if phase == self.phase:
            return
        self.phase = phase
        for receive in self.receivers:
            # Whoever only shows where the child is can't end it: it would get no answer from its pipe any more.
            with contextlib.suppress(Exception):
                receive(phase)

    def _overdue(self) -> bool:
        """Whether the child has taken too long, and was ended."""
        if self.allowance is None or not self.allowance.over() or self.ended.is_set():
            return self.late is not None
        self.late, self.allowance = Late(self.allowance.phase, self.allowance.limit), None
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.child.pid, number)
            if self.ended.wait(STUBBORN):
                break
        return True


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
