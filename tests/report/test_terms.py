"""The list of terms, against the sentences of the reports and against both READMEs."""

from __future__ import annotations

import re

import pytest

from trtbench.report.language import SENTENCES
from trtbench.report.words.audit import FIGURES, FINDINGS
from trtbench.report.words.recorded import RECORDED
from trtbench.report.words.terms import TERMS
from trtbench.settings.knobs import ROOT
from trtbench.settings.knobs import ROWS as SETTINGS

VERBS_TOO = ("run", "judge", "record")
BEFORE_NOUNS = ("a", "an", "the", "this", "that", "one", "each", "every", "other", "another", "of", "in", "two", "its")
ROWS = {
    **SENTENCES,
    **{f"figure: {name}": row for name, row in FIGURES.items()},
    **{f"{code} (sentence)": said.sentence for code, said in FINDINGS.items()},
    **{f"{code} (advice)": said.advice for code, said in FINDINGS.items()},
    **{f"recorded: {row[0]}": row for row in RECORDED},
}


def shown(sentence: str) -> str:
    """The words of a sentence: without the names of its figures, with the terms that they count with."""

    def of_a_figure(found: re.Match[str]) -> str:
        kind = found[1].removeprefix("which ")
        return f" {kind} " if "|" in kind else ""

    return without_names(re.sub(r"\{\w+:?([^}]*)\}", of_a_figure, sentence))


def without_names(text: str) -> str:
    """The text without what is typed as it is: settings, files, units, a product."""
    settings = "|".join(SETTINGS)
    return re.sub(rf"\b(?:{settings})\b|\b[\w./]+\.(?:json|py)\b|\btok/s|ONNX Runtime|model\.forward", "", text)


def mentioned(forms: tuple[str, ...], text: str) -> bool:
    """Whether a form of the term stands in the text, as words of their own."""
    return any(re.search(rf"(?<![\w-]){re.escape(form)}(?![\w-])", text, re.IGNORECASE) for form in forms)


def english_has(term: str, text: str) -> bool:
    """Whether the English text has the term; of what is also a verb only what can be no verb."""
    forms = TERMS[term].english
    if term in VERBS_TOO:
        forms = tuple(f"{before} {form}" for before in BEFORE_NOUNS for form in forms)
    return mentioned(forms, text)


@pytest.mark.parametrize("term", TERMS)
def test_no_french_sentence_uses_another_word(term: str) -> None:
    assert [key for key, (_, french) in ROWS.items() if mentioned(TERMS[term].never, shown(french))] == []


@pytest.mark.parametrize("term", TERMS)
def test_where_the_english_sentence_has_the_term_the_french_one_has_it_too(term: str) -> None:
    french = TERMS[term].french
    assert [
        key for key, row in ROWS.items() if english_has(term, shown(row[0])) and not mentioned(french, shown(row[1]))
    ] == []


# The READMEs


def blocks(name: str) -> list[str]:
    """The paragraphs, points of lists and lines of tables of a README, without what is made, typed or linked."""
    text = (ROOT / name).read_text(encoding="utf-8")
    text = re.sub(r"<!-- (\w+) -->.*?<!-- /\1 -->|```.*?```|`[^`\n]+`|\]\([^)]*\)", "", text, flags=re.DOTALL)
    parts = re.split(r"\n\n+|\n(?=[|#-])", text)
    return [" ".join(without_names(part).split()) for part in parts if part.strip()]


ENGLISH, FRENCH = blocks("README.md"), blocks("README.fr.md")


def test_both_readmes_have_the_same_blocks() -> None:
    assert len(ENGLISH) == len(FRENCH) > 100


@pytest.mark.parametrize("term", TERMS)
def test_the_readmes_use_the_terms_of_the_list(term: str) -> None:
    french, never = TERMS[term].french, TERMS[term].never
    assert [block for block in FRENCH if mentioned(never, block)] == []
    assert [(ours, theirs) for ours, theirs in zip(ENGLISH, FRENCH)
            if english_has(term, ours) and not mentioned(french, theirs)] == []  # fmt: skip


def test_the_checks_find_a_wrong_word() -> None:
    assert mentioned(TERMS["decode step"].never, "les pas de décodage entiers")
    assert not mentioned(TERMS["decode step"].never, "pas de verdict")
    assert english_has("run", "a run of the program") and not english_has("run", "they run in Docker")
    assert not mentioned(TERMS["trial"].french, "l'essayage")
