"""What an engine does not tell is marked as asked for, in every format and both languages."""

from __future__ import annotations

import csv
import io

import pytest

import factory
import reports
from trtbench.comparison.comparing import compare
from trtbench.comparison.result import Comparison
from trtbench.report import csv_table, markdown, text
from trtbench.report.page.document import render


def asked() -> Comparison:
    """One of three lanes does not know what it computes in, nor its graphs."""
    made = factory.trials(reports.TRIALS)
    for trial in made:
        if trial.lane == "openvino" and trial.statement is not None:
            trial.statement.cuda_graphs = True
            trial.statement.asked = ["compute_precision", "cuda_graphs"]
    return compare(factory.run(lanes=list(reports.TRIALS), headline="onnxruntime"), made)


@pytest.mark.parametrize(
    ("lang", "title", "line"),
    [
        ("en", "Asked for, and not told by the engine", "OpenVINO: computes in float32, CUDA graphs yes"),
        ("fr", "Demandé, et que le moteur ne dit pas", "OpenVINO : calcule en float32, graphes CUDA (oui)"),
    ],
)
def test_text_and_markdown_name_the_lane_and_what_it_does_not_tell(lang: str, title: str, line: str) -> None:
    plain = " ".join(text.render(asked(), lang).replace("\u00a0", " ").split())
    assert title.upper() in plain and line in plain
    document = markdown.render(asked(), lang).replace("\u00a0", " ")
    assert f"### {title}" in document and f"- {line}" in document


def test_the_page_marks_the_fields_themselves() -> None:
    page = render(asked(), "en")
    assert page.count("float32 (asked for)") == page.count("float32 (demandé)") == 1
    assert "yes (asked for)" in page and "oui (demandé)" in page


def test_the_csv_names_the_fields_of_the_lane() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_table.render(asked()), newline="")))
    assert {row["lane"]: row["asked_for"] for row in rows} == {
        "pytorch-eager": "",
        "onnxruntime": "",
        "openvino": "compute_precision cuda_graphs",
    }


def test_lanes_that_tell_everything_get_no_such_part() -> None:
    for lang, title in (("en", "ASKED FOR"), ("fr", "DEMANDÉ, ET")):
        assert title not in text.render(reports.honest(), lang)
    assert "(asked for)" not in render(reports.honest(), "en")
