"""Run NVIDIA's tools: under a guard, without secrets and network, each with a log, its time and a sentence when it fails."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from trtbench.engine import known_failures
from trtbench.errors import UserError
from trtbench.machine import child_guard
from trtbench.machine.child import environment as child_environment

TAIL = 20_000  # characters of a log in which a known failure is looked for


class Step(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One tool that ran: what, for how long (seconds of wall time), and where its messages are. `cached`: it ran for an
    earlier build, and what it made was there."""

    name: str
    command: list[str]
    seconds: float
    log: str
    cached: bool = False


def environment(cache: Path, examples: Path) -> dict[str, str]:
    """The environment of a tool: that of all we start, with the caches of data sets below `cache`. The folder of NVIDIA's
    `examples` can be imported from: converters of some releases import a module of it. Not where the sources of the package
    lie beside it, as in a clone: they would take the place of the one that is installed."""
    env = child_environment(HF_DATASETS_OFFLINE="1", HF_DATASETS_CACHE=str(cache / "datasets"), COLUMNS="200")
    beside = examples.absolute().parent
    if not (beside / "tensorrt_llm").exists():
        env["PYTHONPATH"] = os.pathsep.join([env["PYTHONPATH"], str(beside)])
    return env


def captured(command: Sequence[str], env: dict[str, str], limit: float) -> tuple[int | None, str]:
    """Run a command; return its status (None when it took longer than `limit` seconds) and its whole output."""
    child = subprocess.Popen(
        child_guard.wrapped(*command),
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        output, _ = child.communicate(timeout=limit)
        return child.returncode, output.decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        child.terminate()
        output, _ = child.communicate()
        return None, output.decode("utf-8", "replace")
    finally:
        _end(child)


def run(name: str, command: Sequence[str], log: Path, env: dict[str, str], work: Path) -> Step:
    """Run one step of the build in the folder `work`. Raises UserError with a sentence when it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with log.open("wb") as output:
        output.write(f"$ {shlex.join(command)}\n".encode())
        output.flush()
        child = subprocess.Popen(
            child_guard.wrapped(*command),
            env=env,
            cwd=work,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            status = child.wait()
        finally:
            _end(child)
    seconds = round(time.monotonic() - began, 3)
    if status != 0:
        raise UserError(failed(name, status, log))
    return Step(name=name, command=list(command), seconds=seconds, log=str(log))


def failed(name: str, status: int, log: Path) -> str:
    """The sentence for a tool that ended with `status`: what is known about its messages, else its last line."""
    text = log.read_text(encoding="utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines()[1:] if line.strip()]
    failure = known_failures.explain("\n".join(lines)[-TAIL:])
    if failure is None and status in (-signal.SIGKILL, 128 + signal.SIGKILL):
        failure = known_failures.KILLED
    if failure is None and status in (-signal.SIGBUS, 128 + signal.SIGBUS):
        failure = known_failures.BUS_ERROR
    if failure is not None:
        return f"{name} failed: {failure.reason}; {failure.remedy}. Its messages are in {log}."
    ending = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"failed with status {status}"
    last_words = f": {lines[-1][:300]}" if lines else " and said nothing"
    return f"{name} {ending}{last_words}. Its messages are in {log}."


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a tool that still runs, when we are stopped: the guard takes everything below it along."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
