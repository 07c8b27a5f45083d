"""What a trial is told: written by the process that runs the trials, read by the one that is a trial."""

from __future__ import annotations

from typing import Any

import msgspec

from trtbench.records.files import SCHEMA
from trtbench.records.trial import Environment, Failure, Model, Sampling, Sealed, Trial
from trtbench.settings.cells import Cell

SEE_LOG = "The trial's log has the whole message."
# Why a trial, or what stands beside it, failed, as long as its process has not come to the end of it.
UNFINISHED = "unfinished"


class Spec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What one trial has to do; paths are absolute."""

    run: str
    lane: str
    precision: str
    index: int
    attempt: int
    position: int
    round: int
    interleaved: bool
    device: str
    threads: int
    tp_size: int = 1
    iterations: int
    warmup_limit: int
    cells: list[Cell]
    sampling: Sampling
    model_path: str
    model: Model
    workload: str
    workload_digest: str
    cache: str
    output: str
    environment: Environment
    settings: dict[str, Any]
    sealed: Sealed | None = None
    chosen: list[str] = []  # the value of the lane's choice for each of `cells`; empty where there is none
    prepare_only: bool = False
    trying: bool = False  # times calls on prompts that no trial has, to choose by; no record of the run
    start_limit: float | None = None
    energy: bool = False
    profile: str = ""  # a file to write, empty without PROFILE
    program: str = ""  # the Python to run with; empty: that of the run

    def record(self, started: str = "", failure: Failure | None = None) -> Trial:
        """The record of this trial before anything is measured."""
        return Trial(
            schema=SCHEMA,
            run=self.run,
            lane=self.lane,
            precision=self.precision,
            index=self.index,
            attempt=self.attempt,
            position=self.position,
            interleaved=self.interleaved,
            started=started,
            seconds=0.0,
            workload_digest=self.workload_digest,
            settings=self.settings,
            model=self.model,
            environment=self.environment,
            failure=failure,
            round=self.round,
            disturbed=[],
            sealed=self.sealed,
        )
