"""The page: one HTML file that asks nothing of the network, in English and French, for screens and paper."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Comparison, Row
from trtbench.records.files import write_whole
from trtbench.report.headline import lead
from trtbench.report.names import place
from trtbench.report.notices import warnings
from trtbench.report.page import cell, conditions, sections, sweep
from trtbench.report.page.markup import Html, join, tag
from trtbench.report.remarks import remarks
from trtbench.report.words.report import WORDS, words

LIMIT = 1_000_000  # bytes; a page is mailed and opened on phones
CELLS = (24, 12, 6, 3, 1)  # cells shown in full; the first number that keeps the page under LIMIT is taken
OVERVIEW = 200  # cells in the table of all cells
NAMES = {"en": "English", "fr": "Français"}


def write(path: Path, comparison: Comparison, lang: str) -> None:
    """Write the page into `path`, whole or not at all; `lang` is shown first."""
    write_whole(path, render(comparison, lang).encode())


def render(comparison: Comparison, lang: str) -> str:
    """The whole document."""
    for cells in CELLS:
        page = _document(comparison, lang, cells)
        if len(page.encode()) < LIMIT:
            break
    return page


def _document(comparison: Comparison, lang: str, cells: int) -> str:
    style, script = (_beside(name) for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("link", rel="icon", href="data:,"),
        tag("title", _title(comparison, lang)),
        tag("style", Html(style)),
    )
    switch = tag(
        "nav",
        *(
            tag(
                "button",
                name,
                type="button",
                data_lang=code,
                lang=code,
                aria_pressed="true" if code == lang else "false",
            )
            for code, name in NAMES.items()
        ),
        aria_label=words(lang)["page_language"],
    )
    articles = [_article(comparison, code, code == lang, cells) for code in WORDS]
    body = tag("body", switch, tag("main", *articles), tag("script", Html(script)))
    return "<!doctype html>\n" + tag("html", head, "\n", body, lang=lang) + "\n"


def _article(comparison: Comparison, lang: str, first: bool, cells: int) -> Html:
    say = words(lang)
    parts: list[str] = [
        tag("h1", _title(comparison, lang)),
        sections.opening(lead(comparison, lang), warnings(comparison, lang), lang),
        *_cells(comparison, lang, cells),
        sections.failed(comparison, lang),
        sections.against(comparison, lang, f"{lang}-history"),
        sections.audit(comparison, lang, f"{lang}-audit"),
        sections.not_run(comparison, lang),
        conditions.conditions(comparison, lang, lang),
        conditions.reproduce(comparison, lang),
        tag("footer", tag("p", say["page_foot"].format(run=plain(comparison.run, NAME)), class_="soft")),
    ]
    return tag("article", *(join([part, "\n"]) for part in parts), lang=lang, hidden=not first,
               data_language=say["page_language"])  # fmt: skip


def _cells(comparison: Comparison, lang: str, most: int) -> list[str]:
    say, rows = words(lang), comparison.cells
    parts: list[str] = []
    if len(rows) > 1:
        parts += [tag("h2", say["overview"]), sections.overview(rows[:OVERVIEW], comparison, lang, f"{lang}-all")]
        parts += _cut(rows[OVERVIEW:], say["cut_rows"])
        parts.append(sweep.figure(rows[:OVERVIEW], comparison, lang, f"{lang}-sweep"))
    for i, row in enumerate(rows[:most]):
        parts.append(cell.cell(row, comparison, remarks(row, comparison, lang), lang, f"{lang}-{i}"))
    return parts + _cut(rows[most:], say["cut_cells"])


def _cut(left_out: Sequence[Row], sentence: str) -> list[str]:
    return [tag("p", sentence.format(n=len(left_out)))] if left_out else []


def _title(comparison: Comparison, lang: str) -> str:
    return words(lang)["page_title"].format(model=plain(comparison.model.name, NAME), place=place(comparison))


def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
