"""Which run the trials go into, and what it then knows of the lanes that may be the base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

import factory
from trtbench.errors import UserError
from trtbench.measure import opening
from trtbench.records.run import Absent, Departure, Run
from trtbench.records.trial import Environment, Failure, Trial
from trtbench.referee.audit import software as audit_software
from trtbench.referee.audit.context import Context

EAGER, TUNED, HEAD = "pytorch-eager", "pytorch-tuned", "onnxruntime"


def opened(results: Path, fresh: Run, family: str | None = None, resume: str | None = None) -> opening.Opened:
    return opening.open_run(results, fresh, {}, family, resume, False, False, lambda _: None)


@pytest.mark.parametrize(("family", "resume"), [("pytorch", None), (None, "")])
def test_a_run_that_is_joined_or_resumed_knows_the_candidates_of_both(
    tmp_path: Path, family: str | None, resume: str | None
) -> None:
    factory.store(tmp_path, factory.run([EAGER, HEAD]), [])
    fresh = factory.run([EAGER, TUNED], id="20990101-000000", candidates=[(EAGER, "bfloat16"), (TUNED, "float32")])
    run = opened(tmp_path, fresh, family, resume).run
    assert run.id == factory.RUN
    assert run.lanes == [EAGER, HEAD, TUNED]
    assert run.candidates == [(EAGER, "float32"), (EAGER, "bfloat16"), (TUNED, "float32")]


def test_joining_again_adds_no_candidate_twice(tmp_path: Path) -> None:
    factory.store(tmp_path, factory.run([EAGER, HEAD]), [])
    run = opened(tmp_path, factory.run([EAGER], id="20990101-000000"), family="pytorch").run
    assert run.candidates == [(EAGER, "float32")]


def test_candidates_are_read_as_they_were_written(tmp_path: Path) -> None:
    factory.store(tmp_path, factory.run([EAGER, TUNED, HEAD]), [])
    run = opened(tmp_path, factory.run([EAGER, TUNED, HEAD], id="20990101-000000"), resume="").run
    assert run.candidates == [(EAGER, "float32"), (TUNED, "float32")]


FIXED = {"EQUIVALENCE_MARGIN": 0.02, "SEED": 1, "TARGET_PRECISION": 0.005}


@pytest.mark.parametrize("name", FIXED)
def test_what_is_fixed_when_a_run_opens_may_not_differ_when_it_is_taken_up_again(tmp_path: Path, name: str) -> None:
    factory.store(tmp_path, factory.run([EAGER, HEAD]), [])
    fresh = factory.run([EAGER, HEAD], id="20990101-000000", settings=factory.settings(**{name.lower(): FIXED[name]}))
    with pytest.raises(
        UserError, match=f"cannot be resumed: {name} was [0-9.]+ and is {FIXED[name]}; give the settings"
    ):
        opened(tmp_path, fresh, resume="")
    assert opened(tmp_path, fresh, family="pytorch").run.id == fresh.id  # a step: a run of its own


def over(cards: int, **more: Any) -> Run:
    return factory.run([EAGER, HEAD], id="20990101-000000", settings=factory.settings(tp_size=cards), **more)


@pytest.mark.parametrize("another", [{}, {"machine": "0" * 64}])
def test_other_cards_are_told_before_the_other_machine_that_they_make(tmp_path: Path, another: dict[str, Any]) -> None:
    factory.store(tmp_path, factory.run([EAGER, HEAD]), [])
    fresh = over(2, **another)
    with pytest.raises(UserError, match="cannot be resumed: TP_SIZE was 1 and is 2; give the settings"):
        opened(tmp_path, fresh, resume="")
    notes: list[str] = []
    run = opening.open_run(tmp_path, fresh, {}, "pytorch", None, False, False, notes.append).run
    assert run.id == fresh.id and notes == [f"a run of its own, no step of run {factory.RUN}: TP_SIZE was 1 and is 2"]


def test_a_run_from_before_there_was_the_setting_had_one_card(tmp_path: Path) -> None:
    old = factory.run([EAGER, HEAD])
    del old.settings["TP_SIZE"]
    factory.store(tmp_path, old, [])
    assert opened(tmp_path, over(1), resume="").resumed
    with pytest.raises(UserError, match="TP_SIZE was 1 and is 2"):
        opened(tmp_path, over(2), resume="")


def declaring(headline: str, lanes: list[str]) -> Run:
    settings = factory.settings(headline=headline)
    return factory.run(lanes, id="20990101-000000", settings=settings, headline=headline or None)


def test_a_headline_that_was_fixed_may_not_be_named_otherwise(tmp_path: Path) -> None:
    factory.store(tmp_path, factory.run([EAGER, HEAD]), [])
    with pytest.raises(UserError, match="HEADLINE was onnxruntime and is vllm"):
        opened(tmp_path, declaring("vllm", [EAGER, HEAD]), resume="")
    assert opened(tmp_path, declaring(HEAD, [EAGER, HEAD]), resume="").run.headline == HEAD
    assert opened(tmp_path, declaring("", [EAGER, HEAD]), resume="").run.headline == HEAD


@pytest.mark.parametrize(("family", "resume"), [("onnxruntime", None), (None, "")])
def test_a_run_without_a_headline_takes_the_first_that_comes(
    tmp_path: Path, family: str | None, resume: str | None
) -> None:
    factory.store(tmp_path, factory.run([EAGER]), [])
    run = opened(tmp_path, factory.run([HEAD], id="20990101-000000"), family, resume).run
    assert (run.id, run.headline) == (factory.RUN, HEAD)


def test_why_a_lane_is_absent_stays_known_when_others_are_taken_up_again(tmp_path: Path) -> None:
    absent = [Absent(lane=TUNED, precision="float32", failure=Failure(phase="load", reason="no compiler"))]
    factory.store(tmp_path, factory.run([EAGER, TUNED, HEAD], absent=absent), [])
    run = opened(tmp_path, factory.run([EAGER, HEAD], id="20990101-000000"), resume="").run
    assert run.absent == absent
    assert opened(tmp_path, factory.run([EAGER], id="20990101-000000", absent=absent), resume="").run.absent == absent


# What a lane runs with may not change within a run

LANE = (EAGER, "float32")
OLD = factory.environment(libraries={"torch": "2.13.0", "transformers": "5.23.0"})
NEWER = {
    "a package": ({"libraries": {"torch": "2.13.0", "transformers": "5.24.0"}}, "transformers was 5.23.0 and is 5.24.0"),
    "one more": ({"libraries": {**OLD.libraries, "triton": "3.4.0"}}, "triton was not there and is 3.4.0"),
    "Python": ({"python": "3.14.0"}, "Python was 3.11.2 and is 3.14.0"),
    "environment": ({"venv": ".venv-cuda"}, "environment was the run's Python and is .venv-cuda"),
    "many": ({"libraries": {}, "python": "3"}, "Python was 3.11.2 and is 3, torch was 2.13.0 and is not there, "
             "transformers was 5.23.0 and is not there"),
}  # fmt: skip


def changed(**fields: Any) -> Environment:
    return msgspec.structs.replace(OLD, **fields)


def cut_off_run(results: Path, trials: list[Trial], **more: Any) -> None:
    factory.store(results, factory.run([EAGER, HEAD], stopped=None, **more), trials)


def asked_again(
    results: Path, environment: Environment, notes: list[str], pick_up: bool = False, **more: str
) -> opening.Opened:
    fresh = factory.run([EAGER, HEAD], id="20990101-000000")
    call = {"family": None, "resume": None, **more}
    return opening.open_run(
        results, fresh, {LANE: environment}, **call, pick_up=pick_up, new_run=False, note=notes.append
    )


@pytest.mark.parametrize("what", NEWER)
def test_a_run_is_not_gone_on_with_in_other_software(tmp_path: Path, what: str) -> None:
    fields, said = NEWER[what]
    now, notes = changed(**fields), list[str]()
    cut_off_run(tmp_path, [factory.trial(EAGER, environment=OLD)])
    with pytest.raises(UserError) as error:
        asked_again(tmp_path, now, notes, resume="")
    assert str(error.value) == (
        f"run {factory.RUN} cannot be resumed: for {EAGER}, {said}; install what it had, or start a new run."
    )
    for again in ({"pick_up": True}, {"family": "pytorch"}, {"family": "pytorch", "pick_up": True}):
        assert asked_again(tmp_path, now, notes, **again).run.id == "20990101-000000"  # type: ignore[arg-type]
        (note,) = notes
        assert note.startswith("a run of its own, ") and note.endswith(f": for {EAGER}, {said}")
        notes.clear()
    for again in ({"resume": ""}, {"pick_up": True}, {"family": "pytorch"}):
        assert asked_again(tmp_path, OLD, notes, **again).run.id == factory.RUN  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("trial", "departures"),
    [
        (factory.trial(HEAD, environment=OLD), []),  # of a lane that isn't run now
        (factory.trial(EAGER, environment=OLD, failure=Failure(phase="load", reason="no transformers")), []),
        (
            factory.trial(EAGER, environment=OLD),
            [Departure(lane=EAGER, precision="float32", round=1, position=1, rule="ratio", cells=[])],
        ),
    ],
    ids=["not run now", "failed", "left early"],
)
def test_the_software_of_trials_that_no_others_come_to_may_change(
    tmp_path: Path, trial: Trial, departures: list[Departure]
) -> None:
    cut_off_run(tmp_path, [trial], departures=departures)
    assert asked_again(tmp_path, changed(libraries={}), [], resume="").run.id == factory.RUN


OTHER = "1" * 40  # another version of this program, which may look for other packages


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        *((fields, False) for fields, _ in NEWER.values()),
        ({}, True),
        ({"git_commit": OTHER}, True),
        ({"git_commit": OTHER, "libraries": {**OLD.libraries, "onnxruntime-gpu": "1.24.0"}}, True),
        ({"git_commit": OTHER, "libraries": {"torch": "2.13.0"}}, True),
        ({"git_commit": OTHER, "libraries": {"transformers": "5.23.0"}}, False),  # torch is the lane's own
        ({"git_commit": OTHER, "libraries": {"torch": "2.12.0"}}, False),
        ({"git_commit": OTHER, "python": "3.14.0"}, False),
        ({"git_commit": OTHER, "venv": ".venv-cuda"}, False),
    ],
)
def test_what_is_gone_on_with_is_what_the_audit_lets_pass(
    tmp_path: Path, fields: dict[str, Any], allowed: bool
) -> None:
    now = changed(**fields)
    trials = [factory.trial(EAGER, index=n, position=n, environment=OLD) for n in (1, 2)]
    cut_off_run(tmp_path, trials)
    assert (opening.reinstalled(tmp_path, factory.run(), {LANE: now}) is None) == allowed
    trials.append(factory.trial(EAGER, index=3, position=3, environment=now))
    codes = {finding.code for finding in audit_software.check(Context.of(factory.run([EAGER]), trials))}
    assert ("provenance.versions" not in codes) == allowed


def test_trials_of_one_version_of_the_program_are_held_to_its_whole_list() -> None:
    longer = {**OLD.libraries, "triton": "3.4.0"}
    installed = [OLD, changed(git_commit=OTHER), changed(git_commit=OTHER, libraries=longer)]
    trials = [factory.trial(EAGER, index=n, position=n, environment=of) for n, of in enumerate(installed, 1)]
    (found,) = audit_software.check(Context.of(factory.run([EAGER]), trials))
    assert (found.code, found.figures["name"]) == ("provenance.versions", "triton")
