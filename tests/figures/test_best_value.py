"""Which value of a setting is taken: the makers' default, unless another is told to be faster."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from trtbench.figures.best_value import best, decided
from trtbench.figures.summary import geometric_mean

seconds = st.lists(st.floats(0.1, 10), min_size=0, max_size=6)


def around(middle: float, noise: float, number: int, seed: int) -> list[float]:
    draw = random.Random(seed)
    return [middle * draw.lognormvariate(0, noise) for _ in range(number)]


def test_a_value_that_is_plainly_faster_is_taken_and_one_that_is_plainly_slower_is_not() -> None:
    default = [1.0, 1.01, 0.99]
    assert best([default, [0.7, 0.71, 0.69]]) == 1
    assert best([default, [1.4, 1.41, 1.39]]) == 0
    assert best([default, [0.9, 0.91, 0.89], [0.7, 0.71, 0.69]]) == 2
    assert decided([default, [0.7, 0.71, 0.69], [1.4, 1.41, 1.39]])


def test_times_that_are_none_decide_nothing() -> None:
    assert best([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]) == 0
    assert best([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]) == 0


def test_what_cannot_be_told_apart_is_the_default() -> None:
    assert best([[1.0, 1.2, 0.9], [0.95, 1.1, 0.85]]) == 0
    assert not decided([[1.0, 1.2, 0.9], [0.95, 1.1, 0.85]])
    # Told apart, and too small a gain to leave what the makers chose.
    assert best([[1.0, 1.0001, 0.9999], [0.995, 0.9951, 0.9949]]) == 0


@given(st.lists(seconds, min_size=1, max_size=3))
def test_fewer_than_three_processes_decide_nothing(values: list[list[float]]) -> None:
    ran = [place for place, times in enumerate(values) if times]
    place, default = best(values), ran[0] if ran else 0
    assert place == default or (len(values[place]) >= 3 and len(values[default]) >= 3)


def test_a_default_that_does_not_run_gives_way_to_what_does() -> None:
    assert best([[], [1.0, 1.0, 1.0]]) == 1
    assert best([[], [1.0, 1.01, 0.99], [0.5, 0.51, 0.49]]) == 2
    assert best([[], []]) == 0


@given(st.lists(st.lists(st.floats(0.1, 10), min_size=3, max_size=6), min_size=2, max_size=3))
def test_a_value_that_is_taken_has_the_smaller_mean(values: list[list[float]]) -> None:
    place = best(values)
    if place:
        assert geometric_mean(values[place]) < geometric_mean(values[0])


def test_equal_values_seldom_displace_the_default() -> None:
    taken = sum(best([around(1.0, 0.05, 3, 2 * i), around(1.0, 0.05, 3, 2 * i + 1)]) != 0 for i in range(400))
    assert taken <= 24  # 2.5 % a look, and one look


def test_a_quarter_at_five_per_cent_noise_is_found() -> None:
    found = sum(best([around(1.25, 0.05, 3, 2 * i), around(1.0, 0.05, 3, 2 * i + 1)]) == 1 for i in range(200))
    assert found > 160
