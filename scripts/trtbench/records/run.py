"""What a run is: what is fixed when it begins, how it ended, and which of its trials count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from trtbench.errors import UserError
from trtbench.records.checking import NEEDED, check_names, check_settings
from trtbench.records.files import Strict, check_fields, check_schema, shown
from trtbench.records.trial import Failure, Trial
from trtbench.settings.cells import Amount, Bandwidth, Batch, Level, NewTokens, Place, PromptLength

ID = re.compile(r"\d{8}-\d{6}(-\d{1,9})?")  # the UTC time of its beginning, and a number where that is taken


class Absent(Strict):
    """A lane that was asked for and is not in the run, with the reason."""

    lane: str
    precision: str
    failure: Failure


class Rules(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The rules by which a run decides, sealed in it before the first trial, so that the audit can decide again.

    A trial is disturbed where others took more than `foreign_cpu` of all cores, or used the card by more than `gpu_used`
    percent before it began, or where the card's clock was below `gpu_clock` of the run's before its first call. It is run
    again while `quiet` is "wait", up to `attempts` times, each after at most `wait` seconds.

    A lane leaves after round one when it takes `leave_ratio` times as long as the best PyTorch lane and more, in every cell,
    and after round three when it is slower in every cell at the level `leave_level`; neither where `leaves` is false.
    A PyTorch lane is a candidate for the base unless it is slower than the fastest one at `candidate_level`.
    """

    quiet: Literal["wait", "warn"]
    foreign_cpu: Amount
    gpu_used: Amount
    gpu_clock: Amount
    attempts: Place
    wait: Amount
    leaves: bool
    leave_ratio: Amount
    leave_level: Level
    candidate_level: Level


class Compared(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A lane that left beside the base of one cell: `ratio` is its time over the base's, `low` that ratio's lower bound."""

    batch: Batch
    prompt_length: PromptLength
    new_tokens: NewTokens
    base: str
    ratio: Amount
    low: Amount | None = None


class Departure(Strict):
    """A lane that ran no further trial after a `round`, by the `rule` "ratio" or "level", with its figures in every cell.
    `position` is that of the last trial that was there when it was decided: later ones may be of that round too, run again
    when the run was taken up again."""

    lane: str
    precision: str
    round: Place
    position: Place
    rule: str
    cells: list[Compared]


class Tried(Strict):
    """A value of an engine's setting that was tried before the first timed trial: mean `seconds` a generation, one a process.
    `failure`: why it could not be tried, or why the makers' default was taken without figures enough."""

    lane: str
    precision: str
    batch: Batch
    prompt_length: PromptLength
    new_tokens: NewTokens
    setting: str
    value: str
    seconds: list[Amount]
    chosen: bool
    failure: str | None = None


class Unquiet(Strict):
    """From which `position` on disturbed trials were not run again, and why: "warn" (QUIET) or "not_quiet": others went on
    taking `share` of all cores, or a GPU, for as long as was waited."""

    position: Place
    kind: Literal["warn", "not_quiet"]
    share: Amount | None = None


class Run(Strict):
    """What is fixed when a run begins, and how it ended. `headline` is declared before the first trial.

    Of schema 2: `rules` and `candidates` (PyTorch lanes that may be the base, each with its precision) are sealed before the
    first trial;
    `departures` are lanes that left early, `tried` settings of engines, `unquiet` says that the machine was not left alone.
    """

    schema: int
    id: str
    created: str
    workload_digest: str
    model_digest: str
    machine: str
    settings: dict[str, Any]
    demonstration: bool
    headline: str | None = None
    lanes: list[str] = []
    absent: list[Absent] = []
    stopped: str | None = None
    read_bandwidth: Bandwidth | None = None
    command: str = ""
    rules: Rules | None = None
    candidates: list[tuple[str, str]] | None = None
    departures: list[Departure] | None = None
    tried: list[Tried] | None = None
    unquiet: Unquiet | None = None


def check_run(run: Run, where: str) -> Run:
    """Refuse a run that was decoded and is of no version that is read, or not of the one that it says it is, whose id leads
    to a folder that is none of a run, or that names what no table knows."""
    check_schema(run.schema, where)
    if not ID.fullmatch(run.id):
        raise UserError(f"{where} has the id {shown(run.id)!r}; an id is a time such as 20260102-030405.")
    check_settings(where, run.settings, NEEDED)
    named = [*run.absent, *(run.departures or ()), *(run.tried or ())]
    candidates = run.candidates or []
    lanes = [*run.lanes, run.headline, *(part.lane for part in named), *(lane for lane, _ in candidates)]
    bases = [cell.base for departure in run.departures or () for cell in departure.cells]
    check_names(
        where, lanes + bases, [*(part.precision for part in named), *(precision for _, precision in candidates)]
    )
    required = {"rules": run.rules, "candidates": run.candidates, "departures": run.departures}
    check_fields(
        run.schema, where, required, {"tried": run.tried, "unquiet": run.unquiet, "QUIET": run.settings.get("QUIET")}
    )
    return run


def sort_key(trial: Trial) -> tuple[str, int, str, str, int, int]:
    """The order of trials: runs, then places in the run."""
    return trial.run, trial.position, trial.lane, trial.precision, trial.index, trial.attempt


def counting(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that count: for each number of a lane the last attempt, when it did not fail. One that was disturbed and
    not run again counts too; what is compared with it is weak."""
    last: dict[tuple[str, str, str, int], Trial] = {}
    for trial in trials:
        key = (trial.run, trial.lane, trial.precision, trial.index)
        if key not in last or trial.attempt > last[key].attempt:
            last[key] = trial
    return [trial for trial in last.values() if trial.failure is None]
