"""What lanes say of themselves that was only asked for, because their engine does not tell it: the same sentences for every
format."""

from __future__ import annotations

from collections.abc import Mapping

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Comparison
from trtbench.records.trial import Asked
from trtbench.report.language import Language
from trtbench.report.names import label


def sentences(comparison: Comparison, say: Language) -> list[str]:
    """One for each lane; nothing where the engines told everything."""
    return [
        say("asked.line", lane=label(stated.lane, stated.precision, comparison), what=", ".join(said))
        for stated in comparison.statements
        if (said := [_fact(name, getattr(stated.statement, name), say) for name in stated.statement.asked or []])
    ]


def of_lanes(comparison: Comparison) -> Mapping[tuple[str, str], list[Asked]]:
    """The fields that were only asked for, by lane and precision."""
    return {(stated.lane, stated.precision): stated.statement.asked or [] for stated in comparison.statements}


def _fact(name: Asked, value: object, say: Language) -> str:
    what = say(f"history.what.{name}")
    if isinstance(value, bool):
        return say("asked.flag", name=what, value=say("yes" if value else "no"))
    return f"{what} {plain(str(value), NAME)}"
