"""How good each lane's answers are beside how fast they came: the same columns for the text, the Markdown and the page."""

from __future__ import annotations

from trtbench.comparison.result import Comparison, Row
from trtbench.report.columns import Column, maybe_number, maybe_share
from trtbench.report.columns import table as table_of
from trtbench.report.explained import Explained
from trtbench.report.language import Language
from trtbench.report.text_layout import headed, wrapped


def note(comparison: Comparison, say: Language) -> str:
    """What the columns are held against, and that random weights say nothing about a text."""
    return say("answers_note") + (" " + say("answers_random") if comparison.model.synthetic else "")


def table(row: Row, comparison: Comparison, say: Language) -> tuple[list[str], list[list[str]]]:
    """Head and lines; no lines where nothing was judged."""
    scores: list[Column[str]] = [
        ("near", lambda f: maybe_share(f.near, say)),
        ("equal", lambda f: maybe_share(f.equal, say)),
        ("exact", lambda f: maybe_share(f.exact, say)),
        ("bleu", lambda f: maybe_number(f.bleu, say)),
        ("perplexity", lambda f: maybe_number(f.perplexity, say)),
    ]
    head, lines = table_of(row, scores, comparison, say)
    return head, lines if len(head) > 1 else []


def text(row: Row, comparison: Comparison, say: Language, explained: Explained) -> list[str]:
    """The block of the text report; nothing where nothing was judged."""
    head, lines = table(row, comparison, say)
    if not lines:
        return []
    notes = [note(comparison, say), *explained.heads(head)]
    title = f"{say('answers').upper()} ({' '.join(notes)})"
    return ["", *wrapped(title), *headed(head, lines)]
