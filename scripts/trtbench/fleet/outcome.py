"""What is kept of one run that came back, of its bundle audited again: small, so that ten thousand of them fit into memory."""

from __future__ import annotations

import math

import msgspec

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.history import NO_MATTER
from trtbench.comparison.result import Against, Comparison, Row
from trtbench.errors import UserError
from trtbench.figures.summary import Figures
from trtbench.referee.audit.findings import FAIL, WARN, voiding
from trtbench.report.headline import lead
from trtbench.report.language import ENGLISH
from trtbench.report.names import gpus
from trtbench.report.notices import demonstrates
from trtbench.settings.cells import MOST
from trtbench.settings.knobs import DEFAULTS, ROWS, show

# What is each machine's own matter, and what digests say better: the model's, the workload's.
_OF_MACHINE = {*NO_MATTER, "GPU_INDEX", "MODEL_NAME", "MODEL_REVISION"}

# What a figure can be. Records hold whole nanoseconds from 1 to MOST, so that no other time is of one; a factor of two is for
# rounding. Less than a millionth of a joule is one watt at a million tokens a second: no machine, but a counter that did not count,
# or a lie. What is put together from figures within these bounds is a number too, and can be written.
LATENCY = (0.5 / 1e6, 2 * MOST / 1e6)  # ms
THROUGHPUT = (1e3 / LATENCY[1], (ROWS["BATCH_SIZES"].high or 1) * (ROWS["NEW_TOKENS"].high or 1) * 1e3 / LATENCY[0])
RATIO = (LATENCY[0] / LATENCY[1], LATENCY[1] / LATENCY[0])
ENERGY = (1e-6, 1e9)  # J per new token
NUMBER = (math.ulp(0.0), math.inf)  # any that is above 0


class _Kept(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What is strictly read and never changed."""


class Measured(_Kept, frozen=True):
    """One lane in one cell. `latency` in ms, `throughput` in output tokens per second, `energy` in J per new token of all cards; None
    too where what was counted is within no bounds of what can be, and so nothing is known of it.

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
    """The run's own comparison on its own machine, of its headline's lane with the best PyTorch lane in one cell. Its interval is None
    without one, and where it is too wide for numbers."""

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
    """What is kept of a comparison; texts of records are made safe to show and cut. Raises UserError where a time, a rate or a ratio
    is none that records can give: whoever made it made all others, so that the run as a whole is refused."""
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


def _within(value: float | None, bounds: tuple[float, float]) -> bool:
    """Whether it is a number within these bounds."""
    return value is not None and math.isfinite(value) and bounds[0] <= value <= bounds[1]


def _held(value: float, bounds: tuple[float, float], name: str, lane: str) -> float:
    if not _within(value, bounds):
        raise UserError(f"the {name} of {plain(lane, NAME)} is {value:g}, which no records can give.")
    return value


def _own(a: Against, row: Row) -> Own:
    low, high = a.speedup.low, a.speedup.high
    bounded = _within(low, NUMBER) and _within(high, NUMBER)
    return Own(
        batch=row.batch,
        prompt_length=row.prompt_length,
        new_tokens=row.new_tokens,
        lane=plain(a.lane, NAME),
        precision=plain(a.precision, NAME),
        base=plain(a.base, NAME),
        base_precision=plain(a.base_precision, NAME),
        word=a.verdict.word,
        ratio=_held(a.speedup.ratio, RATIO, "speed-up", a.lane),
        low=low if bounded else None,
        high=high if bounded else None,
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
        latency=_held(f.latency, LATENCY, "latency", f.lane),
        throughput=_held(f.throughput, THROUGHPUT, "throughput", f.lane),
        energy=f.energy if _within(f.energy, ENERGY) else None,
        near=f.near if _within(f.near, (0.0, 1.0)) else None,
        left=f.left,
        simulated=f.simulated,
        refused=failed.code if failed is not None else "",
        disturbed=(f.lane, f.precision) in unquiet,
    )
