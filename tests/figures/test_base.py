"""Which PyTorch lanes may be the base: all that the trials can't tell from the fastest."""

from __future__ import annotations

import pytest

import factory
from trtbench.comparison.comparing import compare
from trtbench.figures.base import (
    base_of,
    candidates,
    cells_of,
    grouped,
    headline_cells,
    headline_intervals,
    headline_level,
    headline_rows,
    may_be_base,
    rivals_of,
    rows_of,
)
from trtbench.figures.summary import Figures
from trtbench.records.run import Departure, Run
from trtbench.records.trial import Trial
from trtbench.referee.audit.context import Context
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


def in_cells(lanes: dict[str, tuple[str, ...]], batches: tuple[int, ...] = (1, 8)) -> list[Trial]:
    """Three trials of each lane in each of its precisions, every one with a cell for each batch."""
    return [
        factory.trial(lane, index=i, position=i, precision=precision, cells=[
            factory.cell_record(Cell(batch=b, prompt_length=32, new_tokens=8, precision=precision), [ms + i, ms - i / 2])
            for b in batches
        ])
        for (lane, ms) in ((EAGER, 240.0), (TUNED, 200.0), ("onnxruntime", 100.0))
        for precision in lanes.get(lane, ())
        for i in (1, 2, 3)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lanes", "cells"),
    [
        ({EAGER: ("float32",), "onnxruntime": ("float32",)}, 2),
        ({EAGER: ("float32", "bfloat16"), "onnxruntime": ("float32", "bfloat16")}, 4),
        ({EAGER: ("float32",), "onnxruntime": ("float32", "int8")}, 4),  # int8 is held against full precision
        ({EAGER: ("float32",), "onnxruntime": ("int8",)}, 2),  # float32 has no headline
        ({EAGER: ("float32", "bfloat16")}, 4),  # nobody's headline: all cells
    ],
)
def test_precision_is_part_of_a_cell_and_each_has_one_headline(lanes: dict[str, tuple[str, ...]], cells: int) -> None:
    made, run = in_cells(lanes), factory.run([EAGER, "onnxruntime"], headline="onnxruntime")
    assert headline_cells(grouped(made), run) == cells
    levels = {level for _, _, level in headline_rows(made, run)}
    assert levels == ({headline_level(cells)} if "onnxruntime" in lanes else set())
    shown = [a.speedup.level for row in compare(run, made).cells for a in row.against if a.headline]
    assert shown == [1 - 0.05 / cells] * (cells if "onnxruntime" in lanes else 0)


def test_a_cell_that_the_headline_could_not_run_shares_the_level_too() -> None:
    made = in_cells({EAGER: ("float32",), "onnxruntime": ("float32",)})
    for trial in made:
        if trial.lane == "onnxruntime":
            trial.cells[1] = factory.cell_record(trial.cells[1].cell, hole="out of memory", e2e=None, ttft=None)
    assert headline_cells(grouped(made), factory.run([EAGER, "onnxruntime"])) == 2


def test_the_audit_the_comparison_and_the_stopping_share_the_level_of_candidates() -> None:
    """A PyTorch lane that is told from the fastest at the level of two cells, and not at that of four."""
    lanes = {EAGER: ("float32", "bfloat16"), TUNED: ("float32", "bfloat16"), "onnxruntime": ("float32", "bfloat16")}
    made, run = in_cells(lanes), factory.run([EAGER, TUNED, "onnxruntime"])
    factor = next(f for f in (1 + i / 1000 for i in range(1, 100)) if told_apart(f, 2) and not told_apart(f, 4))
    for trial in made:
        for record in trial.cells:
            assert record.e2e is not None
            scale = {EAGER: factor, TUNED: 1.0}.get(trial.lane, 0.5)
            record.e2e.times = [
                round(1e6 * scale * QUIET[trial.index]),
                round(1e6 * scale * QUIET[trial.index] * 1.001),
            ]
    both = {precision: [(TUNED, precision), (EAGER, precision)] for precision in ("float32", "bfloat16")}
    context = Context.of(run, made)
    assert {precision: context.bases[precision, (1, 32, 8)] for precision in both} == both
    assert {a.precision: a.candidates for a in compare(run, made).cells[0].against if a.headline} == both
    assert {len(bases) for _, bases, _ in headline_rows(made, run)} == {2}


def told_apart(factor: float, cells: int) -> bool:
    """Whether three trials tell a lane from one that takes so many times less, when so many cells share the level."""
    quiet = list(QUIET[1:4])
    return len(candidates(rows({TUNED: quiet, EAGER: [factor * ms for ms in quiet]}), "float32", cells=cells)) == 1


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
