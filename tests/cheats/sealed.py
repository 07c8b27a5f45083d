"""Cheats with what was fixed before the first trial: run.json changed once the trials are known."""

from __future__ import annotations

from typing import Any

from cheats.changes import TORCH, TRT, TUNED, cheat, keep_rounds, recorded_earlier, with_a_faster_base
from liars import Story
from trtbench.records.run import Run
from trtbench.referee.audit.findings import WARN


def rewrite(run: Run, **settings: Any) -> None:
    """Other settings in run.json alone."""
    run.settings = {**run.settings, **settings}


def as_asked(story: Story, **settings: Any) -> None:
    """A story whose run and trials had these settings."""
    rewrite(story.run, **settings)
    for t in story.trials:
        t.settings = story.run.settings


def unsealed(story: Story) -> None:
    """Records of a version that did not carry what was fixed."""
    for t in story.trials:
        t.sealed = None


def with_a_further_rival(story: Story) -> None:
    story.latency = {TORCH: 2000.0, TRT: 1000.0, "vllm": 900.0}
    story.tell()


@cheat("provenance.setting")
def widens_the_margin_until_lanes_are_equivalent(story: Story) -> None:
    rewrite(story.run, EQUIVALENCE_MARGIN=0.2)


@cheat("provenance.setting")
def narrows_the_margin_for_half_of_the_trials(story: Story) -> None:
    for t in story.trials[6:]:
        t.settings = {**t.settings, "EQUIVALENCE_MARGIN": 0.01}


@cheat("provenance.setting")
def draws_another_seed_until_it_pleases(story: Story) -> None:
    rewrite(story.run, SEED=1)


@cheat("provenance.setting")
def stops_by_another_target(story: Story) -> None:
    rewrite(story.run, TARGET_PRECISION=0.05)


@cheat("provenance.setting")
def takes_the_margin_out_of_a_trial(story: Story) -> None:
    first = story.trials[0]
    first.settings = {name: value for name, value in first.settings.items() if name != "EQUIVALENCE_MARGIN"}


@cheat("provenance.setting", WARN)
def had_another_target_when_it_was_taken_up_again(story: Story) -> None:
    """As earlier versions allowed it."""
    unsealed(story)
    for t in story.trials[6:]:
        t.settings = {**t.settings, "TARGET_PRECISION": 0.005}


@cheat("provenance.headline")
def makes_the_lane_that_won_the_headline(story: Story) -> None:
    with_a_further_rival(story)
    story.run.headline = "vllm"


@cheat("provenance.headline")
def declares_the_headline_afterwards(story: Story) -> None:
    with_a_further_rival(story)
    story.run.headline = "vllm"
    rewrite(story.run, HEADLINE="vllm")


@cheat("provenance.headline")
def takes_a_declared_headline_back(story: Story) -> None:
    with_a_further_rival(story)
    as_asked(story, HEADLINE="vllm")


@cheat("provenance.headline")
def declares_the_headline_afterwards_in_an_older_run(story: Story) -> None:
    declares_the_headline_afterwards(story)
    unsealed(story)


@cheat("provenance.headline")
def makes_a_lane_the_headline_that_no_rule_gives(story: Story) -> None:
    story.latency = {TORCH: 2000.0, "onnxruntime": 1500.0, "vllm": 900.0}
    story.tell()
    story.run.headline = "vllm"
    unsealed(story)


@cheat("provenance.bandwidth")
def raises_the_measured_bandwidth(story: Story) -> None:
    assert story.run.read_bandwidth is not None
    story.run.read_bandwidth *= 3


@cheat("provenance.bandwidth")
def lowers_the_measured_bandwidth_to_sit_nearer_to_the_ceiling(story: Story) -> None:
    assert story.run.read_bandwidth is not None
    story.run.read_bandwidth *= 0.9


@cheat("provenance.bandwidth")
def measures_the_bandwidth_again_for_one_trial(story: Story) -> None:
    telemetry = story.trials[3].telemetry
    assert telemetry is not None and telemetry.read_bandwidth is not None
    telemetry.read_bandwidth *= 1.2


@cheat("provenance.bandwidth", WARN)
def measured_the_bandwidth_again_before_schema_2(story: Story) -> None:
    story.run.schema = 1
    story.run.rules = story.run.candidates = story.run.departures = None
    for t in story.trials:
        recorded_earlier(t)
    measures_the_bandwidth_again_for_one_trial(story)


@cheat("provenance.unlisted")
def shortens_the_candidates(story: Story) -> None:
    with_a_faster_base(story)
    story.run.candidates = [(TORCH, "float16")]


@cheat("provenance.unlisted")
def shortens_the_candidates_and_loses_the_lane(story: Story) -> None:
    """Its trials and its place in the lists are gone; the trials of the others carry it."""
    with_a_faster_base(story)
    keep_rounds(story, TUNED, 0)
    story.run.candidates = [(TORCH, "float16")]


@cheat("provenance.unlisted")
def forgets_that_the_fastest_pytorch_lane_was_to_run(story: Story) -> None:
    shortens_the_candidates_and_loses_the_lane(story)
    story.run.lanes.remove(TUNED)


@cheat("provenance.unlisted")
def forgets_a_lane_that_an_older_run_named_in_lanes(story: Story) -> None:
    with_a_faster_base(story)
    as_asked(story, LANES=[TORCH, TUNED, TRT])
    keep_rounds(story, TUNED, 0)
    unsealed(story)
    story.run.lanes.remove(TUNED)
    story.run.candidates = [(TORCH, "float16")]


@cheat("provenance.unlisted")
def drops_a_lane_with_trials_from_the_list(story: Story) -> None:
    with_a_further_rival(story)
    story.run.lanes.remove("vllm")
    unsealed(story)


@cheat("provenance.unasked")
def calls_a_lane_by_the_name_of_another(story: Story) -> None:
    as_asked(story, LANES=[TORCH, "onnxruntime"])
    story.run.lanes = [TORCH, "onnxruntime", TRT]


@cheat("provenance.unsealed", WARN)
def takes_what_was_fixed_out_of_its_trials(story: Story) -> None:
    unsealed(story)


@cheat("provenance.unsealed", WARN)
def takes_what_was_fixed_out_of_one_trial(story: Story) -> None:
    story.trials[2].sealed = None


@cheat("provenance.unsealed", WARN)
def takes_the_bandwidth_out_of_its_trials(story: Story) -> None:
    for t in story.trials:
        assert t.telemetry is not None
        t.telemetry.read_bandwidth = None
