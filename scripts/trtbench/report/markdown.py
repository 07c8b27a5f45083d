"""Markdown for pull requests and notes: the sentence, the lanes, the audit, the conditions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Comparison, Row
from trtbench.figures.summary import memory_of
from trtbench.referee.audit.findings import FAIL, WARN
from trtbench.report import (
    answers,
    asked,
    audit_text,
    cards,
    ceiling,
    disturbed,
    failed_attempts,
    history,
    other_clocks,
    software,
    tried,
)
from trtbench.report.explained import Explained
from trtbench.report.headline import lead
from trtbench.report.language import Language, language
from trtbench.report.names import (
    bare_label,
    cell_name,
    gpus,
    label,
    of_cards,
    place,
    program,
    several_precisions,
    split,
)
from trtbench.report.notices import mark, stopped, warnings
from trtbench.report.remarks import failure_sentences, left, remarks
from trtbench.report.rerun import again, changed
from trtbench.report.spread import span

SHOWN = 30  # findings shown; the JSON document holds all
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#$&!])")


def escape(value: str, limit: int = 400) -> str:
    """Text as text: no markup, no HTML, no table cell, no mention of a person, all on one line."""
    escaped = _SPECIAL.sub(r"\\\1", plain(value, limit))
    # GitHub looks for @names after Markdown is done, so a backslash does not stop it; U+2060 joins without width.
    return re.sub(r"@(?=\w)", "@\u2060", escaped).replace("://", ":\u2060//")


def code(value: str, limit: int = 2000) -> str:
    """A code span that its content can't end, also inside of a table."""
    content = plain(value, limit).replace("|", "\\|")
    longest = max((len(ticks) for ticks in re.findall(r"`+", content)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if "`" in content or content != content.strip() else ""
    return f"{fence}{pad}{content}{pad}{fence}"


def render(comparison: Comparison, lang: str) -> str:
    """The whole text, ending in a newline."""
    say = language(lang)
    title = say("page_title", model=escape(comparison.model.name, NAME), place=escape(place(comparison)))
    verdict = lead(comparison, say)
    lines = [f"## {title}", "", say.pair(f"**{verdict.capitals(say)}**", escape(verdict.sentence, 2000))]
    for warning in warnings(comparison, say):
        capitals = mark(warning)
        lines += ["", f"> **{capitals}**{escape(warning[len(capitals) :])}" if capitals else f"> {escape(warning)}"]
    explained = Explained(say)
    for row in comparison.cells:
        lines += ["", *_cell(row, comparison, say, explained)]
    if comparison.failed:
        lines += ["", f"### {say('failed')}", ""]
        for a in comparison.failed:
            who = f"- {escape(bare_label(a.lane), NAME)} {escape(a.precision, NAME)}"
            lines.append(say.pair(who, escape(failure_sentences(a.failure, say))))
    parts = {
        "failed_attempts.title": failed_attempts,
        "disturbed.title": disturbed,
        "tried.title": tried,
        "asked.title": asked,
    }
    for title, told in parts.items():
        sentences = told.sentences(comparison, say)
        if sentences:
            lines += ["", f"### {say(title)}", "", *(f"- {escape(sentence)}" for sentence in sentences)]
    lines += _history(comparison, say)
    lines += ["", *_audit(comparison, say), "", *_conditions(comparison, say)]
    return "\n".join(lines) + "\n"


def _cell(row: Row, comparison: Comparison, say: Language, explained: Explained) -> list[str]:
    lines = [f"### {cell_name(row, say)}", ""]
    if row.figures:
        head, body = _lanes(row, comparison, say)
        notes = [*ceiling.notes(row.figures, comparison, say), *explained.heads(head)]
        lines += [*_table(head, body), *([""] if notes else []), *map(escape, notes)]
    head, scores = answers.table(row, comparison, say)
    if scores:
        note = escape(" ".join([answers.note(comparison, say), *explained.heads(head)]), 1000)
        body = [[escape(text) for text in line] for line in scores]
        lines += ["", say.pair(f"**{say('answers')}**", note), "", *_table(head, body)]
    head, lines_of_others = other_clocks.table(row, comparison, say)
    if lines_of_others:
        body = [[escape(text) for text in line] for line in lines_of_others]
        note = escape(" ".join([other_clocks.note(row, say), *explained.heads(head)]), 1200)
        lines += ["", say.pair(f"**{say('clocks.title')}**", note), "", *_table(head, body)]
    sentences = remarks(row, comparison, say)
    return lines + ([""] if row.figures and sentences else []) + [f"- {escape(sentence)}" for sentence in sentences]


def _lanes(row: Row, comparison: Comparison, say: Language) -> tuple[list[str], list[list[str]]]:
    """The table of the figures, its head and one line a lane."""
    against = row.by_lane
    gpu = any(f.gpu_memory is not None for f in row.figures)
    head = [say("lane"), say("page_latency"), say("interval_head"), say("page_throughput"), say("prefill")]
    shares = any(ceiling.share_text(f, say) for f in row.figures)
    head += [say("gpu_peak" if gpu else "peak_rss"), *([say("ceiling_share")] if shares else [])]
    head += [say("speedup"), say("verdict")]
    body = []
    for f in row.figures:
        held, interval = memory_of(f), span(f.latency_trials)
        name = escape(label(f.lane, f.precision, comparison))
        cells = [
            f"{name} ({left(f, say)})" if f.left is not None else name,
            say.number(f.latency),
            say.span(*interval) if interval else "-",
            say.number(f.throughput),
            say.number(f.ttft),
            say.number(held / 2**20) if held is not None else "-",
            *([ceiling.share_text(f, say) or "-"] if shares else []),
        ]
        a = against.get((f.lane, f.precision))
        if a is None:
            cells += ["-", "-"]
        else:
            word = say(a.verdict.word)
            cells.append(say.times(a.speedup.ratio) + say.in_brackets(a.speedup))
            weak = f" ({say('weak')})" if a.weak else ""
            cells.append(f"**{word.upper()}**" if a.verdict.word == "void" else word + weak)
        body.append(cells)
    return head, body


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *body)]


def _history(comparison: Comparison, say: Language) -> list[str]:
    earlier = comparison.history
    if earlier is None:
        return []
    lines = ["", f"### {escape(history.title(earlier, say).capitalize())}"]
    lines += [line for notice in history.notices(earlier, say) for line in ("", f"> {escape(notice)}")]
    if earlier.changes:
        body = [[escape(text) for text in row] for row in history.rows(earlier, comparison, say)]
        lines += ["", escape(history.note(earlier, say)), "", *_table(history.head(say), body)]
    sentences = [*history.remarks(earlier, comparison, say), *history.differences(earlier, comparison, say)]
    return [*lines, "", *(f"- {escape(sentence)}" for sentence in sentences)]


def _audit(comparison: Comparison, say: Language) -> list[str]:
    lines = [f"### {say('audit.title').capitalize()}", ""]
    if not comparison.findings:
        return [*lines, say("audit.not_audited")]
    several = several_precisions(comparison)
    bad = [f for f in comparison.findings if f.level in (FAIL, WARN)]
    for group in audit_text.merged(bad)[:SHOWN]:
        first = group[0]
        who = ", ".join(dict.fromkeys(audit_text.lane_name(f, say, several) for f in group))
        sentence, advice = audit_text.sentence(first, say), audit_text.advice(first, say)
        whose = f"- **{say(f'audit.{first.level}')}** {code(first.code)} {escape(who)}"
        lines.append(say.pair(whose, f"{escape(sentence)} {escape(advice)}"))
    passed = audit_text.passes(comparison.findings, several, say)
    return lines + ([say.pair(f"- {say('audit.passed')}", escape(", ".join(passed)))] if passed else [])


def _conditions(comparison: Comparison, say: Language) -> list[str]:
    machine = comparison.environment
    of_machine = gpus(comparison), machine.cpu_model, machine.os, split(comparison, say)
    facts = [
        (say("run"), comparison.run),
        (say("machine"), ", ".join(part for part in of_machine if part)),
        *software.packages(comparison, say),
        (say("program"), program(comparison, say)),
        (say("workload_digest"), comparison.workload_digest),
        (say("digest"), comparison.model.digest),
        (say("order"), say("interleaved_yes" if comparison.interleaved else "interleaved_no")),
        (say("stopped"), stopped(comparison.stopped, say) if comparison.stopped else "-"),
    ]
    lines = ["<details>", f"<summary>{say('conditions')}</summary>", ""]
    lines += [say.pair(f"- {name}", escape(value)) for name, value in facts]
    settings = [code(f"{name}={value}", 300) for name, value in changed(comparison).items()]
    lines.append(say.pair(f"- {say('what_settings')}", ", ".join(settings) or say("no_settings")))
    if comparison.command:
        lines.append(say.pair(f"- {say('again')}", code(again(comparison))))
    for title, (head, rows) in {
        "software.title": software.table(comparison, say),
        of_cards("card.title", comparison): cards.table(comparison, say),
    }.items():
        if rows:
            body = [[escape(text) for text in line] for line in rows]
            lines += ["", say.pair(f"**{say(title)}**"), "", *_table(head, body)]
    return [*lines, "", "</details>"]
