"""How good each lane's answers are beside how fast they came: the same columns for the text, the Markdown and the page."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from trtbench.comparison.result import Comparison, Row
from trtbench.figures.summary import Figures
from trtbench.report.audit_text import WIDTH
from trtbench.report.names import label
from trtbench.report.numbers import number, percent
from trtbench.report.words.report import words

Column = tuple[str, Callable[[Figures], "str | None"]]


def columns(row: Row, lang: str) -> list[Column]:
    """Name and figure of each column that a lane of the row fills."""
    say = words(lang)

    def share(value: float | None) -> str | None:
        return percent(value, lang) if value is not None else None

    def plain(value: float | None) -> str | None:
        return number(value, lang) if value is not None else None

    every: list[Column] = [
        (say["near"], lambda f: share(f.near)),
        (say["equal"], lambda f: share(f.equal)),
        (say["exact"], lambda f: share(f.exact)),
        ("BLEU", lambda f: plain(f.bleu)),
        (say["perplexity"], lambda f: plain(f.perplexity)),
    ]
    return [(name, pick) for name, pick in every if any(pick(f) is not None for f in row.figures)]


def note(comparison: Comparison, lang: str) -> str:
    """What the columns are held against, and that random weights say nothing about a text."""
    say = words(lang)
    return say["answers_note"] + (" " + say["answers_random"] if comparison.model.synthetic else "")


def table(row: Row, comparison: Comparison, lang: str) -> tuple[list[str], list[list[str]]]:
    """Head and lines; no lines where nothing was judged."""
    shown = columns(row, lang)
    lines = [
        [label(f.lane, f.precision, comparison), *(pick(f) or "-" for _, pick in shown)] for f in row.figures if shown
    ]
    return [words(lang)["lane"], *(name for name, _ in shown)], lines


def text(row: Row, comparison: Comparison, lang: str) -> list[str]:
    """The block of the text report; nothing where nothing was judged."""
    head, lines = table(row, comparison, lang)
    if not lines:
        return []
    title = f"{words(lang)['answers'].upper()} ({note(comparison, lang)})"
    made = ["", *textwrap.wrap(title, WIDTH, subsequent_indent="  ")]
    width = (WIDTH - 22) // (len(head) - 1)
    names = [textwrap.wrap(name, width - 1) for name in head[1:]]
    for i in range(max(map(len, names))):
        made.append(" " * 22 + "".join(f"{name[i] if i < len(name) else '':>{width}}" for name in names))
    for name, *figures in lines:
        rest = "".join(f"{figure:>{width}}" for figure in figures)
        made += [f"  {name:<20}{rest}"] if len(name) <= 20 else [f"  {name}", " " * 22 + rest]
    return made
