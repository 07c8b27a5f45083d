"""This run against another one, for the text, the Markdown and the page: the same sentences and rows for all three."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Change, Comparison, Difference, History, Lost
from trtbench.report.language import Language
from trtbench.report.names import label, moment
from trtbench.report.notices import mark
from trtbench.report.recorded import told
from trtbench.report.text_layout import WIDTH, wrapped

SHOWN = 40  # differences shown; the JSON document holds all
_OF_PAGE = ("gpu", "cpu", "cores", "ram", "system", "container", "driver", "program", "commit", "model", "revision", "digest",
            "workload_digest")  # fmt: skip


def notices(history: History, say: Language) -> list[str]:
    """What must be read before any ratio."""
    known = f"history.{history.source}"
    source = say(known) if known in say else plain(history.source, NAME)
    sentences = [say("history.from", source=source, created=moment(history.created))]
    if not history.same_machine:
        sentences.append(say("history.other_machine_notice"))
    if not history.same_model:
        sentences.append(say("history.other_model_notice"))
    if history.simulated:
        sentences.append(say("history.simulated_notice"))
    if history.fails:
        sentences.append(say("history.fails_notice", n=history.fails))
    return [*sentences, say("history.apart_notice" if history.changes else "history.nothing")]


def title(history: History, say: Language) -> str:
    """Which run this one is held against."""
    return say("history.title", run=plain(history.run, NAME))


def note(history: History, say: Language) -> str:
    """What the ratio is, and the level of the intervals."""
    level = history.changes[0].speedup.level if history.changes else 0.95
    return say("history.note", level=level)


def head(say: Language) -> list[str]:
    """The names of the columns."""
    return [say(f"history.{name}") for name in ("lane", "then", "now", "ratio", "interval", "word")]


def rows(history: History, comparison: Comparison, say: Language) -> list[list[str]]:
    """One line a lane and cell, as `head` names the columns; the first holds the cell too."""
    return [
        [
            _who(c, comparison, say),
            say.number(c.earlier),
            say.number(c.latency),
            say.times(c.speedup.ratio),
            span(c, say),
            _word(c, say),
        ]
        for c in history.changes
    ]


def span(c: Change, say: Language) -> str:
    """The interval of the ratio, or a dash where there is none."""
    return say.limits(c.speedup) or "-"


def _word(c: Change, say: Language) -> str:
    verdict = c.verdict
    word = say(verdict.word) if verdict.word in say else plain(verdict.word, NAME)
    if verdict.word == "void":
        return f"{word.upper()} ({plain(verdict.reason, NAME)})"
    if verdict.word == "none":
        reasons = {"other_model": say("history.other_model"), "simulated": mark(say("simulated"))}
        return f"{word} ({reasons.get(verdict.reason) or (say(verdict.reason) if verdict.reason in say else '')})"
    return word


def _who(c: Change | Lost, comparison: Comparison, say: Language) -> str:
    return f"{label(c.lane, c.precision, comparison)}, {_cell(c, say)}"


def _cell(c: Change | Lost, say: Language) -> str:
    return say("cell_short", batch=c.batch, prompt=c.prompt_length, new=c.new_tokens)


def remarks(history: History, comparison: Comparison, say: Language) -> list[str]:
    """What is in one run only."""
    sentences = [say("history.lost", lane=_who(c, comparison, say), reason=told(c.reason, say)) for c in history.lost]
    return [*sentences, say("history.unpaired", n=history.unpaired)] if history.unpaired else sentences


def differences(history: History, comparison: Comparison, say: Language) -> list[str]:
    """One sentence for each condition that differs."""
    sentences = [
        say(
            "history.was",
            what=_condition(d, comparison, say),
            then=_value(d.earlier, d, say),
            now=_value(d.now, d, say),
        )
        for d in history.differences[:SHOWN]
    ]
    cut = len(history.differences) - SHOWN
    return [*sentences, f"… (+{cut})"] if cut > 0 else sentences or [say("history.same")]


def _condition(d: Difference, comparison: Comparison, say: Language) -> str:
    known = d.name if d.name in _OF_PAGE else f"history.what.{d.name}"
    name = say(known) if known in say and d.kind != "setting" else plain(d.name, NAME)
    return f"{label(d.lane, '', comparison).strip()}, {name}" if d.lane else name


def _value(value: str | None, d: Difference, say: Language) -> str:
    if value is None:
        return say("history.absent")
    if d.lane and value in ("True", "False"):
        return say("yes" if value == "True" else "no")
    return plain(value, NAME)


def text(comparison: Comparison, say: Language) -> list[str]:
    """The block of the text report, at most WIDTH columns; nothing without a history."""
    history = comparison.history
    if history is None:
        return []
    lines = ["", f"--- {title(history, say)} ".ljust(WIDTH, "-")[:WIDTH]]
    for notice in notices(history, say):
        lines += wrapped("! " + notice)
    if history.changes:
        lines += ["", *wrapped(note(history, say))]
        names = head(say)
        lines.append(f"  {'':<10}" + "".join(f"{name:>{w}}" for name, w in zip(names[1:5], (15, 15, 10, 14))))
        for who, then, now, ratio, edges, word in rows(history, comparison, say):
            lines += textwrap.wrap(say.pair(who, word), WIDTH - 2, initial_indent="  ", subsequent_indent="    ")
            lines.append(f"  {'':<10}{then:>15}{now:>15}{ratio:>10}{edges:>14}")
    sentences = [*remarks(history, comparison, say), say.pair(say("history.differs"))]
    lines += ["", *(line for sentence in sentences for line in wrapped(sentence))]
    for difference in differences(history, comparison, say):
        lines += textwrap.wrap(difference, WIDTH, initial_indent="  ", subsequent_indent="    ")
    return lines


def gate(history: History, slower: Sequence[Change], share: float, comparison: Comparison, say: Language) -> list[str]:
    """What --fail-on-regression says: a sentence for each lane that fails it, or the one that it passed."""
    where = "" if history.same_machine else say("history.on_other_machine")
    limit = {"run": plain(history.run, NAME), "share": share}
    sentences = [
        say(
            "history.regression",
            lane=label(c.lane, c.precision, comparison),
            cell=_cell(c, say),
            ratio=c.speedup.ratio,
            span=span(c, say),
            **limit,
        )
        for c in slower
    ]
    sentences += [
        say(
            "history.regression_lost",
            lane=label(c.lane, c.precision, comparison),
            cell=_cell(c, say),
            reason=told(c.reason, say),
        )
        for c in history.lost
    ]
    if not sentences:
        unproven = sum(c.verdict.word in ("void", "none") or c.speedup.high is None for c in history.changes)
        sentences = [say("history.passed", unproven=say("history.unproven", n=unproven) if unproven else "", **limit)]
    return [sentence + where for sentence in sentences]
