"""The page of a fleet and the files beside it: small enough, in two languages, closed to what comes from outside."""

from __future__ import annotations

import csv
import html
import io
import re
import time
from pathlib import Path

import msgspec
import pytest

import fleets
import reports
from trtbench.errors import UserError
from trtbench.fleet import csv_table, document, files, markdown, outcome, text
from trtbench.fleet.merging import merge
from trtbench.fleet.result import Fleet
from trtbench.records.files import encode
from trtbench.report.language import LANGUAGES
from trtbench.report.page import templates
from typesetting import misspaced


@pytest.fixture(scope="module")
def large() -> Fleet:
    """1,000 runs: 20 models on 5 kinds of 10 machines, 4 cells, 4 lanes."""
    return merge(*fleets.large())


@pytest.fixture(scope="module")
def large_page(large: Fleet) -> str:
    return document.render(large, "en")


def small() -> Fleet:
    """Two models on two kinds; one run is a liar, one simulated, one has other settings, some are not back."""
    plan, runs = fleets.large(models=2, kinds=2, on=4, cells=2)
    more = [
        fleets.ran([fleets.measured(1.0, refused="count.new_ids")], "h200", "liar", 90, model=plan.models[0]),
        fleets.ran([fleets.measured(1.0, simulated=True)], "h210", "stand-in", 91, model=plan.models[0]),
        fleets.ran([fleets.measured(1.0)], "h210", "other", 92, model=plan.models[0], settings={}, demonstration=True),
        fleets.ran([fleets.measured(1.0)], "h210", "random", 94, model=plan.models[0], synthetic=True),
        fleets.not_back("failed", "The model does not fit.", 93, "h200", plan.models[1]),
    ]
    return merge(plan, [*runs, *more])


def articles(page: str) -> dict[str, str]:
    return dict(re.findall(r'<article lang="(\w+)"(.*?)</article>', page, re.DOTALL))


def hostile() -> Fleet:
    """Every text that comes from a bundle, a machine or Ray is hostile; the plan's own model name is too, as far as a plan lets it."""
    kept = outcome.of(reports.hostile())
    texts = dict.fromkeys(
        ("run", "model", "model_digest", "place", "cpu", "program", "commit", "word"), reports.HOSTILE
    )
    strange = msgspec.structs.replace(
        kept,
        **texts,
        settings={reports.HOSTILE: reports.HOSTILE},
        own=[fleets.own(2.0, reports.HOSTILE, lane=reports.HOSTILE, base=reports.HOSTILE, precision=reports.HOSTILE)],
        measured=[
            fleets.measured(5.0, reports.HOSTILE, precision=reports.HOSTILE),
            fleets.measured(6.0, refused=reports.HOSTILE),
        ],
    )
    model = "=x</style></script><script>alert(1)</script>|`*_[a](javascript:alert(1))"
    runs = [
        msgspec.structs.replace(
            fleets.ran([], "h200", repeat=1, model=model), outcome=strange, machine="ab" * 8, card="cd" * 8
        ),
        fleets.ran([fleets.measured(9.0)], "h100", repeat=2, model=model),
        msgspec.structs.replace(fleets.not_back("failed", reports.HOSTILE * 50, 3, model=model)),
        fleets.not_back(reports.HOSTILE, reports.HOSTILE, 4, model=model),
    ]
    return merge(fleets.plan(models=(model,), currency="</style>"), runs)


# Size and time


def test_the_page_of_a_thousand_runs_has_under_2_MB_and_all_of_them(large: Fleet, large_page: str) -> None:
    assert len(large.runs) == 1000
    assert len(large_page.encode()) < 2_000_000
    for of in articles(large_page).values():
        runs = re.search(r'<table class="t-runs">.*?</table>', of, re.DOTALL)
        assert runs and runs[0].count("<tr>") == 1001
        assert of.count('<table class="t-cell">') == len(large.tables) == 80


def test_it_is_made_in_a_few_seconds(large: Fleet) -> None:
    began = time.process_time()
    document.render(large, "fr")
    assert time.process_time() - began < 10


def test_a_larger_fleet_gives_less_and_says_so() -> None:
    plan, runs = fleets.large(models=60, kinds=5, on=4, cells=3)
    fleet = merge(plan, runs)
    page = document.render(fleet, "en")
    assert len(page.encode()) < document.LIMIT
    english = articles(page)["en"]
    shown = english.count('<table class="t-cell">')
    assert 0 < shown < len(fleet.tables) == 180
    assert f"{180 - shown:,} more cells are in fleet.csv and fleet.json." in english
    cut = re.search(r"([\d,]+) more runs are in fleet.json", english)
    assert cut and 0 < int(cut[1].replace(",", "")) < 1200
    # Those that are not back are the last to be left out.
    missing = [line for line in fleet.runs if line.status != "back"]
    runs_shown = english[english.index('<table class="t-runs">') :]
    assert len(missing) == len(re.findall(r'class="word k-(?:void|missing)"', runs_shown))


# Closed


def test_its_policy_knows_its_own_style_and_script_alone(large_page: str) -> None:
    (policy,) = re.findall(r'Content-Security-Policy"\s+content="([^"]+)"', large_page)
    style, script = (
        re.findall(r"<style>(.*?)</style>", large_page, re.DOTALL),
        re.findall(r"<script>(.*?)</script>", large_page, re.DOTALL),
    )
    assert len(style) == len(script) == 1
    assert policy == (
        f"default-src 'none'; style-src '{templates.digest(style[0])}'; script-src '{templates.digest(script[0])}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"\s(?:style|on\w+)=", large_page.replace(style[0], "").replace(script[0], ""))
    assert not re.search(r"(?:src|href)=\"(?!#|data:,)", large_page)


def test_nothing_from_outside_is_markup() -> None:
    page = document.render(hostile(), "en")
    assert page.count("<script") == page.count("</script>") == 1
    assert page.count("<style") == page.count("</style>") == 1
    for sign in ("\x1b", "\u202e", "<b>", "alert(1)</"):
        assert sign not in page
    assert "&lt;script&gt;" in page
    assert html.unescape(articles(page)["en"]).count("alert(1)") > 3  # it is shown as the text it is


def test_nothing_from_outside_steers_a_terminal_a_spreadsheet_or_markdown() -> None:
    fleet = hostile()
    for lang in LANGUAGES:
        for said in (text.render(fleet, lang), markdown.render(fleet, lang)):
            assert "\x1b" not in said and "\u202e" not in said
        assert not re.search(r"(?<!\\)<script|(?<!\\)\]\(", markdown.render(fleet, lang))
    rows = list(csv.reader(io.StringIO(csv_table.render(fleet))))
    assert {len(row) for row in rows} == {len(csv_table.COLUMNS)}
    for row in rows:
        assert not [field for field in row if field[:1] in "=@|%" and field]
    assert encode(fleet)


def test_no_host_and_no_digest_of_a_machine_is_on_the_page() -> None:
    fleet = small()
    digests = {line.machine for line in fleet.runs if line.machine} | {line.card for line in fleet.runs if line.card}
    for said in (document.render(fleet, "en"), markdown.render(fleet, "en"), text.render(fleet, "en")):
        assert digests and not [digest for digest in digests if digest in said]
    assert all(digest in encode(fleet).decode() for digest in digests)


# What it says


@pytest.mark.parametrize("lang", LANGUAGES)
def test_it_begins_with_what_is_back_and_warns_before_any_figure(lang: str) -> None:
    of = articles(document.render(small(), lang))[lang]
    marks = {
        "en": ["INCOMPLETE", "SIMULATED", "DEMONSTRATION", "VOID"],
        "fr": ["INCOMPLET", "SIMULÉ", "DÉMONSTRATION", "NUL"],
    }
    first = of.index("<table")
    assert of.index('class="lead') < of.index('class="note') < first
    for mark in marks[lang]:
        assert f'<strong class="mark">{mark}</strong>' in of[:first]
    assert {"en": "between machines", "fr": "entre machines"}[lang] in of[:first]
    assert {"en": "TRIALS auto in place of 5", "fr": "TRIALS auto au lieu de 5"}[lang] in of[:first]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_language_sets_its_own_punctuation(lang: str) -> None:
    fleet, say = small(), LANGUAGES[lang]
    of = articles(document.render(fleet, lang))[lang]
    spoken = re.sub(r"</?(?:strong|s)\b[^>]*>", "", re.sub(r"<form.*?</form>", "", of, flags=re.DOTALL))
    for said in (re.sub(r"<[^>]*>|&#?\w+;", "\n", spoken), text.render(fleet, lang), markdown.render(fleet, lang)):
        plain = re.sub(r"`[^`]*`|-+:|^! |^> |[*>|]|« .*? »", "", said, flags=re.MULTILINE)
        assert misspaced(re.sub(r"The model \S+ does not fit\.", "", plain), say) == []


def test_both_languages_hold_the_same_lines(large_page: str) -> None:
    english, french = articles(large_page).values()
    assert english.count("<tr>") == french.count("<tr>") > 2500
    assert "prompt" not in re.sub(r"<[^>]*>", "", french)


def test_what_is_refused_is_struck_out_and_last() -> None:
    of = articles(document.render(small(), "en"))["en"]
    refused = [row for row in re.findall(r"<tr>.*", of) if "VOID (count.new_ids)" in row]
    assert len(refused) == 1 and refused[0].count("<s>") == 2


def test_a_disturbed_trial_and_a_weak_verdict_are_told_where_they_count() -> None:
    run = fleets.ran([fleets.measured(9.0, disturbed=True)], own=[fleets.own(2.0, weak=True)])
    other = fleets.ran([fleets.measured(90.0)], "h100")
    fleet = merge(fleets.plan(), [run, other])
    assert fleet.disturbed == 1
    page = articles(document.render(fleet, "en"))["en"]
    assert "NVIDIA H200; disturbed in 1 run" in page and "NVIDIA H100;" not in page
    assert "faster (weak)" in page and page.count("(weak)") == 1


def test_what_stands_alone_is_not_called_the_best() -> None:
    page = articles(document.render(merge(fleets.plan(), [fleets.ran([fleets.measured(9.0)])]), "en"))["en"]
    assert "nothing else was measured" in page
    assert not re.search(r">(?:best|first|told apart)<", page)


# The files


def test_the_files_are_written_and_read(tmp_path: Path) -> None:
    fleet = small()
    paths = files.write(tmp_path / "new", fleet, "fr")
    assert [path.name for path in paths] == ["fleet.json", "fleet.csv", "fleet.md", "fleet.html"]
    assert msgspec.json.decode(paths[0].read_bytes(), type=Fleet) == fleet
    rows = list(csv.DictReader(io.StringIO(paths[1].read_text(encoding="utf-8"))))
    assert len(rows) == sum(len(of.entries) for of in fleet.tables)
    entry, row = fleet.tables[0].entries[0], rows[0]
    assert float(row["throughput_tok_s"]) == pytest.approx(entry.throughput)
    assert (row["rank"], row["standing"], row["ratio_between_machines"]) == ("1", "first", "")
    assert {row["ratio_between_machines"] for row in rows if row["ratio_to_first"]} == {"true", "false"}
    assert '<html lang="fr">' in paths[3].read_text(encoding="utf-8")
    assert [path.name for path in (tmp_path / "new").iterdir() if path.name.startswith(".")] == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"the report cannot be written to .*file"):
        files.write(tmp_path / "file" / "in", small(), "en")


def test_what_cannot_be_made_leaves_the_files_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write(tmp_path, small(), "en")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fails(*_: object) -> str:
        raise RuntimeError

    monkeypatch.setattr(document, "render", fails)
    with pytest.raises(RuntimeError):
        files.write(tmp_path, merge(*fleets.large(models=1, kinds=1, on=1, cells=1)), "en")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_real_comparison_comes_through_to_the_page() -> None:
    runs = [
        msgspec.structs.replace(fleets.ran([], kind, f"{kind} 1", precision="float32"), outcome=outcome.of(comparison))
        for kind, comparison in (("h200", reports.honest()), ("h100", reports.honest()))
    ]
    fleet = merge(fleets.plan(precisions=["float32"]), runs)
    (of,) = fleet.tables
    assert len(of.entries) == 6
    page = articles(document.render(fleet, "en"))["en"]
    assert "ONNX Runtime on h200" in page and "too few machines" in page
