"""The rules that a run is opened with, and by which it decides and is audited."""

from __future__ import annotations

from trtbench.figures.base import CANDIDATE_LEVEL
from trtbench.figures.leaving import LEVEL, RATIO
from trtbench.machine import disturbance
from trtbench.records.run import Rules
from trtbench.settings.knobs import Settings


def sealed(settings: Settings, device: str) -> Rules:
    """The rules of a run on `device` (cpu or cuda) with these settings."""
    return Rules(
        quiet="warn" if settings.quiet == "warn" else "wait",
        **disturbance.limits(device),
        attempts=disturbance.ATTEMPTS,
        wait=disturbance.WAIT,
        leaves=settings.slow_lanes == "leave" or (settings.slow_lanes == "auto" and settings.trials == 0),
        leave_ratio=RATIO,
        leave_level=LEVEL,
        candidate_level=CANDIDATE_LEVEL,
    )
