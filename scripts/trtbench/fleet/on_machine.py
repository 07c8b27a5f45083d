"""One whole run of a fleet on the machine that Ray chose: `python3 -m trtbench.fleet.on_machine`, with what to run in the
environment (TRTBENCH_FLEET_RUN). It starts this project's own command, and says the bundle of the run at the end of its log.

Standard library only and Python 3.8 syntax: it runs with the machine's own Python, before anything is installed.
"""

from __future__ import annotations

import base64
import codecs
import contextlib
import fcntl
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from trtbench.errors import UserError, reason_of, run_main
from trtbench.fleet.asked_run import Asked, asked, environment_for
from trtbench.settings.knobs import ROOT
from trtbench.settings.reading import resolve

BEGIN, END = "-----BEGIN TRTBENCH BUNDLE-----", "-----END TRTBENCH BUNDLE-----"
LINE = 4096  # characters of base64 in one
LARGEST = 32 * 2**20  # bytes of a bundle; trtbench.comparison.safe_reading takes no larger one
WAITING = 60  # seconds for what was placed here before to end
HEAD, TAIL = 2**20, 2**16  # characters of what a run says that are handed on: Ray reads a job's log whole
VOID = 3  # exit status of a run whose verdict is void: its records are there all the same
PATIENCE = 1.0  # seconds for a signal to reach the run itself; whoever stops a job or a machine sends it to all
# Ends a process group once nobody holds the other end of its standard input. Ray ends the job's own process when its part of the
# machine dies, and the watcher that would have ended the rest of the group with it.
WATCH = """trap "" HUP INT TERM
read -r _
kill -s TERM -- "-$1" || exit
left=40
while [ "$left" -gt 0 ] && kill -s 0 -- "-$1"; do sleep 1; left=$((left - 1)); done
kill -s KILL -- "-$1"
"""
HAS_TENSORRT = '. scripts/lib.sh; has_tensorrt "$(python_command)"'


def main() -> int:
    with nothing_outlives_this():
        return make(asked(os.environ))


def make(run: Asked) -> int:
    """Make the run, and say its bundle; the exit status."""
    environment = environment_for(run, os.environ, ROOT)
    machine = machine_digest()
    place = results(run, machine, environment)
    if run.docker:
        place = ROOT / "data" / "results"
        profile = "auto" if run.cards else "cpu"
        # Both would be the service of one Compose project, and the second end the first.
        with alone(ROOT / "data" / "cache" / "fleet-docker.lock"):
            status = measure(["bash", "scripts/up.sh", profile], environment)
            return status if status not in (0, VOID) else hand_back(run, place, environment, machine)
    environment["RESULTS_DIR"] = str(place)
    if not (run.fleet and finished(place)):
        wait_for_another(place)
        script = "run_all.sh" if run.cards and has_tensorrt(environment) else "bench_local.sh"
        if script == "bench_local.sh" and not environment.get("TRTBENCH_IMAGE"):
            # Runs beside each other, on a machine or in a clone that several have, would make the same environments.
            with alone(ROOT / ".venv-fleet.lock"):
                status = measure(["bash", "scripts/bench_local.sh", "--install"], environment)
            if status != 0:
                return status
        status = measure(["bash", f"scripts/{script}", "--pick-up"], environment)
        if status not in (0, VOID):
            return status
    return hand_back(run, place, environment, machine)


def results(run: Asked, machine: str, environment: Mapping[str, str]) -> Path:
    """The run's own folder of results: on a disk that machines share, each has its own. Raises UserError for settings that are
    wrong on this machine."""
    settings, _ = resolve({}, environment)
    return settings.results.absolute().joinpath("fleet-runs", machine, *filter(None, [run.fleet]), run.id)


def finished(place: Path) -> bool:
    """Whether the run came to its end here before: it is to be handed back again, and not to be measured again."""
    runs = sorted(place.glob("runs/*/run.json"))
    try:
        return (
            json.loads(runs[-1].read_bytes())["stopped"] is not None
            and (place / "benchmark_comparison_report.json").is_file()
        )
    except (IndexError, KeyError, OSError, TypeError, ValueError):
        return False


@contextlib.contextmanager
def nothing_outlives_this() -> Iterator[None]:
    """Have what is started in the block end when this process is killed. Where others are in its process group, they are not
    ours to end."""
    if os.getpgid(0) != os.getpid():
        yield
        return
    watching = subprocess.Popen(
        ["sh", "-c", WATCH, "sh", str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        watching.kill()
        watching.wait()


def wait_for_another(place: Path) -> None:
    """The same run, placed here before, may still be ending: its machine was lost to Ray and is there all the same."""
    try:
        file = (place / ".lock").open()
    except OSError:
        return
    with file:
        for _ in range(WAITING):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError:
                time.sleep(1)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """One of us at a time; where the file can't be made, nothing can be made there by anybody."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError:
        yield
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def has_tensorrt(environment: Mapping[str, str]) -> bool:
    """Whether TensorRT-LLM is installed on this machine: then its own command runs, which builds the engine."""
    done = subprocess.run(
        ["bash", "-c", HAS_TENSORRT], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return done.returncode == 0


class _Relay(threading.Thread):
    """Hands on what a program says as text that Ray can read: the first of it, and the last."""

    def __init__(self, stream: Any) -> None:
        super().__init__(daemon=True)
        self.stream, self.handed, self.tail, self.left_out = stream, 0, "", 0

    def run(self) -> None:
        # Ray can't read a log with a byte in it that is no text.
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for part in iter(lambda: os.read(self.stream.fileno(), 2**16), b""):
            self.take(decoder.decode(part))
        self.take(decoder.decode(b"", final=True))

    def take(self, text: str) -> None:
        room = max(HEAD - self.handed, 0)
        self.handed += len(text[:room])
        say(text[:room])
        self.tail += text[room:]
        if len(self.tail) > TAIL:
            self.left_out += len(self.tail) - TAIL
            self.tail = self.tail[-TAIL:]

    def finish(self) -> None:
        self.join(timeout=5)  # something that outlives the program may hold its end of the pipe
        if self.left_out:
            say(f"\n… {self.left_out:,} characters left out …\n")
        say(self.tail)


def say(text: str) -> None:
    """On standard output, whatever encoding that has."""
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def measure(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run one of this project's commands to its end; its exit status, or that of a shell for the signal that ended it or us."""
    signals: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        signals.append(number)
        if len(signals) == 1:
            timer = threading.Timer(PATIENCE, pass_on, [number])
            timer.daemon = True
            timer.start()

    def pass_on(number: int) -> None:
        if process.poll() is None:
            process.send_signal(number)

    # In this process group, so that it is ended with it.
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    relay = _Relay(process.stdout)
    relay.start()
    status = process.wait()
    relay.finish()
    for number, handler in before.items():
        signal.signal(number, handler)
    if signals:
        return 128 + signals[0]
    return 128 - status if status < 0 else status


def hand_back(run: Asked, place: Path, environment: Mapping[str, str], machine: str) -> int:
    """Say the bundle of the latest run that lies at `place`."""
    own = ROOT / ".venv-fleet" / "bin" / "python"
    python = str(own) if own.is_file() else sys.executable
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bundle"
        command = [python, "-B", "scripts/compare.py", "--results-dir", str(place), "--no-chart", "--bundle", str(file)]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode not in (0, VOID) or not file.is_file():
            reason = reason_of(done.stdout.decode("utf-8", "replace"), done.returncode)
            print(f"error: no bundle could be made of the run: {reason}", flush=True)
            return done.returncode or 1
        data = file.read_bytes()
    if len(data) > LARGEST:
        raise UserError(
            f"the bundle of the run has more than {LARGEST // 2**20} MiB; give the plan fewer cells or trials."
        )
    say("".join(f"{line}\n" for line in bundle_lines(data, machine, card_digest(run, machine))))
    return 0


def bundle_lines(data: bytes, machine: str, card: str) -> list[str]:
    """A bundle as lines of a log; trtbench.fleet.handed_back reads them."""
    text = base64.b64encode(data).decode()
    return [
        BEGIN,
        f"machine={machine} card={card}",
        f"sha256={hashlib.sha256(data).hexdigest()} bytes={len(data)}",
        *(text[start : start + LINE] for start in range(0, len(text), LINE)),
        END,
    ]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def machine_digest() -> str:
    """A name of this machine that does not tell which one it is."""
    try:
        number = Path("/etc/machine-id").read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        number = ""
    return _digest(number, socket.gethostname())


def card_digest(run: Asked, machine: str) -> str:
    """A name of the cards that the run may use; empty on a processor."""
    if not run.cards:
        return ""
    command = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    try:
        said = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        said = b""
    rows = [line.split(",") for line in said.decode("ascii", "replace").splitlines()]
    by_index = {row[0].strip(): row[1].strip() for row in rows if len(row) == 2}
    # A part of a card (MIG) and a card that nobody tells the number of have the name by which Ray gave them.
    return _digest(*sorted(by_index.get(card, card if "-" in card else f"{machine} {card}") for card in run.visible))


if __name__ == "__main__":
    run_main(main)
