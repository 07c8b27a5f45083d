"""Who gets the trial more."""

from __future__ import annotations

import factory
from trtbench.figures.allocation import widener
from trtbench.records.run import Run

EAGER, COMPILE, HEAD = "pytorch-eager", "pytorch-compile", "onnxruntime"
QUIET = [100.0, 100.4, 99.6, 100.2, 99.8]


def noisy(factor: float) -> list[float]:
    return [100 + factor * (ms - 100) for ms in QUIET]


def chosen(means: dict[str, list[float]], run: Run | None = None) -> str | None:
    key = widener(factory.trials(means), run or factory.run([EAGER, COMPILE, HEAD], headline=HEAD))
    return key[0] if key else None


def test_the_candidate_that_widens_the_range_gets_it() -> None:
    assert chosen({EAGER: QUIET, COMPILE: noisy(10), HEAD: QUIET}) == COMPILE
    assert chosen({EAGER: noisy(10), COMPILE: QUIET, HEAD: QUIET}) == EAGER


def test_a_single_base_gets_it_when_it_is_clearly_noisier_than_the_lane() -> None:
    assert chosen({EAGER: noisy(10), HEAD: QUIET}) == EAGER
    assert chosen({EAGER: noisy(1.2), HEAD: QUIET}) is None


def test_nobody_gets_it_where_the_lane_itself_is_noisy() -> None:
    assert chosen({EAGER: noisy(5), COMPILE: noisy(5), HEAD: noisy(10)}) is None


def test_nobody_gets_it_before_there_are_intervals_nor_without_a_headline() -> None:
    assert chosen({EAGER: noisy(10)[:2], HEAD: QUIET[:2]}) is None
    assert chosen({EAGER: noisy(10), HEAD: QUIET}, factory.run([EAGER, HEAD], headline=None)) is None


def test_a_lane_that_is_no_candidate_never_gets_it() -> None:
    slow = [ms * 3 for ms in noisy(10)]
    assert chosen({EAGER: QUIET, COMPILE: slow, HEAD: QUIET}) is None
