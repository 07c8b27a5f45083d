"""How good each lane's answers are beside how fast they came: the same columns for the text, the Markdown and the page."""

from __future__ import annotations

import textwrap

from trtbench.comparison.result import Comparison, Row
from trtbench.report.columns import Column, filled, maybe_number, maybe_share
from trtbench.report.columns import table as table_of
from trtbench.report.language import Language
from trtbench.report.text_layout import WIDTH, named, wrapped


def columns(row: Row, say: Language) -> list[Column]:
    """Name and figure of each column that a lane of the row fills."""
    scores: list[Column] = [
        (say("near"), lambda f: maybe_share(f.near, say)),
        (say("equal"), lambda f: maybe_share(f.equal, say)),
        (say("exact"), lambda f: maybe_share(f.exact, say)),
        ("BLEU", lambda f: maybe_number(f.bleu, say)),
        (say("perplexity"), lambda f: maybe_number(f.perplexity, say)),
    ]
    return filled(row, scores)


def note(comparison: Comparison, say: Language) -> str:
    """What the columns are held against, and that random weights say nothing about a text."""
    return say("answers_note") + (" " + say("answers_random") if comparison.model.synthetic else "")


def table(row: Row, comparison: Comparison, say: Language) -> tuple[list[str], list[list[str]]]:
    """Head and lines; no lines where nothing was judged."""
    scores = columns(row, say)
    head, lines = table_of(row, scores, comparison, say)
    return head, lines if scores else []


def text(row: Row, comparison: Comparison, say: Language) -> list[str]:
    """The block of the text report; nothing where nothing was judged."""
    head, lines = table(row, comparison, say)
    if not lines:
        return []
    title = f"{say('answers').upper()} ({note(comparison, say)})"
    block = ["", *wrapped(title)]
    width = (WIDTH - 22) // (len(head) - 1)
    names = [textwrap.wrap(name, width - 1) for name in head[1:]]
    for i in range(max(map(len, names))):
        block.append(" " * 22 + "".join(f"{name[i] if i < len(name) else '':>{width}}" for name in names))
    for lane, *figures in lines:
        block += named(lane, 20, "".join(f"{figure:>{width}}" for figure in figures))
    return block
