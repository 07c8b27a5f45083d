"""The sections of the page around its cells, in one language each, from the top down. Figures stay numbers until here;
every string passes through markup."""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Comparison, Row
from trtbench.referee.audit.findings import FAIL, WARN, Finding
from trtbench.report import audit_text, history
from trtbench.report.headline import Lead
from trtbench.report.names import bare_label, cell_name, label, several_precisions
from trtbench.report.notices import mark
from trtbench.report.page.elements import ratio, table, word
from trtbench.report.page.markup import Html, join, tag
from trtbench.report.remarks import failure_sentences
from trtbench.report.words.audit import HEADINGS
from trtbench.report.words.report import words
from trtbench.settings.lanes import LANES

SHOWN = 60  # findings of one level; the JSON document holds all


def opening(verdict: Lead, notices: Sequence[str], lang: str) -> Html:
    """The one sentence, and what must be read before any figure."""
    say = words(lang)
    boxes = [
        tag("div", tag("strong", verdict.capitals(lang)), tag("p", verdict.sentence), class_=f"lead w-{verdict.word}")
    ]
    for notice in notices:
        capitals = mark(notice)
        grave = " grave" if notice in (say["simulated"], say["void_notice"]) else ""
        sentence = notice[len(capitals) :]
        boxes.append(tag("p", tag("strong", capitals, class_="mark"), sentence, class_="note" + grave))
    return join(boxes)


def overview(rows: Sequence[Row], comparison: Comparison, lang: str, key: str) -> Html:
    """One line a cell: what the headline says there."""
    say = words(lang)
    lines = []
    for row in rows:
        for a in (a for a in row.against if a.headline):
            lines.append([cell_name(row, lang), label(a.lane, a.precision, comparison), *ratio(a, lang)])
    head = [say["overview_cell"], say["lane"], say["speedup"], say["page_interval"], say["verdict"]]
    return table(say["overview"], head, lines, (2, 3), key) if lines else Html("")


def failed(comparison: Comparison, lang: str) -> Html:
    """Lanes that were asked for and have no figures, with their reasons."""
    say = words(lang)
    if comparison.failed:
        items = [
            tag(
                "li",
                tag("strong", f"{bare_label(a.lane)} {plain(a.precision, NAME)}"),
                f": {failure_sentences(a.failure)}",
            )
            for a in comparison.failed
        ]
        return tag("section", tag("h2", say["failed"]), tag("ul", *items))
    return Html("")


def against(comparison: Comparison, lang: str, key: str) -> Html:
    """This run against another one; nothing without one."""
    earlier = comparison.history
    if earlier is None:
        return Html("")
    title = history.title(earlier, lang).capitalize()
    parts: list[str] = [tag("h2", title)]
    parts += [tag("p", notice, class_="note") for notice in history.notices(earlier, lang)]
    if earlier.changes:
        rows = history.rows(earlier, comparison, lang)
        parts.append(table(title, history.head(lang), rows, (1, 2, 3, 4), key, history.note(earlier, lang)))
    sentences = [*history.remarks(earlier, comparison, lang), *history.differences(earlier, comparison, lang)]
    return tag("section", *parts, tag("ul", *(tag("li", tag("div", text, class_="wide")) for text in sentences)))


def audit(comparison: Comparison, lang: str, key: str) -> Html:
    """Fails and warnings with their figures and advice, and what passed."""
    say, heads = words(lang), HEADINGS[lang]
    parts: list[str] = [tag("h2", heads["title"].capitalize())]
    if not comparison.findings:
        return tag("section", *parts, tag("p", heads["not_audited"]))
    several = several_precisions(comparison)
    lines = []
    for level in (FAIL, WARN):
        groups = audit_text.merged([f for f in comparison.findings if f.level == level])
        lines += [_finding(group, lang, several) for group in groups[:SHOWN]]
    if lines:
        head = [say["level_word"], say["about"], say["finding"], say["advice"]]
        parts.append(table(heads["title"].capitalize(), head, lines, (), key))
    passed = audit_text.passes(comparison.findings, several)
    if passed:
        parts.append(tag("p", word("pass", heads["passed"]), " ", ", ".join(passed)))
    return tag("section", *parts)


def _finding(group: Sequence[Finding], lang: str, several: bool) -> list[str]:
    heads, first = HEADINGS[lang], group[0]
    who = ", ".join(dict.fromkeys(plain(audit_text.lane_name(f, lang, several), NAME) for f in group))
    where = audit_text.cells_of(group, lang)
    return [
        word(first.level, heads[first.level]),
        join([who, tag("br"), tag("small", where)]) if where else join([who]),
        tag("div", plain(audit_text.sentence(first, lang)), " ", tag("small", tag("code", first.code)), class_="wide"),
        tag("div", plain(audit_text.advice(first, lang)), class_="wide"),
    ]


def not_run(comparison: Comparison, lang: str) -> Html:
    """Lanes that were not asked for, with the command that adds them."""
    items = [
        tag("li", bare_label(lane), " (", tag("code", f"bash scripts/{LANES[lane].script}"), ")")
        for lane in comparison.not_run
        if lane in LANES
    ]
    return tag("section", tag("h2", words(lang)["missing"]), tag("ul", *items)) if items else Html("")
