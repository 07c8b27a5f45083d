"""Cheats, each caught by the finding meant for it, and honest runs, which raise no failure. Prints the confusion table."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

import factory
import liars
from cheats import CHEATS, Cheat
from cheats.ceiling import times_another_first_token, writes_zeros_after_an_error
from cheats.changes import (
    CELL,
    TORCH,
    TRT,
    TUNED,
    beside_a_neighbour,
    honest_departure,
    keep_rounds,
    run_again,
    with_a_faster_base,
)
from cheats.parity import drops_a_layer
from honest import HONEST, honest
from liars import Story
from loading import load
from trtbench.comparison.comparing import compare
from trtbench.errors import UserError
from trtbench.figures.leaving import departures
from trtbench.machine.disturbance import disturbances
from trtbench.measure.stopping import every_trial
from trtbench.records import judgement, run_folder
from trtbench.records.trial import Failure, Pass, checksum
from trtbench.referee.audit import audit
from trtbench.referee.audit.findings import FAIL, PASS, WARN, Finding
from trtbench.report.audit_text import advice, sentence
from trtbench.report.headline import lead
from trtbench.report.language import ENGLISH, LANGUAGES, Language
from trtbench.report.words.audit import FIGURES
from trtbench.settings.knobs import ROOT
from trtbench.settings.lanes import LANES


def caught(story: Story) -> list[Finding]:
    return audit(story.run, story.trials, story.judged, story.workload)


def told(change: Cheat) -> Story:
    story = Story().tell()
    change(story)
    return story.seal()


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_is_caught_by_the_finding_meant_for_it(name: str) -> None:
    change, code, level = CHEATS[name]
    findings = caught(told(change))
    assert (code, level) in {(f.code, f.level) for f in findings}


WORDS = ("what", "part")  # figures of findings that are words of a sentence, and so have a row in both languages


@pytest.mark.parametrize("say", LANGUAGES.values(), ids=LANGUAGES)
def test_what_is_found_is_said_in_the_language_and_names_lanes_by_their_label(say: Language) -> None:
    heard = set()
    for change, _, _ in CHEATS.values():
        for finding in caught(told(change)):
            if finding.level == PASS:
                continue
            heard.add(finding.code)
            said = f"{sentence(finding, say)} {advice(finding, say)}"
            assert not [lane for lane in LANES if re.search(rf"(?<![\w-]){lane}(?![\w-])", said) and "-" in lane], said
            words = ", ".join(str(finding.figures[name]) for name in WORDS if name in finding.figures)
            assert [word for word in words.split(", ") if word and word not in FIGURES] == []
    assert len(heard) > 40


# Of zeros no comparison can be made at all: test_zeros_never_get_past_the_reader.
FAILING = [name for name, (_, _, level) in CHEATS.items() if level == FAIL and name != "writes_zeros_after_an_error"]


@pytest.mark.parametrize("name", FAILING)
def test_a_cheat_that_fails_voids_the_verdict(name: str) -> None:
    story = told(CHEATS[name][0])
    made = compare(story.run, story.trials, caught(story), story.judged)
    words = {a.verdict.word for a in made.cells[0].against}
    assert words == ({"none"} if CHEATS[name][1] == "provenance.simulated" else {"void"})


def test_zeros_never_get_past_the_reader(tmp_path: Path) -> None:
    story = told(writes_zeros_after_an_error)
    factory.store(tmp_path, story.run, story.trials)
    with pytest.raises(UserError, match="times"):
        run_folder.trials(tmp_path, story.run.id)


def test_a_record_edited_by_hand_is_caught(tmp_path: Path) -> None:
    story = told(lambda story: None)
    home = factory.store(tmp_path, story.run, story.trials)
    file = next(f for f in sorted((home / "trials").iterdir()) if TRT in f.name)
    record = run_folder.read_trials([file])[0]
    assert record.cells[0].e2e is not None
    first = record.cells[0].e2e.times[0]
    file.write_text(file.read_text().replace(str(first), str(first * 9 // 10), 1))
    findings = audit(story.run, run_folder.trials(tmp_path, story.run.id), story.judged, story.workload)
    assert ("provenance.changed", TRT) in {(f.code, f.lane) for f in findings if f.level == FAIL}


def test_a_judgement_edited_by_hand_is_caught() -> None:
    story = told(drops_a_layer)
    assert story.judged is not None
    story.judged.scores = [msgspec.structs.replace(s, near=s.positions) for s in story.judged.scores]
    assert ("provenance.changed", FAIL) in {(f.code, f.level) for f in caught(story)}


def test_ids_that_were_not_judged_do_not_pass() -> None:
    story = told(lambda story: None)
    story.answer_differently(TRT)
    for t in story.of(TRT):
        t.checksum = checksum(t)
    findings = caught(story)
    assert ("parity.unscored", WARN, TRT) in {(f.code, f.level, f.lane) for f in findings}
    assert ("parity", TRT) not in {(f.code, f.lane) for f in findings}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_run_raises_no_failure(name: str) -> None:
    for seed in range(1, 6):
        findings = caught(honest(name, seed))
        assert [f for f in findings if f.level == FAIL] == []
        differing = {f.lane for f in findings if f.code == "steady.trials"}
        assert differing == ({TORCH} if name == "compiling anew in each process" else set())


@pytest.mark.parametrize("iterations", [1, 3, 8])
def test_a_first_token_that_is_the_whole_by_a_few_per_cent_of_noise_voids_nothing(iterations: int) -> None:
    """With one new token the two passes are the same work: either may come out as the slower one."""
    for seed in range(1, 31):
        story = Story(seed=seed, new=1, first=1000.0, iterations=iterations, rounds=3).tell().seal()
        assert [f for f in caught(story) if f.level == FAIL] == []


@pytest.mark.parametrize("iterations", [1, 3])
def test_first_tokens_well_above_the_whole_are_told_by_three_calls_of_each(iterations: int) -> None:
    story = Story(first=20.0, iterations=iterations, rounds=3).tell()
    times_another_first_token(story)
    (finding,) = (f for f in caught(story.seal()) if f.code == "ceiling.ttft_above_whole")
    assert finding.level == FAIL and finding.figures["trials"] == "1, 2, 3"


@pytest.mark.parametrize(("first", "told"), [(3.0, False), (20.0, True)])
def test_first_tokens_above_the_whole_beside_a_neighbour_are_told_where_no_moment_explains_them(
    first: float, told: bool
) -> None:
    """A neighbour may slow a pass of some milliseconds alone; in one of seconds it was there in the other too."""
    story = Story(first=first, latency={TORCH: 200.0, TRT: 190.0}, iterations=3, rounds=3).tell()
    times_another_first_token(story)
    for trial in story.of(TRT):
        beside_a_neighbour(trial, story)
    codes = {f.code: f.level for f in caught(story.seal())}
    assert ("ceiling.ttft_above_whole" in codes) == told
    assert told or codes["ceiling.tpot_negative"] == WARN


@pytest.mark.parametrize(("tuned", "finished"), [(9000.0, 1), (2300.0, 3)])
def test_a_lane_that_left_by_the_rules_is_no_finding_and_voids_nothing(tuned: float, finished: int) -> None:
    story = Story()
    with_a_faster_base(story, tuned)
    honest_departure(story, finished)
    story.seal()
    assert [(d.lane, d.round) for d in story.run.departures or []] == [(TUNED, finished)]
    findings = caught(story)
    assert {f.code for f in findings if f.code.startswith("base.")} == set()
    made = compare(story.run, story.trials, findings, story.judged)
    assert {a.lane: a.verdict.word for a in made.cells[0].against}[TRT] == "faster"


def test_a_trial_run_again_after_a_departure_does_not_make_it_wrong() -> None:
    """As when a run is taken up again: the trial has the number and round of the one that failed, and a later position."""
    story = Story()
    with_a_faster_base(story, 9000.0)
    honest_departure(story, 1)
    again = next(t for t in story.trials if t.lane == TORCH and t.index == 1)
    again.position = max(t.position for t in story.trials) + 1
    again.attempt = 2
    assert again.cells[0].e2e is not None
    first = msgspec.structs.replace(again, attempt=1, position=1, cells=[], failure=Failure(phase="x", reason="y"))
    story.trials.append(first)
    story.run.departures = departures([t for t in story.trials if t.index == 1 and t is not again], story.run, 1)
    story.seal()
    assert "base.left" not in {f.code for f in caught(story)}


def test_a_base_trial_run_again_before_the_next_round_does_not_make_a_departure_wrong() -> None:
    """The run was cut off after round one, where a lane had left, and taken up again: the base's disturbed trial is run again
    first, and is so slow now that the lane would stay."""
    story = Story(rounds=1)
    with_a_faster_base(story, 9000.0)
    story.run.stopped = None
    base = next(story.of(TORCH))
    beside_a_neighbour(base, story)
    story.run.departures = departures(story.trials, story.run, 1)
    assert [d.lane for d in story.run.departures] == [TUNED]
    run_again(story, base, 3.0)
    assert "base.left" not in {f.code for f in caught(story.seal())}


def test_trials_of_another_run_decide_no_departure() -> None:
    story = Story()
    with_a_faster_base(story, 9000.0)
    honest_departure(story, 1)
    strangers = [msgspec.structs.replace(t, run="20250101-000000", round=1) for t in story.of(TORCH) if t.index > 1]
    for t in strangers:
        t.cells = [msgspec.structs.replace(record, e2e=slower(record.e2e, 9)) for record in t.cells]
    story.trials += strangers
    assert "base.left" not in {f.code for f in caught(story.seal())}


def slower(part: Pass | None, factor: int) -> Pass:
    assert part is not None
    return msgspec.structs.replace(part, times=[t * factor for t in part.times])


def test_a_lane_that_left_no_trial_of_the_last_round_of_a_run_that_was_cut_off_is_not_missing() -> None:
    story = Story().tell()
    keep_rounds(story, TORCH, story.rounds - 1)
    story.run.stopped = None
    assert "base.vanished" not in {f.code for f in caught(story.seal())}


def test_a_run_taken_up_again_and_ended_before_the_round_that_was_cut_off_misses_nothing() -> None:
    story = Story().tell()
    keep_rounds(story, TORCH, story.rounds - 1)
    story.run.stopped = every_trial(story.rounds - 2)
    assert "base.vanished" not in {f.code for f in caught(story.seal())}


@pytest.mark.parametrize(("kept", "missing"), [(4, False), (3, True)])
def test_a_lane_that_came_later_has_the_rounds_of_the_call_that_it_came_with(kept: int, missing: bool) -> None:
    """Its compiler was missing at first; then the run was taken up again for four rounds."""
    story = Story()
    with_a_faster_base(story)
    keep_rounds(story, TUNED, kept)
    for t in story.of(TUNED):
        t.position += 100
    story.run.stopped = "TIME_BUDGET=60 s is spent after 4 rounds; raise it for a narrower interval"
    assert ("base.vanished" in {f.code for f in caught(story.seal())}) is missing


def test_a_lane_of_a_quantised_comparison_is_void_when_a_base_of_any_full_precision_is_lost() -> None:
    story = Story(latency={TORCH: 2000.0, TUNED: 1400.0, TRT: 330.0}, precision={TRT: "int4_awq", TUNED: "bfloat16"})
    story.near = {TRT: 0.93}
    story.tell()
    keep_rounds(story, TUNED, 0)
    story.seal()
    made = compare(story.run, story.trials, caught(story), story.judged)
    verdict = {a.lane: a.verdict for a in made.cells[0].against}[TRT]
    assert (verdict.word, verdict.reason) == ("void", "base.unaccounted")
    said = lead(made, ENGLISH).sentence
    assert "base.unaccounted (PyTorch tuned bfloat16)" in said


@pytest.mark.parametrize("lane", [TRT, TORCH])
def test_a_trial_that_a_neighbour_disturbed_may_be_run_again(lane: str) -> None:
    """Whether it was the slower one or the faster one."""
    for factor in (0.98, 1.01):
        story = Story().tell()
        first = next(t for t in story.of(lane) if t.index == 3)
        run_again(story, first, factor)
        beside_a_neighbour(first, story)
        findings = caught(story.seal())
        assert [f.code for f in findings if f.level == FAIL] == []
        assert liars.codes(findings, WARN) <= {"aa.differs", "steady.drift"}


def test_the_clock_that_is_normal_is_that_of_the_trials_so_far() -> None:
    """A card that somebody slowed down before the fourth trial's first call: told by the trials before it."""
    story = Story().tell()
    late = [t for t in story.trials if t.position >= 4]
    for t in late:
        assert t.telemetry is not None and t.telemetry.gpus and story.run.rules is not None
        t.telemetry.gpus[0].early_clock = 1500
        t.disturbed = disturbances(t, story.run.rules, {liars.GPU_UUID: 2475})
        assert [one.kind for one in t.disturbed] == ["gpu_clock"]
    codes = {f.code for f in caught(story.seal())}
    assert "provenance.disturbed" not in codes and "machine.disturbed" in codes


def test_the_plain_honest_run_has_nothing_but_passes() -> None:
    assert liars.codes(caught(Story().tell().seal()), WARN) == set()


def test_the_confusion_table_is_the_committed_one() -> None:
    """`PYTHONPATH=scripts:tests python benchmarks/confusion.py` makes it again, tools/methodology.py puts it into the document."""
    made = load("benchmarks/confusion").table()
    assert [row["run"] for row in made["cheats"] if not row["told"]] == []
    assert [row["run"] for row in made["honest"] if row["failed"]] == []
    assert len(made["cheats"]) == len(CHEATS) >= 100
    assert made == json.loads((ROOT / "benchmarks" / "confusion.json").read_text(encoding="utf-8"))


def test_the_judge_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    story = told(drops_a_layer)
    assert story.judged is not None
    judgement.write(tmp_path / "judge.json", story.judged)
    assert judgement.read(tmp_path / "judge.json") == story.judged
    assert (story.batch, story.prompt, story.new) == CELL
