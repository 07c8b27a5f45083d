"""machine: was the machine itself the same for every lane, and left alone, as far as telemetry tells."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence

from trtbench.figures.base import Key
from trtbench.machine.disturbance import serious
from trtbench.records.files import DECISIONS
from trtbench.records.telemetry import Gpu
from trtbench.records.trial import Trial
from trtbench.referee.audit.context import Context, numbers
from trtbench.referee.audit.findings import WARN, Finding, found
from trtbench.referee.record_roofline import on_gpu

CLOCK = 0.90
BUSY = 0.05  # of all cores
SWAP = 64 * 2**20
LEAST_BYTES = 2**20  # a process that runs a model holds more


def check(context: Context) -> list[Finding]:
    findings: list[Finding] = []
    run_clocks = [clock for members in context.groups.values() for t in members if (clock := _clock(t)) is not None]
    for key, members in context.groups.items():
        findings += _throttled(key, members)
        findings += _clocks(key, members, run_clocks)
        neighboured = [t for t in members if any(gpu.foreign_processes for gpu in _gpus(t))]
        if neighboured:
            most_processes = max(gpu.foreign_processes or 0 for t in neighboured for gpu in _gpus(t))
            findings.append(found("machine.neighbour", key, processes=most_processes, trials=numbers(neighboured)))
        findings += _busy(key, members)
        disturbed = [t for t in members if t.disturbed]
        if disturbed:
            findings.append(found("machine.disturbed", key, trials=numbers(disturbed)))
        swapping = [(growth, t) for t in members if (growth := _swap_growth(t)) > SWAP]
        if swapping:
            findings.append(
                found(
                    "machine.swap",
                    key,
                    mib=max(growth for growth, _ in swapping) / 2**20,
                    trials=numbers([t for _, t in swapping]),
                )
            )
        findings += _unwatched(key, members)
    findings += _changed(context)
    return findings


def _gpus(trial: Trial) -> list[Gpu]:
    return (trial.telemetry.gpus if trial.telemetry else None) or []


def _clock(trial: Trial) -> float | None:
    """Median SM clock of the trial, MHz."""
    samples = [clock for gpu in _gpus(trial) for clock in gpu.sm_clock or []]
    return statistics.median(samples) if samples else None


def _throttled(key: Key, members: Sequence[Trial]) -> Iterator[Finding]:
    """Serious reasons; with the clock down for a tenth of the samples they spoil the figure."""
    slowed: list[Trial] = []
    unslowed: list[Trial] = []
    reasons: set[str] = set()
    for trial in members:
        for gpu in _gpus(trial):
            reasons_of_gpu = serious(gpu.throttle_reasons)
            if not reasons_of_gpu:
                continue
            reasons |= set(reasons_of_gpu)
            samples = gpu.sm_clock or []
            slow = sum(clock < CLOCK * max(samples) for clock in samples)
            (slowed if samples and slow >= 0.1 * len(samples) else unslowed).append(trial)
    if slowed or unslowed:
        yield found(
            "machine.throttled",
            key,
            level=None if slowed else WARN,
            reasons=", ".join(sorted(reasons)),
            trials=numbers(slowed or unslowed),
        )


def _clocks(key: Key, members: Sequence[Trial], run_clocks: Sequence[float]) -> Iterator[Finding]:
    """A trial slower in clock than its own lane is no repetition of it; a lane slower than the run may just work harder."""
    clocks = [(clock, t) for t in members if (clock := _clock(t)) is not None]
    if not clocks:
        return
    for level, median in (
        (None, statistics.median(clock for clock, _ in clocks)),
        (WARN, statistics.median(run_clocks)),
    ):
        slow = [(clock, t) for clock, t in clocks if clock < CLOCK * median]
        if slow:
            yield found(
                "machine.clock",
                key,
                level=level,
                mhz=min(clock for clock, _ in slow),
                middle=median,
                trials=numbers([t for _, t in slow]),
            )
            return


def _busy(key: Key, members: Sequence[Trial]) -> Iterator[Finding]:
    """CPU time of others during the timed calls of trials that nobody is said to have disturbed; the kernel counts in steps
    of 10 ms, so little of it says nothing."""
    busy = []
    for trial in members:
        if trial.disturbed:
            continue  # machine.disturbed says more
        passes = [part for r in trial.cells for part in (r.e2e, r.ttft) if part is not None and part.foreign_cpu]
        seconds = sum(sum(part.times) for part in passes) / 1e9
        foreign = sum(sum(part.foreign_cpu or []) for part in passes)
        cores = max(trial.environment.cores, 1)
        if foreign > 0.1 and seconds > 0 and foreign / (seconds * cores) > BUSY:
            busy.append((foreign / (seconds * cores), trial))
    if busy:
        largest_share = max(share for share, _ in busy)
        yield found("machine.busy", key, share=largest_share, trials=numbers([t for _, t in busy]))


def _swap_growth(trial: Trial) -> int:
    telemetry = trial.telemetry
    if telemetry is None or telemetry.swap_used_before is None or telemetry.swap_used_after is None:
        return 0
    return telemetry.swap_used_after - telemetry.swap_used_before


def _unwatched(key: Key, members: Sequence[Trial]) -> Iterator[Finding]:
    """What was not looked at is said, never passed over."""
    missing: dict[str, list[Trial]] = {}
    for trial in members:
        telemetry, statement = trial.telemetry, trial.statement
        if telemetry is None:
            missing.setdefault("telemetry", []).append(trial)
            continue
        if statement is not None and on_gpu(statement):
            if not telemetry.gpus:
                missing.setdefault("GPU", []).append(trial)
            if not trial.environment.driver:
                missing.setdefault("driver", []).append(trial)
            parts = GPU_PARTS if trial.schema < DECISIONS else GPU_PARTS | GPU_PARTS_BEFORE
            for name, part_of in parts.items():
                if any(part_of(gpu) is None for gpu in telemetry.gpus or []):
                    missing.setdefault(name, []).append(trial)
        passes = [part for r in trial.cells for part in (r.e2e, r.ttft) if part is not None]
        no_decision = trial.schema >= DECISIONS and (
            telemetry.cpu is None or any(r.cpu is None for r in trial.cells if r.e2e is not None)
        )
        if no_decision or any(part.foreign_cpu is None for part in passes):
            missing.setdefault("CPU", []).append(trial)
        measured = [r.memory for r in trial.cells if r.e2e is not None]
        if any(memory is None or (memory.peak_rss or 0) < LEAST_BYTES for memory in measured):
            missing.setdefault("memory", []).append(trial)
        if telemetry.swap_used_before is None or telemetry.swap_used_after is None:
            missing.setdefault("swap", []).append(trial)
        for problem in telemetry.problems:
            missing.setdefault(problem, []).append(trial)
    if missing:
        trials = [t for unwatched in missing.values() for t in unwatched]
        yield found("machine.unwatched", key, what=", ".join(sorted(missing)), trials=numbers(trials))


GPU_PARTS: dict[str, Callable[[Gpu], object]] = {
    "SM clock": lambda gpu: gpu.sm_clock or None,
    "throttle reasons": lambda gpu: gpu.throttle_reasons,
    "GPU processes": lambda gpu: gpu.foreign_processes,
    "power cap": lambda gpu: gpu.power_cap,
}
GPU_PARTS_BEFORE: dict[str, Callable[[Gpu], object]] = {
    "GPU processes": lambda gpu: None if gpu.foreign_compute is None or gpu.foreign_processes is None else True,
    "throttle reasons": lambda gpu: None if gpu.early_reasons is None or gpu.throttle_reasons is None else True,
    "GPU use before": lambda gpu: gpu.idle_utilisation,
}


def _changed(context: Context) -> Iterator[Finding]:
    """Conditions that were set differently between trials touch every comparison."""
    trials = [t for members in context.groups.values() for t in members]
    values_seen: dict[str, list[str]] = {
        "governor": [t.environment.governor for t in trials if t.environment.governor],
        "driver": [t.environment.driver for t in trials if t.environment.driver],
    }
    caps_by_gpu: dict[str, list[float]] = {}
    for trial in trials:
        for gpu in _gpus(trial):
            if gpu.power_cap is not None:
                caps_by_gpu.setdefault(gpu.uuid, []).append(gpu.power_cap)
    for name, values in values_seen.items():
        if len(set(values)) > 1:
            yield found("machine.changed", what=name, values=", ".join(sorted(set(values))))
        elif values and len(values) < len(trials):
            silent = [t for t in trials if not getattr(t.environment, name)]
            yield found("machine.unwatched", what=name, trials=numbers(silent))
    for watts in caps_by_gpu.values():
        if max(watts) > 1.01 * min(watts):
            yield found("machine.changed", what="power cap", values=f"{min(watts):g} W, {max(watts):g} W")
            return
