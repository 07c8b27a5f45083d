"""A model that is split: every format says over how many cards or processes, and speaks of cards where there are several."""

from __future__ import annotations

import csv
import io

import pytest

from liars import Story
from trtbench.comparison.comparing import compare
from trtbench.comparison.history import against
from trtbench.comparison.result import Comparison
from trtbench.referee.audit import audit
from trtbench.report import csv_table, markdown, text
from trtbench.report.language import LANGUAGES
from trtbench.report.page import document

PLACES = {1: "NVIDIA H200", 2: "2 × NVIDIA H200"}
SPLIT = {
    "en": "the model split over {} (tensor parallel)",
    "fr": "modèle réparti sur {} (parallélisme de tenseurs)",
}
TOGETHER = {"en": "the cards' nominal memory bandwidth", "fr": "puissance de calcul crête des cartes, toutes ensemble"}
TITLES = {"en": "The cards during the timed calls", "fr": "Les cartes pendant les appels mesurés"}


def of(cards: int, gpu: str | None = "NVIDIA H200") -> Comparison:
    story = Story(cards=cards, gpu=gpu, rounds=3, latency={"pytorch-eager": 2000.0, "vllm": 900.0})
    if gpu is None:
        story.default_precision, story.first = "float32", 300.0
    told = story.tell().seal()
    return compare(told.run, told.trials, audit(told.run, told.trials, told.judged, told.workload), told.judged)


def plain(report: str) -> str:
    return " ".join(report.split())


@pytest.mark.parametrize("cards", PLACES)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_format_names_how_many_cards(cards: int, lang: str) -> None:
    comparison = of(cards)
    for report in (text.render(comparison, lang), markdown.render(comparison, lang), document.render(comparison, lang)):
        said = plain(report)
        assert PLACES[cards] in said and "NVIDIA H200, NVIDIA H200" not in said
        assert ("2 × " in said) == (cards == 2)
        assert (SPLIT[lang].format({"en": "2 cards", "fr": "2 cartes"}[lang]) in said) == (cards == 2)
        assert (TITLES[lang].lower() in said.lower()) == (cards == 2)
    assert (TOGETHER[lang] in plain(text.render(comparison, lang))) == (cards == 2)
    place, ranks = next(
        (line["place"], line["tensor_parallel"]) for line in csv.DictReader(io.StringIO(csv_table.render(comparison)))
    )
    assert (place, ranks) == (PLACES[cards], str(cards))


def test_processes_of_a_cpu_are_no_cards() -> None:
    said = plain(text.render(of(2, gpu=None), "en"))
    assert SPLIT["en"].format("2 processes") in said and "2 cards" not in said
    assert "split" not in plain(text.render(of(1, gpu=None), "en"))


def test_a_run_on_other_cards_is_told_as_another_machine_with_another_setting() -> None:
    history = against(of(2), of(1), "run")
    assert not history.same_machine
    told = {(d.kind, d.name): (d.earlier, d.now) for d in history.differences}
    assert told["machine", "gpu"] == ("NVIDIA H200", "2 × NVIDIA H200")
    assert told["setting", "TP_SIZE"] == ("1", "2")
