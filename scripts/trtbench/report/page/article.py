"""The page in one language, as facts, in the order in which page.html.jinja says them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trtbench.comparison.result import Comparison
from trtbench.report import answers, disturbed, failed_attempts, software, tried
from trtbench.report.explained import Explained
from trtbench.report.headline import Lead, lead
from trtbench.report.language import Language
from trtbench.report.names import of_cards, place
from trtbench.report.notices import marks
from trtbench.report.page import conditions, sections
from trtbench.report.page.cell import Cell, cell
from trtbench.report.page.fields import Table
from trtbench.report.page.sweep import Sweep, sweep
from trtbench.report.rerun import again

OVERVIEW = 200  # cells in the table of all cells


class Article(NamedTuple):
    """All that the template needs in one language."""

    say: Language
    place: str
    lead: Lead
    notices: Sequence[sections.Notice]
    marks: Sequence[str]
    rows: int  # cells of the run; `cells` holds the first ones only
    overview: Table | None
    overview_explained: Sequence[str]
    cut_rows: int
    sweep: Sweep | None
    cells: Sequence[Cell]
    answers_note: str
    failed: Sequence[sections.Failed]
    failed_attempts: Sequence[str]
    disturbed: Sequence[str]
    tried: Sequence[str]
    history: sections.History | None
    audit: sections.Audit
    not_run: Sequence[sections.NotRun]
    model: conditions.Facts
    interleaved: bool
    machine: conditions.Facts
    packages: Sequence[tuple[str, str]]
    software: Table | None
    cards: Table | None
    cards_title: str
    settings: Table | None
    statements: Table | None
    command: str


def article(comparison: Comparison, say: Language, cells: int) -> Article:
    """What the page says in one language, with at most so many cells in full."""
    rows = comparison.cells
    listed = rows[:OVERVIEW] if len(rows) > 1 else []
    overview, explained = sections.overview(listed, comparison, say), Explained(say)
    return Article(
        say=say,
        place=place(comparison),
        lead=lead(comparison, say),
        notices=sections.notices(comparison, say),
        marks=marks(comparison, say),
        rows=len(rows),
        overview=overview,
        overview_explained=explained.heads(overview.head) if overview else [],
        cut_rows=len(rows[OVERVIEW:]),
        sweep=sweep(listed, comparison, say),
        cells=[cell(row, comparison, say, explained) for row in rows[:cells]],
        answers_note=answers.note(comparison, say),
        failed=sections.failed(comparison, say),
        failed_attempts=failed_attempts.sentences(comparison, say),
        disturbed=disturbed.sentences(comparison, say),
        tried=tried.sentences(comparison, say),
        history=sections.against(comparison, say),
        audit=sections.audit(comparison, say),
        not_run=sections.not_run(comparison),
        model=conditions.model(comparison, say),
        interleaved=comparison.interleaved,
        machine=conditions.machine(comparison, say),
        packages=software.packages(comparison, say),
        software=conditions.software_of_lanes(comparison, say),
        cards=conditions.card_states(comparison, say),
        cards_title=of_cards("card.title", comparison),
        settings=conditions.settings(comparison, say),
        statements=conditions.statements(comparison, say),
        command=again(comparison) if comparison.command else "",
    )
