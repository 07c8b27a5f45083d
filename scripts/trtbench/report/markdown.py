"""Markdown for pull requests and notes: the sentence, the lanes, the audit, the conditions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Comparison, Row
from trtbench.figures.summary import memory_of
from trtbench.referee.audit.findings import FAIL, WARN
from trtbench.report import answers, audit_text, history
from trtbench.report.headline import lead
from trtbench.report.names import bare_label, cell_name, label, place, several_precisions
from trtbench.report.notices import mark, stopped, warnings
from trtbench.report.numbers import in_brackets, number, percent, times
from trtbench.report.remarks import failure_sentences, remarks
from trtbench.report.rerun import again, changed
from trtbench.report.scale import share_of_ceiling
from trtbench.report.spread import span
from trtbench.report.words.audit import HEADINGS
from trtbench.report.words.report import words

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
    say = words(lang)
    title = say["page_title"].format(model=escape(comparison.model.name, NAME), place=escape(place(comparison)))
    verdict = lead(comparison, lang)
    lines = [f"## {title}", "", f"**{verdict.capitals(lang)}**: {escape(verdict.sentence)}"]
    for warning in warnings(comparison, lang):
        capitals = mark(warning)
        lines += ["", f"> **{capitals}**{escape(warning[len(capitals) :])}" if capitals else f"> {escape(warning)}"]
    for row in comparison.cells:
        lines += ["", *_cell(row, comparison, lang)]
    if comparison.failed:
        lines += ["", f"### {say['failed']}", ""]
        lines += [f"- {escape(bare_label(a.lane), NAME)} {escape(a.precision, NAME)}: {escape(failure_sentences(a.failure))}"
                  for a in comparison.failed]  # fmt: skip
    lines += _history(comparison, lang)
    lines += ["", *_audit(comparison, lang), "", *_conditions(comparison, lang)]
    return "\n".join(lines) + "\n"


def _cell(row: Row, comparison: Comparison, lang: str) -> list[str]:
    say = words(lang)
    lines = [f"### {cell_name(row, lang)}", ""]
    if row.figures:
        lines += _lanes(row, comparison, lang)
    head, scores = answers.table(row, comparison, lang)
    if scores:
        note = escape(answers.note(comparison, lang), 600)
        body = [[escape(text) for text in line] for line in scores]
        lines += ["", f"**{say['answers']}**: {note}", "", *_table(head, body)]
    sentences = remarks(row, comparison, lang)
    return lines + ([""] if row.figures and sentences else []) + [f"- {escape(sentence)}" for sentence in sentences]


def _lanes(row: Row, comparison: Comparison, lang: str) -> list[str]:
    """The table of the figures, one line a lane."""
    say, against = words(lang), row.by_lane
    gpu = any(f.gpu_memory is not None for f in row.figures)
    head = [say["lane"], say["page_latency"], say["page_interval"], say["page_throughput"], say["prefill"]]
    head += [say["gpu_peak" if gpu else "peak_rss"], say["ceiling_share"], say["speedup"], say["verdict"]]
    body = []
    for f in row.figures:
        held, interval, share = memory_of(f), span(f.latency_trials), share_of_ceiling(f)
        cells = [
            escape(label(f.lane, f.precision, comparison)),
            number(f.latency, lang),
            f"{number(interval[0], lang)}-{number(interval[1], lang)}" if interval else "-",
            number(f.throughput, lang),
            number(f.ttft, lang),
            number(held / 2**20, lang) if held is not None else "-",
            percent(share, lang) if share is not None else "-",
        ]
        a = against.get((f.lane, f.precision))
        if a is None:
            cells += ["-", "-"]
        else:
            word = say[a.verdict.word]
            cells.append(times(a.speedup.ratio, lang) + in_brackets(a.speedup, lang))
            cells.append(f"**{word.upper()}**" if a.verdict.word == "void" else word)
        body.append(cells)
    return _table(head, body)


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *body)]


def _history(comparison: Comparison, lang: str) -> list[str]:
    earlier = comparison.history
    if earlier is None:
        return []
    lines = ["", f"### {escape(history.title(earlier, lang).capitalize())}"]
    lines += [line for notice in history.notices(earlier, lang) for line in ("", f"> {escape(notice)}")]
    if earlier.changes:
        body = [[escape(text) for text in row] for row in history.rows(earlier, comparison, lang)]
        lines += ["", escape(history.note(earlier, lang)), "", *_table(history.head(lang), body)]
    sentences = [*history.remarks(earlier, comparison, lang), *history.differences(earlier, comparison, lang)]
    return [*lines, "", *(f"- {escape(sentence)}" for sentence in sentences)]


def _audit(comparison: Comparison, lang: str) -> list[str]:
    say = HEADINGS[lang]
    lines = [f"### {say['title'].capitalize()}", ""]
    if not comparison.findings:
        return [*lines, say["not_audited"]]
    several = several_precisions(comparison)
    bad = [f for f in comparison.findings if f.level in (FAIL, WARN)]
    for group in audit_text.merged(bad)[:SHOWN]:
        first = group[0]
        who = ", ".join(dict.fromkeys(audit_text.lane_name(f, lang, several) for f in group))
        sentence, advice = audit_text.sentence(first, lang), audit_text.advice(first, lang)
        lines.append(f"- **{say[first.level]}** {code(first.code)} {escape(who)}: {escape(sentence)} {escape(advice)}")
    passed = audit_text.passes(comparison.findings, several)
    return lines + ([f"- {say['passed']}: {escape(', '.join(passed))}"] if passed else [])


def _conditions(comparison: Comparison, lang: str) -> list[str]:
    say, machine = words(lang), comparison.environment
    libraries = (f"{name} {version}" for name, version in machine.libraries.items())
    facts = [
        (say["run"], comparison.run),
        (say["machine"], ", ".join([*(machine.gpus or []), machine.cpu_model, machine.os])),
        (say["versions"], ", ".join([f"Python {machine.python}", *libraries])),
        (say["workload_digest"], comparison.workload_digest),
        (say["digest"], comparison.model.digest),
        (say["order"], say["interleaved_yes" if comparison.interleaved else "interleaved_no"]),
        (say["stopped"], stopped(comparison.stopped, lang) if comparison.stopped else "-"),
    ]
    lines = ["<details>", f"<summary>{say['conditions']}</summary>", ""]
    lines += [f"- {name}: {escape(value)}" for name, value in facts]
    settings = [code(f"{name}={value}", 300) for name, value in changed(comparison).items()]
    lines.append(f"- {say['what_settings']}: {', '.join(settings) or say['no_settings']}")
    if comparison.command:
        lines.append(f"- {say['again']}: {code(again(comparison))}")
    return [*lines, "", "</details>"]
