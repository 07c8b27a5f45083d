"""Whether a trial was disturbed: told by what others did, never by the lane's own times nor by what its own load causes.

Decided from telemetry alone, so that nobody can have looked at the result first: the program decides when a trial has
ended, the audit decides again from the record. Heat, clocks, power capping and swap under the lane's own load are
findings (referee/audit/machine.py) and never a reason to run a trial again.

The limits come from benchmarks/disturbance.py (tables in docs/methodology.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from trtbench.records.run import Rules
from trtbench.records.telemetry import CpuUse, Disturbance, Gpu
from trtbench.records.trial import Trial

FOREIGN_CPU = {"cpu": 0.01, "cuda": 0.05}  # share of all cores, by the device that the lanes run on
CPU_FLOOR = 0.1  # seconds: the kernel counts in steps of 10 ms a core, and less of a short cell says nothing
GPU_USED = 10.0  # percent; what draws a desktop stays below
GPU_CLOCK = 0.90
GPU_KINDS = ("gpu_process", "gpu_used", "gpu_throttled", "gpu_clock")  # in the order in which they are told
ATTEMPTS = 3
WAIT = 60.0  # seconds
# Parts of the names of throttle reasons that mean heat or a fault; power capping and idling are normal states.
SERIOUS = ("thermal", "hw_slowdown", "hw_power_brake", "hardware")


def disturbances(trial: Trial, rules: Rules, clocks: Mapping[str, int]) -> list[Disturbance]:
    """What others did to the trial beyond what the rules allow; empty where nobody did. `clocks` are by uuid the highest clock
    of each card before the first call of any trial of the run up to this one, in MHz. Of several cards that were disturbed in
    one way the worst is told."""
    by_kind: dict[str, Disturbance] = {}
    for gpu in _gpus(trial):
        for one in _gpu(gpu, rules, clocks.get(gpu.uuid)):
            known = by_kind.setdefault(one.kind, one)
            if _beyond(one) > _beyond(known):
                by_kind[one.kind] = one
    return [*_cpu(trial, rules), *(by_kind[kind] for kind in GPU_KINDS if kind in by_kind)]


def limits(device: str) -> dict[str, float]:
    """The limits of this program for lanes on `device` (cpu or cuda), by their names in the rules."""
    return {"foreign_cpu": FOREIGN_CPU[device], "gpu_used": GPU_USED, "gpu_clock": GPU_CLOCK}


def early_clocks(trials: Sequence[Trial]) -> dict[str, int]:
    """The highest clock of each card before a first call among these trials, MHz, by uuid; none of a card that did not tell."""
    highest: dict[str, int] = {}
    for gpu in (gpu for trial in trials for gpu in _gpus(trial)):
        if gpu.early_clock is not None:
            highest[gpu.uuid] = max(gpu.early_clock, highest.get(gpu.uuid, 0))
    return highest


def said(disturbance: Disturbance) -> str:
    """The disturbance in a few words, for the terminal; reports have their own, in two languages."""
    value, limit = disturbance.value, disturbance.limit
    return {
        "cpu": f"others used {value:.1%} of the CPU",
        "cell_cpu": f"others used {value:.1%} of the CPU during a cell",
        "gpu_process": f"{value:.0f} other process{'es' if value > 1 else ''} computed on a GPU",
        "gpu_used": f"a GPU was {value:.0f} % in use before the trial",
        "gpu_throttled": "a GPU was throttled before the first call",
        "gpu_clock": f"a GPU's clock reached {value:.0f} MHz before the first call, and {limit:.0f} are normal in this run",
    }[disturbance.kind]


def serious(reasons: Sequence[str] | None) -> list[str]:
    """Those of a card's throttle reasons that mean heat or a fault."""
    return [reason for reason in reasons or () if any(part in reason.lower() for part in SERIOUS)]


def _gpus(trial: Trial) -> list[Gpu]:
    return (trial.telemetry.gpus if trial.telemetry else None) or []


def _cpu(trial: Trial, rules: Rules) -> Iterator[Disturbance]:
    """Over the whole trial, and over each cell, in which a short burst weighs more."""
    whole = trial.telemetry.cpu if trial.telemetry else None
    if whole is not None and above(whole, rules):
        yield Disturbance(kind="cpu", value=whole.share, limit=rules.foreign_cpu)
        return
    shares = [record.cpu.share for record in trial.cells if record.cpu is not None and above(record.cpu, rules)]
    if shares:
        yield Disturbance(kind="cell_cpu", value=max(shares), limit=rules.foreign_cpu)


def above(use: CpuUse, rules: Rules) -> bool:
    """Whether others took more of the CPU than the rules allow."""
    return use.others + use.stolen > CPU_FLOOR and use.share > rules.foreign_cpu


def _gpu(gpu: Gpu, rules: Rules, clock: int | None) -> Iterator[Disturbance]:
    if gpu.foreign_compute:
        yield Disturbance(kind="gpu_process", value=gpu.foreign_compute, limit=0)
    if gpu.idle_utilisation is not None and gpu.idle_utilisation > rules.gpu_used:
        yield Disturbance(kind="gpu_used", value=gpu.idle_utilisation, limit=rules.gpu_used)
    if serious(gpu.early_reasons):
        yield Disturbance(kind="gpu_throttled", value=len(serious(gpu.early_reasons)), limit=0)
    if gpu.early_clock is not None and clock is not None and gpu.early_clock < rules.gpu_clock * clock:
        yield Disturbance(kind="gpu_clock", value=gpu.early_clock, limit=rules.gpu_clock * clock)


def _beyond(one: Disturbance) -> float:
    """How far beyond its limit a disturbance is: a clock by being low, all else by being high."""
    return one.limit - one.value if one.kind == "gpu_clock" else one.value
