"""What a comparison is: the typed result that every report file is printed from."""

from __future__ import annotations

from typing import Any

import msgspec

from trtbench.figures.speedup import Interval, Verdict
from trtbench.figures.summary import Figures, Hole, Where
from trtbench.records.run import Absent, Tried
from trtbench.records.telemetry import Disturbance
from trtbench.records.trial import Environment, Model, Statement
from trtbench.records.trtllm_report import Latency
from trtbench.referee.audit.findings import Finding


class Change(msgspec.Struct, kw_only=True, frozen=True):
    """One lane in one cell, now and earlier. `latency` and `earlier` are ms; the ratio of `speedup` is earlier over now,
    so above 1 it got faster. `verdict` is void (with the finding's code) when the audit refuses either side, none for
    stand-ins, for another model and below three trials."""

    lane: str
    precision: str
    batch: int
    prompt_length: int
    new_tokens: int
    latency: float
    earlier: float
    speedup: Interval
    verdict: Verdict


class Lost(msgspec.Struct, kw_only=True, frozen=True):
    """A lane and cell that had figures then, was asked for now and has none."""

    lane: str
    precision: str
    batch: int
    prompt_length: int
    new_tokens: int
    reason: str


class Difference(msgspec.Struct, kw_only=True, frozen=True):
    """One condition that is not the same. `kind`: machine, version, model, workload, setting or lane; `lane` says whose it is,
    of a version too where lanes ran in environments of their own. None where a side does not know it."""

    kind: str
    name: str
    lane: str | None
    now: str | None
    earlier: str | None


class History(msgspec.Struct, kw_only=True, frozen=True):
    """`source`: run, folder, bundle or report; figures of a report could not be audited again, `fails` counts what the
    audit refuses of the other side. `unpaired` are lanes and cells that only one side has."""

    run: str
    created: str
    source: str
    same_machine: bool
    same_model: bool
    simulated: bool
    fails: int
    changes: list[Change]
    lost: list[Lost]
    unpaired: int
    differences: list[Difference]


class Against(msgspec.Struct, kw_only=True, frozen=True):
    """One lane against the base of its cell. Shares are positive when the lane is better (less time, more tokens/s).

    `base` is the fastest PyTorch lane by its mean; `candidates` are all lanes (with their precisions) that can't be told
    from it, itself first, and `speedup` runs over all of them. Reports of earlier versions name none.

    `weak` says why little hangs on the verdict: few (trials), not_quiet (others disturbed trials that count), lost (they
    disturbed one side at least twice as often), put_back (with what they disturbed put back the word is another), doubted
    (the audit warns of a time that is compared), unjudged (nobody judged what the
    lane returned) or judge_failed (nobody could); the last two stand beside no verdict too.

    `torches`: lane, precision and torch of the lane and then of its candidates, where it runs in another release or build of
    torch than one of them; empty where they have the same one, and where the lane has none."""

    lane: str
    precision: str
    base: str
    base_precision: str
    same_precision: bool
    headline: bool
    speedup: Interval
    verdict: Verdict
    reduction: float
    gain: float
    memory_variation: float | None
    candidates: list[tuple[str, str]] = []
    weak: list[str] = []
    torches: list[tuple[str, str, str]] = []


class Row(msgspec.Struct, kw_only=True):
    """One cell of the report: all lanes in it, the best PyTorch lane, the comparisons. `trtllm_bench`: what NVIDIA's own
    benchmark says of the engines in it; it changes none of the figures."""

    batch: int
    prompt_length: int
    new_tokens: int
    figures: list[Figures]
    holes: list[Hole]
    against: list[Against]
    trtllm_bench: list[Latency] = []

    @property
    def where(self) -> Where:
        """Batch, prompt length and new tokens."""
        return self.batch, self.prompt_length, self.new_tokens

    @property
    def by_lane(self) -> dict[tuple[str, str], Against]:
        """The comparisons by lane and precision; a base has none."""
        return {(a.lane, a.precision): a for a in self.against}


class Stated(msgspec.Struct, kw_only=True):
    """What a lane said about itself in its first trial that counts."""

    lane: str
    precision: str
    statement: Statement


class Software(msgspec.Struct, kw_only=True, frozen=True):
    """What a lane ran in: its engine, as it states it; `venv`, the environment of its own (None: the run's own Python, or the
    image's); that one's Python and packages; and the torch that it computes with, None where it has none."""

    lane: str
    precision: str
    runtime: str | None
    runtime_version: str | None
    torch: str | None
    venv: str | None
    python: str
    libraries: dict[str, str]


class CardState(msgspec.Struct, kw_only=True, frozen=True):
    """How the card was while the calls of one lane were timed, over all of its trials that count: SM clock in MHz (median,
    lowest, highest, and the card's own highest), highest temperature in °C, mean power, the lowest and highest power cap and
    the one that its maker gave it, in W, and what `held_back` its clocks, by NVML's names. None where it is not known."""

    lane: str
    precision: str
    sm_clock: float | None
    sm_clock_low: int | None
    sm_clock_high: int | None
    sm_clock_max: int | None
    temperature: int | None
    power: float | None
    power_cap_low: float | None
    power_cap_high: float | None
    power_cap_default: float | None
    held_back: list[str] | None


class Disturbed(msgspec.Struct, kw_only=True, frozen=True):
    """A trial that others disturbed, and how. It `counts` where the machine did not become quiet; else it was run again."""

    lane: str
    precision: str
    index: int
    attempt: int
    counts: bool
    reasons: list[Disturbance]


class FailedAttempt(msgspec.Struct, kw_only=True, frozen=True):
    """An attempt at a trial that failed, and why. `again`: another attempt at the trial counts in its place."""

    lane: str
    precision: str
    index: int
    attempt: int
    reason: str
    again: bool


class Comparison(msgspec.Struct, kw_only=True, tag="comparison", tag_field="kind"):
    """What the report files are printed from; `program` is the version of this program that compared, the environment has the
    one that measured."""

    schema: int
    run: str
    created: str
    command: str
    stopped: str | None
    model: Model
    environment: Environment
    settings: dict[str, Any]
    demonstration: bool
    simulated: bool
    interleaved: bool
    workload_digest: str
    read_bandwidth: float | None
    headline_lane: str | None
    cells: list[Row]
    failed: list[Absent]
    not_run: list[str]
    findings: list[Finding] = []
    statements: list[Stated] = []
    history: History | None = None
    disturbed: list[Disturbed] = []
    tried: list[Tried] = []
    failed_attempts: list[FailedAttempt] = []
    cards: list[CardState] = []
    software: list[Software] = []
    program: str | None = None

    @property
    def void(self) -> bool:
        """Whether a failed finding voids a verdict."""
        return any(a.verdict.word == "void" for row in self.cells for a in row.against)
