"""This run against another one: each lane and cell both have, and what differs between the two.

Both sides are comparisons (trtbench.comparison.comparing), so the figures are the ones their own reports print. The ratio, its
interval and the word are trtbench.figures.speedup's. All pairs share one error rate: with n of them each interval stands at
1 - 0.05 / n (Bonferroni), so that a gate over many cells does not fail by chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from trtbench.comparison.cards import named
from trtbench.comparison.result import Change, Comparison, Difference, History, Lost, Row, Software
from trtbench.comparison.software import by_lane, differ
from trtbench.errors import UserError
from trtbench.figures.speedup import MIN_TRIALS, Verdict, interval, verdict
from trtbench.figures.summary import Figures, Where
from trtbench.records.identity import release
from trtbench.records.trial import Environment, Statement
from trtbench.referee.audit.findings import FAIL, voiding
from trtbench.settings.knobs import DEFAULTS, ROWS, show
from trtbench.settings.lanes import LANES

Place = tuple[str, str, Where]  # lane, precision, cell

# Where results lie, how they are told and which lanes take part change no figure of a lane.
NO_MATTER = ("DATA_DIR", "RESULTS_DIR", "EXAMPLES_DIR", "REPORT_LANG", "LOG_LEVEL", "OFFLINE", "LANES", "HEADLINE")
_STATED = (
    *("runtime", "runtime_version", "device_name", "compute_precision", "weight_precision", "kv_precision"),
    *("threads", "cuda_graphs", "prefix_reuse", "attention"),
)


def against(now: Comparison, earlier: Comparison, source: str) -> History:
    """Compare two runs; neither is changed."""
    figures, earlier_figures = _figures(now), _figures(earlier)
    both = [place for place in figures if place in earlier_figures]
    same_model = now.model.digest == earlier.model.digest
    level = 1 - 0.05 / max(1, len(both))
    margin = float(now.settings["EQUIVALENCE_MARGIN"])
    changes = []
    for place in both:
        lane, precision, where = place
        f, before = figures[place], earlier_figures[place]
        changes.append(
            Change(
                lane=lane,
                precision=precision,
                batch=where[0],
                prompt_length=where[1],
                new_tokens=where[2],
                latency=f.latency,
                earlier=before.latency,
                speedup=interval(f.latency_trials, before.latency_trials, level),
                verdict=_no_verdict(f, before, where, now, earlier)
                or verdict(f.latency_trials, before.latency_trials, margin, level),
            )
        )
    lost = list(_lost(now, [place for place in earlier_figures if place not in figures]))
    return History(
        run=earlier.run,
        created=earlier.created,
        source=source,
        same_machine=now.environment.machine == earlier.environment.machine,
        same_model=same_model,
        simulated=now.simulated or earlier.simulated,
        fails=sum(f.level == FAIL for f in earlier.findings),
        changes=changes,
        lost=lost,
        unpaired=len(set(figures) ^ set(earlier_figures)) - len(lost),
        differences=list(_differences(now, earlier)),
    )


def _figures(comparison: Comparison) -> dict[Place, Figures]:
    return {(f.lane, f.precision, _where(row)): f for row in comparison.cells for f in row.figures}


def _where(row: Row) -> Where:
    return row.batch, row.prompt_length, row.new_tokens


def _no_verdict(f: Figures, before: Figures, where: Where, now: Comparison, earlier: Comparison) -> Verdict | None:
    """Why there is no verdict of the figures, if there is none."""
    if f.simulated or before.simulated:
        return Verdict(word="none", reason="simulated")
    if now.model.digest != earlier.model.digest:
        return Verdict(word="none", reason="other_model")
    for side in (now, earlier):
        failed = voiding(side.findings, [(f.lane, f.precision)], where)
        if failed is not None:
            return Verdict(word="void", reason=failed.code)
    enough = min(f.trials, before.trials) >= MIN_TRIALS
    key = f.lane, f.precision
    if enough and any(d.counts and (d.lane, d.precision) == key for d in (*now.disturbed, *earlier.disturbed)):
        return Verdict(word="none", reason="not_quiet")
    return None


def _lost(now: Comparison, places: list[Place]) -> Iterator[Lost]:
    """Holes and failures of this run where the other had figures; what was not asked for is not lost."""
    holes = {(h.lane, h.precision, _where(row)): h.reason for row in now.cells for h in row.holes}
    failed = {(a.lane, a.precision): a.failure.reason for a in now.failed}
    for lane, precision, where in places:
        reason = holes.get((lane, precision, where), failed.get((lane, precision)))
        if reason is not None:
            yield Lost(
                lane=lane,
                precision=precision,
                batch=where[0],
                prompt_length=where[1],
                new_tokens=where[2],
                reason=reason,
            )


def _differences(now: Comparison, earlier: Comparison) -> Iterator[Difference]:
    conditions, before = _conditions(now), _conditions(earlier)
    for kind in conditions:
        yield from _unequal(kind, None, conditions[kind], before[kind])
        if kind == "version":
            yield from _other_versions(now, earlier)
    statements = {(s.lane, s.precision): s.statement for s in earlier.statements}
    for stated in now.statements:
        statement = statements.get((stated.lane, stated.precision))
        if statement is not None:
            yield from _unequal("lane", stated.lane, _facts(stated.statement), _facts(statement))
            yield from _other_build(stated.lane, stated.statement, statement)


def _other_versions(now: Comparison, earlier: Comparison) -> Iterator[Difference]:
    """Python and packages, lane by lane: said once where a run has one version of it everywhere, else of each lane whose own
    changed. Which environment a lane had it in makes no difference."""
    ours, theirs = by_lane(now), by_lane(earlier)
    shared = [key for key in ours if key in theirs]
    if not shared:
        one, other = _packages(now.environment), _packages(earlier.environment)
        for name in _names(one, other):
            yield from _unequal("version", None, {name: one.get(name)}, {name: other.get(name)})
        return
    packages, before = ({key: _packages(of) for key, of in side.items()} for side in (ours, theirs))
    for name in _names(*packages.values(), *before.values()):
        everywhere = all(len({of.get(name) for of in side.values()}) == 1 for side in (packages, before))
        changes = {
            (None if everywhere else key[0], packages[key].get(name), before[key].get(name)): None for key in shared
        }
        for lane, value, earlier_value in changes:
            yield from _unequal("version", lane, {name: value}, {name: earlier_value})


def _packages(of: Software | Environment) -> dict[str, str]:
    return {**of.libraries, "Python": of.python}


def _names(*packages: dict[str, str]) -> list[str]:
    """Python and then the packages, each once."""
    return sorted(set().union(*packages), key=lambda name: (name != "Python", name))


def _other_build(lane: str, now: Statement, earlier: Statement) -> Iterator[Difference]:
    """torch of an engine that computes with it, in another build of the same release: the list of packages may not tell."""
    one, other = (statement.versions.get("torch", "") for statement in (now, earlier))
    own = lane in LANES and LANES[lane].distribution == "torch"  # then the version of the runtime says it
    if one and other and not own and release(one) == release(other) and differ(one, other):
        yield from _unequal("lane", lane, {"torch": one}, {"torch": other})


def _conditions(side: Comparison) -> dict[str, dict[str, Any]]:
    """What a run ran under: kind of difference → name → value."""
    machine, model = side.environment, side.model
    return {
        "machine": {
            "gpu": named(machine.gpus or []) or None,
            "cpu": machine.cpu_model,
            "cores": machine.cores,
            "ram": f"{machine.memory / 2**30:.1f} GiB",
            "governor": machine.governor,
            "container": machine.container,
        },
        "version": {
            "driver": machine.driver,
            "CUDA": machine.cuda,
            "system": machine.os,
            "kernel": machine.kernel,
            "program": machine.program,
            "commit": machine.git_commit,
        },
        "model": {"model": model.name, "revision": model.revision, "digest": model.digest[:12]},
        "workload": {"workload_digest": side.workload_digest[:12]},
        "setting": {name: _typed(name, side.settings) for name in ROWS if name not in NO_MATTER},
    }


def _facts(statement: Statement) -> dict[str, Any]:
    return {name: getattr(statement, name) for name in _STATED}


def _unequal(kind: str, lane: str | None, now: dict[str, Any], earlier: dict[str, Any]) -> Iterator[Difference]:
    for name in now:
        if now[name] != earlier[name]:
            texts = [None if value is None else str(value) for value in (now[name], earlier[name])]
            yield Difference(kind=kind, name=name, lane=lane, now=texts[0], earlier=texts[1])


def _typed(name: str, settings: dict[str, Any]) -> str:
    """A setting as a user would type it; a record made before the setting existed ran with its default."""
    return show(name, settings.get(name, DEFAULTS[name]))


def share_of(text: str) -> float:
    """`3%` as 0.03; a UserError says what is right."""
    digits = text.removesuffix("%").strip()
    try:
        share = float(digits) / 100 if digits.isascii() and "_" not in digits else math.nan
    except ValueError:
        share = math.nan
    if not text.endswith("%") or not 0 <= share <= 1:
        raise UserError(f"--fail-on-regression={text!r} is not valid: it takes a share from 0% to 100%, such as 3%.")
    return share


def regressions(history: History, share: float) -> list[Change]:
    """The changes whose whole interval lies beyond `share`: proven slower by more than that. Raises UserError where
    nothing could be proven either way: a gate that can't close is none."""
    provable = [c for c in history.changes if c.verdict.word not in ("void", "none") and c.speedup.high is not None]
    if not provable and not history.lost:
        reasons = sorted({c.verdict.reason for c in history.changes}) or ["no lane and cell in common"]
        reasons = [reason.replace("_", " ") for reason in reasons]
        raise UserError(f"--fail-on-regression cannot be checked against run {history.run}: {', '.join(reasons)}.")
    return [c for c in provable if c.speedup.high is not None and c.speedup.high < 1 / (1 + share)]
