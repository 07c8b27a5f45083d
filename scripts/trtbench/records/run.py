"""What a run is: what is fixed when it begins, how it ended, and which of its trials count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from trtbench.records.trial import Failure, Trial


class Absent(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A lane that was asked for and is not in the run, with the reason."""

    lane: str
    precision: str
    failure: Failure


class Run(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is fixed when a run begins, and how it ended. `headline` is declared before the first trial."""

    schema: int
    id: str
    created: str
    workload_digest: str
    model_digest: str
    machine: str
    settings: dict[str, Any]
    demonstration: bool
    headline: str | None = None
    lanes: list[str] = []
    absent: list[Absent] = []
    stopped: str | None = None
    read_bandwidth: float | None = None
    command: str = ""


def sort_key(trial: Trial) -> tuple[str, int, str, str, int, int]:
    """The order of trials: runs, then places in the run."""
    return trial.run, trial.position, trial.lane, trial.precision, trial.index, trial.attempt


def counting(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that count: for each number of a lane the last attempt, when it did not fail."""
    last: dict[tuple[str, str, str, int], Trial] = {}
    for trial in trials:
        key = (trial.run, trial.lane, trial.precision, trial.index)
        if key not in last or trial.attempt > last[key].attempt:
            last[key] = trial
    return [trial for trial in last.values() if trial.failure is None]
