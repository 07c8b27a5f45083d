"""How the card was while the calls of a lane were timed, made of the telemetry of its trials that count."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

from trtbench.comparison.result import CardState
from trtbench.figures.base import Key
from trtbench.records.telemetry import Gpu
from trtbench.records.trial import Trial
from trtbench.referee.record_roofline import on_gpu

IDLE = "gpu_idle"  # NVML's word for a card that has nothing to do between two calls: nothing held it back


def named(gpus: Sequence[str]) -> str:
    """Cards by name, in their order: of those that are alike how many."""
    return ", ".join(f"{count} × {name}" if count > 1 else name for name, count in Counter(gpus).items())


def card_states(groups: Mapping[Key, Sequence[Trial]]) -> list[CardState]:
    """One for each lane that ran on a card of which anything was seen."""
    states = [_state(key, members) for key, members in groups.items()]
    return [state for state in states if state is not None]


def _state(key: Key, members: Sequence[Trial]) -> CardState | None:
    gpus = [gpu for trial in members for gpu in _used(trial)]
    clocks = [mhz for gpu in gpus for mhz in gpu.sm_clock or ()]
    temperatures = [celsius for gpu in gpus for celsius in gpu.temperature or ()]
    powers = [statistics.fmean(gpu.power) for gpu in gpus if gpu.power]
    caps = [gpu.power_cap for gpu in gpus if gpu.power_cap]
    if not (clocks or temperatures or powers or caps):
        return None
    reasons = {reason for gpu in gpus for reason in gpu.throttle_reasons or ()} - {IDLE}
    return CardState(
        lane=key[0],
        precision=key[1],
        sm_clock=statistics.median(clocks) if clocks else None,
        sm_clock_low=min(clocks, default=None),
        sm_clock_high=max(clocks, default=None),
        sm_clock_max=max((gpu.sm_clock_max for gpu in gpus if gpu.sm_clock_max), default=None),
        temperature=max(temperatures, default=None),
        power=statistics.fmean(powers) if powers else None,
        power_cap_low=min(caps, default=None),
        power_cap_high=max(caps, default=None),
        power_cap_default=max((gpu.power_cap_default for gpu in gpus if gpu.power_cap_default), default=None),
        held_back=None if all(gpu.throttle_reasons is None for gpu in gpus) else sorted(reasons),
    )


def _used(trial: Trial) -> list[Gpu]:
    """The cards that a trial computed on: beside a lane of the CPU they only idle."""
    if trial.telemetry is None or trial.statement is None or not on_gpu(trial.statement):
        return []
    return trial.telemetry.gpus or []
