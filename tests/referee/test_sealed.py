"""What was fixed before a run: honest runs of several calls, whose lanes and headline came later, and settings of any shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cheats.changes import TORCH, TRT
from liars import Story
from trtbench.comparison import bundle, untrusted
from trtbench.records.trial import Sealed, checksum
from trtbench.referee.audit import audit
from trtbench.referee.audit.findings import FAIL, WARN, Finding

VLLM = "vllm"


def told(story: Story) -> set[tuple[str, str]]:
    findings: list[Finding] = audit(story.seal().run, story.trials, story.judged, story.workload)
    return {(f.code, f.level) for f in findings if f.code.startswith("provenance.") and f.level in (FAIL, WARN)}


def three() -> Story:
    return Story(latency={TORCH: 2000.0, TRT: 1000.0, VLLM: 950.0}).tell()


def in_steps(story: Story, order: list[str]) -> None:
    """The lanes in steps of their own, one after the other, as their trials and the run then have it."""
    story.run.lanes = list(order)
    for t in story.trials:
        t.interleaved = False
        so_far = order[: order.index(t.lane) + 1]
        t.sealed = Sealed(headline=None, lanes=so_far, candidates=[(TORCH, "float16")] if TORCH in so_far else [])
    for place, t in enumerate(sorted(story.trials, key=lambda t: (order.index(t.lane), t.position)), 1):
        t.position = place


def carrying(story: Story, headlines: dict[str, str | None]) -> None:
    for t in story.trials:
        assert t.sealed is not None
        t.sealed.headline = headlines[t.lane]


STEPS = {("provenance.not_interleaved", WARN)}


def test_steps_bring_lanes_candidates_and_headline_one_after_the_other() -> None:
    story = three()
    in_steps(story, [VLLM, TORCH, TRT])
    story.run.headline = VLLM
    carrying(story, {VLLM: VLLM, TORCH: VLLM, TRT: VLLM})
    assert told(story) == STEPS


def test_a_headline_that_came_with_a_later_step_was_none_before() -> None:
    story = three()
    in_steps(story, [TORCH, TRT, VLLM])
    carrying(story, {TORCH: None, TRT: TRT, VLLM: TRT})
    assert told(story) == STEPS


def over_two_cards() -> Story:
    """A run over two cards, whose lanes begin with one that is left out there."""
    story = Story(latency={TORCH: 2000.0, VLLM: 950.0}).tell()
    story.run.settings = {**story.run.settings, "TP_SIZE": 2}
    for t in story.trials:
        t.settings = story.run.settings
    in_steps(story, [TORCH, "onnxruntime", VLLM])
    return story


def test_a_lane_that_splits_no_model_was_no_headline_before_one_came_that_does() -> None:
    story = over_two_cards()
    story.run.headline = VLLM
    carrying(story, {TORCH: None, VLLM: VLLM})
    for t in story.trials:
        assert t.sealed is not None
        t.sealed.lanes = ["onnxruntime", *t.sealed.lanes]
    assert ("provenance.headline", FAIL) not in told(story)
    for t in story.trials:  # on one card it was one
        t.settings = story.run.settings = {**story.run.settings, "TP_SIZE": 1}
    assert ("provenance.headline", FAIL) in told(story)


def test_a_run_from_before_there_was_the_setting_had_one_card() -> None:
    story = three()
    before = {name: value for name, value in story.run.settings.items() if name != "TP_SIZE"}
    for t in story.trials:
        t.settings = before if t.position <= 9 else {**before, "TP_SIZE": 1}
    story.run.settings = before
    assert told(story) == set()


def test_a_later_step_may_name_the_headline_of_a_run_that_has_none() -> None:
    """Its lanes are those of one family; the run's first step named none."""
    story = Story(latency={TORCH: 2000.0, TRT: 1100.0, "tensorrt-pytorch": 1050.0}).tell()
    named = "tensorrt-pytorch"
    in_steps(story, [TORCH, TRT, named])
    story.run.headline = named
    carrying(story, {TORCH: None, TRT: named, named: named})
    for t in story.trials:
        if t.lane != TORCH:
            t.settings = {**t.settings, "HEADLINE": named}
    assert told(story) == STEPS


def test_a_call_that_takes_the_run_up_again_need_not_name_the_headline() -> None:
    story = three()
    story.run.settings = {**story.run.settings, "HEADLINE": VLLM}
    story.run.headline = VLLM
    for t in story.trials:
        assert t.sealed is not None
        t.sealed.headline = VLLM
        t.settings = story.run.settings if t.position <= 6 else {**t.settings, "HEADLINE": ""}
    assert told(story) == set()


def test_a_step_that_names_lanes_of_other_families_runs_its_own_alone() -> None:
    story = three()
    in_steps(story, [TORCH, TRT, VLLM])
    carrying(story, {TORCH: None, TRT: TRT, VLLM: TRT})
    for t in story.trials:
        t.settings = {**t.settings, "LANES": [TORCH, TRT, VLLM, "onnxruntime"]}
    assert told(story) == STEPS


def test_what_may_differ_between_calls_is_no_finding() -> None:
    story = three()
    for t in story.trials[9:]:
        t.settings = {**t.settings, "TIME_BUDGET": 9000.0, "TRIALS": 6, "REPORT_LANG": "fr", "QUIET": "warn"}
    assert told(story) == set()


def test_a_bundle_keeps_what_was_fixed_whatever_people_are_called(tmp_path: Path) -> None:
    story = Story().tell()
    for t in story.trials:
        t.settings = story.run.settings = {**story.run.settings, "LANES": [TORCH, TRT], "HEADLINE": TRT}
    story.seal()
    path = tmp_path / "run.bundle"
    path.write_bytes(bundle.make(story.run, story.trials, story.judged, story.workload, ["eager", "tensorrt"]))
    comparison, _ = untrusted.read(path)
    assert [f.code for f in comparison.findings if f.level == FAIL] == []
    assert comparison.headline_lane == TRT


ANYTHING: list[Any] = [None, 5, "x", [], {}, [[1]], [{}], [None, 3.5], {"a": [1]}, ["auto", "auto"], True, 10**30]


@pytest.mark.parametrize("value", ANYTHING, ids=repr)
@pytest.mark.parametrize(
    "name", ["LANES", "PRECISION", "HEADLINE", "BATCH_SIZES", "PROMPT_LENGTHS", "EQUIVALENCE_MARGIN", "SEED", "TP_SIZE"]
)
def test_a_setting_of_any_shape_is_audited_to_the_end(name: str, value: Any) -> None:
    for workload in (True, False):
        story = Story(rounds=2).tell()
        story.trials[1].settings = {**story.trials[1].settings, name: value}
        story.run.settings = {**story.run.settings, name: value}
        if not workload:
            story.workload = None  # type: ignore[assignment]
        for t in story.trials:
            t.checksum = checksum(t)
        assert audit(story.run, story.trials, None, story.workload)


def test_a_headline_whose_step_left_no_trial_is_the_runs_all_the_same() -> None:
    story = Story(latency={TORCH: 2000.0, VLLM: 950.0}).tell()
    in_steps(story, [TORCH, VLLM])
    story.run.lanes = [TORCH, TRT, "tensorrt-pytorch", VLLM]
    story.run.headline = "tensorrt-pytorch"
    carrying(story, {TORCH: None, VLLM: "tensorrt-pytorch"})
    assert not {code for code, level in told(story) if level == FAIL}
    carrying(story, {TORCH: None, VLLM: None})
    assert ("provenance.headline", FAIL) in told(story)


@pytest.mark.parametrize(("from_place", "level"), [(6, WARN), (0, FAIL)])
def test_an_earlier_version_kept_the_margin_that_a_run_was_opened_with(from_place: int, level: str) -> None:
    """It let a call that took it up again name another one, which bore on nothing."""
    story = Story().tell()
    for t in story.trials:
        t.sealed = None
    for t in story.trials[from_place:]:
        t.settings = {**t.settings, "EQUIVALENCE_MARGIN": 0.01}
    assert {found for code, found in told(story) if code == "provenance.setting"} == {level}
