"""What several sections of the page are made of: a word of verdict, a table, a picture."""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.comparison.result import Against
from trtbench.report.numbers import limits, times
from trtbench.report.page.markup import Html, join, tag
from trtbench.report.words.report import words


def word(kind: str, text: str) -> Html:
    """A verdict or a level; what is void stands in capitals."""
    return tag("span", text.upper() if kind in ("void", "fail", "simulated") else text, class_=f"word w-{kind}")


def ratio(a: Against, lang: str) -> list[str]:
    """Three fields of a line: the ratio, its interval and the verdict; what is void is struck out."""
    figures = [times(a.speedup.ratio, lang), limits(a.speedup, lang) or "-"]
    if a.verdict.word == "void":
        figures = [tag("s", figure) for figure in figures]
    return [*figures, word(a.verdict.word, words(lang)[a.verdict.word])]


def table(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[int], key: str, note: str = ""
) -> Html:
    """A table whose first column names its rows; `numeric` columns are set to the right. It scrolls on a narrow screen
    and can be reached by keyboard then. The caption is for ears: to the eye the heading above it says the same."""
    names = [tag("th", name, scope="col", class_="n" if i in numeric else None) for i, name in enumerate(head)]
    body = []
    for first, *others in rows:
        fields = [tag("td", field, class_="n" if i in numeric else None) for i, field in enumerate(others, 1)]
        body.append(tag("tr", tag("th", first, scope="row"), *fields))
    title = tag("caption", tag("span", caption, class_="heard"), id=key)
    inner = tag("table", title, tag("thead", tag("tr", *names)), tag("tbody", *body))
    scroll = tag("div", inner, class_="scroll", tabindex=0, role="region", aria_labelledby=key)
    return join([tag("p", note, class_="soft"), scroll]) if note else scroll


def picture(
    drawing: Sequence[Html], title: str, sentences: Sequence[str], width: float, height: float, key: str
) -> Html:
    """An inline SVG; who does not see it is read the title and the sentences."""
    return tag(
        "svg",
        tag("title", title, id=f"{key}-t"),
        tag("desc", "; ".join(sentences), id=f"{key}-d"),
        *drawing,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        role="img",
        aria_labelledby=f"{key}-t",
        aria_describedby=f"{key}-d",
    )
