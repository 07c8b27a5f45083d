"""Quality beside speed: how far answers differ from the reference lane's, in ids and in text, and where it is shown."""

from __future__ import annotations

import builtins
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import sacrebleu

import factory
from trtbench.comparison.comparing import compare
from trtbench.comparison.result import Comparison
from trtbench.figures.summary import shape
from trtbench.records import judgement
from trtbench.records.judgement import LaneScore
from trtbench.records.trial import Trial
from trtbench.referee import quality
from trtbench.referee.quality import Bleu, equal_share, exact_share, pairs
from trtbench.report import answers, csv_table, markdown, text
from trtbench.report.explained import Explained
from trtbench.report.language import LANGUAGES, language
from trtbench.report.page import document

WHERE = shape(factory.CELL)
TRIALS = {"pytorch-eager": [241.0, 242.0, 240.0], "onnxruntime": [100.0, 100.5, 99.5]}


def answering(lane: str, *outputs: list[list[int]]) -> Trial:
    part = factory.timed_pass([100.0 + i for i in range(len(outputs))], list(outputs))
    return factory.trial(lane, cells=[factory.cell_record(e2e=part)])


def test_shares_of_ids_and_of_whole_answers() -> None:
    base = answering("pytorch-eager", [[1, 2, 3, 4]], [[5, 6, 7, 8]])
    lane = answering("onnxruntime", [[1, 2, 3, 4]], [[5, 6, 0, 0]])
    found = pairs([lane], [base], WHERE)
    assert (equal_share(found), exact_share(found)) == (0.75, 0.5)


def test_a_missing_id_is_not_the_same() -> None:
    found = pairs([answering("onnxruntime", [[1, 2]])], [answering("pytorch-eager", [[1, 2, 3, 4]])], WHERE)
    assert (equal_share(found), exact_share(found)) == (0.5, 0.0)


def test_without_a_common_cell_there_is_no_share() -> None:
    found = pairs([answering("onnxruntime", [[1]])], [answering("pytorch-eager", [[1]])], (64, 32, 8))
    assert (found, equal_share(found), exact_share(found)) == ([], None, None)


def test_bleu_is_sacrebleus_of_the_texts(tiny_model: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tiny_model / "tokenizer.json"))
    sides = [
        ["the cat sat on the mat and looked out of the window", "a second answer about the weather of today"],
        ["the cat sat on the mat and looked into the garden", "another answer about the weather of today"],
    ]
    ids = [[tokenizer.encode(line, add_special_tokens=False).ids for line in side] for side in sides]
    made = Bleu.of(tiny_model)
    assert made is not None and made.version == sacrebleu.__version__
    decoded = [[tokenizer.decode(row) for row in side] for side in ids]
    wanted = sacrebleu.corpus_bleu(decoded[1], [decoded[0]]).score
    assert made.score(list(zip(ids[1], ids[0]))) == pytest.approx(wanted)
    assert 0 < wanted < 100
    assert made.score(list(zip(ids[0], ids[0]))) == pytest.approx(100.0)
    assert made.score([]) is None
    assert made.score([([-1], [1])]) is None  # count.ids says what is wrong with it
    size = tokenizer.get_vocab_size()
    assert made.text([*ids[0][0], size + 3]) == f"{decoded[0][0]} [{size + 3}]"


def test_without_sacrebleu_or_a_tokenizer_it_is_absent(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Bleu.of(tmp_path) is None
    there = importlib.util.find_spec
    monkeypatch.setattr(quality.importlib.util, "find_spec", lambda name: None if name == "sacrebleu" else there(name))
    assert Bleu.of(tiny_model) is None


def test_comparing_never_needs_sacrebleu(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        assert not name.startswith(("sacrebleu", "tokenizers")), name
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "BLEU" in text.render(scored(), "en")


def test_a_judgement_of_before_keeps_its_checksum() -> None:
    """A field that is None by default is not written, so what was sealed without it is still whole."""
    assert not {"exact", "bleu"} & set(json.loads(judgement.encode(score(bleu=None, exact=None))))


# In the reports


def score(lane: str = "onnxruntime", **more: Any) -> LaneScore:
    fields: dict[str, Any] = dict(
        lane=lane, precision="float32", batch=1, prompt_length=32, new_tokens=8, sequences=2, positions=16,
        near=0.995, perplexity=12.5, base="pytorch-eager", equal=0.75, exact=0.5, bleu=61.25,
    )  # fmt: skip
    return LaneScore(**{**fields, **more})


def scored(**model: Any) -> Comparison:
    none = dict(base=None, equal=None, exact=None, bleu=None)
    judged = judgement.Judgement(
        schema=1, run=factory.RUN, model_digest="a" * 64, workload_digest="b", sampling=factory.a_workload().sampling,
        near_deviations=0.3, max_positions=256, seed=1, seconds=1.0, lanes=[score("pytorch-eager", **none), score()],
    )  # fmt: skip
    return compare(factory.run(), factory.trials(TRIALS, model=factory.model(**model)), (), judged)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_format_shows_perplexity_bleu_and_exact_answers(lang: str) -> None:
    comparison = scored()
    for made in (text.render(comparison, lang), markdown.render(comparison, lang), document.render(comparison, lang)):
        for figure in ("12.50", "61.25") if lang == "en" else ("12,50", "61,25"):
            assert figure in made
        assert "50" in made and "BLEU" in made
    assert all(len(line) <= 80 for line in text.render(comparison, lang).splitlines())
    figures = comparison.cells[0].figures[1]
    assert (figures.exact, figures.bleu, figures.perplexity) == (0.5, 61.25, 12.5)
    csv = csv_table.render(comparison).splitlines()
    head, line = (each.split(",") for each in (csv[0], next(each for each in csv if ",onnxruntime," in each)))
    assert (line[head.index("exact")], line[head.index("bleu")]) == ("0.5", "61.25")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_random_weights_are_said_to_say_nothing_about_quality(lang: str) -> None:
    warned = language(lang)("answers_random")
    assert answers.note(scored(), language(lang)).endswith(warned)
    assert warned in document.render(scored(), lang)
    assert warned not in answers.note(scored(name="a/real-one", synthetic=False), language(lang))


def test_a_run_that_nobody_judged_has_no_such_table() -> None:
    comparison = compare(factory.run(), factory.trials(TRIALS))
    assert answers.text(comparison.cells[0], comparison, language("en"), Explained(language("en"))) == []
    assert "BLEU" not in markdown.render(comparison, "en")
