"""Whether lanes took turns, from the places and rounds of their trials."""

from __future__ import annotations

import factory
from trtbench.figures.turns import out_of_turn
from trtbench.records.trial import Trial

EAGER, TUNED, ORT = "pytorch-eager", "pytorch-tuned", "onnxruntime"


def ran(*turns: tuple[str, int], attempt: dict[int, int] | None = None) -> list[Trial]:
    """Trials in this order: lane and round; `attempt`: of the trial at a place, where it is not the first."""
    made = [factory.trial(lane, index=number, position=place) for place, (lane, number) in enumerate(turns, 1)]
    for place, value in (attempt or {}).items():
        made[place - 1].attempt = value
    return made


def test_lanes_in_any_order_within_a_round_took_turns() -> None:
    trials = ran((EAGER, 1), (ORT, 1), (TUNED, 1), (ORT, 2), (TUNED, 2), (EAGER, 2), (EAGER, 3), (EAGER, 3), (ORT, 3))
    assert out_of_turn(trials) == set()
    assert out_of_turn(trials[::-1]) == set()


def test_a_lane_that_ran_after_the_others_did_not() -> None:
    first = [(lane, number) for number in (1, 2, 3) for lane in (EAGER, TUNED)]
    assert out_of_turn(ran(*first, (ORT, 1), (ORT, 2), (ORT, 3))) == {(ORT, "float32")}


def test_of_three_lanes_one_after_the_other_the_first_is_where_it_belongs() -> None:
    one_by_one = [(lane, number) for lane in (EAGER, TUNED, ORT) for number in (1, 2)]
    assert out_of_turn(ran(*one_by_one)) == {(TUNED, "float32"), (ORT, "float32")}


def test_a_trial_that_is_run_again_is_late_by_nature() -> None:
    trials = ran((EAGER, 1), (ORT, 1), (EAGER, 2), (ORT, 2), (EAGER, 1), attempt={5: 2})
    assert out_of_turn(trials) == set()


def test_a_lane_that_says_that_it_was_a_step_of_its_own_is_believed() -> None:
    trials = ran((EAGER, 1), (ORT, 1))
    trials[1].interleaved = False
    assert out_of_turn(trials) == {(ORT, "float32")}
