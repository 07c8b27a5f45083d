"""Which run the trials go into: a new one, the one to resume, or the current one that a single step joins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from trtbench.errors import UserError
from trtbench.figures.base import Key, departed
from trtbench.records import run_folder, software
from trtbench.records.run import Run, counting
from trtbench.records.trial import Environment
from trtbench.settings.knobs import show
from trtbench.settings.sealed import FIXED

_NAMED = 3  # packages that one sentence names


class Opened(NamedTuple):
    """The run, whether it was `resumed`, and whether trials of another step stand in it already (`joined`)."""

    run: Run
    resumed: bool = False
    joined: bool = False


def open_run(
    results: Path,
    fresh: Run,
    environments: Mapping[Key, Environment],
    family: str | None,
    resume: str | None,
    pick_up: bool,
    new_run: bool,
    note: Callable[[str], None],
) -> Opened:
    """`fresh`, or what it is added to; `environments` is what each lane would run in now. `resume` is the id of the run to go on
    with (empty: the latest); `pick_up` goes on with the latest when it was cut off; a step of a `family` joins the current run
    unless `new_run`."""
    if pick_up and resume is None and not new_run:
        resume = cut_off(results, fresh, environments, family, note)
    if resume is not None:
        return Opened(_resumed(results, fresh, environments, resume), resumed=True)
    run_ids = run_folder.listed(results)
    if family is not None and not new_run and run_ids:
        current = run_folder.read(results, run_ids[-1])
        reason = differs(current, fresh) or reinstalled(results, current, environments)
        if reason is not None:
            note(f"a run of its own, no step of run {current.id}: {reason}")
        else:
            joined = bool(set(current.lanes) - set(fresh.lanes)) or bool(run_folder.trials(results, current.id))
            current.stopped = None
            _wait_anew(current, fresh)
            _extend(current, fresh)
            return Opened(current, joined=joined)
    return Opened(fresh)


def _resumed(results: Path, fresh: Run, environments: Mapping[Key, Environment], run_id: str) -> Run:
    current = run_folder.read(results, run_folder.find(results, run_id or None))
    reason = differs(current, fresh)
    if reason:
        raise UserError(
            f"run {current.id} cannot be resumed: {reason}; give the settings it was started with, or start a new run."
        )
    reason = reinstalled(results, current, environments)
    if reason:
        raise UserError(f"run {current.id} cannot be resumed: {reason}; install what it had, or start a new run.")
    current.stopped = None
    _wait_anew(current, fresh)
    _extend(current, fresh)
    return current


def _extend(current: Run, fresh: Run) -> None:
    """Let the lanes of `fresh`, and those of them that may be the base, belong to the run too, and its headline where the run
    has none. Why a lane is absent stays known: one that is prepared again is taken off the list then."""
    current.absent += [absent for absent in fresh.absent if absent not in current.absent]
    current.headline = current.headline or fresh.headline
    current.lanes += [name for name in fresh.lanes if name not in current.lanes]
    known = current.candidates or []
    current.candidates = [*known, *(key for key in fresh.candidates or () if key not in known)]


def _wait_anew(current: Run, fresh: Run) -> None:
    """The machine may be quiet by now: what was disturbed is run again, or not, as this call wishes it."""
    current.unquiet = None
    if current.rules is not None and fresh.rules is not None:
        current.rules = msgspec.structs.replace(current.rules, quiet=fresh.rules.quiet)


def cut_off(
    results: Path,
    fresh: Run,
    environments: Mapping[Key, Environment],
    family: str | None,
    note: Callable[[str], None],
) -> str | None:
    """The id of the latest run, when it never came to its end and is what is asked for again."""
    run_ids = run_folder.listed(results)
    latest = run_folder.read(results, run_ids[-1]) if run_ids else None
    if latest is None or latest.stopped is not None or differs(latest, fresh) is not None:
        return None
    same_lanes = set(fresh.lanes) <= set(latest.lanes) if family else set(fresh.lanes) == set(latest.lanes)
    if not same_lanes:
        return None
    reason = reinstalled(results, latest, environments)
    if reason is not None:
        if family is None:  # a step says so when it joins no run
            note(f"a run of its own, run {latest.id} stays cut off: {reason}")
        return None
    note(f"run {latest.id} was cut off; going on with it")
    return latest.id


def differs(current: Run, fresh: Run) -> str | None:
    """Say why trials of `fresh` cannot stand in the run `current`, or None."""
    if current.schema != fresh.schema:
        return f"it was recorded with schema version {current.schema}"
    # A machine's name holds its cards, so this comes first. Runs recorded before there was the setting had one card.
    was, now = current.settings.get("TP_SIZE", 1), fresh.settings.get("TP_SIZE", 1)
    if was != now:
        return f"TP_SIZE was {was} and is {now}"
    if current.machine != fresh.machine:
        return "this is another machine"
    if current.model_digest != fresh.model_digest:
        return "the model is another one"
    if current.workload_digest != fresh.workload_digest:
        return "the prompts, cells or sampling differ"
    for name in FIXED:
        if name not in fresh.settings or name == "TP_SIZE":
            continue
        if current.settings.get(name) != fresh.settings[name]:
            return f"{name} was {show(name, current.settings.get(name))} and is {show(name, fresh.settings[name])}"
    # A step that names none has no objection to the headline of another.
    if current.headline and fresh.settings.get("HEADLINE") and current.headline != fresh.headline:
        return f"HEADLINE was {current.headline} and is {fresh.headline}"
    return None


def reinstalled(results: Path, current: Run, environments: Mapping[Key, Environment]) -> str | None:
    """Say what a lane that has trials in the run `current`, and would have more now, no longer runs with, or None: the audit
    refuses a mean over two releases."""
    gone = departed(current)
    for trial in counting(run_folder.trials(results, current.id)):
        key = trial.lane, trial.precision
        if key not in environments or key in gone:
            continue
        differing = software.differences(trial.environment, environments[key], trial.lane)
        if differing:
            told = [f"{name} was {_value(was)} and is {_value(now)}" for name, was, now in differing[:_NAMED]]
            more = [f"{len(differing) - _NAMED} more differ"] if len(differing) > _NAMED else []
            return f"for {trial.lane}, {', '.join([*told, *more])}"
    return None


def _value(version: str) -> str:
    return {software.ABSENT: "not there", software.RUNS_OWN: f"the {software.RUNS_OWN}"}.get(version, version)
