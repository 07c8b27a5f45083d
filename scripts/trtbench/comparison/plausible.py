"""Whether records and reports of other people hold together: what computing with them takes for granted."""

from __future__ import annotations

from typing import Any

from trtbench.comparison.result import Comparison
from trtbench.errors import UserError
from trtbench.figures.summary import Figures
from trtbench.model.workload import Workload
from trtbench.records.files import check_schema
from trtbench.records.judgement import Judgement
from trtbench.records.run import Run, check_run, counting
from trtbench.records.trial import Trial, check_trial
from trtbench.referee.audit.findings import LEVELS, THEMES, Finding
from trtbench.settings.knobs import DEFAULTS, ROWS
from trtbench.settings.lanes import LANES

TRIALS = 20_000
WORK = 50_000_000  # prompt ids that a re-audit would have to make


def check_records(
    where: str, run: Run, trials: list[Trial], judged: Judgement | None, workload: Workload | None
) -> None:
    """Raises UserError with one sentence where the records of a run could not be audited and compared."""
    _check_run(where, run, trials)
    _check_cells(where, trials)
    if workload is not None:
        _check_workload(where, workload)
    for trial in trials:
        check_trial(trial, where)
    if judged is not None:
        check_schema(judged.schema, where)
    if not counting(trials):
        raise UserError(f"{where} holds no finished trial.")


def check_report(where: str, report: Comparison) -> None:
    """Raises UserError with one sentence where the figures of a report could not be compared with."""
    check_schema(report.schema, where)
    _check_settings(where, report.settings)
    for row in report.cells:
        for f in row.figures:
            _check_figures(where, f)
    for finding in report.findings:
        _check_finding(where, finding)


def _check_run(where: str, run: Run, trials: list[Trial]) -> None:
    if len(trials) > TRIALS:
        raise UserError(f"{where} holds more than {TRIALS} trials, the most that are read.")
    check_run(run, where)
    _check_settings(where, run.settings)
    rules = run.rules
    if rules is not None and not (0 < rules.candidate_level < 1 and 0 < rules.leave_level < 1):
        raise UserError(f"{where} has rules with a level that is none: it lies between 0 and 1.")
    unknown = [name for name in (*run.lanes, *(a.lane for a in run.absent)) if name not in LANES]
    if unknown:
        raise UserError(f"{where} names the lane {unknown[0]!r}, which this program does not know.")


def _check_cells(where: str, trials: list[Trial]) -> None:
    calls_of = {(r.cell, len(p.times)) for t in trials for r in t.cells for p in (r.e2e, r.ttft) if p is not None}
    for cell, _ in calls_of:
        for name, value in (
            ("BATCH_SIZES", cell.batch),
            ("PROMPT_LENGTHS", cell.prompt_length),
            ("NEW_TOKENS", cell.new_tokens),
        ):
            most = ROWS[name].high
            if most is not None and value > most:
                raise UserError(f"{where} has a cell with {name}={value}; at most {most:g} is possible.")
    if sum(cell.batch * cell.prompt_length * calls for cell, calls in calls_of) > WORK:
        raise UserError(f"{where} stands for more than {WORK:,} prompt ids, the most that are audited again.")


def _check_workload(where: str, workload: Workload) -> None:
    starts, size = workload.starts, len(workload.ring)
    if not size or starts[:1] != [0] or starts != sorted(set(starts)) or starts[-1] >= size:
        raise UserError(f"{where} holds a workload whose prompts do not lie in its ring of ids.")


def _check_settings(where: str, settings: dict[str, Any]) -> None:
    """Settings that figures are computed with have the type of their default."""
    if "EQUIVALENCE_MARGIN" not in settings:
        raise UserError(f"{where} lacks the setting EQUIVALENCE_MARGIN.")
    for name, value in settings.items():
        if name not in DEFAULTS:
            continue
        default = DEFAULTS[name]
        types: tuple[type, ...] = (list,) if isinstance(default, tuple) else (type(default),)
        if isinstance(default, float):
            types = (int, float)
        if not isinstance(value, types) or isinstance(value, bool) != isinstance(default, bool):
            raise UserError(f"{where} has {name}={str(value)[:40]!r}; it takes {ROWS[name].wanted()}.")


def _check_figures(where: str, f: Figures) -> None:
    if f.lane not in LANES:
        raise UserError(f"{where} names the lane {f.lane!r}, which this program does not know.")
    if not f.latency_trials or len(f.latency_trials) != f.trials or min(f.latency_trials) <= 0 or f.latency <= 0:
        raise UserError(f"{where}: the times of {f.lane} are not one positive number a trial.")


def _check_finding(where: str, finding: Finding) -> None:
    if finding.level not in LEVELS or finding.code.split(".")[0] not in THEMES:
        raise UserError(f"{where} has the finding {finding.code!r}, which this program does not know.")
