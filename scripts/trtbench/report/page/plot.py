"""The plots of the page as inline SVG: every trial, its lane's interval, the ceiling. Laid out for a phone's width."""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.comparison.result import Comparison, Row
from trtbench.report.names import label
from trtbench.report.numbers import number, percent
from trtbench.report.page.elements import picture
from trtbench.report.page.markup import Html, tag
from trtbench.report.scale import axis_end, beyond, height, highest_rate, share_of_ceiling, thinned, ticks
from trtbench.report.spread import Edges, edges, rates
from trtbench.report.words.report import words

WIDTH, LEFT, RIGHT = 380.0, 6.0, 374.0
LANE, FAR_LANE, FOOT = 46.0, 62.0, 26.0
DOTS = 100  # points of one lane; more would lie on one another and make the page heavy
ROOM = 1.03  # of the axis, so that the last mark is whole


def rate_plot(row: Row, comparison: Comparison, lang: str, key: str) -> Html:
    """Output tokens per second: one line a lane with its trials, their interval and the ceiling."""
    say = words(lang)
    trials = [rates(f, row) for f in row.figures]
    ceilings = [highest_rate(f) for f in row.figures]
    end = axis_end(trials, ceilings, ROOM)
    pitch = FAR_LANE if any(beyond(ceiling, end) for ceiling in ceilings) else LANE
    parts, sentences = [], []
    for i, (f, values, ceiling) in enumerate(zip(row.figures, trials, ceilings)):
        name, y, whisker = label(f.lane, f.precision, comparison), pitch * i, edges(values)
        figure = f"{number(f.throughput, lang)} tok/s"
        parts.append(_names(name, figure, y))
        parts.append(_trials(values, _x(f.throughput, end), whisker, end, y + 30))
        sentence = f"{name}: {figure} ({number(whisker.low, lang)}-{number(whisker.high, lang)})"
        share = share_of_ceiling(f)
        if ceiling is not None and share is not None:
            named = f"{say['ceiling']} {number(ceiling, lang)} tok/s"
            parts.append(_ceiling(ceiling, end, y, named))
            sentence += f", {named} ({percent(share, lang)})"
        sentences.append(sentence)
    return _svg(parts, sentences, say["plot_throughput"], end, pitch * len(sentences), "tok/s", lang, key)


def time_plot(row: Row, comparison: Comparison, lang: str, key: str) -> Html:
    """One generation from left to right: prefill, then decode; the whiskers are the intervals of both ends."""
    say = words(lang)
    end = axis_end([f.latency_trials for f in row.figures], (), ROOM)
    parts, sentences = [], []
    for i, f in enumerate(row.figures):
        name, y = label(f.lane, f.precision, comparison), LANE * i
        parts.append(_names(name, f"{number(f.latency, lang)} ms", y))
        first_token, last_token = _x(min(f.ttft, f.latency), end), _x(f.latency, end)
        parts.append(tag("rect", class_="prefill", x=LEFT, y=y + 21, width=first_token - LEFT, height=18))
        parts.append(tag("rect", class_="decode", x=first_token, y=y + 21, width=last_token - first_token, height=18))
        for values in (f.ttft_trials, f.latency_trials):
            parts.append(_whisker(edges(values), end, y + 30))
        sentences.append(
            f"{name}: {number(f.ttft, lang)} ms {say['plot_prefill']}, "
            f"{number(f.latency - f.ttft, lang)} ms {say['plot_decode']}"
        )
    return _svg(parts, sentences, say["plot_time"], end, LANE * len(sentences), "ms", lang, key)


def legend(row: Row, lang: str, time: bool) -> Html:
    """What the marks mean; the marks themselves are drawn by the style sheet."""
    say = words(lang)
    firm = all(edges(f.latency_trials).firm for f in row.figures)
    items = [("span" if firm else "range", say["plot_span" if firm else "plot_range"])]
    if time:
        items = [("prefill", say["plot_prefill"]), ("decode", say["plot_decode"]), *items]
    else:
        most = max(f.trials for f in row.figures)
        thinning = f" ({say['plot_thinned'].format(shown=DOTS, n=most)})" if most > DOTS else ""
        items = [("point", say["plot_point"] + thinning), *items]
        if any(f.ceiling_tok_s is not None for f in row.figures):
            items.append(("ceiling", say["ceiling"]))
    return tag("ul", *(tag("li", tag("span", class_=f"key k-{key}"), text) for key, text in items), class_="legend")


def _x(value: float, end: float) -> float:
    return LEFT + (RIGHT - LEFT) * min(max(value / end, 0.0), 1.0)


def _names(name: str, figure: str, y: float) -> Html:
    return Html(
        tag("text", name, class_="t", x=LEFT, y=y + 15)
        + tag("text", figure, class_="t v", x=RIGHT, y=y + 15, text_anchor="end")
    )


def _trials(values: Sequence[float], centre: float, whisker: Edges, end: float, y: float) -> Html:
    dots = "".join(f"M{_x(v, end):.1f} {y + 5 * height(i):.0f}h0" for i, v in enumerate(thinned(values, DOTS)))
    return Html(
        tag("line", class_="track", x1=LEFT, x2=RIGHT, y1=y, y2=y)
        + _whisker(whisker, end, y)
        + tag("path", class_="dots", d=dots)
        + tag("line", class_="centre", x1=centre, x2=centre, y1=y - 10, y2=y + 10)
    )


def _whisker(whisker: Edges, end: float, y: float) -> Html:
    low, high = _x(whisker.low, end), _x(whisker.high, end)
    path = f"M{low:.1f} {y - 7:.0f}v14M{low:.1f} {y:.0f}H{high:.1f}M{high:.1f} {y - 7:.0f}v14"
    return tag("path", class_="span" if whisker.firm else "range", d=path)


def _ceiling(ceiling: float, end: float, y: float, named: str) -> Html:
    if beyond(ceiling, end):
        return tag("text", named + " →", class_="t s", x=RIGHT, y=y + 54, text_anchor="end")
    return tag("path", class_="ceiling", d=f"M{_x(ceiling, end):.1f} {y + 18:.0f}v24")


def _svg(
    parts: Sequence[Html],
    sentences: Sequence[str],
    title: str,
    end: float,
    height: float,
    unit: str,
    lang: str,
    key: str,
) -> Html:
    bottom = height + 4
    axis = []
    values = ticks(end)
    for i, value in enumerate(values):
        x = _x(value, end)
        axis.append(tag("line", class_="grid", x1=x, x2=x, y1=18, y2=bottom))
        digits = 0 if values[-1] >= 10 else 2
        text = "0" if value == 0 else number(value, lang, digits) + (f" {unit}" if i == len(values) - 1 else "")
        anchor = "start" if i == 0 else "end" if x > RIGHT - 40 else "middle"
        axis.append(tag("text", text, class_="t s", x=x, y=bottom + 16, text_anchor=anchor))
    return picture([*axis, *parts], title, sentences, WIDTH, bottom + FOOT, key)
