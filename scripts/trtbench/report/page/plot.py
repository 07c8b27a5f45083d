"""The plots of the page as inline SVG: every trial, its lane's interval, the ceiling. Laid out for a phone's width."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trtbench.comparison.result import Comparison, Row
from trtbench.report.names import label
from trtbench.report.numbers import number, percent
from trtbench.report.page.markup import Html, tag
from trtbench.report.spread import rates, span, ticks
from trtbench.report.words.report import words

WIDTH, LEFT, RIGHT = 380.0, 6.0, 374.0
LANE, FAR_LANE, FOOT = 46.0, 62.0, 26.0
DRAWN = 100  # points of one lane; more would lie on one another and make the page heavy
FAR = 2.5  # a ceiling more than this many times the best figure is named at the edge, not drawn to scale


def rate_plot(row: Row, comparison: Comparison, lang: str, key: str) -> Html:
    """Output tokens per second: one line a lane with its trials, their interval and the ceiling."""
    say = words(lang)
    values = [rates(f, row) for f in row.figures]
    spans = [_edges(each) for each in values]
    best = max([*(v for each in values for v in each), *(high for _, high, _ in spans)])
    ceilings = [f.ceiling_tok_s for f in row.figures]
    top = max([best, *(c for c in ceilings if c is not None and c <= best * FAR)]) * 1.03
    pitch = FAR_LANE if any(c is not None and c > top for c in ceilings) else LANE
    parts, told = [], []
    for i, (f, each, (low, high, firm)) in enumerate(zip(row.figures, values, spans)):
        name, y = label(f.lane, f.precision, comparison), pitch * i
        parts.append(_names(name, f"{number(f.throughput, lang)} tok/s", y))
        parts.append(_trials(each, _x(f.throughput, top), low, high, top, y + 30, firm))
        sentence = f"{name}: {number(f.throughput, lang)} tok/s ({number(low, lang)}-{number(high, lang)})"
        if f.ceiling_tok_s is not None:
            share = f"{say['ceiling']} {number(f.ceiling_tok_s, lang)} tok/s"
            parts.append(_ceiling(f.ceiling_tok_s, top, y, share))
            sentence += f", {share} ({percent(f.throughput / f.ceiling_tok_s, lang)})"
        told.append(sentence)
    return _svg(parts, told, say["plot_throughput"], top, pitch * len(told), "tok/s", lang, key)


def time_plot(row: Row, comparison: Comparison, lang: str, key: str) -> Html:
    """One generation from left to right: prefill, then decode; the whiskers are the intervals of both ends."""
    say = words(lang)
    spans = [_edges(f.latency_trials) for f in row.figures]
    firsts = [_edges(f.ttft_trials) for f in row.figures]
    top = max([*(v for f in row.figures for v in f.latency_trials), *(high for _, high, _ in spans)]) * 1.03
    parts, told = [], []
    for i, (f, whole, first) in enumerate(zip(row.figures, spans, firsts)):
        name, y = label(f.lane, f.precision, comparison), LANE * i
        parts.append(_names(name, f"{number(f.latency, lang)} ms", y))
        split, end = _x(min(f.ttft, f.latency), top), _x(f.latency, top)
        parts.append(tag("rect", class_="prefill", x=LEFT, y=y + 21, width=split - LEFT, height=18))
        parts.append(tag("rect", class_="decode", x=split, y=y + 21, width=end - split, height=18))
        for low, high, firm in (first, whole):
            parts.append(_whisker(low, high, top, y + 30, firm))
        told.append(
            f"{name}: {number(f.ttft, lang)} ms {say['plot_prefill']}, "
            f"{number(f.latency - f.ttft, lang)} ms {say['plot_decode']}"
        )
    return _svg(parts, told, say["plot_time"], top, LANE * len(told), "ms", lang, key)


def legend(row: Row, lang: str, time: bool) -> Html:
    """What the marks mean; the marks themselves are drawn by the style sheet."""
    say = words(lang)
    firm = all(_edges(f.latency_trials)[2] for f in row.figures)
    items = [("span" if firm else "range", say["plot_span" if firm else "plot_range"])]
    if time:
        items = [("prefill", say["plot_prefill"]), ("decode", say["plot_decode"]), *items]
    else:
        most = max(f.trials for f in row.figures)
        thinned = f" ({say['plot_thinned'].format(shown=DRAWN, n=most)})" if most > DRAWN else ""
        items = [("point", say["plot_point"] + thinned), *items]
        if any(f.ceiling_tok_s is not None for f in row.figures):
            items.append(("ceiling", say["ceiling"]))
    return tag("ul", *(tag("li", tag("span", class_=f"key k-{key}"), text) for key, text in items), class_="legend")


def _edges(values: Sequence[float]) -> tuple[float, float, bool]:
    """Low, high and whether they are an interval; else they are the lowest and the highest trial."""
    found = span(values)
    return (*found, True) if found else (min(values), max(values), False)


def _x(value: float, top: float) -> float:
    return LEFT + (RIGHT - LEFT) * min(max(value / top, 0.0), 1.0)


def _names(name: str, figure: str, y: float) -> Html:
    return Html(
        tag("text", name, class_="t", x=LEFT, y=y + 15)
        + tag("text", figure, class_="t v", x=RIGHT, y=y + 15, text_anchor="end")
    )


def _trials(values: Sequence[float], centre: float, low: float, high: float, top: float, y: float, firm: bool) -> Html:
    drawn = values
    if len(values) > DRAWN:
        drawn = [values[math.floor(i * len(values) / DRAWN)] for i in range(DRAWN)]
    # Neighbouring trials at three heights, in the order of the run, so that equal ones stay apart.
    dots = "".join(f"M{_x(v, top):.1f} {y + 5 * (i % 3 - 1):.0f}h0" for i, v in enumerate(drawn))
    return Html(
        tag("line", class_="track", x1=LEFT, x2=RIGHT, y1=y, y2=y)
        + _whisker(low, high, top, y, firm)
        + tag("path", class_="dots", d=dots)
        + tag("line", class_="centre", x1=centre, x2=centre, y1=y - 10, y2=y + 10)
    )


def _whisker(low: float, high: float, top: float, y: float, firm: bool) -> Html:
    a, b = _x(low, top), _x(high, top)
    path = f"M{a:.1f} {y - 7:.0f}v14M{a:.1f} {y:.0f}H{b:.1f}M{b:.1f} {y - 7:.0f}v14"
    return tag("path", class_="span" if firm else "range", d=path)


def _ceiling(value: float, top: float, y: float, name: str) -> Html:
    if value > top:
        return tag("text", name + " →", class_="t s", x=RIGHT, y=y + 54, text_anchor="end")
    x = _x(value, top)
    return tag("path", class_="ceiling", d=f"M{x:.1f} {y + 18:.0f}v24")


def _svg(
    parts: Sequence[Html], told: Sequence[str], title: str, top: float, height: float, unit: str, lang: str, key: str
) -> Html:
    bottom = height + 4
    marks = []
    shown = ticks(top)
    for i, value in enumerate(shown):
        x = _x(value, top)
        marks.append(tag("line", class_="grid", x1=x, x2=x, y1=18, y2=bottom))
        digits = 0 if shown[-1] >= 10 else 2
        text = "0" if value == 0 else number(value, lang, digits) + (f" {unit}" if i == len(shown) - 1 else "")
        anchor = "start" if i == 0 else "end" if x > RIGHT - 40 else "middle"
        marks.append(tag("text", text, class_="t s", x=x, y=bottom + 16, text_anchor=anchor))
    return tag(
        "svg",
        tag("title", title, id=f"{key}-t"),
        tag("desc", "; ".join(told), id=f"{key}-d"),
        *marks,
        *parts,
        viewBox=f"0 0 {WIDTH:.0f} {bottom + FOOT:.0f}",
        role="img",
        aria_labelledby=f"{key}-t",
        aria_describedby=f"{key}-d",
    )
