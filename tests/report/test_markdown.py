"""Markdown for pull requests."""

from __future__ import annotations

import re

import pytest

import reports
from trtbench.report import markdown


def test_sentence_table_and_conditions() -> None:
    text = markdown.render(reports.honest(), "en")
    assert text.startswith("## Benchmark: example/model on Example CPU")
    assert "**FASTER**: ONNX Runtime is 2.00x faster than PyTorch eager (1.98-2.02)" in text
    assert "| PyTorch eager | 100.00 | 99.02-101.0 | 80.00 |" in text
    assert "| 2.00x (1.98-2.02) | faster |" in text
    assert "<details>\n<summary>Conditions</summary>\n\n- Run:" in text
    assert "bash scripts/bench\\_local.sh" not in text  # a code span needs no backslash
    assert "bash scripts/bench_local.sh`" in text


def test_every_table_line_has_as_many_cells_as_its_head() -> None:
    for kind in ("honest", "audited", "refused", "hostile"):
        parts = markdown.render(getattr(reports, kind)(), "fr").split("\n\n")
        tables = [part.splitlines() for part in parts if part.startswith("|")]
        fields = [{len(re.findall(r"(?<!\\)\|", line)) for line in lines} for lines in tables]
        assert fields == [{9}, {6}], kind


@pytest.mark.parametrize(
    ("kind", "word"), [("refused", "VOID"), ("simulated", "SIMULATED"), ("audited", "DEMONSTRATION")]
)
def test_what_must_not_be_quoted_stands_in_capitals(kind: str, word: str) -> None:
    text = markdown.render(getattr(reports, kind)(), "en")
    assert f"**{word}**" in text[: text.index("###")]


@pytest.mark.parametrize(("lang", "word"), [("en", "SIMULATED"), ("fr", "SIMULÉ")])
def test_the_mark_of_a_simulated_run_is_not_said_twice_in_one_line(lang: str, word: str) -> None:
    for line in markdown.render(reports.simulated(), lang).splitlines():
        assert line.count(word) <= 1, line


def test_hostile_text_is_neither_markup_nor_mention_nor_a_new_line() -> None:
    text = markdown.render(reports.hostile(), "en")
    spans = re.compile(r"(?<!\\)(`+)(?!`).*?(?<!`)\1(?!`)")
    outside = "\n".join(spans.sub("", line) for line in text.splitlines())
    assert not re.search(r"(?<!\\)<(?!/?(details|summary)>)", outside)
    assert not re.search(r"(?<!\\)\[", outside)
    assert "@everyone" not in outside
    assert not re.search(r"(?<!\\)#\d", outside)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert not any(line.startswith("next line") for line in text.splitlines())
    assert len(text) < 20_000


def test_a_code_span_ends_where_it_should() -> None:
    assert markdown.code("plain") == "`plain`"
    assert markdown.code("a`b``c") == "``` a`b``c ```"
    assert markdown.code("a|b") == "`a\\|b`"
