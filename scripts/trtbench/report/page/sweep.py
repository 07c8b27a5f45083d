"""All cells in one plot of the page: throughput against latency, a line a lane, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.comparison.result import Comparison, Row
from trtbench.report.names import label
from trtbench.report.numbers import number
from trtbench.report.page.markup import Html, tag
from trtbench.report.spread import ticks
from trtbench.report.words.report import words

WIDTH, HEIGHT, LEFT, RIGHT, TOP, FOOT = 380.0, 230.0, 48.0, 372.0, 12.0, 28.0
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # letters tell lanes apart without colours


def figure(rows: Sequence[Row], comparison: Comparison, lang: str, key: str) -> Html:
    """Output tokens per second over the milliseconds of a whole generation. Empty when no lane has two cells."""
    say = words(lang)
    lines: dict[str, list[tuple[float, float, str]]] = {}
    for row in rows:
        where = say["cell"].format(batch=row.batch, prompt=row.prompt_length, new=row.new_tokens)
        for f in row.figures:
            lines.setdefault(label(f.lane, f.precision, comparison), []).append((f.latency, f.throughput, where))
    shown = list(lines.items())[: len(LETTERS)]
    if not any(len(points) > 1 for _, points in shown):
        return Html("")
    right = 1.05 * max(x for _, points in shown for x, _, _ in points)
    top = 1.05 * max(y for _, points in shown for _, y, _ in points)

    def at(x: float, y: float) -> tuple[float, float]:
        return LEFT + (RIGHT - LEFT) * x / right, HEIGHT - (HEIGHT - TOP) * y / top

    parts, told = _axes(right, top, lang), []
    for letter, (name, points) in zip(LETTERS, shown):
        points.sort()
        spots = [at(x, y) for x, y, _ in points]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
        parts.append(tag("path", class_="range sweep", d=path))
        for (x, y), (ms, rate, where) in zip(spots, points):
            sentence = f"{name}, {where}: {number(ms, lang)} ms, {number(rate, lang)} tok/s"
            told.append(sentence)
            spot = tag("circle", class_="spot", cx=x, cy=y, r=9)
            text = tag("text", letter, class_="t", x=x, y=y + 5, text_anchor="middle")
            parts.append(tag("g", tag("title", sentence), spot, text))
    picture = tag(
        "svg",
        tag("title", say["plot_sweep"], id=f"{key}-t"),
        tag("desc", "; ".join(told), id=f"{key}-d"),
        *parts,
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT + FOOT:.0f}",
        role="img",
        aria_labelledby=f"{key}-t",
        aria_describedby=f"{key}-d",
    )
    named = (tag("li", tag("b", letter), f" {name}") for letter, (name, _) in zip(LETTERS, shown))
    return tag("figure", tag("figcaption", say["plot_sweep"]), picture, tag("ul", *named, class_="legend"))


def _axes(right: float, top: float, lang: str) -> list[Html]:
    marks: list[Html] = []
    across, up = ticks(right), ticks(top)
    for value in across:
        x = LEFT + (RIGHT - LEFT) * value / right
        marks.append(tag("line", class_="grid", x1=x, x2=x, y1=TOP, y2=HEIGHT))
        text = number(value, lang, 0 if across[-1] >= 10 else 2) + (" ms" if value == across[-1] else "")
        marks.append(tag("text", text, class_="t s", x=x, y=HEIGHT + 18, text_anchor="middle" if value else "start"))
    for value in up:
        y = HEIGHT - (HEIGHT - TOP) * value / top
        marks.append(tag("line", class_="grid", x1=LEFT, x2=RIGHT, y1=y, y2=y))
        text = number(value, lang, 0 if up[-1] >= 10 else 2)
        marks.append(tag("text", text, class_="t s", x=LEFT - 6, y=y + 4, text_anchor="end"))
    return marks
