"""The page of a fleet: one HTML file that asks nothing of the network, in English and French, for screens and paper."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from trtbench.fleet.page_tables import Article, article
from trtbench.fleet.result import Fleet
from trtbench.report.language import LANGUAGES
from trtbench.report.page import templates

FOLDER = Path(__file__).parent
LIMIT = 2_000_000  # bytes


class Most(NamedTuple):
    """How much of each the page shows: cells in full, lines of a table, runs."""

    cells: int
    lines: int
    runs: int


# The first that keeps the page under LIMIT is taken.
STEPS = (Most(400, 40, 2000), Most(200, 24, 1000), Most(100, 12, 500), Most(30, 8, 200), Most(5, 5, 50))


def render(fleet: Fleet, lang: str) -> str:
    """The whole document; `lang` is shown first."""
    return templates.first_below(LIMIT, (_page(fleet, lang, most) for most in STEPS))


def _page(fleet: Fleet, lang: str, most: Most) -> str:
    articles = {code: article(fleet, say, *most) for code, say in LANGUAGES.items()}
    style = [templates.beside("page.css"), templates.beside("page.css", FOLDER), _heads(articles.values())]
    script = [templates.beside("page.js"), templates.beside("page.js", FOLDER)]
    return templates.document(
        "page.html.jinja",
        FOLDER,
        style=Markup("").join(style),
        script=Markup("\n").join(script),
        articles=articles.values(),
        first=articles[lang],
    )


def _heads(articles: Iterable[Article]) -> Markup:
    """What the fields of each kind of table are called where a line is a card, and which of them are numbers: said once, as a
    page of many lines has no room to say it in each field. A sign that could end a text in a style sheet is written
    by its number."""
    cards, right = [], []
    for page in articles:
        for name, columns in page.columns.items():
            for i, column in enumerate(columns[1:], 1):
                field = f".t-{name} td:nth-of-type({i})"
                said = "".join(f"\\{ord(sign):x} " if not sign.isalnum() else sign for sign in column.head)
                cards.append(f'[lang="{page.say.code}"]>* {field}::before{{content:"{said}"}}')
                if column.numeric:
                    right.append(field)
    rules = ",".join(dict.fromkeys(right))
    return Markup(
        "@media (max-width:40rem){{{}}}\n@media (min-width:40.01rem){{{}{{text-align:right;white-space:nowrap}}}}\n"
    ).format(Markup("".join(cards)), Markup(rules))
