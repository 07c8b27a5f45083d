"""When a run is long enough."""

from __future__ import annotations

import pytest

import factory
from trtbench.measure.stopping import Stop, enough, headline_widths, narrow, without_last
from trtbench.records.run import Departure
from trtbench.settings.knobs import Settings

STEADY = {
    "pytorch-eager": [240.0, 240.1, 239.9, 240.0, 240.05, 239.95, 240.0, 240.1, 240.0],
    "onnxruntime": [100.0, 100.05, 99.95, 100.0, 100.02, 99.98, 100.0, 100.04, 100.0],
}
WILD = {"pytorch-eager": [240.0, 200.0, 280.0, 220.0, 260.0], "onnxruntime": [100.0, 80.0, 120.0, 90.0, 110.0]}
AUTO = Settings(trials=0, target_precision=0.01)


def at(rounds: int, spent: float = 10.0, next_round: float | None = 5.0, budget: float | None = 1000.0) -> Stop:
    return Stop(rounds=rounds, spent=spent, next_round=next_round, budget=budget)


def test_the_first_round_always_runs() -> None:
    assert enough([], factory.run(), AUTO, at(0, spent=1e6)) is None


def test_auto_stops_after_nine_rounds_when_the_headline_is_narrow() -> None:
    said = enough(factory.trials(STEADY), factory.run(), AUTO, at(9))
    assert said == "every headline interval is within 1.0% after 9 rounds"


def test_a_run_taken_up_again_stops_for_a_narrow_interval_in_no_round_that_was_run_before() -> None:
    """A lane that came with the call is to have all rounds of the others."""
    trials = factory.trials({lane: [ms] * 12 for lane, ms in (("pytorch-eager", 200.0), ("onnxruntime", 100.0))})
    assert enough(trials, factory.run(), AUTO, at(9)) is None
    assert enough(trials, factory.run(), AUTO, at(12)) is not None


def test_auto_stops_only_when_the_headline_was_narrow_a_round_earlier_too() -> None:
    late = {lane: [*ms[:7], ms[7] * 1.03, ms[8]] for lane, ms in STEADY.items()}
    lucky = {"pytorch-eager": [*STEADY["pytorch-eager"][:8], 240.0], "onnxruntime": late["onnxruntime"]}
    wide = headline_widths(factory.trials(lucky), factory.run())
    settings = Settings(trials=0, target_precision=wide[0] * 1.001)
    assert narrow(factory.trials(lucky), factory.run(), settings.target_precision)
    assert enough(factory.trials(lucky), factory.run(), settings, at(9)) is None


def test_auto_never_stops_for_a_narrow_interval_before_nine_rounds() -> None:
    eight = {lane: ms[:8] for lane, ms in STEADY.items()}
    assert enough(factory.trials(eight), factory.run(), AUTO, at(8)) is None


def test_auto_goes_on_while_the_interval_is_wide_until_the_time_is_spent() -> None:
    trials = factory.trials(WILD)
    assert enough(trials, factory.run(), AUTO, at(5)) is None
    said = enough(trials, factory.run(), AUTO, at(5, spent=996.0))
    assert said is not None
    assert said.startswith("TIME_BUDGET=1000 s is spent after 5 rounds")


@pytest.mark.parametrize(
    ("spent", "next_round", "stops"), [(994.0, 5.0, False), (996.0, 5.0, True), (996.0, None, False)]
)
def test_no_round_starts_that_would_end_too_late(spent: float, next_round: float | None, stops: bool) -> None:
    said = enough(factory.trials(WILD), factory.run(), AUTO, at(5, spent, next_round))
    assert (said is not None) == stops


@pytest.mark.parametrize(
    ("rounds", "asked", "stops"), [(1, False, False), (2, False, False), (3, False, True), (2, True, True)]
)
def test_a_budget_that_nobody_set_leaves_three_rounds(rounds: int, asked: bool, stops: bool) -> None:
    at_end = Stop(rounds=rounds, spent=2000.0, next_round=5.0, budget=1000.0, asked=asked)
    assert (enough(factory.trials(WILD), factory.run(), AUTO, at_end) is not None) == stops


def test_a_fixed_number_of_trials_is_not_cut_short_by_a_narrow_interval() -> None:
    assert enough(factory.trials(STEADY), factory.run(), Settings(trials=12), at(9, budget=None)) is None


def test_a_run_without_a_headline_comparison_is_never_narrow() -> None:
    alone = factory.trials({"pytorch-eager": STEADY["pytorch-eager"]})
    assert headline_widths(alone, factory.run(["pytorch-eager"])) == []
    assert enough(alone, factory.run(["pytorch-eager"]), AUTO, at(9)) is None


def test_one_missing_headline_interval_is_not_passed_over() -> None:
    trials = factory.trials({"pytorch-eager": STEADY["pytorch-eager"], "onnxruntime": [100.0, 100.0]})
    assert headline_widths(trials, factory.run()) == []


def test_the_width_is_of_the_range_over_all_candidates() -> None:
    noisy = [240.0, 248.0, 232.0, 246.0, 234.0, 240.0, 242.0, 238.0, 240.0]
    run = factory.run(["pytorch-eager", "pytorch-compile", "onnxruntime"])
    (alone,) = headline_widths(factory.trials(STEADY), run)
    (both,) = headline_widths(factory.trials({**STEADY, "pytorch-compile": noisy}), run)
    assert both > 10 * alone
    assert enough(factory.trials({**STEADY, "pytorch-compile": noisy}), run, AUTO, at(9)) is None


def test_a_lane_that_left_does_not_keep_a_run_going() -> None:
    gone = Departure(lane="pytorch-compile", precision="float32", round=1, position=3, rule="ratio", cells=[])
    trials = factory.trials({**STEADY, "pytorch-compile": [241.0]})
    run = factory.run(["pytorch-eager", "pytorch-compile", "onnxruntime"])
    assert headline_widths(trials, run) == []
    run.departures = [gone]
    assert enough(trials, run, AUTO, at(9)) is not None


def test_the_round_before_is_without_the_last_rounds_extra_trial_too() -> None:
    trials = factory.trials(STEADY)
    extra = factory.trial("pytorch-eager", [240.0], index=10, position=len(trials) + 1, round=9)
    before = without_last([*trials, extra])
    assert {t.round for t in before} == set(range(1, 9))
    assert len(before) == 16


def test_records_without_rounds_lose_their_last_trial() -> None:
    trials = factory.trials(STEADY)
    for trial in trials:
        trial.round = None
    assert len(without_last(trials)) == 16
