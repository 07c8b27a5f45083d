"""This run against another one: each lane and cell both have, and what differs between the two.

Both sides are comparisons (trtbench.comparison.comparing), so the figures are the ones their own reports print. The ratio, its
interval and the word are trtbench.figures.speedup's. All pairs share one error rate: with n of them each interval stands at
1 - 0.05 / n (Bonferroni), so that a gate over many cells does not fail by chance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from trtbench.comparison.result import Change, Difference, History, Lost
from trtbench.errors import UserError
from trtbench.figures.speedup import Verdict, interval, verdict
from trtbench.figures.summary import Figures, Where
from trtbench.referee.audit.findings import FAIL, voiding
from trtbench.settings.knobs import DEFAULTS, ROWS, show

if TYPE_CHECKING:
    from trtbench.comparison.result import Comparison, Difference, Row

Place = tuple[str, str, Where]  # lane, precision, cell

# Where results lie, how they are told and which lanes take part change no figure of a lane.
_NO_MATTER = ("DATA_DIR", "RESULTS_DIR", "EXAMPLES_DIR", "REPORT_LANG", "LOG_LEVEL", "OFFLINE", "LANES", "HEADLINE")
_STATED = (
    *("runtime", "runtime_version", "device_name", "compute_precision", "weight_precision", "kv_precision"),
    *("threads", "cuda_graphs", "prefix_reuse", "attention"),
)


def against(now: Comparison, earlier: Comparison, source: str) -> History:
    """Compare two runs; neither is changed."""
    mine, theirs = _figures(now), _figures(earlier)
    both = [place for place in mine if place in theirs]
    same_model = now.model.digest == earlier.model.digest
    level = 1 - 0.05 / max(1, len(both))
    margin = float(now.settings["EQUIVALENCE_MARGIN"])
    changes = []
    for place in both:
        lane, precision, where = place
        f, g = mine[place], theirs[place]
        changes.append(
            Change(
                lane=lane,
                precision=precision,
                batch=where[0],
                prompt_length=where[1],
                new_tokens=where[2],
                latency=f.latency,
                earlier=g.latency,
                speedup=interval(f.latency_trials, g.latency_trials, level),
                verdict=_verdict(f, g, where, now, earlier)
                or verdict(f.latency_trials, g.latency_trials, margin, level),
            )
        )
    lost = list(_lost(now, [place for place in theirs if place not in mine]))
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
        unpaired=len(set(mine) ^ set(theirs)) - len(lost),
        differences=list(_differences(now, earlier)),
    )


def _figures(comparison: Comparison) -> dict[Place, Figures]:
    return {(f.lane, f.precision, _where(row)): f for row in comparison.cells for f in row.figures}


def _where(row: Row) -> Where:
    return row.batch, row.prompt_length, row.new_tokens


def _verdict(f: Figures, g: Figures, where: Where, now: Comparison, earlier: Comparison) -> Verdict | None:
    """Why there is no verdict of the figures, if there is none."""
    if f.simulated or g.simulated:
        return Verdict(word="none", reason="simulated")
    if now.model.digest != earlier.model.digest:
        return Verdict(word="none", reason="other_model")
    for side in (now, earlier):
        failed = voiding(side.findings, [(f.lane, f.precision)], where)
        if failed is not None:
            return Verdict(word="void", reason=failed.code)
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
    a, b = now.environment, earlier.environment
    machine: dict[str, tuple[Any, Any]] = {
        "gpu": (", ".join(a.gpus or []) or None, ", ".join(b.gpus or []) or None),
        "cpu": (a.cpu_model, b.cpu_model),
        "cores": (a.cores, b.cores),
        "ram": (f"{a.memory / 2**30:.1f} GiB", f"{b.memory / 2**30:.1f} GiB"),
        "governor": (a.governor, b.governor),
        "container": (a.container, b.container),
    }
    versions: dict[str, tuple[Any, Any]] = {
        "driver": (a.driver, b.driver),
        "CUDA": (a.cuda, b.cuda),
        "system": (a.os, b.os),
        "kernel": (a.kernel, b.kernel),
        "Python": (a.python, b.python),
        "commit": (a.git_commit, b.git_commit),
    }
    versions |= {n: (a.libraries.get(n), b.libraries.get(n)) for n in sorted({*a.libraries, *b.libraries})}
    model: dict[str, tuple[Any, Any]] = {
        "model": (now.model.name, earlier.model.name),
        "revision": (now.model.revision, earlier.model.revision),
        "digest": (now.model.digest[:12], earlier.model.digest[:12]),
    }
    workload: dict[str, tuple[Any, Any]] = {
        "workload_digest": (now.workload_digest[:12], earlier.workload_digest[:12]),
    }
    settings = {
        name: (_typed(name, now.settings), _typed(name, earlier.settings)) for name in ROWS if name not in _NO_MATTER
    }
    for kind, pairs in (
        ("machine", machine),
        ("version", versions),
        ("model", model),
        ("workload", workload),
        ("setting", settings),
    ):
        yield from _of(kind, None, pairs)
    stated = {(s.lane, s.precision): s.statement for s in earlier.statements}
    for s in now.statements:
        other = stated.get((s.lane, s.precision))
        if other is not None:
            said = {n: (getattr(s.statement, n), getattr(other, n)) for n in _STATED}
            yield from _of("lane", s.lane, said)


def _of(kind: str, lane: str | None, pairs: dict[str, tuple[Any, Any]]) -> Iterator[Difference]:
    for name, (now, earlier) in pairs.items():
        if now != earlier:
            texts = [None if value is None else str(value) for value in (now, earlier)]
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
    able = [c for c in history.changes if c.verdict.word not in ("void", "none") and c.speedup.high is not None]
    if not able and not history.lost:
        reasons = sorted({c.verdict.reason for c in history.changes}) or ["no lane and cell in common"]
        reasons = [reason.replace("_", " ") for reason in reasons]
        raise UserError(f"--fail-on-regression cannot be checked against run {history.run}: {', '.join(reasons)}.")
    return [c for c in able if c.speedup.high is not None and c.speedup.high < 1 / (1 + share)]
