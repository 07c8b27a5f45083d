"""Which lanes leave: those that can be the base in no cell, never the headline, and only by the sealed rules."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import factory
from trtbench.figures.base import candidates, cells_of, grouped, rows_of
from trtbench.figures.leaving import departures
from trtbench.records.run import Departure, Run
from trtbench.records.telemetry import Disturbance
from trtbench.records.trial import Trial
from trtbench.settings.cells import Cell

EAGER, COMPILE, HEAD, OTHER = "pytorch-eager", "pytorch-compile", "onnxruntime", "openvino"
CELLS = [Cell(batch=b, prompt_length=32, new_tokens=8, precision="float32") for b in (1, 8)]
NOISE = (0.0, 0.004, -0.004)


def run(**more: object) -> Run:
    return factory.run([EAGER, COMPILE, HEAD, OTHER], headline=HEAD, **more)


def rounds(means: dict[str, tuple[float, ...]], count: int = 1) -> list[Trial]:
    """Trials with one mean a cell, in as many rounds."""
    return [
        factory.trial(
            lane,
            index=i + 1,
            position=i * len(means) + place + 1,
            cells=[factory.cell_record(c, [ms * (1 + NOISE[i]) * (1 + place / 1e4)]) for c, ms in zip(CELLS, in_cells)],
        )
        for i in range(count)
        for place, (lane, in_cells) in enumerate(means.items())
    ]


def who(trials: list[Trial], record: Run, finished: int) -> list[tuple[str, str]]:
    return [(d.lane, d.rule) for d in departures(trials, record, finished)]


def test_a_lane_twice_as_slow_in_every_cell_leaves_after_round_one_with_its_figures() -> None:
    trials = rounds({EAGER: (250.0, 300.0), COMPILE: (100.0, 100.0), HEAD: (400.0, 400.0)})
    (left,) = departures(trials, run(), 1)
    assert (left.lane, left.precision, left.round, left.rule) == (EAGER, "float32", 1, "ratio")
    assert [(c.batch, c.base, round(c.ratio, 2), c.low) for c in left.cells] == [
        (1, COMPILE, 2.5, None), (8, COMPILE, 3.0, None),
    ]  # fmt: skip


@pytest.mark.parametrize("means", [(250.0, 190.0), (250.0, 90.0), (190.0, 190.0)])
def test_a_lane_that_is_not_so_slow_in_a_cell_stays(means: tuple[float, ...]) -> None:
    assert who(rounds({EAGER: means, COMPILE: (100.0, 100.0)}), run(), 1) == []


def test_the_headline_never_leaves_and_any_other_lane_may() -> None:
    trials = rounds({EAGER: (100.0, 100.0), HEAD: (900.0, 900.0), OTHER: (900.0, 900.0)})
    assert who(trials, run(), 1) == [(OTHER, "ratio")]


def test_a_lane_slower_at_the_level_in_every_cell_leaves_after_round_three_and_not_before() -> None:
    trials = rounds({EAGER: (105.0, 110.0), COMPILE: (100.0, 100.0)}, 3)
    (left,) = departures(trials, run(), 3)
    assert (left.lane, left.rule) == (EAGER, "level")
    assert all(c.low is not None and 1 < c.low < c.ratio for c in left.cells)
    for finished in (1, 2):
        assert who([t for t in trials if (t.round or 0) <= finished], run(), finished) == []


def test_a_lane_that_is_the_base_of_one_cell_stays() -> None:
    assert who(rounds({EAGER: (105.0, 90.0), COMPILE: (100.0, 100.0)}, 3), run(), 3) == []


def test_a_lane_alone_in_a_cell_stays() -> None:
    trials = rounds({EAGER: (250.0, 300.0), COMPILE: (100.0,)})
    assert who(trials, run(), 1) == []


def with_a_hole(lane: str) -> list[Trial]:
    trials = rounds({EAGER: (250.0, 300.0), COMPILE: (100.0, 100.0), HEAD: (90.0, 90.0), OTHER: (400.0, 400.0)})
    for trial in trials:
        if trial.lane == lane:
            trial.cells[1] = factory.cell_record(CELLS[1], hole="out of memory", e2e=None, ttft=None)
    return trials


def test_a_pytorch_lane_without_figures_in_a_cell_stays_for_it_may_be_the_base_there() -> None:
    assert who(with_a_hole(EAGER), run(), 1) == [(OTHER, "ratio")]
    assert who(with_a_hole(HEAD), run(), 1) == [(EAGER, "ratio"), (OTHER, "ratio")]


def test_a_lane_that_can_be_no_base_leaves_whatever_cells_it_lacks() -> None:
    assert who(with_a_hole(OTHER), run(), 1) == [(EAGER, "ratio"), (OTHER, "ratio")]


def test_a_departure_knows_the_last_trial_that_was_there() -> None:
    (left,) = departures(rounds({EAGER: (250.0, 300.0), COMPILE: (100.0, 100.0)}), run(), 1)
    assert left.position == 2


def test_two_trials_are_too_few_for_the_level() -> None:
    trials = [t for t in rounds({EAGER: (150.0, 150.0), COMPILE: (100.0, 100.0)}, 3) if (t.lane, t.round) != (EAGER, 2)]
    assert who(trials, run(), 3) == []


def test_nobody_leaves_where_the_rules_say_so_or_where_there_are_none() -> None:
    trials = rounds({EAGER: (250.0, 300.0), COMPILE: (100.0, 100.0)})
    record = run()
    assert record.rules is not None
    fields = {name: getattr(record.rules, name) for name in record.rules.__struct_fields__}
    assert who(trials, run(rules=type(record.rules)(**{**fields, "leaves": False})), 1) == []
    assert who(trials, run(rules=None), 1) == []


def test_a_lane_whose_trial_somebody_disturbed_stays() -> None:
    trials = rounds({EAGER: (250.0, 300.0), COMPILE: (100.0, 100.0)})
    trials[0].disturbed = [Disturbance(kind="cpu", value=0.2, limit=0.01)]
    assert who(trials, run(), 1) == []


def test_nobody_leaves_twice_nor_once_a_later_round_has_begun() -> None:
    trials = rounds({EAGER: (250.0, 300.0), COMPILE: (100.0, 100.0)}, 2)
    first = [t for t in trials if t.round == 1]
    assert who(trials, run(), 1) == []
    gone = Departure(lane=EAGER, precision="float32", round=1, position=3, rule="ratio", cells=[])
    assert who(first, run(departures=[gone]), 1) == []


def test_each_precision_is_held_against_its_own_base() -> None:
    half = [Cell(batch=c.batch, prompt_length=32, new_tokens=8, precision="bfloat16") for c in CELLS]
    trials = rounds({COMPILE: (100.0, 100.0)})
    slow = factory.trial(EAGER, position=9, precision="bfloat16", cells=[factory.cell_record(c, [900.0]) for c in half])
    assert who([*trials, slow], run(), 1) == []


MEAN = st.floats(90.0, 400.0)


@settings(max_examples=40, deadline=None)
@given(
    means=st.fixed_dictionaries({lane: st.tuples(MEAN, MEAN) for lane in (EAGER, COMPILE, HEAD, OTHER)}),
    finished=st.sampled_from([1, 3]),
)
def test_no_candidate_and_no_headline_leaves_whatever_the_times(
    means: dict[str, tuple[float, ...]], finished: int
) -> None:
    trials = rounds(means, finished)
    leaving = departures(trials, run(), finished)
    assert HEAD not in {d.lane for d in leaving}
    groups = grouped(trials)
    for where in cells_of(groups):
        may_be_base = {f.lane for f in candidates(rows_of(groups, where), "float32", run())}
        assert not may_be_base & {d.lane for d in leaving}
