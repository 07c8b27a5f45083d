"""Start trials as fresh processes, one at a time, and keep what they leave: a record each, also of a failure."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from trtbench.engine import known_failures
from trtbench.errors import UserError, in_one_line
from trtbench.machine import processes
from trtbench.machine.child import STARTING, Late, run_child
from trtbench.machine.telemetry import Watch
from trtbench.measure.besides import leave_out
from trtbench.measure.spec import SEE_LOG, UNFINISHED, Spec
from trtbench.records import run_folder
from trtbench.records.files import encode, read_as, write_whole
from trtbench.records.telemetry import Disturbance, Telemetry
from trtbench.records.trial import Failure, Trial, write_trial
from trtbench.settings.lanes import LANES

_LAST_LINES = 15  # of the log shown when a process died without a record
_HEAD = 200_000  # bytes of it in which engines announce themselves
_TAIL = 50_000  # bytes of it in which an engine's known failures are looked for


class _Files(NamedTuple):
    """What one trial's process is told, leaves, and says meanwhile."""

    request: Path
    answer: Path
    log: Path


def run_trial(
    results: Path,
    spec: Spec,
    phase: Callable[[str], None],
    read_bandwidth: float | None = None,
    disturbed: Callable[[Trial], list[Disturbance]] = lambda trial: [],
    waited: float = 0.0,
) -> Trial:
    """Run one trial (or preparation) and return its record; a trial's record is also written into the run's folder. What
    `disturbed` says of a finished trial goes into it; `waited` are the seconds that were waited for a quiet machine."""
    home = run_folder.folder(results, spec.run)
    files = _files(home, spec)
    spec.output = str(files.answer)
    files.answer.unlink(missing_ok=True)
    telemetry = Telemetry(
        load_average=round(os.getloadavg()[0], 2),
        swap_used_before=processes.swap_used(),
        read_bandwidth=read_bandwidth,
        waited=round(waited, 3),
    )
    watch = _started_watch(spec, telemetry)
    if spec.settings.get("PROFILE") and spec.index == 1 and not spec.trying and LANES[spec.lane].family == "pytorch":
        spec.profile = str(files.log.with_suffix(".profile.json"))
    write_whole(files.request, encode(spec))
    log_size_before = files.log.stat().st_size if files.log.is_file() else 0
    cpu = processes.CpuClock(processes.ended_cpu)
    began = time.perf_counter_ns()
    try:
        trial = _answer(spec, files, log_size_before, phase, watch, telemetry)
    finally:
        if watch is not None:
            _look(telemetry, watch.stop)
        files.request.unlink(missing_ok=True)
        files.answer.unlink(missing_ok=True)
    telemetry.cpu = cpu.use()
    if watch is not None:
        _look(telemetry, lambda: watch.fill(trial, telemetry))
    trial.telemetry = telemetry
    trial.began, trial.ended = began, time.perf_counter_ns()
    trial.seconds = (trial.ended - began) / 1e9
    if trial.failure is None:
        trial.disturbed = disturbed(trial)
    if not (spec.prepare_only or spec.trying):
        write_trial(home / "trials" / run_folder.trial_name(trial), trial)
    return trial


def _files(home: Path, spec: Spec) -> _Files:
    name = f"{spec.position:04d}-{spec.lane}-{spec.precision}-" + (
        "prepare" if spec.prepare_only else f"{'try' if spec.trying else 't'}{spec.index}-a{spec.attempt}"
    )
    return _Files(home / f".{name}.spec.json", home / f".{name}.answer.json", home / "logs" / f"{name}.log")


def _look(telemetry: Telemetry, take: Callable[[], None]) -> None:
    """Do what looking at the GPU needs; where it fails, the record says so and goes without, whatever was measured."""
    try:
        take()
    except Exception as error:
        telemetry.problems.append(f"looking at the GPU failed: {in_one_line(error)}")


def _started_watch(spec: Spec, telemetry: Telemetry) -> Watch | None:
    """What looks at the GPU beside a trial, None where there is nothing to look at; it decides whether energy is taken."""
    if spec.device == "cpu" or spec.prepare_only:
        return None
    watch = Watch(cards=spec.tp_size)
    _look(telemetry, watch.start)
    # Once a lane is enough: it heats the card and takes seconds for each cell.
    spec.energy = watch.counts_energy and spec.index == 1 and spec.settings.get("ENERGY", True) and not spec.trying
    return watch


def _answer(
    spec: Spec,
    files: _Files,
    log_size_before: int,
    phase: Callable[[str], None],
    watch: Watch | None,
    telemetry: Telemetry,
) -> Trial:
    """Run the trial's process; the record that it leaves, or one that says how it ended without."""
    entered = "process"

    def enter(name: str) -> None:
        nonlocal entered
        entered = name
        phase(name)

    try:
        status = run_child(
            "trtbench.measure.trial",
            files.request,
            files.log,
            spec.threads,
            enter,
            spec.start_limit,
            watch,
            spec.program or sys.executable,
        )
        late = None
    except Late as too_late:
        status, late = 0, too_late
    telemetry.swap_used_after = processes.swap_used()
    trial = _kept(spec, files.answer)
    if late is not None and late.phase == "close":
        leave_out(trial, "close", f"shutting down took longer than {late.limit:g} s and was ended")
    elif _unfinished(trial):
        _tell_end(
            trial, _dead(spec, status, files.log) if late is None else _hung(spec, late, files.log, log_size_before)
        )
    trial.announced = announced(files.log, log_size_before) or None
    if late is None:
        _explain(trial, files.log, log_size_before)
    if trial.failure is not None and trial.failure.phase == "process" and trial.cells:
        trial.failure.phase = entered  # not before its first figures, as the name would say
    return trial


def _kept(spec: Spec, answer: Path) -> Trial:
    """The record that a trial's process left, finished or not, or one without any figures where it left none."""
    if answer.is_file():
        return read_as(Trial, answer)
    return spec.record(failure=Failure(phase="process", reason=UNFINISHED))


def _unfinished(trial: Trial) -> bool:
    """Whether the process wrote this record on its way and did not come to write another."""
    reasons = [one.reason for one in trial.left_out or []] + ([trial.failure.reason] if trial.failure else [])
    return UNFINISHED in reasons


def _tell_end(trial: Trial, end: Failure) -> None:
    """Put the reason why the process ended in the places that it had left open. A record that was whole by then counts."""
    for one in trial.left_out or []:
        if one.reason == UNFINISHED:
            one.reason = end.reason
    if trial.failure is not None:
        trial.failure = end


def _hung(spec: Spec, late: Late, log: Path, log_size_before: int) -> Failure:
    """Why the process was ended that did not get through a phase. What the log says of an engine that did not start comes
    first: a worker that MPI could not start is waited for without end."""
    if late.phase in STARTING:
        slow = known_failures.slow_start(LANES[spec.lane].family)
        reason = f"{slow.reason} within ENGINE_START_LIMIT={late.limit:g} seconds"
        meaning = _meaning(spec.lane, log, log_size_before)
        if meaning is None:
            return Failure(phase=late.phase, reason=reason, hint=f"{slow.remedy}.")
        return Failure(phase=late.phase, reason=f"{reason}: {meaning.reason}", hint=f"{meaning.remedy} (log: {log})")
    return Failure(
        phase=late.phase,
        reason=f"it hung: {late.phase} had no end after {late.limit:,.0f} seconds, and was ended",
        hint="That is far more than its calls before allow for; its log tells what the engine said last.",
    )


def _dead(spec: Spec, status: int, log: Path) -> Failure:
    """Why a trial's process ended without a record."""
    if status < 0:
        reason = f"the process was ended by {signal.Signals(-status).name}"
        hint = (
            "The kernel kills what runs out of memory: look at the system log, and lower BATCH_SIZES."
            if status == -signal.SIGKILL
            else None
        )
    else:
        reason, hint = f"the process ended with status {status} and left no record", None
    last_lines = log.read_text(errors="replace").splitlines()[-_LAST_LINES:] if log.is_file() else []
    if any("No space left on device" in line for line in last_lines) or _full(log.parent):
        raise UserError(
            f"the disk is full: the trial of {spec.lane} could not write its record; free space and go on with --resume."
        )
    own_lines = [line for line in last_lines if line.strip() and not line.startswith("[")]
    if own_lines:
        reason += f" (last words: {own_lines[-1].strip()[:200]})"
    return Failure(phase="process", reason=reason, hint=hint)


def announced(log: Path, start: int) -> dict[str, str]:
    """Versions of engines, by distribution, as they announced themselves in the log from byte `start` on."""
    if not log.is_file():
        return {}
    with log.open("rb") as stream:
        stream.seek(start)
        text = stream.read(_HEAD).decode("utf-8", "replace")
    found = {row.distribution: re.search(row.announces, text) for row in LANES.values() if row.announces}
    return {distribution: match[1] for distribution, match in found.items() if match is not None}


def _full(folder: Path) -> bool:
    """Say whether not even a small file fits: then the log could not tell why a trial died."""
    try:
        write_whole(folder / ".probe", bytes(16384))
        (folder / ".probe").unlink()
    except OSError as error:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return False


def _explain(trial: Trial, log: Path, log_size_before: int) -> None:
    """Put the known meaning of an engine's messages in the place of an exception's first line or a signal's name. Only
    what the log got since it had `log_size_before` bytes counts."""
    failure = trial.failure
    if failure is None or (failure.hint != SEE_LOG and failure.phase != "process"):
        return
    meaning = _meaning(trial.lane, log, log_size_before)
    if meaning is not None:
        trial.failure = Failure(phase=failure.phase, reason=meaning.reason, hint=f"{meaning.remedy} (log: {log})")


def _meaning(lane: str, log: Path, log_size_before: int) -> known_failures.Symptom | None:
    """The known failure of this lane that the end of the log shows, in what it got since it had `log_size_before` bytes."""
    if not log.is_file():
        return None
    with log.open("rb") as stream:
        stream.seek(max(log_size_before, log.stat().st_size - _TAIL))
        return known_failures.explain(stream.read().decode("utf-8", "replace"), LANES[lane].family)
