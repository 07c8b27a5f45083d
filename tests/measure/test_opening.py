"""Which run the trials go into, and what it then knows of the lanes that may be the base."""

from __future__ import annotations

from pathlib import Path

import pytest

import factory
from trtbench.errors import UserError
from trtbench.measure import opening
from trtbench.records.run import Absent, Run
from trtbench.records.trial import Failure

EAGER, TUNED, HEAD = "pytorch-eager", "pytorch-tuned", "onnxruntime"


def opened(results: Path, fresh: Run, family: str | None = None, resume: str | None = None) -> opening.Opened:
    return opening.open_run(results, fresh, family, resume, False, False, lambda _: None)


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
