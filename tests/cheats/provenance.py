"""Cheats with the records themselves."""

from __future__ import annotations

import msgspec

from cheats.changes import TORCH, TRT, beside_a_neighbour, cheat, recorded_earlier, run_again
from liars import Story
from trtbench.records.telemetry import Disturbance
from trtbench.referee.audit.findings import WARN


@cheat("provenance.copied")
def prints_the_rivals_time_times_0_35(story: Story) -> None:
    for (_, mine, _), (_, other, _) in zip(story.passes(TRT), story.passes(TORCH)):
        mine.times = [round(t * 0.35) for t in other.times]


@cheat("provenance.copied")
def repeats_one_trial(story: Story) -> None:
    first = next(story.passes(TRT))[1]
    for _, e2e, _ in story.passes(TRT):
        e2e.times = list(first.times)


@cheat("provenance.disturbed")
def forgets_its_neighbour(story: Story) -> None:
    slowed = next(story.of(TORCH))
    beside_a_neighbour(slowed, story)
    slowed.disturbed = []


@cheat("provenance.disturbed")
def invents_a_neighbour_for_a_slow_trial(story: Story) -> None:
    slow = next(t for t in story.of(TRT) if t.index == 2)
    run_again(story, slow)
    slow.disturbed = [Disturbance(kind="cpu", value=0.2, limit=0.01)]


@cheat("provenance.disturbed")
def says_that_the_card_was_hot_before(story: Story) -> None:
    """It was hot while the calls were timed: that is the lane's own load."""
    slow = next(t for t in story.of(TRT) if t.index == 2)
    assert slow.telemetry is not None and slow.telemetry.gpus
    slow.telemetry.gpus[0].throttle_reasons = ["hw_thermal_slowdown"]
    run_again(story, slow)
    slow.disturbed = [Disturbance(kind="gpu_throttled", value=1, limit=0)]


@cheat("provenance.attempts")
def deletes_the_attempt_that_displeased(story: Story) -> None:
    second = next(t for t in story.of(TRT) if t.index == 2)
    run_again(story, second)
    story.trials.remove(second)


@cheat("provenance.attempts")
def keeps_two_records_of_one_attempt(story: Story) -> None:
    second = next(t for t in story.of(TRT) if t.index == 2)
    run_again(story, second).attempt = 1


@cheat("provenance.rules")
def tells_disturbed_trials_by_a_rule_of_its_own(story: Story) -> None:
    """So strict that any trial may be run again."""
    assert story.run.rules is not None
    story.run.rules = msgspec.structs.replace(story.run.rules, foreign_cpu=1e-6)


@cheat("provenance.schema")
def lays_an_older_record_among_the_others(story: Story) -> None:
    recorded_earlier(next(story.of(TRT)))


@cheat("provenance.old", WARN)
def says_that_it_is_older(story: Story) -> None:
    story.run.schema = 1
    story.run.rules = story.run.candidates = story.run.departures = None
    for t in story.trials:
        recorded_earlier(t)


@cheat("provenance.simulated")
def is_a_stand_in(story: Story) -> None:
    for t in story.of(TRT):
        assert t.statement is not None
        t.statement.simulated = True


@cheat("provenance.engine")
def runs_an_engine_of_another_model(story: Story) -> None:
    for t in story.of(TRT):
        assert t.statement is not None
        t.statement.built_from = {"model": "b" * 64, "gpu": story.gpu or "", "version": "1.0"}


@cheat("provenance.versions")
def updates_half_way(story: Story) -> None:
    for t in list(story.of(TRT))[3:]:
        assert t.statement is not None
        t.statement.runtime_version = "1.0.0.post1"


@cheat("provenance.mixed")
def mixes_runs(story: Story) -> None:
    for t in story.of(TRT):
        t.run = "20250101-000000"
        t.settings = {**t.settings, "WARMUP_LIMIT": 99}


@cheat("provenance.gap")
def leaves_bad_trials_out(story: Story) -> None:
    story.trials = [t for t in story.trials if not (t.lane == TRT and t.index in (2, 4))]


@cheat("provenance.retried")
def repeats_until_it_pleases(story: Story) -> None:
    second = next(t for t in story.of(TRT) if t.index == 2)
    run_again(story, second)
