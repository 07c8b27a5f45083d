"""The judgement as it is written: what was asked, and what was found."""

from __future__ import annotations

from typing import Any

from trtbench.records.files import SCHEMA
from trtbench.records.judgement import MAX_POSITIONS, NEAR_DEVIATIONS, Judgement
from trtbench.referee.judge.spec import Spec


def judged(spec: Spec, **more: Any) -> Judgement:
    """The judgement that answers `spec`; what is not given is as when nothing was scored."""
    fields: dict[str, Any] = dict(
        schema=SCHEMA,
        run=spec.run,
        model_digest=spec.model.digest,
        workload_digest=spec.workload_digest,
        sampling=spec.sampling,
        near_deviations=NEAR_DEVIATIONS,
        max_positions=MAX_POSITIONS,
        seed=spec.seed,
        seconds=0.0,
    )
    return Judgement(**{**fields, **more})
