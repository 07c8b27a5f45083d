"""Which run the trials go into, and what it then knows of the lanes that may be the base."""

from __future__ import annotations

from pathlib import Path

import pytest

import factory
from trtbench.measure import opening
from trtbench.records.run import Run

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
