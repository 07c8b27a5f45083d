"""Cheats with the PyTorch lane that the headline is against."""

from __future__ import annotations

import msgspec

from cheats.changes import TORCH, TRT, TUNED, cheat, close_up, honest_departure, keep_rounds, with_a_faster_base
from liars import Story
from trtbench.records.run import Absent, Compared, Departure
from trtbench.records.trial import Failure
from trtbench.referee.audit.findings import WARN


@cheat("base.left")
def sends_the_fastest_pytorch_lane_away(story: Story) -> None:
    with_a_faster_base(story)
    keep_rounds(story, TUNED, 1)
    cell = Compared(batch=1, prompt_length=128, new_tokens=200, base=TORCH, ratio=2.4)
    story.run.departures = [Departure(lane=TUNED, precision="float16", round=1, position=3, rule="ratio", cells=[cell])]


@cheat("base.left")
def makes_a_lane_leave_that_the_rules_keep(story: Story) -> None:
    with_a_faster_base(story, tuned=2100.0)
    honest_departure(story, 3)
    assert story.run.departures and story.run.rules
    rules = {name: getattr(story.run.rules, name) for name in story.run.rules.__struct_fields__}
    story.run.rules = type(story.run.rules)(**{**rules, "leaves": False})


@cheat("base.rules")
def seals_rules_by_which_noise_rules_lanes_out(story: Story) -> None:
    assert story.run.rules
    rules = {name: getattr(story.run.rules, name) for name in story.run.rules.__struct_fields__}
    story.run.rules = type(story.run.rules)(**{**rules, "candidate_level": 0.3})


@cheat("base.left")
def notes_other_figures_of_a_lane_that_left(story: Story) -> None:
    with_a_faster_base(story, tuned=9000.0)
    honest_departure(story, 1)
    (departure,) = story.run.departures or []
    departure.cells = [msgspec.structs.replace(cell, ratio=cell.ratio * 1.01) for cell in departure.cells]


@cheat("base.left")
def runs_a_lane_on_that_left(story: Story) -> None:
    with_a_faster_base(story, tuned=9000.0)
    every_trial = story.trials
    honest_departure(story, 1)
    story.trials = every_trial
    close_up(story)


@cheat("base.vanished")
def loses_the_later_trials_of_the_fastest_pytorch_lane(story: Story) -> None:
    with_a_faster_base(story)
    keep_rounds(story, TUNED, 3)


@cheat("base.vanished", WARN)
def loses_the_later_trials_of_another_lane(story: Story) -> None:
    story.latency = {TORCH: 2000.0, TRT: 1000.0, "vllm": 1400.0}
    story.tell()
    keep_rounds(story, "vllm", 3)


@cheat("base.unaccounted")
def loses_the_fastest_pytorch_lane(story: Story) -> None:
    with_a_faster_base(story)
    keep_rounds(story, TUNED, 0)


@cheat("base.unaccounted")
def loses_the_fastest_pytorch_lane_after_a_single_round(story: Story) -> None:
    story.rounds = 1
    loses_the_fastest_pytorch_lane(story)


@cheat("base.unaccounted")
def loses_one_of_two_precisions_of_the_fastest_pytorch_lane(story: Story) -> None:
    story.precision = {TUNED: "float32"}
    with_a_faster_base(story, tuned=1900.0)
    story.run.candidates = [*(story.run.candidates or []), (TUNED, "float16")]


@cheat("base.vanished")
def loses_the_last_trial_of_the_fastest_pytorch_lane(story: Story) -> None:
    with_a_faster_base(story)
    keep_rounds(story, TUNED, story.rounds - 1)


@cheat("base.vanished")
def excuses_lost_trials_by_a_note_that_the_lane_is_absent(story: Story) -> None:
    loses_the_later_trials_of_the_fastest_pytorch_lane(story)
    story.run.absent = [Absent(lane=TUNED, precision="float16", failure=Failure(phase="load", reason="no room"))]


@cheat("base.excused", WARN)
def notes_as_absent_a_lane_that_ran(story: Story) -> None:
    story.run.absent = [Absent(lane=TORCH, precision="float16", failure=Failure(phase="load", reason="no room"))]


@cheat("base.vanished")
def marks_one_trial_as_not_interleaved_to_hide_lost_ones(story: Story) -> None:
    loses_the_later_trials_of_the_fastest_pytorch_lane(story)
    next(t for t in story.of(TORCH) if t.index == 2).interleaved = False


@cheat("base.unchecked", WARN)
def runs_a_lane_in_a_step_of_its_own(story: Story) -> None:
    for t in story.of(TRT):
        t.interleaved = False


@cheat("base.left")
def decides_before_the_round_is_over(story: Story) -> None:
    """The trial that was still to come is the headline's, so that no figure of the departure changes."""
    with_a_faster_base(story, tuned=2300.0)
    honest_departure(story, 3)
    (departure,) = story.run.departures or []
    (last,) = [t for t in story.trials if t.position == departure.position]
    (other,) = [t for t in story.of(TRT) if t.index == 3]
    last.position, other.position = other.position, last.position
    departure.position -= 1


@cheat("base.absent", WARN)
def cannot_start_the_fastest_pytorch_lane(story: Story) -> None:
    with_a_faster_base(story)
    keep_rounds(story, TUNED, 0)
    story.run.absent = [Absent(lane=TUNED, precision="float16", failure=Failure(phase="load", reason="no room"))]
