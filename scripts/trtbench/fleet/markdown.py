"""Markdown of a fleet: who is fastest in every cell, each model's tables, the runs that are not back."""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.fleet import names
from trtbench.fleet.page_tables import Article, Field, article
from trtbench.fleet.result import BACK, Fleet
from trtbench.report.language import language
from trtbench.report.markdown import escape

CELLS, LINES = 200, 24  # in full; fleet.csv and fleet.json hold all
MISSING = 200  # runs that are not back


def render(fleet: Fleet, lang: str) -> str:
    """The whole text, ending in a newline."""
    say = language(lang)
    page = article(fleet, say, CELLS, LINES, 0)
    lines = [f"## {escape(page.title)}", "", f"**{escape(page.lead)}** ({escape(page.counts)})"]
    for notice in page.notices:
        capitals = f"**{notice.mark}**" if notice.mark else ""
        lines += ["", f"> {capitals}{escape(notice.sentence, 1000)}"]
    if page.overview:
        lines += ["", f"### {say('fleet.overview')}", "", say("fleet.overview_note"), ""]
        lines += _table(page, "all", page.overview)
    if page.cut_cells:
        lines += ["", say("fleet.cut_tables", n=page.cut_cells)]
    for place, model in enumerate(page.models):
        lines += ["", f"### {escape(model.name)}"]
        if not place:
            lines += ["", escape(page.table_note, 2000)]
        for cell in model.cells:
            lines += ["", f"#### {escape(cell.name)}", ""]
            lines += [
                *(f"- {escape(sentence, 2000)}" for sentence in cell.sentences),
                "",
                *_table(page, "cell", cell.rows),
            ]
            if cell.cut:
                lines += ["", say("fleet.cut_entries", n=cell.cut)]
            if cell.own:
                lines += ["", say.pair(say("fleet.own")), "", *(f"- {escape(sentence)}" for sentence in cell.own)]
    lines += _without(fleet, lang)
    lines += ["", say("fleet.foot", program=escape(fleet.program))]
    return "\n".join(lines) + "\n"


def _table(page: Article, name: str, rows: Sequence[Sequence[str | Field]]) -> list[str]:
    columns = page.columns[name]
    head = [escape(column.head) for column in columns]
    rule = ["---:" if column.numeric else "---" for column in columns]
    body = [[_field(field) for field in row] for row in rows]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *body)]


def _field(field: str | Field) -> str:
    if isinstance(field, str):
        return escape(field) or "-"
    text = escape(field.text)
    bold = f"**{escape(field.badge)}**" if field.kind in ("first", "void") else escape(field.badge)
    small = f"({escape(field.small)})" if field.small else ""
    return " ".join(part for part in (f"~~{text}~~" if field.struck else text, bold, small) if part)


def _without(fleet: Fleet, lang: str) -> list[str]:
    """A line for each run that is not back."""
    say = language(lang)
    missing = [line for line in fleet.runs if line.status != BACK]
    if not missing:
        return []
    lines = ["", f"### {say('fleet.without')}", ""]
    lines += [f"- {escape(names.without(line, say), 800)}" for line in missing[:MISSING]]
    if len(missing) > MISSING:
        lines += ["", say("fleet.cut_missing", n=len(missing) - MISSING)]
    return lines
