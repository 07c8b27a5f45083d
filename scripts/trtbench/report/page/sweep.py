"""All cells in one plot of the page: throughput against latency, a line a lane, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.comparison.result import Comparison, Row
from trtbench.report.names import cell_name, label
from trtbench.report.numbers import number
from trtbench.report.page.elements import picture
from trtbench.report.page.markup import Html, tag
from trtbench.report.scale import ticks
from trtbench.report.words.report import words

WIDTH, HEIGHT, LEFT, RIGHT, TOP, FOOT = 380.0, 230.0, 48.0, 372.0, 12.0, 28.0
ROOM = 1.05  # of both axes, so that the last spot is whole
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # letters tell lanes apart without colours


def figure(rows: Sequence[Row], comparison: Comparison, lang: str, key: str) -> Html:
    """Output tokens per second over the milliseconds of a whole generation. Empty when no lane has two cells."""
    say = words(lang)
    lines: dict[str, list[tuple[float, float, str]]] = {}
    for row in rows:
        for f in row.figures:
            point = (f.latency, f.throughput, cell_name(row, lang))
            lines.setdefault(label(f.lane, f.precision, comparison), []).append(point)
    lettered = list(zip(LETTERS, lines.items()))
    drawn = [points for _, (_, points) in lettered]
    if not any(len(points) > 1 for points in drawn):
        return Html("")
    most_ms = ROOM * max(ms for points in drawn for ms, _, _ in points)
    most_rate = ROOM * max(rate for points in drawn for _, rate, _ in points)
    parts, sentences = _axes(most_ms, most_rate, lang), []
    for letter, (name, points) in lettered:
        points.sort()
        spots = [(_x(ms, most_ms), _y(rate, most_rate)) for ms, rate, _ in points]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
        parts.append(tag("path", class_="range sweep", d=path))
        for (x, y), (ms, rate, where) in zip(spots, points):
            sentence = f"{name}, {where}: {number(ms, lang)} ms, {number(rate, lang)} tok/s"
            sentences.append(sentence)
            spot = tag("circle", class_="spot", cx=x, cy=y, r=9)
            text = tag("text", letter, class_="t", x=x, y=y + 5, text_anchor="middle")
            parts.append(tag("g", tag("title", sentence), spot, text))
    drawing = picture(parts, say["plot_sweep"], sentences, WIDTH, HEIGHT + FOOT, key)
    named = (tag("li", tag("b", letter), f" {name}") for letter, (name, _) in lettered)
    return tag("figure", tag("figcaption", say["plot_sweep"]), drawing, tag("ul", *named, class_="legend"))


def _x(ms: float, most: float) -> float:
    return LEFT + (RIGHT - LEFT) * ms / most


def _y(rate: float, most: float) -> float:
    return HEIGHT - (HEIGHT - TOP) * rate / most


def _axes(most_ms: float, most_rate: float, lang: str) -> list[Html]:
    marks: list[Html] = []
    times, rates = ticks(most_ms), ticks(most_rate)
    for ms in times:
        x = _x(ms, most_ms)
        marks.append(tag("line", class_="grid", x1=x, x2=x, y1=TOP, y2=HEIGHT))
        text = number(ms, lang, 0 if times[-1] >= 10 else 2) + (" ms" if ms == times[-1] else "")
        marks.append(tag("text", text, class_="t s", x=x, y=HEIGHT + 18, text_anchor="middle" if ms else "start"))
    for rate in rates:
        y = _y(rate, most_rate)
        marks.append(tag("line", class_="grid", x1=LEFT, x2=RIGHT, y1=y, y2=y))
        text = number(rate, lang, 0 if rates[-1] >= 10 else 2)
        marks.append(tag("text", text, class_="t s", x=LEFT - 6, y=y + 4, text_anchor="end"))
    return marks
