"""Start trials as fresh processes, one at a time, and keep what they leave: a record each, also of a failure."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from trtbench import host, keeper, lanes, runs, symptoms
from trtbench.errors import UserError
from trtbench.records import SCHEMA, Cold, Failure, Telemetry, Trial, encode, read_as, write_trial, write_whole
from trtbench.settings import ROOT, ROWS
from trtbench.telemetry import Watch
from trtbench.trial import SEE_LOG, Spec

_LAST_LINES = 15  # of the log shown when a process died without a record
_TAIL = 50_000  # bytes of it in which a known symptom is looked for
STARTING = ("import", "load")  # phases in which an engine's own processes may hang


def child_environment(threads: int) -> dict[str, str]:
    """The environment of a trial: fixed threads, no network for models, no secrets."""
    secret = {name for name, row in ROWS.items() if row.secret} | {"HUGGING_FACE_HUB_TOKEN"}
    env = {name: value for name, value in os.environ.items() if name not in secret}
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        env[name] = str(threads)
    env.update(
        HF_HUB_OFFLINE="1",
        TRANSFORMERS_OFFLINE="1",
        TOKENIZERS_PARALLELISM="false",
        PYTHONUNBUFFERED="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        TRTBENCH_PARENT=str(os.getpid()),
    )
    env.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # NVML's order, so that an index means the same card to both
    path = [str(ROOT / "scripts"), *filter(None, [env.get("PYTHONPATH")])]
    env["PYTHONPATH"] = os.pathsep.join(path)
    return env


class Late(Exception):
    """A trial did not get through its start in time; the argument is the phase it was in."""


def run_child(
    module: str,
    argument: Path,
    log: Path,
    threads: int,
    phase: Callable[[str], None],
    start_limit: float | None = None,
    watch: Watch | None = None,
) -> int:
    """Run `python -m module argument` in a process group of its own, under a keeper; return its status. The parent only
    waits and reads the pipe of phases meanwhile, so it sleeps but for the looks of `watch`. On Ctrl-C or SIGTERM the
    whole group is ended before the exception goes on. Raises Late when importing or loading takes longer than
    `start_limit` seconds."""
    log.parent.mkdir(parents=True, exist_ok=True)
    read_end, write_end = os.pipe()
    env = {**child_environment(threads), "TRTBENCH_PROGRESS_FD": str(write_end)}

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # Before the child exists: a signal that comes while it starts must not end this process without a word.
    before = signal.signal(signal.SIGTERM, stop)
    with log.open("ab") as output:
        child = subprocess.Popen(
            keeper.wrapped(sys.executable, "-m", module, str(argument)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            pass_fds=(write_end,),
            start_new_session=True,
        )
    os.close(write_end)
    if watch is not None:
        watch.follow(child.pid)

    late: list[str] = []
    timer = threading.Timer(0, lambda: None)

    def end(name: str) -> None:
        late.append(name)
        _signal_group(child, signal.SIGTERM)

    def listen() -> None:
        nonlocal timer
        with os.fdopen(read_end, "r", errors="replace") as pipe:
            for line in pipe:
                timer.cancel()
                if start_limit is not None and line.strip() in STARTING:
                    timer = threading.Timer(start_limit, end, [line.strip()])
                    timer.daemon = True
                    timer.start()
                if watch is not None:
                    watch.phase(line.strip())
                phase(line.strip())

    # A thread, because a worker that outlives the trial may hold the pipe open: the end of the child is what counts.
    listener = threading.Thread(target=listen, daemon=True)
    try:
        listener.start()
        status = child.wait()
        if late:
            raise Late(late[0])
        return status
    finally:
        timer.cancel()
        _end_group(child)
        listener.join(timeout=1.0)
        signal.signal(signal.SIGTERM, before)


def _signal_group(child: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """End whatever is left of the child's process group: nothing may go on beside the next trial."""
    for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(child.pid, number)
        except (ProcessLookupError, PermissionError):
            break
        end = time.monotonic() + patience
        while time.monotonic() < end:
            child.poll()
            try:
                os.killpg(child.pid, 0)
            except (ProcessLookupError, PermissionError):
                break
            time.sleep(0.05)
    child.wait()


def run_trial(results: Path, spec: Spec, phase: Callable[[str], None], read_bandwidth: float | None) -> Trial:
    """Run one trial (or preparation) and return its record; a trial's record is also written into the run's folder."""
    home = runs.folder(results, spec.run)
    name = f"{spec.position:04d}-{spec.lane}-{spec.precision}-" + (
        "prepare" if spec.prepare_only else f"t{spec.index}-a{spec.attempt}"
    )
    log = home / "logs" / f"{name}.log"
    request, answer = home / f".{name}.spec.json", home / f".{name}.answer.json"
    spec.output = str(answer)
    answer.unlink(missing_ok=True)
    watch = Watch() if spec.device != "cpu" and not spec.prepare_only else None
    if watch is not None:
        watch.start()
        # Once a lane is enough: it heats the card and takes seconds for each cell.
        spec.energy = watch.counts_energy and spec.index == 1 and spec.settings.get("ENERGY", True)
    if spec.settings.get("PROFILE") and spec.index == 1 and lanes.LANES[spec.lane].family == "pytorch":
        spec.profile = str(log.with_suffix(".profile.json"))
    write_whole(request, encode(spec))
    telemetry = Telemetry(
        load_average=round(os.getloadavg()[0], 2), swap_used_before=host.swap_used(), read_bandwidth=read_bandwidth
    )
    before = log.stat().st_size if log.is_file() else 0
    began = time.perf_counter_ns()
    try:
        status = run_child("trtbench.trial", request, log, spec.threads, phase, spec.start_limit, watch)
        telemetry.swap_used_after = host.swap_used()
        trial = read_as(Trial, answer) if answer.is_file() else _dead(spec, status, log)
        _explain(trial, log, before)
    except Late as reached:
        trial = _failed(
            spec,
            Failure(
                phase=str(reached),
                reason=f"{symptoms.SLOW_START.reason} within ENGINE_START_LIMIT={spec.start_limit:g} seconds",
                hint=f"{symptoms.SLOW_START.remedy}.",
            ),
        )
    finally:
        if watch is not None:
            watch.stop()
        request.unlink(missing_ok=True)
        answer.unlink(missing_ok=True)
    if watch is not None:
        watch.fill(trial, telemetry)
    trial.telemetry = telemetry
    trial.seconds = (time.perf_counter_ns() - began) / 1e9
    if not spec.prepare_only:
        write_trial(home / "trials" / runs.trial_name(trial), trial)
    return trial


def _dead(spec: Spec, status: int, log: Path) -> Trial:
    """The record of a trial whose process ended without one."""
    if status < 0:
        reason = f"the process was ended by {signal.Signals(-status).name}"
        hint = (
            "The kernel kills what runs out of memory: look at the system log, and lower BATCH_SIZES."
            if status == -signal.SIGKILL
            else None
        )
    else:
        reason, hint = f"the process ended with status {status} and left no record", None
    tail = log.read_text(errors="replace").splitlines()[-_LAST_LINES:] if log.is_file() else []
    if any("No space left on device" in line for line in tail) or _full(log.parent):
        raise UserError(
            f"the disk is full: the trial of {spec.lane} could not write its record; free space and go on with --resume."
        )
    said = [line for line in tail if line.strip() and not line.startswith("[")]
    if said:
        reason += f" (last words: {said[-1].strip()[:200]})"
    return _failed(spec, Failure(phase="process", reason=reason, hint=hint))


def _full(folder: Path) -> bool:
    """Say whether not even a small file fits: then the log could not tell why a trial died."""
    try:
        write_whole(folder / ".probe", bytes(16384))
        (folder / ".probe").unlink()
    except OSError as error:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return False


def _explain(trial: Trial, log: Path, before: int) -> None:
    """Put the known meaning of an engine's messages in the place of an exception's first line or a signal's name. Only
    what the log got since it had `before` bytes counts."""
    failure = trial.failure
    if failure is None or not log.is_file() or (failure.hint != SEE_LOG and failure.phase != "process"):
        return
    with log.open("rb") as stream:
        stream.seek(max(before, log.stat().st_size - _TAIL))
        found = symptoms.explain(stream.read().decode("utf-8", "replace"))
    if found is not None:
        trial.failure = Failure(phase=failure.phase, reason=found.reason, hint=f"{found.remedy} (log: {log})")


def _failed(spec: Spec, failure: Failure) -> Trial:
    return Trial(
        schema=SCHEMA,
        run=spec.run,
        lane=spec.lane,
        precision=spec.precision,
        index=spec.index,
        attempt=spec.attempt,
        position=spec.position,
        interleaved=spec.interleaved,
        started="",
        seconds=0.0,
        workload_digest=spec.workload_digest,
        settings=spec.settings,
        model=spec.model,
        environment=spec.environment,
        cold=Cold(),
        failure=failure,
    )


def measured_bandwidth(threads: int) -> float | None:
    """Bytes per second that this machine reads with so many threads, measured in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "trtbench.bandwidth", str(threads)],
        env=child_environment(threads),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return float(done.stdout) if done.returncode == 0 else None
