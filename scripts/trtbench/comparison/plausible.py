"""Whether records and reports of other people hold together: what computing with them takes for granted."""

from __future__ import annotations

from trtbench.comparison.result import Comparison
from trtbench.errors import UserError
from trtbench.figures.summary import Figures
from trtbench.model.workload import Workload, check_workload
from trtbench.records.checking import NEEDED, check_settings
from trtbench.records.files import check_schema
from trtbench.records.judgement import Judgement, check_judgement
from trtbench.records.run import Run, check_run, counting
from trtbench.records.trial import Trial, check_trial
from trtbench.referee.audit.findings import LEVELS, THEMES, Finding
from trtbench.settings.lanes import LANES

TRIALS = 20_000
WORK = 50_000_000  # prompt ids that a re-audit would have to make


def check_records(
    where: str, run: Run, trials: list[Trial], judged: Judgement | None, workload: Workload | None
) -> None:
    """Raises UserError with one sentence where the records of a run could not be audited and compared."""
    if len(trials) > TRIALS:
        raise UserError(f"{where} holds more than {TRIALS} trials, the most that are read.")
    check_run(run, where)
    _check_work(where, trials)
    if workload is not None:
        check_workload(workload, where)
    for trial in trials:
        check_trial(trial, where)
    if judged is not None:
        check_judgement(judged, where)
    if not counting(trials):
        raise UserError(f"{where} holds no finished trial.")


def check_report(where: str, report: Comparison) -> None:
    """Raises UserError with one sentence where the figures of a report could not be compared with."""
    check_schema(report.schema, where)
    check_settings(where, report.settings, NEEDED)
    for row in report.cells:
        for f in row.figures:
            _check_figures(where, f)
    for finding in report.findings:
        _check_finding(where, finding)


def _check_work(where: str, trials: list[Trial]) -> None:
    calls_of = {(r.cell, len(p.times)) for t in trials for r in t.cells for p in (r.e2e, r.ttft) if p is not None}
    if sum(cell.batch * cell.prompt_length * calls for cell, calls in calls_of) > WORK:
        raise UserError(f"{where} stands for more than {WORK:,} prompt ids, the most that are audited again.")


def _check_figures(where: str, f: Figures) -> None:
    if f.lane not in LANES:
        raise UserError(f"{where} names the lane {f.lane!r}, which this program does not know.")
    if not f.latency_trials or len(f.latency_trials) != f.trials or min(f.latency_trials) <= 0 or f.latency <= 0:
        raise UserError(f"{where}: the times of {f.lane} are not one positive number a trial.")


def _check_finding(where: str, finding: Finding) -> None:
    if finding.level not in LEVELS or finding.code.split(".")[0] not in THEMES:
        raise UserError(f"{where} has the finding {finding.code!r}, which this program does not know.")
