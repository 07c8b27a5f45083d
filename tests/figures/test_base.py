"""Which PyTorch lanes may be the base: all that the trials can't tell from the fastest."""

from __future__ import annotations

import pytest

import factory
from trtbench.figures.base import (
    base_of,
    candidates,
    cells_of,
    grouped,
    headline_intervals,
    may_be_base,
    rivals_of,
    rows_of,
)
from trtbench.figures.summary import Figures
from trtbench.records.run import Departure, Run
from trtbench.settings.cells import Cell

QUIET = (100.0, 100.4, 99.6, 100.2, 99.8)
EAGER, COMPILE, TUNED = "pytorch-eager", "pytorch-compile", "pytorch-tuned"


def rows(means: dict[str, list[float]], precision: str = "float32") -> list[Figures]:
    cell = Cell(batch=1, prompt_length=32, new_tokens=8, precision=precision)
    groups = grouped(factory.trials(means, cell=cell))
    (where,) = cells_of(groups)
    return rows_of(groups, where)


def scaled(factor: float, noise: float = 1.0, trials: int = 5) -> list[float]:
    return [factor * (100 + noise * (ms - 100)) for ms in QUIET[:trials]]


def names(found: list[Figures]) -> list[str]:
    return [f.lane for f in found]


def left(lane: str) -> Run:
    gone = Departure(lane=lane, precision="float32", round=1, position=3, rule="ratio", cells=[])
    return factory.run([EAGER, COMPILE, "onnxruntime"], departures=[gone])


def test_lanes_that_the_trials_cannot_tell_apart_are_all_candidates_the_fastest_first() -> None:
    measured = rows({EAGER: scaled(1.001), COMPILE: scaled(1.0), TUNED: scaled(1.2), "onnxruntime": scaled(0.5)})
    assert names(candidates(measured, "float32")) == [COMPILE, EAGER]
    base = base_of(measured, "float32")
    assert base is not None and base.lane == COMPILE


def test_a_noisy_lane_is_a_candidate_however_slow_its_mean() -> None:
    assert names(candidates(rows({EAGER: scaled(1.0), TUNED: scaled(1.1, 40)}), "float32")) == [EAGER, TUNED]


@pytest.mark.parametrize(("factor", "is_one"), [(1.1, True), (1.9, True), (2.1, False)])
def test_with_fewer_than_three_trials_only_what_is_far_off_is_told_apart(factor: float, is_one: bool) -> None:
    measured = rows({EAGER: scaled(1.0), TUNED: scaled(factor, trials=1)})
    assert names(candidates(measured, "float32")) == ([EAGER, TUNED] if is_one else [EAGER])


def test_a_lane_that_left_is_neither_base_nor_candidate_whatever_the_others_do_later() -> None:
    measured = rows({EAGER: scaled(1.0), COMPILE: scaled(0.9, trials=1), "onnxruntime": scaled(0.5)})
    assert names(candidates(measured, "float32")) == [COMPILE, EAGER]
    base = base_of(measured, "float32", left(COMPILE))
    assert base is not None and base.lane == EAGER
    assert names(candidates(measured, "float32", left(COMPILE))) == [EAGER]


def test_candidates_are_of_the_lanes_own_precision_and_for_a_quantised_one_without_any_of_all() -> None:
    measured = rows({EAGER: scaled(1.0)}) + rows({EAGER: scaled(0.999)}, "bfloat16")
    assert [(f.lane, f.precision) for f in candidates(measured, "float32")] == [(EAGER, "float32")]
    assert [f.precision for f in candidates(measured, "int8")] == ["bfloat16", "float32"]
    assert candidates(measured, "float16") == []


@pytest.mark.parametrize(
    ("key", "precision", "may"),
    [
        ((EAGER, "float32"), "float32", True),
        ((EAGER, "bfloat16"), "float32", False),
        ((EAGER, "bfloat16"), "int8", True),
        ((EAGER, "int8"), "int8", False),
        (("onnxruntime", "float32"), "float32", False),
        (("unheard-of", "float32"), "float32", False),
    ],
)
def test_a_base_is_a_pytorch_lane_in_a_full_precision(key: tuple[str, str], precision: str, may: bool) -> None:
    assert may_be_base(key, precision) is may


def test_the_level_is_the_one_sealed_in_the_run() -> None:
    measured = rows({EAGER: scaled(1.0), TUNED: scaled(1.002)})
    run = factory.run([EAGER, TUNED])
    assert run.rules is not None
    fields = {name: getattr(run.rules, name) for name in run.rules.__struct_fields__}
    run.rules = type(run.rules)(**{**fields, "candidate_level": 0.5})
    assert names(candidates(measured, "float32")) == [EAGER, TUNED]
    assert names(candidates(measured, "float32", run)) == [EAGER]


def test_the_cells_of_a_run_share_the_level() -> None:
    measured = rows({EAGER: scaled(1.0), TUNED: scaled(1.005)})
    assert names(candidates(measured, "float32")) == [EAGER]
    assert names(candidates(measured, "float32", cells=50)) == [EAGER, TUNED]


def test_a_candidate_is_held_against_the_others_and_the_base_against_none() -> None:
    measured = rows({EAGER: scaled(1.001), COMPILE: scaled(1.0), "onnxruntime": scaled(0.5)})
    by_lane = {f.lane: names(rivals_of(f, measured)) for f in measured}
    assert by_lane == {EAGER: [COMPILE], COMPILE: [], "onnxruntime": [COMPILE, EAGER]}


def test_the_headlines_interval_runs_over_all_candidates() -> None:
    run = factory.run([EAGER, COMPILE, "onnxruntime"])
    both = factory.trials({EAGER: scaled(1.0), COMPILE: scaled(1.02, 10), "onnxruntime": scaled(0.5)})
    (over,) = headline_intervals(both, run)
    (one,) = headline_intervals([t for t in both if t.lane != COMPILE], run)
    assert over.low is not None and over.high is not None and one.low is not None and one.high is not None
    assert over.ratio == pytest.approx(one.ratio)
    assert over.low <= one.low and over.high > one.high
