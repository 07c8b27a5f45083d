"""What stands on the page around its cells, as facts: notices, overview, failed lanes, history, audit, lanes not run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Comparison, Row
from trtbench.referee.audit.findings import FAIL, WARN, Finding
from trtbench.report import audit_text, history
from trtbench.report.headline import refused
from trtbench.report.language import Language
from trtbench.report.names import bare_label, cell_name, label, several_precisions
from trtbench.report.notices import mark, warnings
from trtbench.report.page.fields import Field, Table, ratio
from trtbench.report.remarks import failure_sentences
from trtbench.settings.lanes import LANES

SHOWN = 60  # findings of one level; the JSON document holds all


class Notice(NamedTuple):
    """What must be read before any figure: its capitals and how the sentence goes on."""

    mark: str
    sentence: str
    grave: bool


class Failed(NamedTuple):
    """A lane that was asked for and has no figures."""

    lane: str
    reason: str


class History(NamedTuple):
    """This run against another one."""

    title: str
    notices: Sequence[str]
    changes: Table | None
    note: str
    sentences: Sequence[str]


class Audit(NamedTuple):
    """Fails and warnings with their figures and advice, and what passed. `absent`: the sentence, if nobody audited."""

    title: str
    absent: str
    findings: Table | None
    passed: Sequence[str]


class NotRun(NamedTuple):
    """A lane that was not asked for, and the script that adds it."""

    lane: str
    script: str


def notices(comparison: Comparison, say: Language) -> list[Notice]:
    """What must be read before any figure."""
    grave = (say("simulated"), say("void_notice"))
    return [Notice(mark(s), s[len(mark(s)) :], s in grave) for s in warnings(comparison, say)]


def overview(rows: Sequence[Row], comparison: Comparison, say: Language) -> Table | None:
    """One line a cell: what the headline says there."""
    lines = [
        [cell_name(row, say), label(a.lane, a.precision, comparison), *ratio(a, say, refused(row))]
        for row in rows
        for a in row.against
        if a.headline
    ]
    head = ("overview_cell", "lane", "speedup", "interval_head", "verdict")
    return Table([say(name) for name in head], lines, (2, 3)) if lines else None


def failed(comparison: Comparison, say: Language) -> list[Failed]:
    """Lanes that were asked for and have no figures, with their reasons."""
    return [
        Failed(f"{bare_label(a.lane)} {plain(a.precision, NAME)}", failure_sentences(a.failure, say))
        for a in comparison.failed
    ]


def against(comparison: Comparison, say: Language) -> History | None:
    """This run against another one; None without one."""
    earlier = comparison.history
    if earlier is None:
        return None
    rows = history.rows(earlier, comparison, say)
    return History(
        title=history.title(earlier, say).capitalize(),
        notices=history.notices(earlier, say),
        changes=Table(history.head(say), rows, (1, 2, 3, 4)) if rows else None,
        note=history.note(earlier, say),
        sentences=[*history.remarks(earlier, comparison, say), *history.differences(earlier, comparison, say)],
    )


def audit(comparison: Comparison, say: Language) -> Audit:
    """Fails and warnings with their figures and advice, and what passed."""
    several = several_precisions(comparison)
    lines = []
    for level in (FAIL, WARN):
        groups = audit_text.merged([f for f in comparison.findings if f.level == level])
        lines += [_finding(group, say, several) for group in groups[:SHOWN]]
    head = [say(name) for name in ("level_word", "about", "finding", "advice")]
    return Audit(
        title=say("audit.title").capitalize(),
        absent="" if comparison.findings else say("audit.not_audited"),
        findings=Table(head, lines) if lines else None,
        passed=audit_text.passes(comparison.findings, several, say),
    )


def _finding(group: Sequence[Finding], say: Language, several: bool) -> list[str | Field]:
    first = group[0]
    who = ", ".join(dict.fromkeys(plain(audit_text.lane_name(f, say, several), NAME) for f in group))
    where = audit_text.cells_of(group, say)
    return [
        Field("word", say(f"audit.{first.level}"), mark=first.level),
        Field("about", who, where) if where else who,
        Field("long", plain(audit_text.sentence(first, say)), first.code),
        Field("long", plain(audit_text.advice(first, say))),
    ]


def not_run(comparison: Comparison) -> list[NotRun]:
    """Lanes that were not asked for, with the script that adds them."""
    return [NotRun(bare_label(lane), LANES[lane].script) for lane in comparison.not_run if lane in LANES]
