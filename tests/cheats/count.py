"""Cheats with what is counted: ids that were not returned, rates that do not follow."""

from __future__ import annotations

from cheats.changes import TRT, cheat, cut, scale
from liars import Story
from trtbench.referee.audit.findings import WARN


@cheat("count.new_ids")
def stops_at_end_of_sequence(story: Story) -> None:
    cut(story, TRT, lambda row: row[:137])
    scale(story, TRT, 0.9)


@cheat("count.new_ids")
def returns_prompt_and_output(story: Story) -> None:
    cut(story, TRT, lambda row: [5] * 128 + row)


@cheat("count.prompt_returned")
def returns_the_prompt_as_output(story: Story) -> None:
    for record, e2e, _ in story.passes(TRT):
        for call, output in enumerate(e2e.outputs):
            for row, prompt in zip(output, story.workload.prompts(record.cell, call)):
                row[:128] = prompt


@cheat("count.padding")
def counts_padding(story: Story) -> None:
    cut(story, TRT, lambda row: row[:80] + [2] * 120)


@cheat("count.ids")
def returns_an_uninitialised_buffer(story: Story) -> None:
    cut(story, TRT, lambda row: [*row[:-1], -1094795586])


@cheat("count.iterations", WARN)
def drops_slow_iterations(story: Story) -> None:
    for _, e2e, _ in story.passes(TRT):
        keep = sorted(range(10), key=lambda i: e2e.times[i])[:8]
        e2e.times = [e2e.times[i] for i in sorted(keep)]
        e2e.output, e2e.foreign_cpu = e2e.output[:8], (e2e.foreign_cpu or [])[:8]


@cheat("rate.disagrees")
def stops_early_and_prints_all(story: Story) -> None:
    cut(story, TRT, lambda row: row[:137])


@cheat("time.wall")
def times_more_than_there_was(story: Story) -> None:
    for t in story.of(TRT):
        t.seconds = 3.0
