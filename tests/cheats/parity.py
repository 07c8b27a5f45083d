"""Cheats with the answers."""

from __future__ import annotations

from cheats.changes import TRT, cheat
from liars import Story


@cheat("parity.same_answer")
def caches_answers(story: Story) -> None:
    for _, e2e, _ in story.passes(TRT):
        e2e.output = [0] * len(e2e.output)


@cheat("parity.near")
def computes_in_int4_silently(story: Story) -> None:
    story.near[TRT] = 0.09


@cheat("parity.near")
def drops_a_layer(story: Story) -> None:
    story.near[TRT] = 0.58


@cheat("parity.quantised")
def quantises_a_real_model_to_rubbish(story: Story) -> None:
    story.precision[TRT] = "int4_awq"
    story.tell()
    story.near[TRT] = 0.40
