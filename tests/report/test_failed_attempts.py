"""Attempts that failed are named in every format, with lane, trial, attempt and reason, in one line each and not without end."""

from __future__ import annotations

import json

import pytest

import factory
from trtbench.comparison.comparing import compare
from trtbench.comparison.result import Comparison
from trtbench.records.files import encode
from trtbench.records.trial import Failure
from trtbench.report import failed_attempts, markdown, text
from trtbench.report.language import ENGLISH, FRENCH, LANGUAGES
from trtbench.report.page import document

LANE_MS = {"pytorch-eager": [100.0] * 4, "onnxruntime": [50.0] * 4}


def with_failures(*failures: tuple[int, int, str]) -> Comparison:
    """Attempts of ONNX Runtime that failed: index, attempt, reason."""
    trials = factory.trials(LANE_MS)
    for index, attempt, reason in failures:
        trials.append(
            factory.trial(
                "onnxruntime",
                index=index,
                attempt=attempt,
                position=90 + attempt,
                failure=Failure(phase="load", reason=reason),
            )
        )
    for t in trials:
        if t.failure is None and t.index == 2 and t.lane == "onnxruntime":
            t.attempt = 3
    return compare(factory.run(), trials)


def test_each_is_named_with_its_reason_and_whether_it_was_run_again() -> None:
    made = with_failures((2, 1, "it fell over."), (2, 2, "no room"), (5, 1, "killed"))
    assert failed_attempts.sentences(made, ENGLISH) == [
        "ONNX Runtime, trial 2, attempt 1: it fell over; run again",
        "ONNX Runtime, trial 5, attempt 1: killed; it has no figures",
        "ONNX Runtime, trial 2, attempt 2: no room; run again",
    ]
    assert failed_attempts.sentences(made, FRENCH)[1].replace("\u202f", " ").replace("\u00a0", " ") == (
        "ONNX Runtime, essai 5, tentative 1 : « killed » ; sans chiffres"
    )


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_text_markdown_page_and_json_have_them(lang: str) -> None:
    made = with_failures((2, 1, "<b>it fell over"))
    sentence = failed_attempts.sentences(made, LANGUAGES[lang])[0].partition(":")[0].strip()
    assert sentence in " ".join(text.render(made, lang).split())
    for said in (markdown.render(made, lang), document.render(made, lang)):
        assert sentence in said and "fell over" in said and "<b>it" not in said
    (noted,) = json.loads(encode(made))["failed_attempts"]
    assert (noted["lane"], noted["index"], noted["attempt"], noted["again"]) == ("onnxruntime", 2, 1, True)


def test_there_are_no_more_lines_than_one_reads() -> None:
    made = with_failures(*((7, attempt, "x" * 3000 + "\nnext") for attempt in range(1, 500)))
    said = failed_attempts.sentences(made, ENGLISH)
    assert len(said) == failed_attempts.SHOWN + 1 and said[-1] == f"{499 - failed_attempts.SHOWN} more attempts"
    assert max(map(len, said)) < 260 and not any("\n" in line for line in said)


def test_a_run_without_failures_says_nothing_of_them() -> None:
    made = compare(factory.run(), factory.trials(LANE_MS))
    assert "Attempts that failed".upper() not in text.render(made, "en").upper()
    assert "Attempts that failed" not in markdown.render(made, "en")
