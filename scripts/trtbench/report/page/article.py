"""The page in one language, as facts, in the order in which page.html.jinja says them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trtbench.comparison.result import Comparison
from trtbench.report import answers
from trtbench.report.headline import Lead, lead
from trtbench.report.names import place
from trtbench.report.notices import marks
from trtbench.report.page import conditions, sections
from trtbench.report.page.cell import Cell, cell
from trtbench.report.page.fields import Table
from trtbench.report.page.sweep import Sweep, sweep
from trtbench.report.page.wording import Say, words
from trtbench.report.rerun import again

OVERVIEW = 200  # cells in the table of all cells


class Article(NamedTuple):
    """All that the template needs in one language."""

    lang: str
    say: Say
    place: str
    lead: Lead
    notices: Sequence[sections.Notice]
    marks: Sequence[str]
    rows: int  # cells of the run; `cells` holds the first ones only
    overview: Table | None
    cut_rows: int
    sweep: Sweep | None
    cells: Sequence[Cell]
    answers_note: str
    failed: Sequence[sections.Failed]
    history: sections.History | None
    audit: sections.Audit
    not_run: Sequence[sections.NotRun]
    model: conditions.Facts
    interleaved: bool
    machine: conditions.Facts
    settings: Table | None
    statements: Table | None
    command: str


def article(comparison: Comparison, lang: str, cells: int) -> Article:
    """What the page says in one language, with at most so many cells in full."""
    rows = comparison.cells
    listed = rows[:OVERVIEW] if len(rows) > 1 else []
    return Article(
        lang=lang,
        say=words(lang),
        place=place(comparison),
        lead=lead(comparison, lang),
        notices=sections.notices(comparison, lang),
        marks=marks(comparison, lang),
        rows=len(rows),
        overview=sections.overview(listed, comparison, lang),
        cut_rows=len(rows[OVERVIEW:]),
        sweep=sweep(listed, comparison, lang),
        cells=[cell(row, comparison, lang) for row in rows[:cells]],
        answers_note=answers.note(comparison, lang),
        failed=sections.failed(comparison),
        history=sections.against(comparison, lang),
        audit=sections.audit(comparison, lang),
        not_run=sections.not_run(comparison),
        model=conditions.model(comparison, lang),
        interleaved=comparison.interleaved,
        machine=conditions.machine(comparison, lang),
        settings=conditions.settings(comparison, lang),
        statements=conditions.statements(comparison, lang),
        command=again(comparison) if comparison.command else "",
    )
