"""The judge's word in the audit: honest runs that look strange raise no failure, and where the limits lie."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import msgspec
import pytest
from msgspec import UNSET

import factory
import liars
from cheats.changes import TORCH, TRT, again
from cheats.judged import found_wrong, judged_by_an_earlier_program, of, other_ids, reused
from liars import Story
from trtbench.comparison import bundle, untrusted
from trtbench.comparison.comparing import compare
from trtbench.records import judgement, run_folder
from trtbench.records.run import Departure
from trtbench.records.trial import Sampling, Trial
from trtbench.referee.audit import audit
from trtbench.referee.audit.findings import FAIL, PASS, WARN, Finding
from trtbench.referee.audit.parity import CHANCE, FIRST_NEAR, FIRST_QUANTISED_NEAR, first_limit
from trtbench.referee.judge.spec import PATIENCE, SECONDS
from trtbench.referee.lane_scores import lane_scores

ROOT = Path(__file__).resolve().parents[2]


def audited(story: Story) -> list[Finding]:
    return audit(story.run, story.trials, story.judged, story.workload)


def of_parity(story: Story, level: str) -> set[tuple[str, str | None]]:
    return {(f.code, f.lane) for f in audited(story) if f.level == level and f.code.startswith("parity.")}


def come_later(story: Story) -> None:
    """A trial more of each lane, as when the run is taken up again; the ids of the TensorRT lane are others this time."""
    for lane in (TORCH, TRT):
        t = again([*story.of(lane)][-1])
        t.index, t.attempt, t.round = t.index + 1, 1, (t.round or 0) + 1
        t.position = max(other.position for other in story.trials) + 1
        if lane == TRT:
            other_ids(t, "e2e", range(9))
        story.trials.append(t)


@pytest.mark.parametrize("stopped", [True, False])
def test_trials_that_came_after_the_judge_are_unscored_and_fail_nothing(stopped: bool) -> None:
    story = Story().tell()
    story.afterwards.append(come_later)
    if not stopped:
        story.run.stopped = None
    story.seal()
    assert of_parity(story, FAIL) == set()
    assert of_parity(story, WARN) >= {("parity.unstable", TRT)}


def test_a_run_that_an_earlier_program_judged_and_that_was_cut_off_later_fails_nothing() -> None:
    story = Story().tell()
    story.run.stopped = None
    story.afterwards += [judged_by_an_earlier_program, come_later]
    assert of_parity(story.seal(), FAIL) == set()


def test_a_lane_that_joined_a_run_that_an_earlier_program_judged_fails_nothing() -> None:
    story = Story(latency={TORCH: 2000.0, "pytorch-tuned": 1400.0, TRT: 1000.0}).tell()
    joined = [t for t in story.trials if t.lane == "pytorch-tuned"]
    story.trials = [t for t in story.trials if t.lane != "pytorch-tuned"]
    for place, t in enumerate(joined):
        t.position = 1000 + place
        other_ids(t, "e2e")
    story.afterwards += [judged_by_an_earlier_program, lambda story: story.trials.extend(joined)]
    assert of_parity(story.seal(), FAIL) == set()
    assert of_parity(story, WARN) >= {("parity.unscored", "pytorch-tuned"), ("parity.earlier", "pytorch-tuned")}


def test_a_judge_whose_time_ran_out_leaves_sequences_unscored_and_fails_nothing() -> None:
    """Trials whose ids differ from one to the next, and time for the first ones: the judge has seen all of them."""
    for earlier in (False, True):
        story = Story().tell()
        for t in [*story.of(TRT)][1:]:
            other_ids(t, "e2e", shift=t.index)

        def out_of_time(story: Story) -> None:
            of(story).seconds = PATIENCE * SECONDS + 1  # each trial's first sequence is begun until then
            first = {judgement.digest(row) for t in story.of(TORCH) for o in t.cells[0].e2e.outputs for row in o}  # type: ignore[union-attr]
            of(story).scores = [s for s in of(story).scores if s.part == "ttft" or s.digest in first]
            of(story).lanes = list(lane_scores(story.trials, of(story).scores, story.run))

        story.afterwards.append(out_of_time)
        if earlier:
            story.afterwards.append(judged_by_an_earlier_program)
        assert of_parity(story.seal(), FAIL) == set()
        assert ("parity.unscored", TRT) in of_parity(story, WARN)


def test_first_tokens_that_nobody_judged_never_pass() -> None:
    story = Story().tell()

    def without(story: Story) -> None:
        of(story).scores = [s for s in of(story).scores if s.part == "e2e"]
        of(story).lanes = list(lane_scores(story.trials, of(story).scores, story.run))

    story.afterwards.append(without)
    assert of_parity(story.seal(), WARN) == {("parity.unscored", TORCH), ("parity.unscored", TRT)}
    assert ("parity", PASS) not in {(f.code, f.level) for f in audited(story)}


def test_an_attempt_that_was_run_again_after_it_was_judged_fails_nothing() -> None:
    """The first attempt counted when the judge looked; it is there still, and its scores have their ids."""
    story = Story().tell()

    def anew(story: Story) -> None:
        first = [*story.of(TRT)][2]
        first.disturbed = None
        second = again(first)
        second.position = max(t.position for t in story.trials) + 1
        other_ids(second, "e2e")
        story.trials.append(second)

    other_ids([*story.of(TRT)][2], "e2e", shift=77)
    story.afterwards.append(anew)
    assert of_parity(story.seal(), FAIL) == set()


def test_a_lane_that_left_after_the_judge_had_looked_changes_no_base_of_its_lines() -> None:
    story = Story(latency={TORCH: 2000.0, "pytorch-tuned": 1400.0, TRT: 1000.0}).tell()
    last = max(t.position for t in story.trials)

    def leave(story: Story) -> None:
        departure = Departure(
            lane="pytorch-tuned", precision="float16", round=7, position=last + 1, rule="level", cells=[]
        )
        story.run.departures = [departure]

    story.afterwards.append(leave)
    assert "parity.lines" not in liars.codes(audited(story.seal()))


def test_a_judge_that_failed_on_the_way_is_held_to_what_it_scored() -> None:
    story = Story(near={TRT: 0.58}).tell()
    story.afterwards.append(lambda story: setattr(of(story), "failure", "the reference model failed: no memory"))
    assert ("parity.near", TRT) in of_parity(story.seal(), FAIL)
    assert ("parity.absent", None) in of_parity(story, WARN)


def test_one_wrong_first_token_of_ten_is_chance() -> None:
    story = Story().tell()
    t = next(story.of(TRT))
    other_ids(t, "ttft", range(1))

    def wrong(story: Story) -> None:
        changed = judgement.digest(t.cells[0].ttft.outputs[0][0])  # type: ignore[union-attr]
        of(story).scores = [msgspec.structs.replace(s, near=0) if s.digest == changed else s for s in of(story).scores]
        of(story).lanes = list(lane_scores(story.trials, of(story).scores, story.run))

    story.afterwards.append(wrong)
    assert of_parity(story.seal(), FAIL) == set()


def test_wrong_first_tokens_are_said_of_a_wrong_model_only_once() -> None:
    story = Story(near={TRT: 0.58}, near_first={TRT: 0.2}).tell().seal()
    assert of_parity(story, FAIL) == {("parity.near", TRT)}


@pytest.mark.parametrize(("kind", "enough"), [("", 1), ("int8", 2), ("fp8", 2), ("int4", 6), ("int4_awq", 6)])
def test_the_limit_of_first_tokens(kind: str, enough: int) -> None:
    """A lane that is as good as asked for fails by a chance of under 0.3 %; one that has none right fails from `enough` on."""
    asked = FIRST_QUANTISED_NEAR[kind] if kind else FIRST_NEAR
    for positions in range(1, 40):
        least = round(first_limit(kind, positions) * positions)
        fails = sum(
            math.comb(positions, near) * asked**near * (1 - asked) ** (positions - near) for near in range(least)
        )
        assert fails < CHANCE <= fails + math.comb(positions, least) * asked**least * (1 - asked) ** (positions - least)
        assert (least > 0) is (positions >= enough)


def test_the_measured_first_ids_of_honest_quantised_lanes_pass_and_of_wrong_heads_fail() -> None:
    measured = json.loads((ROOT / "benchmarks" / "quantised.json").read_bytes())
    draw = random.Random(3)
    for row in measured["rows"]:
        ids = [int(one[0]) for one in row["near_ids"]]
        shares = [sum(draw.sample(ids, measured["draw"])) / measured["draw"] for _ in range(2000)]
        limit = first_limit(row["precision"], measured["draw"])
        if row["mistake"] == "none":
            assert min(shares) >= limit
        if row["mistake"] == "KV heads mapped wrongly":
            assert sum(share < limit for share in shares) > 0.8 * len(shares)


def test_sampled_first_tokens_of_a_sure_model_may_surprise() -> None:
    """One id in a hundred is not the sure one: ten standard errors of a single draw, and honest."""
    story = Story(sampling=Sampling(temperature=0.8, seed=7), iterations=1).tell()

    def sure(story: Story) -> None:
        rare = dict(surprisal=4.6, expected=0.056, variance=0.21)
        of(story).scores = [msgspec.structs.replace(s, **rare) if s.part == "ttft" else s for s in of(story).scores]

    story.afterwards.append(sure)
    assert of_parity(story.seal(), FAIL) == set()


@pytest.mark.parametrize("blocks", [None, 0])
def test_an_engine_that_took_no_blocks_is_no_finding(blocks: int | None) -> None:
    story = Story().tell()
    for t in story.of(TRT):
        reused(t, 0)
        assert t.cells[0].engine_metrics is not None
        t.cells[0].engine_metrics.reused_blocks = blocks
    assert liars.codes(audited(story.seal()), FAIL) == set()


def test_a_judgement_of_an_earlier_program_keeps_its_seal() -> None:
    """What lies in the repository was sealed before the judge noted its trials."""
    report, _ = untrusted.read(ROOT / "docs" / "examples" / "local" / "run.bundle")
    assert "provenance.changed" not in liars.codes(report.findings)
    story = Story().tell().seal()
    of(story).trials = UNSET
    assert b"trials" not in msgspec.json.encode(of(story))


def test_a_bundle_hands_on_what_the_judge_looked_at(tmp_path: Path) -> None:
    story = Story(near={TRT: 1.0}).tell().seal()
    path = tmp_path / "run.bundle"
    bundle.write(path, bundle.make(story.run, story.trials, story.judged, story.workload, ["somebody"]))
    report, _ = untrusted.read(path)
    assert liars.codes(report.findings, FAIL) == set()
    assert {f.code for f in report.findings if f.level == PASS} >= {"parity", "provenance"}


def test_equal_and_exact_are_of_all_trials() -> None:
    story = Story(rounds=4).tell()
    for t in [*story.of(TRT)][:1]:
        other_ids(t, "e2e")
    story.seal()
    line = next(line for line in of(story).lanes if line.lane == TRT)
    assert (line.base, line.equal, line.exact) == (TORCH, 0.75, 0.75)
    made = compare(story.run, story.trials, audited(story), story.judged)
    assert [(f.equal, f.exact) for f in made.cells[0].figures if f.lane == TRT] == [(0.75, 0.75)]


def test_trials_that_one_lane_has_more_of_all_count() -> None:
    lane, base = factory.trials({"onnxruntime": [100.0] * 3, "pytorch-eager": [200.0] * 2}), "pytorch-eager"
    changed = [t for t in lane if t.lane == base][1]
    other_ids(changed, "e2e")
    (line,) = (line for line in lane_scores(lane, []) if line.lane == "onnxruntime")
    assert line.exact == pytest.approx(2 / 3)  # beside the base's first, second, and first once more


def test_what_the_digest_of_a_trial_is_over() -> None:
    """Every id of every pass; times and what else is in a record bear on its own checksum only."""

    def noted(trial: Trial) -> str:
        return judgement.seen(trial).digest

    story = Story(rounds=1).tell()
    t = next(story.of(TRT))
    before = noted(t)
    assert t.cells[0].ttft is not None
    t.cells[0].ttft.times[0] += 1
    assert noted(t) == before
    other_ids(t, "ttft", range(9, 10))
    assert noted(t) != before


def test_a_run_as_it_lies_in_its_folder_is_read_with_what_the_judge_looked_at(tmp_path: Path) -> None:
    story = Story().tell().seal()
    home = factory.store(tmp_path, story.run, story.trials)
    judgement.write(home / judgement.FILE, of(story))
    judged = judgement.read(home / judgement.FILE)
    assert judged == story.judged
    assert liars.codes(audit(story.run, run_folder.trials(tmp_path, story.run.id), judged), FAIL) == set()
    found_wrong(story, [*story.of(TRT)], "e2e")
    judgement.write(home / judgement.FILE, of(story))
    again_read = judgement.read(home / judgement.FILE)
    findings = audit(story.run, run_folder.trials(tmp_path, story.run.id), again_read)
    assert {"parity.near", "parity.lines"} <= liars.codes(findings, FAIL)
