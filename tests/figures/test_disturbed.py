"""Trials that were left out because somebody disturbed them: who lost how many, and what counts."""

from __future__ import annotations

import pytest

import factory
from trtbench.figures.disturbed import any_counts, left_out, lost, unequal
from trtbench.records.run import counting
from trtbench.records.telemetry import Disturbance
from trtbench.records.trial import Failure, Trial

BUSY = [Disturbance(kind="cpu", value=0.2, limit=0.01)]
A, B = ("pytorch-eager", "float32"), ("onnxruntime", "float32")


def attempts(lane: str, index: int, *disturbed: bool) -> list[Trial]:
    """Attempts at one trial, each disturbed or not."""
    return [
        factory.trial(lane, index=index, attempt=n, disturbed=BUSY if busy else [])
        for n, busy in enumerate(disturbed, start=1)
    ]


def test_what_was_run_again_is_left_out() -> None:
    made = [*attempts(A[0], 1, True, False), *attempts(A[0], 2, False), *attempts(B[0], 1, True, True)]
    assert left_out(made) == [made[0], made[3]]
    assert any_counts(made) and made[4] in counting(made)
    assert not any_counts(made[:3])


def test_a_failed_attempt_is_no_lost_trial() -> None:
    failed = factory.trial(A[0], failure=Failure(phase="load", reason="x"), disturbed=BUSY)
    assert left_out([failed, *attempts(A[0], 2, False)]) == []


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        (0, 0, False),
        (2, 0, False),
        (3, 0, True),
        (0, 3, True),
        (3, 2, False),
        (6, 2, True),
        (5, 3, False),
        (2, 6, True),
    ],
)
def test_who_lost_twice_as_many_and_three_at_least(mine: int, theirs: int, expected: bool) -> None:
    made = [
        t
        for lane, times in ((A, mine), (B, theirs))
        for index in range(1, 11)
        for t in attempts(lane[0], index, *[True] * (index <= times), False)
    ]
    assert unequal(A, [B], lost(made)) is expected
    assert unequal(B, [A], lost(made)) is expected


def test_a_lane_with_twice_the_trials_may_lose_twice_as_many() -> None:
    made = [t for index in range(1, 13) for t in attempts(A[0], index, *[True] * (index <= 4), False)]
    made += [t for index in range(1, 7) for t in attempts(B[0], index, *[True] * (index <= 2), False)]
    assert not unequal(A, [B], lost(made))
