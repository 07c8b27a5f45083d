"""A fleet as text for the terminal, at most 80 columns: what is back, who is fastest, what is not back."""

from __future__ import annotations

from trtbench.comparison.clean_text import safe
from trtbench.fleet import names
from trtbench.fleet.result import BACK, Fleet, Table
from trtbench.report.language import Language, language
from trtbench.report.text_layout import WIDTH, ruled, wrapped

CELLS, MISSING = 40, 20  # shown; the files hold all


def render(fleet: Fleet, lang: str) -> str:
    """The whole text, ending in a newline."""
    say = language(lang)
    lines = [
        "=" * WIDTH,
        *wrapped(names.title(fleet, say)),
        "=" * WIDTH,
        *wrapped(f"{names.back(fleet, say)} ({names.counted(fleet, say)})"),
    ]
    for notice in names.notices(fleet, say):
        lines += ["", *wrapped("! " + notice)]
    for table in fleet.tables[:CELLS]:
        lines += ["", *_table(table, fleet, say)]
    if len(fleet.tables) > CELLS:
        lines += ["", *wrapped(say("fleet.cut_tables", n=len(fleet.tables) - CELLS))]
    missing = [line for line in fleet.runs if line.status != BACK]
    if missing:
        lines += ["", ruled(say("fleet.without"))]
        for line in missing[:MISSING]:
            lines += wrapped(names.without(line, say), "    ")
    if len(missing) > MISSING:
        lines += ["", *wrapped(say("fleet.cut_missing", n=len(missing) - MISSING))]
    return "\n".join(safe(line).rstrip() for line in lines) + "\n"


def _table(table: Table, fleet: Fleet, say: Language) -> list[str]:
    head = f"{names.model(table.model)}, {names.model(table.precision)}, {names.cell(table, say)}"
    lines = wrapped(head)
    if table.speed is None:
        return [*lines, f"  {say('fleet.nobody')}"]
    for sentence in names.sentences(table, fleet.currency, say):
        lines += wrapped(f"  {sentence}", "    ")
    for key, best in (("rate", table.speed), ("watt", table.watt), ("money", table.money)):
        if best is not None:
            lines.append("  " + say.pair(say(f"fleet.{key}", currency=fleet.currency), say.number(best.value)))
    for own in table.own:
        lines += wrapped(f"  {names.own(own, table, say)}", "    ")
    return lines
