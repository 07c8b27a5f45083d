"""The page: one HTML file that asks nothing of the network, in English and French, for screens and paper."""

from __future__ import annotations

from pathlib import Path

from trtbench.comparison.result import Comparison
from trtbench.records.files import write_whole
from trtbench.report.language import LANGUAGES
from trtbench.report.page.article import article

LIMIT = 1_000_000  # bytes; a page is mailed and opened on phones
CELLS = (24, 12, 6, 3, 1)  # cells shown in full; the first number that keeps the page under LIMIT is taken


def write(path: Path, comparison: Comparison, lang: str) -> None:
    """Write the page into `path`, whole or not at all; `lang` is shown first."""
    write_whole(path, render(comparison, lang).encode())


def render(comparison: Comparison, lang: str) -> str:
    """The whole document; `lang` is shown first."""
    from trtbench.report.page import templates  # only who makes a page waits for jinja2

    style, script = templates.beside("page.css"), templates.beside("page.js")
    articles = {code: article(comparison, say, CELLS[0]) for code, say in LANGUAGES.items()}
    shown = {"articles": articles.values(), "first": articles[lang]}
    pages = (
        templates.document("page.html.jinja", templates.FOLDER, style=style, script=script, most=cells, **shown)
        for cells in CELLS
    )
    return templates.first_below(LIMIT, pages)
