"""What the judge's process is told."""

from __future__ import annotations

import msgspec

from trtbench.records.trial import Model, Sampling

SECONDS = 40.0  # no further sequence is begun after so much scoring
PATIENCE = 4.0  # the first sequence of every lane and cell may be begun until so many times `Spec.seconds`


class Spec(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What to judge; paths are absolute, `run_folder` holds trials and workload."""

    run_folder: str
    run: str
    model_path: str
    model: Model
    workload_digest: str
    sampling: Sampling
    device: str
    threads: int
    seed: int
    output: str
    seconds: float = SECONDS
