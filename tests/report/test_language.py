"""How figures and sentences are written: every sentence of every table with every count, in both languages."""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reports
from trtbench.comparison.result import Comparison
from trtbench.report import markdown, text
from trtbench.report.language import (
    ENGLISH,
    FRENCH,
    LANGUAGES,
    NO_BREAK,
    SENTENCES,
    THIN,
    VOWELS,
    Language,
    language,
)
from trtbench.report.names import moment
from trtbench.report.page import document
from trtbench.report.words.audit import FINDINGS
from trtbench.report.words.recorded import RECORDED
from trtbench.report.words.report import REPORT
from trtbench.report.words.terms import TERMS
from trtbench.settings.knobs import ROOT, ROWS
from trtbench.settings.lanes import LANES
from typesetting import misspaced

COUNTS = (0, 1, 2, 1000)
MADE_UP = (  # keys that a name from elsewhere completes
    *("energy_note_cards", "page_energy_note_cards", "mfu_note_cards", "card.title_cards"),  # names.of_cards
    *("audit.theme.", "audit.fail", "audit.warn"),
    *("history.what.", "history.run", "history.folder", "history.bundle", "history.report"),
    *("history.lane", "history.then", "history.now", "history.ratio", "history.interval", "history.word"),
    *(
        "ceiling_nominal",
        "ceiling_measured",
        "source.",
        "disturbed.",
        "weak.",
        "card.reason.",
        "claim_page.",
        "explained.",
        "fleet.count.",
        "fleet.status.",
        "fleet.standing.",
        "fleet.what.",
    ),
)
PLAIN = (
    "",
    "n",
    "n0",
    "n1",
    "n2",
    "n3",
    "w",
    "i",
    "p",
    "p0",
    "x",
    "r",
    "label",
    "word",
    "said",
    "name",
    "size",
)  # kinds that agree with nothing
ROWS_OF_WORDS = {
    **SENTENCES,
    **{f"{code} (sentence)": said.sentence for code, said in FINDINGS.items()},
    **{f"{code} (advice)": said.advice for code, said in FINDINGS.items()},
    **{f"recorded: {row[0]}": row for row in RECORDED},
}
EVERY_ROW = pytest.mark.parametrize("name", ROWS_OF_WORDS)


def places(template: str) -> list[tuple[str, str]]:
    """The names and kinds of the figures of a sentence."""
    return [(name, kind or "") for _, name, kind, _ in string.Formatter().parse(template) if name is not None]


def filled(row: tuple[str, str], say: Language, count: int, text: str = "Text") -> str:
    """The sentence with that count in each of its places."""
    kinds = {name: kind for side in row for name, kind in places(side) if kind}
    figures: dict[str, Any] = {name: text for side in row for name, _ in places(side)}
    if "lanes" in figures:  # more than one
        figures["lanes"] = say("listed", first=text, last=text)
    for name, kind in kinds.items():
        numbers = ", ".join(map(str, range(1, min(count, 6) + 1)))
        texts = {"label": "pytorch-eager", "word": "decode", "said": text, "name": text, "size": "20.00 MiB"}
        figures[name] = numbers if _of_a_list(kind) else texts.get(kind, count)
        if {kind for side in row for other, kind in places(side) if other == name} == {"i"}:
            figures[name] = 2048  # a name, which no word agrees with
    return say.fill(row, **figures)


def _of_a_list(kind: str) -> bool:
    return kind.startswith("which ") or kind[:1].isupper()  # Trials # are missing


def forms(place: int) -> Iterator[tuple[str, str]]:
    """What stands behind a number in the sentences of a language: the word for one and the word for several."""
    for row in ROWS_OF_WORDS.values():
        for _, kind in places(row[place]):
            pair = [f"# {form}" for form in TERMS[kind][place][:2]] if kind in TERMS else kind.split("|")
            words = [re.match(r"# (\w+)", form) for form in pair]
            if len(pair) == 2 and words[0] and words[1] and words[0][1] != words[1][1]:
                yield words[0][1], words[1][1]


FORMS = {say.code: [set(words) for words in zip(*forms(say.place))] for say in LANGUAGES.values()}


# Figures


@pytest.mark.parametrize(
    ("value", "english", "french"),
    [
        (0, "0", "0"), (0.0123, "0.012", "0,012"), (1.5, "1.50", "1,50"), (226.64, "226.6", "226,6"),
        (1048.2, "1,048.2", f"1{THIN}048,2"), (1_000_000, "1,000,000", f"1{THIN}000{THIN}000"), (-3.0, "-3.00", "-3,00"),
    ],
)  # fmt: skip
def test_a_number_has_the_digits_that_mean_something(value: float, english: str, french: str) -> None:
    assert (ENGLISH.number(value), FRENCH.number(value)) == (english, french)


def test_shares_ratios_ranges_and_names() -> None:
    assert [say.percent(0.585) for say in (ENGLISH, FRENCH)] == ["58.5%", f"58,5{THIN}%"]
    assert [say.percent(0.02, "+") for say in (ENGLISH, FRENCH)] == ["+2.0%", f"+2,0{THIN}%"]
    assert [say.times(2) for say in (ENGLISH, FRENCH)] == ["2.00x", "2,00x"]
    assert [say.span(1.5, 200.0) for say in (ENGLISH, FRENCH)] == ["1.50-200.0", "1,50-200,0"]
    assert [say.pair("a", "b") for say in (ENGLISH, FRENCH)] == ["a: b", f"a{NO_BREAK}: b"]
    assert [say.pair("a") for say in (ENGLISH, FRENCH)] == ["a:", f"a{NO_BREAK}:"]
    assert [say.clauses(["a", "b"]) for say in (ENGLISH, FRENCH)] == ["a; b", f"a{THIN}; b"]


@given(st.floats(-1e12, 1e12, allow_nan=False), st.integers(0, 4))
def test_both_languages_write_the_same_number(value: float, digits: int) -> None:
    for say in (ENGLISH, FRENCH):
        read = say.number(value, digits).replace(say.group, "").replace(say.decimal, ".")
        assert float(read) == float(f"{value:.{digits}f}")


# Counts


@pytest.mark.parametrize(("count", "english", "french"), [(0, False, True), (1, True, True), (2, False, False)])
def test_zero_is_several_in_english_and_one_in_french(count: int, english: bool, french: bool) -> None:
    assert (ENGLISH.one(count), FRENCH.one(count)) == (english, french)


def test_a_count_takes_its_noun_from_the_list_of_terms() -> None:
    row = ("{n:trial}, {n:# is|# are} left", "{n:trial}, {n:# reste|# restent}")
    assert [ENGLISH.fill(row, n=n) for n in COUNTS] == [
        "0 trials, 0 are left", "1 trial, 1 is left", "2 trials, 2 are left", "1,000 trials, 1,000 are left",
    ]  # fmt: skip
    assert [FRENCH.fill(row, n=n) for n in COUNTS] == [
        "0 essai, 0 reste", "1 essai, 1 reste", "2 essais, 2 restent", f"1{THIN}000 essais, 1{THIN}000 restent",
    ]  # fmt: skip


def test_a_list_of_numbers_agrees_with_how_many_they_are() -> None:
    row = ("({ids:which trial})", "({ids:which trial})")
    assert [ENGLISH.fill(row, ids=ids) for ids in ("7", "1, 2", "1, 2, …")] == [
        "(trial 7)",
        "(trials 1, 2)",
        "(trials 1, 2, …)",
    ]
    assert [FRENCH.fill(row, ids=ids) for ids in ("7", "1, 2")] == ["(essai 7)", "(essais 1, 2)"]


@pytest.mark.parametrize(
    ("value", "kind"), [("8", "trial"), ([1], "trial"), (True, "trial"), (None, "# is|# are"), ("x", "# is|# are")]
)
def test_what_is_no_count_takes_no_form(value: Any, kind: str) -> None:
    with pytest.raises(TypeError, match="without a form"):
        ENGLISH.fill((f"{{n:{kind}}}", ""), n=value)


def test_a_word_of_a_finding_is_put_into_the_language_and_a_name_is_not() -> None:
    row = ("{name}: {what:word}", "{name} : {what:word}")
    assert FRENCH.fill(row, name="vllm, decode", what="decode, throttle reasons, x") == (
        f"vllm, decode{NO_BREAK}: étapes de décodage, raisons de bridage, x"
    )


@pytest.mark.parametrize("value", ["{0}", "a|b", "#", "{x!r}", "# is"])
def test_text_is_never_read_as_a_form(value: str) -> None:
    assert ENGLISH.fill(("<{x}> {n:trial}", ""), x=value, n=2) == f"<{value}> 2 trials"


@pytest.mark.parametrize("value", [1, 0, 2.5, None, True])
def test_a_figure_without_a_form_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="without a form"):
        ENGLISH.fill(("{n} trials", ""), n=value)


@pytest.mark.parametrize("kind", ["trials", "# is|# are|# be", "which", "which trials", ".2f"])
def test_a_form_that_is_none_is_refused(kind: str) -> None:
    with pytest.raises(TypeError, match="without a form"):
        ENGLISH.fill((f"{{n:{kind}}}", ""), n=3)


# Every sentence


@EVERY_ROW
def test_both_languages_say_the_same_figures(name: str) -> None:
    english, french = (places(side) for side in ROWS_OF_WORDS[name])
    assert {place for place, _ in english} == {place for place, _ in french}
    for side in (english, french):
        for _, kind in side:
            pair = kind.split("|")
            if kind not in PLAIN and kind.removeprefix("which ") not in TERMS:
                assert len(pair) == 2 and all(pair), kind
                # Zero takes the form for one in French: without its number it would be told as one.
                assert ("#" in pair[0]) == ("#" in pair[1]), kind


@EVERY_ROW
def test_each_sentence_is_there_in_both_languages(name: str) -> None:
    english, french = ROWS_OF_WORDS[name]
    assert english.strip() and french.strip()
    bare = re.sub(r"\{[^}]*\}", "", english)
    assert english != french or len(bare.split()) < 3, "the French sentence is the English one"


@EVERY_ROW
def test_no_number_stands_before_the_wrong_form(name: str) -> None:
    for say, count in itertools.product(LANGUAGES.values(), COUNTS):
        ones, several = FORMS[say.code]
        said = filled(ROWS_OF_WORDS[name], say, count)
        wrong = several - ones if say.one(count) else ones - several
        number = re.escape(say.number(count))
        for word in re.findall(rf"(?<![\w.,{THIN}]){number} (\w+)(?!/)\b", said):
            assert word not in wrong, said


def test_the_check_of_forms_finds_a_wrong_one() -> None:
    ones, several = FORMS["en"]
    assert {"trial", "call", "row"} <= ones - several
    assert {"trials", "calls", "rows"} <= several - ones


@EVERY_ROW
def test_a_lane_is_named_by_its_label(name: str) -> None:
    """But for a record's own words, and what is typed into LANES."""
    if name.startswith("recorded: "):
        return
    for say in LANGUAGES.values():
        said = filled(ROWS_OF_WORDS[name], say, 2)
        assert not [lane for lane in LANES if "-" in lane and lane in said]
        assert ("PyTorch eager" in said) == any(kind == "label" for _, kind in places(ROWS_OF_WORDS[name][say.place]))


@EVERY_ROW
def test_punctuation_is_set_as_the_language_does(name: str) -> None:
    for say in LANGUAGES.values():
        assert misspaced(filled(ROWS_OF_WORDS[name], say, 2), say) == []


@pytest.mark.parametrize("wrong", ["Réduction: 3", "a; b", "vite !", "58 %", "58% de", "ceci:"])
def test_the_check_of_punctuation_finds_english_in_french(wrong: str) -> None:
    assert misspaced(wrong, FRENCH)
    assert not misspaced(FRENCH.typeset(re.sub(r" ?([:;!?%])", r" \1", wrong)), FRENCH)


# What French sets otherwise


def test_french_sets_apostrophes_elides_and_keeps_a_number_with_its_unit() -> None:
    row = ("", "l'essai de {lane} : {ms:n} ms, « {said} », {ratio:r} fois, jusqu'à {n:# jeton|# jetons} d'entrée")
    said = FRENCH.fill(row, lane="ONNX Runtime", ms=3, said="it's", ratio=2.0, n=2)
    n, apostrophe = NO_BREAK, "\u2019"
    assert said == (
        f"l{apostrophe}essai d{apostrophe}ONNX Runtime{n}: 3{n}ms, «{n}it's{n}», 2,00{n}fois, "
        f"jusqu{apostrophe}à 2 jetons d{apostrophe}entrée"
    )


@pytest.mark.parametrize(
    ("lane", "told"),
    [("OpenVINO", "d\u2019OpenVINO"), ("PyTorch", "de PyTorch"), ("int4", "d\u2019int4"), ("8 lots", "de 8 lots"),
     ("ec08656233cd", "de ec08656233cd"), ("", "de ")],
)  # fmt: skip
def test_de_is_cut_short_before_a_vowel_and_not_before_a_digest(lane: str, told: str) -> None:
    assert FRENCH.fill(("", "de {lane}"), lane=lane) == told
    assert ENGLISH.fill(("de {lane}", ""), lane=lane) == f"de {lane}"


def test_an_s_that_begins_a_word_is_no_unit() -> None:
    assert FRENCH.fill(("", "{name} s'est annoncé"), name="x") == "x s\u2019est annoncé"


@pytest.mark.parametrize(
    ("written", "french"),
    [("20.00 MiB", f"20,00{NO_BREAK}Mio"), ("512 bytes", f"512{NO_BREAK}octets"),
     ("1234 GiB", f"1{THIN}234{NO_BREAK}Gio"), ("a lot", "a lot")],
)  # fmt: skip
def test_an_amount_of_memory_is_written_anew_in_french_alone(written: str, french: str) -> None:
    assert FRENCH.size(written) == french
    assert ENGLISH.size(written) == written


def mistypeset(french: str) -> list[str]:
    """What somebody who sets French would mark: straight apostrophes, points in numbers, `de` before a vowel, spaces that break
    inside marks of quotation or before a unit."""
    marks = (
        r"[^\W\d_]'[^\W\d_]\w*",
        r"(?<![\w.=:])\d+\.\d+(?:x\b|[ \u00a0\u202f]?(?:%|(?:ms|s|Go|Mio|Gio|fois)\b))",
        rf"\b[Dd]e [{VOWELS}]\w+|\b[Qq]ue (?:il|elle|on|un)\w*|\bsi ils?\b",
        r"«[^\u00a0]|[^\u00a0]»",
        r"\d (?:ms|s|Go|Mio|Gio|MHz|W|°C|J|%)(?!\w)",
    )
    return [found[0] for mark in marks for found in re.finditer(mark, french)]


@EVERY_ROW
def test_every_french_sentence_is_typeset(name: str) -> None:
    """Filled with a lane that begins with a vowel."""
    said = filled(ROWS_OF_WORDS[name], FRENCH, 2, "ONNX Runtime")
    assert mistypeset(said.replace("pytorch-eager", "")) == []


@pytest.mark.parametrize(
    "wrong", ["l'essai", "de ONNX Runtime", "que il", "1.5 ms", "12.0 %", "« x »", "3 ms", "plus de 2.41x"]
)
def test_the_check_of_typesetting_finds_what_is_not(wrong: str) -> None:
    assert mistypeset(wrong)


# The tables


def test_no_sentence_is_there_for_nothing() -> None:
    house = ROOT / "scripts" / "trtbench"
    files = [path for kind in ("*.py", "*.js", "*.jinja") for path in house.rglob(kind) if path.parent.name != "words"]
    sources = "\n".join(path.read_text(encoding="utf-8") for path in files)
    said = set(re.findall(r"""["']([\w.]+)["']""", sources))
    assert [key for key in SENTENCES if key not in said and not key.startswith(MADE_UP)] == []


def test_no_key_stands_in_two_tables() -> None:
    assert not [key for key in SENTENCES if key in REPORT and key.split(".")[0] in ("history", "audit")]


def test_the_languages_are_those_of_the_setting() -> None:
    assert tuple(LANGUAGES) == tuple(ROWS["REPORT_LANG"].choices or ())
    assert all(language(code).code == code for code in LANGUAGES)


GOLDEN = Path(__file__).parent / "golden" / "counts.txt"


def counted() -> str:
    """Every sentence that agrees with a count, for one and for two, in both languages."""
    agreeing = (
        name for name, row in ROWS_OF_WORDS.items() if any(kind not in PLAIN for _, kind in places(row[0] + row[1]))
    )
    said = (f"{name}\n" + "".join(f"  {filled(ROWS_OF_WORDS[name], say, count)}\n"
            for say in LANGUAGES.values() for count in (1, 2)) for name in agreeing)  # fmt: skip
    return "\n".join(said)


def test_every_sentence_that_agrees_with_a_count_was_read_by_somebody() -> None:
    """What no rule can tell, such as verbs. After a change: read what differs, then write `counted()` into the file."""
    assert counted() == GOLDEN.read_text(encoding="utf-8")


# Whole reports


@pytest.mark.parametrize("kind", ["honest", "audited", "refused", "simulated", "few"])
@pytest.mark.parametrize("render", [text.render, markdown.render, document.render], ids=["text", "markdown", "page"])
def test_no_report_sets_punctuation_of_the_other_language(kind: str, render: Callable[..., str]) -> None:
    comparison: Comparison = getattr(reports, kind)()
    for finding in comparison.findings:
        if "reason" in finding.figures:  # an error, which is English
            finding.figures["reason"] = "word"
    for say in LANGUAGES.values():
        said = render(comparison, say.code)
        if render is document.render:
            article = re.search(rf'<article lang="{say.code}".*?</article>', said, re.DOTALL)
            assert article
            said = re.sub(
                r"<desc.*?</desc>|</?(?:strong|small|s|b|code|bdi|span)\b[^>]*>", "", article[0], flags=re.DOTALL
            )
            said = re.sub(r"<[^>]*>|&#?\w+;", " ", said)
        # Code, the rules of Markdown's tables, the mark of a notice, times of day.
        said = re.sub(r"`[^`]*`|-+:|^! |\d\d:\d\d:\d\d|[*>]", "", said, flags=re.MULTILINE)
        assert misspaced(" ".join(said.split("\n")), say) == []


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("2026-11-29T05:26:05.123456+00:00", "2026-11-29 05:26 UTC"),
        ("2026-11-29T05:26:05+02:00", "2026-11-29 03:26 UTC"),
        ("yesterday\x1b[31m", "yesterday\ufffd[31m"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_a_time_is_told_to_the_minute_and_what_is_none_as_it_stands(written: str, told: str) -> None:
    assert moment(written) == told
