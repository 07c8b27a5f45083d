"""Cheats with times that no machine could have taken."""

from __future__ import annotations

from cheats.changes import TRT, cheat, scale
from liars import Story


@cheat("ceiling.generation")
def answers_from_a_table(story: Story) -> None:
    scale(story, TRT, 0.05)


@cheat("ceiling.decode")
def divides_its_time_by_three(story: Story) -> None:
    scale(story, TRT, 0.35)


@cheat("ceiling.prefill")
def stops_the_clock_before_the_token_is_there(story: Story) -> None:
    for _, _, ttft in story.passes(TRT):
        ttft.times = [t // 30 for t in ttft.times]


@cheat("ceiling.ttft_above_whole")
def times_another_first_token(story: Story) -> None:
    for _, _, ttft in story.passes(TRT):
        ttft.times = [t * 90 for t in ttft.times]


@cheat("ceiling.same_times")
def writes_equal_times(story: Story) -> None:
    for _, e2e, _ in story.passes(TRT):
        e2e.times = [e2e.times[0]] * len(e2e.times)


@cheat("ceiling.zero")
def writes_zeros_after_an_error(story: Story) -> None:
    for _, e2e, _ in story.passes(TRT):
        e2e.times = [0] * len(e2e.times)
