"""Markdown for pull requests and notes: the sentence, the lanes, the audit, the conditions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Comparison, Row
from trtbench.figures.summary import memory_of
from trtbench.referee.audit.findings import FAIL, PASS, WARN
from trtbench.report import answers, audit_text, history
from trtbench.report.names import known, label
from trtbench.report.notices import mark, stopped, warnings
from trtbench.report.numbers import number, percent, times
from trtbench.report.spread import span
from trtbench.report.story import again, changed, lead, place, why
from trtbench.report.text import remarks
from trtbench.report.words.audit import HEADINGS
from trtbench.report.words.report import words

SHOWN = 30  # findings shown; the JSON document holds all
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#$&!])")


def escape(value: str, limit: int = 400) -> str:
    """Text as text: no markup, no HTML, no table cell, no mention of a person, all on one line."""
    shown = _SPECIAL.sub(r"\\\1", plain(value, limit))
    # GitHub looks for @names after Markdown is done, so a backslash does not stop it; U+2060 joins without width.
    return re.sub(r"@(?=\w)", "@\u2060", shown).replace("://", ":\u2060//")


def code(value: str, limit: int = 2000) -> str:
    """A code span that its content can't end, also inside of a table."""
    shown = plain(value, limit).replace("|", "\\|")
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if "`" in shown or shown != shown.strip() else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def render(comparison: Comparison, lang: str) -> str:
    """The whole text, ending in a newline."""
    say = words(lang)
    model, at = escape(comparison.model.name, NAME), escape(place(comparison))
    found = lead(comparison, lang)
    capitals = say["simulated"].split(":")[0].strip() if found.word == "simulated" else say[found.word].upper()
    lines = [f"## {say['page_title'].format(model=model, place=at)}", "", f"**{capitals}**: {escape(found.sentence)}"]
    for note in warnings(comparison, lang):
        capitals = mark(note)
        lines += ["", f"> **{capitals}**{escape(note[len(capitals) :])}" if capitals else f"> {escape(note)}"]
    for row in comparison.cells:
        lines += ["", *_cell(row, comparison, lang)]
    if comparison.failed:
        lines += ["", f"### {say['failed']}", ""]
        lines += [f"- {escape(known(a.lane), NAME)} {escape(a.precision, NAME)}: {escape(why(a.failure))}"
                  for a in comparison.failed]  # fmt: skip
    lines += _history(comparison, lang)
    lines += ["", *_audit(comparison, lang), "", *_conditions(comparison, lang)]
    return "\n".join(lines) + "\n"


def _cell(row: Row, comparison: Comparison, lang: str) -> list[str]:
    say = words(lang)
    against = {(a.lane, a.precision): a for a in row.against}
    lines = [f"### {say['cell'].format(batch=row.batch, prompt=row.prompt_length, new=row.new_tokens)}", ""]
    if row.figures:
        gpu = any(f.gpu_memory is not None for f in row.figures)
        head = [say["lane"], say["page_latency"], say["page_interval"], say["page_throughput"], say["prefill"]]
        head += [say["gpu_peak" if gpu else "peak_rss"], say["ceiling_share"], say["speedup"], say["verdict"]]
        body = []
        for f in row.figures:
            a, held, edges = against.get((f.lane, f.precision)), memory_of(f), span(f.latency_trials)
            cells = [
                escape(label(f.lane, f.precision, comparison)),
                number(f.latency, lang),
                f"{number(edges[0], lang)}-{number(edges[1], lang)}" if edges else "-",
                number(f.throughput, lang),
                number(f.ttft, lang),
                number(held / 2**20, lang) if held is not None else "-",
                percent(f.throughput / f.ceiling_tok_s, lang) if f.ceiling_tok_s else "-",
            ]
            if a is None:
                cells += ["-", "-"]
            else:
                low, high, word = a.speedup.low, a.speedup.high, a.verdict.word
                ratio = times(a.speedup.ratio, lang)
                if low is not None and high is not None:
                    ratio += f" ({number(low, lang, 2)}-{number(high, lang, 2)})"
                cells += [ratio, f"**{say[word].upper()}**" if word == "void" else say[word]]
            body.append(cells)
        lines += _table(head, body)
    names, told = answers.table(row, comparison, lang)
    if told:
        note = escape(answers.note(comparison, lang), 600)
        lines += [
            "",
            f"**{say['answers']}**: {note}",
            "",
            *_table(names, [[escape(text) for text in one] for one in told]),
        ]
    found = remarks(row, comparison, lang)
    return lines + ([""] if row.figures and found else []) + [f"- {escape(remark)}" for remark in found]


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *body)]


def _history(comparison: Comparison, lang: str) -> list[str]:
    found = comparison.history
    if found is None:
        return []
    lines = ["", f"### {escape(history.title(found, lang).capitalize())}"]
    lines += [line for notice in history.notices(found, lang) for line in ("", f"> {escape(notice)}")]
    if found.changes:
        body = [[escape(text) for text in row] for row in history.rows(found, comparison, lang)]
        lines += ["", escape(history.note(found, lang)), "", *_table(history.head(lang), body)]
    told = [*history.remarks(found, comparison, lang), *history.differences(found, comparison, lang)]
    return [*lines, "", *(f"- {escape(one)}" for one in told)]


def _audit(comparison: Comparison, lang: str) -> list[str]:
    say = HEADINGS[lang]
    lines = [f"### {say['title'].capitalize()}", ""]
    if not comparison.findings:
        return [*lines, say["not_audited"]]
    several = len({f.precision for row in comparison.cells for f in row.figures}) > 1
    bad = [f for f in comparison.findings if f.level in (FAIL, WARN)]
    for group in audit_text.merged(bad)[:SHOWN]:
        first = group[0]
        who = ", ".join(dict.fromkeys(audit_text.lane_name(f, lang, several) for f in group))
        found, do = audit_text.sentence(first, lang), audit_text.advice(first, lang)
        lines.append(f"- **{say[first.level]}** {code(first.code)} {escape(who)}: {escape(found)} {escape(do)}")
    passed = audit_text.passes([f for f in comparison.findings if f.level == PASS or f.lane is not None], several)
    return lines + ([f"- {say['passed']}: {escape(', '.join(passed))}"] if passed else [])


def _conditions(comparison: Comparison, lang: str) -> list[str]:
    say, it = words(lang), comparison.environment
    versions = ", ".join([f"Python {it.python}", *(f"{name} {version}" for name, version in it.libraries.items())])
    facts = [
        (say["run"], comparison.run),
        (say["machine"], ", ".join([*(it.gpus or []), it.cpu_model, it.os])),
        (say["versions"], versions),
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
