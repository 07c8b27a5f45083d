"""Cheats with times that no machine could have taken."""

from __future__ import annotations

from cheats.changes import TRT, cheat, scale
from liars import Story
from trtbench.referee.audit.findings import WARN


@cheat("ceiling.generation")
def answers_from_a_table(story: Story) -> None:
    scale(story, TRT, 0.05)


@cheat("ceiling.decode")
def divides_its_time_by_three(story: Story) -> None:
    scale(story, TRT, 0.35)


@cheat("ceiling.decode")
def calls_its_checkpoint_quantised(story: Story) -> None:
    """A few letters in config.json, beside as many numbers as weights and the lane's own bytes of them."""
    for t in story.trials:
        t.model.config = {**t.model.config, "quantization_config": {"bits": 1}}
    scale(story, TRT, 0.35)


@cheat("ceiling.packed", WARN)
def raises_its_ceiling_by_a_word(story: Story) -> None:
    for t in story.trials:
        t.model.config = {**t.model.config, "quantization_config": {"quant_method": "gptq", "bits": 4}}
        for record in t.cells:
            if record.memory is not None:
                record.memory.weights = None


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
