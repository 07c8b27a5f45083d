"""The audit's table and words, what absent evidence does, and how findings reach verdict, report and exit status."""

from __future__ import annotations

import json
import random
import re
import string
from pathlib import Path

import msgspec
import pytest

import factory
import liars
from liars import Story
from trtbench import compare as command
from trtbench.comparison.comparing import compare
from trtbench.model.workload import Workload
from trtbench.records import judgement, run_folder
from trtbench.records.files import encode
from trtbench.records.run import sort_key
from trtbench.records.trial import checksum
from trtbench.referee.audit import CHECKS, audit, parity
from trtbench.referee.audit.findings import FAIL, LEVELS, PASS, TABLE, THEMES, WARN, Finding, found, ordered, voiding
from trtbench.referee.audit.steady import trend
from trtbench.report import text
from trtbench.report.words.audit import FINDINGS
from trtbench.settings.knobs import ROOT

TRT, TORCH = "tensorrt-engine", "pytorch-eager"
SPOKEN = [code for code, row in TABLE.items() if row.levels != (PASS,)]


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_the_words_hold_nothing_but_the_table() -> None:
    assert set(FINDINGS) == set(SPOKEN)


@pytest.mark.parametrize("code", SPOKEN)
def test_the_advice_on_a_finding_needs_no_other_figures_than_its_sentence(code: str) -> None:
    said = FINDINGS[code]
    assert placeholders(said.advice[0]) <= placeholders(said.sentence[0])


def test_each_code_belongs_to_a_theme_and_each_theme_is_checked() -> None:
    assert {code.split(".")[0] for code in TABLE} == set(THEMES)
    assert set(CHECKS) == set(THEMES)


def test_a_level_that_the_table_does_not_give_is_refused() -> None:
    with pytest.raises(ValueError, match=r"aa\.differs has no level fail"):
        found("aa.differs", level=FAIL)


def test_a_finding_without_lane_or_cell_touches_all() -> None:
    everywhere, lane = found("provenance.gap"), found("provenance.gap", (TRT, "float16"))
    cell = found("count.new_ids", (TRT, "float16"), (1, 2, 3))
    assert everywhere.touches(TORCH, "float32", (1, 1, 1))
    assert lane.touches(TRT, "float16", (9, 9, 9)) and not lane.touches(TRT, "float32")
    assert cell.touches(TRT, "float16", (1, 2, 3)) and not cell.touches(TRT, "float16", (1, 2, 4))
    assert voiding([cell], [(TRT, "float16")], (1, 2, 4)) is None


def test_only_a_failure_voids() -> None:
    warning = Finding(code="machine.throttled", level=WARN)
    assert voiding([warning], [(TRT, "float16")], (1, 2, 3)) is None


def test_absent_evidence_warns_and_never_passes() -> None:
    story = Story().tell().seal()
    for t in story.trials:
        t.telemetry = None
        t.checksum = checksum(t)
    findings = audit(story.run, story.trials, None, story.workload)
    assert {"parity.absent", "machine.unwatched"} <= liars.codes(findings, WARN)
    assert not {"parity", "machine"} & liars.codes(findings, PASS)
    assert liars.codes(findings, FAIL) == set()


def test_records_that_cannot_show_who_is_missing_do_not_pass_as_complete() -> None:
    for change in ("rules", "round", "step"):
        story = Story().tell()
        for t in story.trials:
            if change == "round":
                t.round = None
            if change == "step":
                t.interleaved = False
        if change == "rules":
            story.run.rules = None
        story.seal()
        assert "base" not in liars.codes(audit(story.run, story.trials, story.judged, story.workload), PASS)
    story = Story().tell().seal()
    assert "base" in liars.codes(audit(story.run, story.trials, story.judged, story.workload), PASS)


def test_a_gpu_without_samples_is_not_watched() -> None:
    story = Story().tell()
    for t in story.of(TRT):
        assert t.telemetry is not None
        t.telemetry.gpus = None
    findings = audit(story.seal().run, story.trials, story.judged, story.workload)
    assert ("machine.unwatched", TRT) in {(f.code, f.lane) for f in findings}


def test_a_judgement_of_another_model_or_one_that_failed_is_none() -> None:
    story = Story().tell().seal()
    assert story.judged is not None
    for change, reason in (({"model_digest": "b" * 64}, "other_model"), ({"failure": "no torch"}, "no torch")):
        other = msgspec.structs.replace(story.judged, **change)
        findings = audit(story.run, story.trials, other, story.workload)
        assert [f.figures["reason"] for f in findings if f.code == "parity.absent"] == [reason]
        assert "parity" not in liars.codes(findings)


def test_quantised_lanes_on_random_weights_are_never_passed_or_failed() -> None:
    for near in (1.0, 0.09):
        story = Story(precision={TRT: "int4_awq"}, synthetic=True, near={TRT: near}).tell().seal()
        mine = [f for f in audit(story.run, story.trials, story.judged, story.workload) if f.lane == TRT]
        assert [(f.code, f.level) for f in mine if f.code.startswith("parity")] == [("parity.quantised", WARN)]


def test_sampled_ids_off_the_distribution_fail_and_its_own_do_not() -> None:
    from trtbench.records.trial import Sampling

    story = Story(sampling=Sampling(temperature=0.8, seed=7)).tell().seal()
    assert story.judged is not None
    assert liars.codes(audit(story.run, story.trials, story.judged, story.workload), FAIL) == set()
    story.judged.scores = [msgspec.structs.replace(s, surprisal=s.surprisal + 120.0) for s in story.judged.scores]
    story.judged.checksum = judgement.checksum(story.judged)
    assert "parity.sampled" in liars.codes(audit(story.run, story.trials, story.judged, story.workload), FAIL)


def test_the_measured_bandwidth_of_a_cpu_only_warns() -> None:
    story = Story(gpu=None, default_precision="float32", latency={TORCH: 50000.0, "onnxruntime": 5000.0}, first=2000)
    findings = audit(story.tell().seal().run, story.trials, story.judged, story.workload)
    assert ("ceiling.measured", WARN) in {(f.code, f.level) for f in findings}
    assert liars.codes(findings, FAIL) == set()


def test_prompts_are_held_against_each_other_without_a_workload() -> None:
    story = Story(latency={TORCH: 2000.0, TRT: 1000.0, "tensorrt-pytorch": 1500.0}).tell()
    for _, e2e, _ in story.passes(TRT):
        e2e.prompts_digest = "0" * 64
    findings = audit(story.seal().run, story.trials, story.judged, None)
    assert [f.lane for f in findings if f.code == "fairness.prompts"] == [TRT]


def test_a_trial_that_failed_and_was_run_again_is_no_retry() -> None:
    story = Story().tell()
    second = next(t for t in story.of(TRT) if t.index == 2)
    second.attempt = 2
    failed = factory.trial(
        TRT, index=2, position=second.position, failure=factory.Failure(phase="load", reason="it fell over")
    )
    failed.precision, second.position = "float16", len(story.trials) + 1
    failed.sealed, failed.settings, failed.telemetry = second.sealed, second.settings, second.telemetry
    factory.stamped(second, second.position * factory.SLOT)
    story.trials.append(failed)
    findings = audit(story.seal().run, story.trials, story.judged, story.workload)
    assert liars.codes(findings, FAIL) == set()


def test_trials_of_another_run_of_the_same_kind_warn() -> None:
    story = Story().tell()
    for t in story.of(TRT):
        t.run = "20250101-000000"
    findings = audit(story.seal().run, story.trials, story.judged, story.workload)
    assert [(f.code, f.level) for f in findings if f.code == "provenance.mixed"] == [("provenance.mixed", WARN)]


@pytest.mark.parametrize(
    ("times", "change", "sure"),
    [
        ([100 + i for i in range(10)], 9 / 104.5, True),
        ([100] * 10, 0.0, False),
        ([100, 110, 100, 110, 100, 110, 100, 110], 0.0, False),
        ([100, 105], 0.0, False),
        ([100 + i for i in range(400)], 399 / 299.5, True),
    ],
)
def test_trend(times: list[int], change: float, sure: bool) -> None:
    seen, p = trend(times)
    assert seen == pytest.approx(change, abs=0.06)
    assert (p < 0.01) is sure


def test_drift_is_rarely_seen_in_noise() -> None:
    draw = random.Random(5)
    false = sum(trend([round(1e6 * (1 + 0.1 * draw.random())) for _ in range(10)])[1] < 0.01 for _ in range(2000))
    assert false <= 2000 * 0.01


def test_a_failure_gives_status_3_and_names_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    story = Story(near={TRT: 0.5}).tell().seal()
    write(tmp_path, story)
    assert command.main(["--results-dir", str(tmp_path), "--no-chart"]) == 3
    printed = capsys.readouterr().out
    assert "void - parity.near: 50.0% of the 800 judged ids" in " ".join(printed.split())
    report = json.loads((tmp_path / "benchmark_comparison_report.json").read_bytes())
    verdict = report["cells"][0]["against"][0]["verdict"]
    assert (verdict["word"], verdict["reason"]) == ("void", "parity.near")
    assert "parity.near" in {finding["code"] for finding in report["findings"]}


def test_an_honest_run_gives_status_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, Story().tell().seal())
    assert command.main(["--results-dir", str(tmp_path), "--no-chart"]) == 0
    printed = capsys.readouterr().out
    assert "Passed: count, rate, time, ceiling, parity, fairness, steady, machine, provenance, base, aa" in " ".join(
        printed.split()
    )


def test_a_stand_in_gets_no_verdict_ever(tmp_path: Path) -> None:
    story = Story().tell()
    for t in story.of(TRT):
        assert t.statement is not None
        t.statement.simulated = True
    story.seal()
    for findings in ((), audit(story.run, story.trials, story.judged, story.workload)):
        made = compare(story.run, story.trials, findings, story.judged)
        assert [(a.verdict.word, a.verdict.reason) for a in made.cells[0].against] == [("none", "simulated")]


def test_a_failure_of_a_slower_pytorch_lane_touches_no_other_comparison() -> None:
    story = Story(latency={TORCH: 2000.0, TRT: 1000.0, "tensorrt-pytorch": 1500.0}, near={"tensorrt-pytorch": 0.5})
    findings = audit(story.tell().seal().run, story.trials, story.judged, story.workload)
    made = compare(story.run, story.trials, findings, story.judged)
    assert {a.lane: a.verdict.word for a in made.cells[0].against} == {TRT: "faster", "tensorrt-pytorch": "void"}


@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize("near", [1.0, 0.5])
def test_the_report_keeps_to_80_columns(lang: str, near: float) -> None:
    story = Story(near={TRT: near}, rounds=4, spread=(0.1, 0.4)).tell()
    for t in story.of(TORCH):
        t.telemetry = None
    findings = audit(story.seal().run, story.trials, story.judged, story.workload)
    said = text.render(compare(story.run, story.trials, findings, story.judged), lang)
    assert max(map(len, said.splitlines())) <= 80
    assert not re.search(r"\{\w+(:\w)?\}", said)


def write(results: Path, story: Story) -> None:
    home = factory.store(results, story.run, story.trials)
    (home / "workload.json").write_bytes(encode(story.workload))
    if story.judged is not None:
        judgement.write(home / judgement.FILE, story.judged)


def test_the_order_of_files_changes_nothing_byte_for_byte() -> None:
    story = Story(spread=(0.05, 0.2), rounds=5, near={TRT: 0.5}).tell().seal()
    expected = None
    for seed in range(4):
        mixed = list(story.trials)
        random.Random(seed).shuffle(mixed)
        findings = audit(story.run, mixed, story.judged, story.workload)
        made = compare(story.run, mixed, findings, story.judged)
        said = encode(made), text.render(made, "en"), text.render(made, "fr")
        assert expected in (None, said)
        expected = said


def test_findings_come_fails_first_and_do_not_depend_on_their_order() -> None:
    these = [found("aa"), found("aa.few"), found("count.ids", (TRT, "float16")), found("count.ids", (TORCH, "float16"))]
    assert ordered(these) == ordered(reversed(these))
    assert [LEVELS.index(f.level) for f in ordered(these)] == [0, 0, 1, 2]


def test_a_changed_workload_file_is_seen(tmp_path: Path) -> None:
    story = Story().tell().seal()
    other = msgspec.structs.replace(story.workload, ring=[*story.workload.ring, 5])
    assert isinstance(other, Workload)
    findings = audit(story.run, story.trials, story.judged, other)
    assert ("provenance.changed", "workload.json") in {(f.code, f.figures.get("file")) for f in findings}


def test_reading_shares_what_records_repeat(tmp_path: Path) -> None:
    story = Story(rounds=2).tell().seal()
    write(tmp_path, story)
    read = run_folder.trials(tmp_path, story.run.id)
    assert len({id(t.environment) for t in read}) == len({id(t.settings) for t in read}) == 1
    assert read == sorted(story.trials, key=sort_key)


def test_few_ids_of_four_bits_may_hold_fewer_near_ones_by_chance() -> None:
    asked = parity.QUANTISED_NEAR["int4"]
    limits = [parity.quantised_limit("int4", positions) for positions in (16, 48, 384, 10**9)]
    assert limits == sorted(limits) and limits[-1] == pytest.approx(asked, abs=1e-3)
    assert parity.quantised_limit("int4", 1) == 0.0
    # Eight bits have every id near where they are honest: no allowance.
    assert {parity.quantised_limit("int8", positions) for positions in (1, 48, 10**6)} == {0.95}


def test_the_tolerances_lie_between_honest_lanes_and_the_mistakes_they_can_tell() -> None:
    rows = json.loads((ROOT / "benchmarks" / "quantised.json").read_text(encoding="utf-8"))["rows"]
    told = ("KV heads mapped wrongly", "scale of one matrix 8 times")
    for row in rows:
        limit = parity.quantised_limit(row["precision"], 12 * 32)
        if row["mistake"] == "none":
            assert row["lowest_draw"] >= limit, row
        if row["mistake"] in told:
            assert row["near"] < limit, row
        if row["precision"] == "int8" and "layer dropped" in row["mistake"]:
            assert row["near"] < limit, row
