"""This run against another one, for the text, the Markdown and the page: the same sentences and rows for all three."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Change, Comparison, Difference, History, Lost
from trtbench.report.names import label
from trtbench.report.notices import mark
from trtbench.report.numbers import limits, number, percent, times
from trtbench.report.text_layout import WIDTH, wrapped
from trtbench.report.words.history import HISTORY
from trtbench.report.words.report import words

SHOWN = 40  # differences shown; the JSON document holds all
_OF_PAGE = ("gpu", "cpu", "cores", "ram", "system", "container", "driver", "commit", "model", "revision", "digest",
            "workload_digest")  # fmt: skip


def notices(history: History, lang: str) -> list[str]:
    """What must be read before any ratio."""
    say = HISTORY[lang]
    source = say[history.source] if history.source in say else plain(history.source, NAME)
    sentences = [say["from"].format(source=source, created=plain(history.created[:19].replace("T", " "), NAME))]
    if not history.same_machine:
        sentences.append(say["other_machine_notice"])
    if not history.same_model:
        sentences.append(say["other_model_notice"])
    if history.simulated:
        sentences.append(say["simulated_notice"])
    if history.fails:
        sentences.append(say["fails_notice"].format(n=history.fails))
    return [*sentences, say["apart_notice" if history.changes else "nothing"]]


def title(history: History, lang: str) -> str:
    """Which run this one is held against."""
    return HISTORY[lang]["title"].format(run=plain(history.run, NAME))


def note(history: History, lang: str) -> str:
    """What the ratio is, and the level of the intervals."""
    level = history.changes[0].speedup.level if history.changes else 0.95
    return HISTORY[lang]["note"].format(level=percent(level, lang))


def head(lang: str) -> list[str]:
    """The names of the columns."""
    return [HISTORY[lang][name] for name in ("lane", "then", "now", "ratio", "interval", "word")]


def rows(history: History, comparison: Comparison, lang: str) -> list[list[str]]:
    """One line a lane and cell, as `head` names the columns; the first holds the cell too."""
    return [
        [
            _who(c, comparison, lang),
            number(c.earlier, lang),
            number(c.latency, lang),
            times(c.speedup.ratio, lang),
            span(c, lang),
            _word(c, lang),
        ]
        for c in history.changes
    ]


def span(c: Change, lang: str) -> str:
    """The interval of the ratio, or a dash where there is none."""
    return limits(c.speedup, lang) or "-"


def _word(c: Change, lang: str) -> str:
    say, verdict = words(lang), c.verdict
    word = say[verdict.word] if verdict.word in say else plain(verdict.word, NAME)
    if verdict.word == "void":
        return f"{word.upper()} ({plain(verdict.reason, NAME)})"
    if verdict.word == "none":
        reasons = {"other_model": HISTORY[lang]["other_model"], "simulated": mark(say["simulated"])}
        return f"{word} ({reasons.get(verdict.reason, say.get(verdict.reason, ''))})"
    return word


def _who(c: Change | Lost, comparison: Comparison, lang: str) -> str:
    return f"{label(c.lane, c.precision, comparison)}, {_cell(c, lang)}"


def _cell(c: Change | Lost, lang: str) -> str:
    return HISTORY[lang]["cell"].format(batch=c.batch, prompt=c.prompt_length, new=c.new_tokens)


def remarks(history: History, comparison: Comparison, lang: str) -> list[str]:
    """What is in one run only."""
    say = HISTORY[lang]
    sentences = [say["lost"].format(lane=_who(c, comparison, lang), reason=plain(c.reason)) for c in history.lost]
    return [*sentences, say["unpaired"].format(n=history.unpaired)] if history.unpaired else sentences


def differences(history: History, comparison: Comparison, lang: str) -> list[str]:
    """One sentence for each condition that differs."""
    say = HISTORY[lang]
    sentences = [
        say["was"].format(what=_condition(d, comparison, lang), then=_value(d.earlier, lang), now=_value(d.now, lang))
        for d in history.differences[:SHOWN]
    ]
    cut = len(history.differences) - SHOWN
    return [*sentences, f"… (+{cut})"] if cut > 0 else sentences or [say["same"]]


def _condition(d: Difference, comparison: Comparison, lang: str) -> str:
    name = words(lang)[d.name] if d.name in _OF_PAGE else plain(d.name, NAME)
    return f"{label(d.lane, '', comparison).strip()}, {name}" if d.lane else name


def _value(value: str | None, lang: str) -> str:
    return HISTORY[lang]["absent"] if value is None else plain(value, NAME)


def text(comparison: Comparison, lang: str) -> list[str]:
    """The block of the text report, at most WIDTH columns; nothing without a history."""
    history = comparison.history
    if history is None:
        return []
    lines = ["", f"--- {title(history, lang)} ".ljust(WIDTH, "-")[:WIDTH]]
    for notice in notices(history, lang):
        lines += wrapped("! " + notice)
    if history.changes:
        lines += ["", *wrapped(note(history, lang))]
        names = head(lang)
        lines.append(f"  {'':<10}" + "".join(f"{name:>{w}}" for name, w in zip(names[1:5], (14, 14, 10, 14))))
        for who, then, now, ratio, edges, word in rows(history, comparison, lang):
            lines += textwrap.wrap(f"{who}: {word}", WIDTH - 2, initial_indent="  ", subsequent_indent="    ")
            lines.append(f"  {'':<10}{then:>14}{now:>14}{ratio:>10}{edges:>14}")
    sentences = [*remarks(history, comparison, lang), f"{HISTORY[lang]['differs']}:"]
    lines += ["", *(line for sentence in sentences for line in wrapped(sentence))]
    for difference in differences(history, comparison, lang):
        lines += textwrap.wrap(difference, WIDTH, initial_indent="  ", subsequent_indent="    ")
    return lines


def gate(history: History, slower: Sequence[Change], share: float, comparison: Comparison, lang: str) -> list[str]:
    """What --fail-on-regression says: a sentence for each lane that fails it, or the one that it passed."""
    say = HISTORY[lang]
    where = "" if history.same_machine else say["on_other_machine"]
    limit = {"run": plain(history.run, NAME), "share": percent(share, lang)}
    sentences = [
        say["regression"].format(
            lane=label(c.lane, c.precision, comparison),
            cell=_cell(c, lang),
            ratio=times(c.speedup.ratio, lang),
            span=span(c, lang),
            **limit,
        )
        for c in slower
    ]
    sentences += [
        say["regression_lost"].format(
            lane=label(c.lane, c.precision, comparison), cell=_cell(c, lang), reason=plain(c.reason)
        )
        for c in history.lost
    ]
    if not sentences:
        unproven = sum(c.verdict.word in ("void", "none") or c.speedup.high is None for c in history.changes)
        sentences = [say["passed"].format(unproven=say["unproven"].format(n=unproven) if unproven else "", **limit)]
    return [sentence + where for sentence in sentences]
