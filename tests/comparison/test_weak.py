"""When a verdict is weak: few trials, a machine that was not quiet, trials lost unequally, a word that hangs on them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pytest

import factory
from trtbench.comparison.comparing import compare
from trtbench.comparison.result import Against
from trtbench.records.telemetry import Disturbance
from trtbench.records.trial import Trial
from trtbench.referee.audit.findings import WARN, Finding, found
from trtbench.report import csv_table, disturbed, headline, markdown, notices, text
from trtbench.report.language import language
from trtbench.report.page import document

BUSY = [Disturbance(kind="cpu", value=0.2, limit=0.01)]
EAGER, ORT = "pytorch-eager", "onnxruntime"


def made(eager: Sequence[float], ort: Sequence[float]) -> list[Trial]:
    return factory.trials({EAGER: eager, ORT: ort})


def lost(lane: str, index: int, ms: float) -> Trial:
    """An attempt before the one that counts."""
    return factory.trial(lane, (ms * 0.995, ms * 1.005), index=index, attempt=0, disturbed=BUSY)


def judged(trials: Sequence[Trial]) -> Against:
    comparison = compare(factory.run((EAGER, ORT)), trials)
    (against,) = comparison.cells[0].against
    return against


QUIET = made([100, 101, 100, 99, 100, 101], [80, 81, 80, 79, 80, 81])


def test_a_quiet_run_of_many_trials_is_not_weak() -> None:
    assert judged(QUIET).weak == []
    assert judged(QUIET).verdict.word == "faster"


def test_few_trials() -> None:
    assert judged(made([100, 101, 100], [80, 81, 80])).weak == ["few"]
    assert judged(made([100, 101], [80, 81])).weak == []  # there is no verdict that could be weak


def test_a_disturbed_trial_that_counts_weakens_every_verdict() -> None:
    trials = made([100, 101, 100, 99, 100, 101], [80, 81, 80, 79, 80, 81])
    trials[0].disturbed = BUSY
    comparison = compare(factory.run((EAGER, ORT)), trials)
    assert comparison.cells[0].against[0].weak == ["not_quiet"]
    say = language("en")
    assert "weak: the machine was not quiet" in headline.lead(comparison, say).sentence
    assert any(sentence.startswith("NOT QUIET") for sentence in notices.warnings(comparison, say))
    assert disturbed.sentences(comparison, say) == [
        "PyTorch eager, trial 1: others used 20.0% of the CPU; it was not run again and counts"
    ]


def test_one_that_was_run_again_does_not() -> None:
    comparison = compare(factory.run((EAGER, ORT)), [*QUIET, lost(ORT, 2, 82.0)])
    assert comparison.cells[0].against[0].weak == []
    assert comparison.cells[0].by_lane[ORT, "float32"].speedup == judged(QUIET).speedup
    assert disturbed.sentences(comparison, language("fr")) == [
        "ONNX Runtime, essai 2\u00a0: d\u2019autres ont pris 20,0\u202f% du processeur\u202f; refait, il ne compte donc pas"
    ]


@pytest.mark.parametrize(("eager", "ort", "expected"), [(0, 3, ["lost"]), (3, 0, ["lost"]), (2, 0, []), (3, 2, [])])
def test_lost_unequally(eager: int, ort: int, expected: list[str]) -> None:
    """The lost ones are as fast as the others, so that they change no word."""
    losses = [lost(EAGER, i + 1, 100.0) for i in range(eager)] + [lost(ORT, i + 1, 80.0) for i in range(ort)]
    assert judged([*QUIET, *losses]).weak == expected


def test_a_word_that_hangs_on_what_was_left_out() -> None:
    losses = [lost(ORT, 1, 400.0), lost(ORT, 2, 420.0)]
    assert judged([*QUIET, *losses]).weak == ["put_back"]


def test_a_base_that_is_another_with_them_put_back_is_another_word() -> None:
    trials = factory.trials(
        {EAGER: [100, 101, 100, 99, 100], "pytorch-compile": [90, 91, 90, 89, 90], ORT: [80, 81, 80, 79, 80]}
    )
    losses = [lost("pytorch-compile", i, 900.0 + i) for i in (1, 2)]
    comparison = compare(factory.run((EAGER, "pytorch-compile", ORT)), [*trials, *losses])
    by_lane = comparison.cells[0].by_lane
    assert by_lane[EAGER, "float32"].verdict.word == "slower" and by_lane[ORT, "float32"].verdict.word == "faster"
    assert by_lane[EAGER, "float32"].weak == by_lane[ORT, "float32"].weak == ["put_back"]


@pytest.mark.parametrize("lane", [EAGER, ORT])
@pytest.mark.parametrize(
    "code", ["time.excused", "time.kind", "ceiling.measured", "provenance.mixed", "provenance.cells"]
)
def test_a_time_that_the_audit_doubts_makes_no_firm_verdict(code: str, lane: str) -> None:
    """Whichever of the two it is of."""
    doubt = found(code, (lane, "float32"), level=WARN)
    elsewhere = found(code, (lane, "float32"), (7, 7, 7), WARN)
    run = factory.run((EAGER, ORT))
    for findings, weak in (([doubt], ["doubted"]), ([elsewhere], [])):
        (against,) = compare(run, QUIET, findings).cells[0].against
        assert against.verdict.word == "faster" and against.weak == weak


UNLOADABLE = "the reference model cannot be loaded: transformers 5.23.0 cannot load this model"
CELLS = {"faster": QUIET, "none": made([100, 101], [80, 81])}


@pytest.mark.parametrize("word", CELLS)
@pytest.mark.parametrize(
    ("finding", "code", "english", "french"),
    [
        (found("parity.absent", reason=UNLOADABLE), "judge_failed", "the judge failed", "le juge a échoué"),
        (found("parity.absent", reason="absent"), "unjudged", "nobody judged", "personne n\u2019a jugé"),
        (found("parity.unscored", (ORT, "float32"), part="e2e", trials="1 2"), "unjudged", "nobody judged", "personne"),
    ],
)
def test_a_headline_lane_that_nobody_judged_says_so_in_the_headline_of_every_format(
    word: str, finding: Finding, code: str, english: str, french: str
) -> None:
    comparison = compare(factory.run((EAGER, ORT), headline=ORT), CELLS[word], [finding])
    (against,) = comparison.cells[0].against
    assert (against.verdict.word, against.weak[-1:]) == (word, [code])
    assert english in headline.lead(comparison, language("en")).sentence
    assert french in headline.lead(comparison, language("fr")).sentence
    assert english in " ".join(text.render(comparison, "en").partition("HEADLINE")[2].split())
    assert english in markdown.render(comparison, "en")
    assert english in document.render(comparison, "en")
    (of_lane,) = [row for row in csv.DictReader(io.StringIO(csv_table.render(comparison))) if row["lane"] == ORT]
    assert of_lane["weak"].split()[-1] == code
    assert ("NOT JUDGED" in notices.marks(comparison, language("en"))) == (code == "judge_failed")


def test_a_void_headline_says_too_that_nobody_judged() -> None:
    findings = [found("provenance.gap", (EAGER, "float32"), missing="2"), found("parity.absent", reason=UNLOADABLE)]
    said = headline.lead(compare(factory.run((EAGER, ORT), headline=ORT), QUIET, findings), language("en"))
    assert said.word == "void"
    assert "the judge failed" in said.sentence


def test_a_lane_that_was_judged_says_nothing_of_trials_that_were_not() -> None:
    finding = found("parity.unscored", (EAGER, "float32"), part="e2e", trials="1 2")
    comparison = compare(factory.run((EAGER, ORT), headline=ORT), QUIET, [finding])
    assert comparison.cells[0].against[0].weak == []
