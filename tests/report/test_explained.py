"""Every term of a report is explained where it first stands, in both languages and every format that people read."""

from __future__ import annotations

import html
import re

import pytest

import reports
from trtbench.comparison import untrusted
from trtbench.comparison.result import Comparison
from trtbench.report import markdown, text
from trtbench.report.explained import TERM_OF, Explained
from trtbench.report.language import ENGLISH, LANGUAGES, SENTENCES
from trtbench.report.page import document, templates
from trtbench.report.words.explained import EXPLAINED
from trtbench.settings.knobs import ROOT

# A term as a report writes it, and the row that explains it.
WRITTEN = {
    "TTFT": "explained.ttft",
    "TPOT": "explained.tpot",
    "MBU": "explained.mbu",
    "MFU": "mfu_note",
    "RSS": "explained.rss",
    "BLEU": "explained.bleu",
    "Perplexity|Perplexité": "explained.perplexity",
    "Share of ceiling|Part du plafond": "explained.ceiling",
    "Speedup|Accélération": "explained.speedup",
    "95 ?% interval|Intervalle à 95 ?%": "explained.interval",
}
ONLY_TABLES = ("explained.speedup", "explained.interval", "explained.rss")  # the text writes them beside their figures


def measured() -> Comparison:
    return untrusted.read(ROOT / "docs" / "results" / "h200" / "runs" / "every-lane.bundle")[0]


MADE = {"measured": measured(), "honest": reports.honest(), "beside": reports.beside(), "audited": reports.audited()}


def words(part: str) -> str:
    """The words of a part of a report, with plain spaces and without markup."""
    bare = html.unescape(re.sub(r"<svg.*?</svg>|<[^>]+>", " ", part, flags=re.DOTALL)).replace("\\", "")
    return " ".join(bare.replace(" ", " ").replace("\u202f", " ").split())


def parts(made: str, lang: str) -> list[str]:
    """A report from heading to heading."""
    if "<article" in made:
        found = re.search(rf'<article lang="{lang}".*?</article>', made, re.DOTALL)
        assert found
        return [words(part) for part in re.split(r"<h[23]>", found[0])]
    return [words(part) for part in re.split(r"^#+ |^--- ", made, flags=re.MULTILINE)]


RENDERED = {"page": document.render, "markdown": markdown.render, "text": text.render}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("form", RENDERED)
def test_a_term_is_explained_in_the_part_in_which_it_first_stands(form: str, kind: str, lang: str) -> None:
    say, told = LANGUAGES[lang], 0
    found = parts(RENDERED[form](MADE[kind], lang), lang)
    for term, row in WRITTEN.items():
        first = next((part for part in found if re.search(rf"\b(?:{term})", part)), None)
        if first is None or (form == "text" and row in ONLY_TABLES):
            continue
        assert words(say(row)) in first, f"{term} without its explanation"
        told += 1
    assert told >= 2


def test_a_measured_run_has_every_term() -> None:
    page = " ".join(parts(document.render(MADE["measured"], "en"), "en"))
    assert [term for term in WRITTEN if not re.search(rf"\b(?:{term})", page)] == []


def test_each_is_told_once() -> None:
    for lang, say in LANGUAGES.items():
        made = words(markdown.render(MADE["measured"], lang))
        for term in set(TERM_OF.values()):
            assert made.count(words(say(f"explained.{term}"))) <= 1
    explained = Explained(ENGLISH)
    assert len(explained.heads([ENGLISH("prefill"), ENGLISH("lane")])) == 1
    assert explained.heads([ENGLISH("ttft")]) == []


def test_every_head_and_every_row_is_of_the_tables() -> None:
    assert set(TERM_OF) <= set(SENTENCES)
    assert {f"explained.{term}" for term in TERM_OF.values()} | {"explained.ceiling", "explained.mbu"} == set(EXPLAINED)
    assert all(key in SENTENCES for key in WRITTEN.values())


@pytest.mark.parametrize(
    ("whole", "pieces"),
    [
        ("a short_name and words", ["a short_name and words"]),
        ("no tensorrt_llm.bindings_of here", ["no tensorrt_", "llm.", "bindings_", "of here"]),
        ("pytorch-eager,onnxruntime", ["pytorch-eager,", "onnxruntime"]),
        ("", [""]),
    ],
)
def test_a_long_name_may_break_behind_its_signs(whole: str, pieces: list[str]) -> None:
    assert templates.pieces(whole) == pieces
    assert "".join(pieces) == whole
