"""What is kept of one run that came back, of its bundle audited again: small, so that ten thousand of them fit into memory."""

from __future__ import annotations

import msgspec

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.history import NO_MATTER
from trtbench.comparison.result import Against, Comparison, Row
from trtbench.figures.summary import Figures
from trtbench.referee.audit.findings import FAIL, WARN, voiding
from trtbench.report.headline import lead
from trtbench.report.language import ENGLISH
from trtbench.report.names import gpus
from trtbench.report.notices import demonstrates
from trtbench.settings.knobs import DEFAULTS, ROWS, show

# What is each machine's own matter, and what digests say better: the model's, the workload's.
_OF_MACHINE = {*NO_MATTER, "GPU_INDEX", "MODEL_NAME", "MODEL_REVISION"}


class _Kept(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What is strictly read and never changed."""


class Measured(_Kept, frozen=True):
    """One lane in one cell. `latency` in ms, `throughput` in output tokens per second, `energy` in J per new token of all cards.

    `refused` is the code of the finding that makes the figure no result, empty where none does. `disturbed`: a trial that
    others disturbed counts in it. `near` is the judge's share, `left` the round after which the lane ran no further trial."""

    batch: int
    prompt_length: int
    new_tokens: int
    lane: str
    precision: str
    latency: float
    throughput: float
    energy: float | None = None
    near: float | None = None
    left: int | None = None
    simulated: bool = False
    refused: str = ""
    disturbed: bool = False


class Own(_Kept, frozen=True):
    """The run's own comparison on its own machine, of its headline's lane with the best PyTorch lane in one cell."""

    batch: int
    prompt_length: int
    new_tokens: int
    lane: str
    precision: str
    base: str
    base_precision: str
    word: str
    ratio: float
    low: float | None = None
    high: float | None = None
    weak: bool = False


class Outcome(_Kept, frozen=True):
    """Of one run. `cards` are those that it saw, `place` names them as reports do (empty: none). `machine` is made of what the
    machine is (trtbench.records.identity), so that two of one kind may have the same. `settings` are those that bear on a figure
    and differ from the defaults, as a user would type them. `word` is the headline's (trtbench.report.headline.Lead).
    `demonstration`: the model's size is made up, and its weights random as those of any `synthetic` one."""

    run: str
    created: str
    model: str
    model_digest: str
    workload_digest: str
    place: str
    cards: int
    cpu: str
    machine: str
    program: str
    commit: str
    settings: dict[str, str]
    word: str
    fails: int
    warns: int
    demonstration: bool
    synthetic: bool
    simulated: bool
    own: list[Own]
    measured: list[Measured]


def of(comparison: Comparison) -> Outcome:
    """What is kept of a comparison; texts of records are made safe to show and cut."""
    environment, model = comparison.environment, comparison.model
    levels = [finding.level for finding in comparison.findings]
    unquiet = {(d.lane, d.precision) for d in comparison.disturbed if d.counts}
    return Outcome(
        run=plain(comparison.run, NAME),
        created=plain(comparison.created, NAME),
        model=plain(model.name, NAME),
        model_digest=plain(model.digest, NAME),
        workload_digest=plain(comparison.workload_digest, NAME),
        place=plain(gpus(comparison), 2 * NAME),
        cards=len(environment.gpus or ()),
        cpu=plain(environment.cpu_model, NAME),
        machine=plain(environment.machine, NAME),
        program=plain(environment.program or "", NAME),
        commit=plain(environment.git_commit or "", NAME),
        settings=_settings(comparison),
        word=lead(comparison, ENGLISH).word,
        fails=levels.count(FAIL),
        warns=levels.count(WARN),
        demonstration=demonstrates(comparison),
        synthetic=comparison.model.synthetic,
        simulated=comparison.simulated,
        own=[_own(a, row) for row in comparison.cells for a in row.against if a.headline],
        measured=[_measured(f, row, comparison, unquiet) for row in comparison.cells for f in row.figures],
    )


def _settings(comparison: Comparison) -> dict[str, str]:
    """A record made before a setting existed ran with its default."""
    asked = comparison.settings
    return {
        name: plain(show(name, asked[name]))
        for name, row in ROWS.items()
        if name in asked
        and name not in _OF_MACHINE
        and row.kind != "path"
        and show(name, asked[name]) != show(name, DEFAULTS[name])
    }


def _own(a: Against, row: Row) -> Own:
    return Own(
        batch=row.batch,
        prompt_length=row.prompt_length,
        new_tokens=row.new_tokens,
        lane=plain(a.lane, NAME),
        precision=plain(a.precision, NAME),
        base=plain(a.base, NAME),
        base_precision=plain(a.base_precision, NAME),
        word=a.verdict.word,
        ratio=a.speedup.ratio,
        low=a.speedup.low,
        high=a.speedup.high,
        weak=bool(a.weak),
    )


def _measured(f: Figures, row: Row, comparison: Comparison, unquiet: set[tuple[str, str]]) -> Measured:
    failed = voiding(comparison.findings, [(f.lane, f.precision)], row.where)
    return Measured(
        batch=row.batch,
        prompt_length=row.prompt_length,
        new_tokens=row.new_tokens,
        lane=plain(f.lane, NAME),
        precision=plain(f.precision, NAME),
        latency=f.latency,
        throughput=f.throughput,
        energy=f.energy,
        near=f.near,
        left=f.left,
        simulated=f.simulated,
        refused=failed.code if failed is not None else "",
        disturbed=(f.lane, f.precision) in unquiet,
    )
