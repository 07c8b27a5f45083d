"""A run as it lies in its folder, read and audited."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from trtbench.model.workload import read_workload
from trtbench.records import judgement, run_folder, trtllm_report
from trtbench.records.judgement import Judgement
from trtbench.records.run import Run, counting
from trtbench.records.trial import Trial
from trtbench.records.trtllm_report import Latency
from trtbench.referee.audit import audit
from trtbench.referee.audit.findings import Finding


class Audited(NamedTuple):
    """A run as it lies in its folder, and what the audit says of it; `reports` are NVIDIA's own benchmark's."""

    run: Run
    trials: list[Trial]
    judged: Judgement | None
    findings: list[Finding]
    reports: Sequence[Latency]

    @property
    def finished(self) -> bool:
        """Whether any trial counts."""
        return bool(counting(self.trials))


def load(results: Path, run_id: str) -> Audited:
    """Read a run with its judgement and workload, and audit it."""
    run, trials = run_folder.read(results, run_id), run_folder.trials(results, run_id)
    judged = judgement.read(judgement.path(results, run_id))
    findings = audit(run, trials, judged, read_workload(results, run_id))
    return Audited(run, trials, judged, findings, trtllm_report.found(results, run_id))
