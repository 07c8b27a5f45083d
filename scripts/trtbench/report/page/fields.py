"""A table of the page as facts: its head, its lines, and the fields that are more than text."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Literal, NamedTuple

from trtbench.comparison.result import Against
from trtbench.report.headline import VERDICTS
from trtbench.report.language import Language

Look = Literal["figure", "void figure", "void", "lane", "about", "word", "code", "long code", "long"]


class Field(NamedTuple):
    """A field that is more than text; parts.html.jinja draws one after its `look`."""

    look: Look
    text: str
    small: str = ""  # what stands beside or below it in small letters
    mark: str = ""  # the kind of a verdict word; the capitals behind a lane


class Table(NamedTuple):
    """What a table holds. The first field of a line names it; `numeric` columns are set to the right."""

    head: Sequence[str]
    rows: Sequence[Sequence[str | Field]]
    numeric: Sequence[int] = ()


def ratio(
    a: Against, say: Language, refused: Container[tuple[str, str]], remark: str = "", badge: bool = True
) -> list[str | Field]:
    """Three fields of a line: the ratio, its interval and the verdict with a remark; what is void or of a refused lane is
    struck out, and what little hangs on is called weak. Without a `badge` only what is void is said."""
    figures = [say.times(a.speedup.ratio), say.limits(a.speedup) or "-"]
    void = a.verdict.word == "void"
    struck = void or (a.lane, a.precision) in refused or (a.base, a.base_precision) in refused
    told = [Field("void", figure) if struck and figure != "-" else figure for figure in figures]
    if not badge and not void:
        return [*told, "-"]
    return [
        *told,
        Field(
            "word",
            say(a.verdict.word),
            ", ".join(filter(None, [say("weak") if a.weak else "", remark])),
            f"{a.verdict.word} weak" if a.weak and a.verdict.word in VERDICTS else a.verdict.word,
        ),
    ]
