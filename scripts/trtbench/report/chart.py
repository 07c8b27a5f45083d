"""The PNG for a slide: bars from zero with every trial and an interval, the ceiling, the verdict; legible at half size."""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Comparison, Row
from trtbench.records.files import write_whole
from trtbench.report import ceiling
from trtbench.report.headline import lead, refused
from trtbench.report.language import Language, language
from trtbench.report.names import cell_name, label, place, program
from trtbench.report.notices import marks
from trtbench.report.scale import axis_end, beyond, height, labels, reaches, thinned, ticks
from trtbench.report.spread import edges, rates
from trtbench.settings.lanes import LANES

# Okabe & Ito's colours (distinct with the common colour blindnesses), of which there are eight; hatches tell lanes apart in grey
# and where they share a colour. By name, so that a lane looks the same in the charts of all versions.
LOOKS = {
    "pytorch-eager": ("#56B4E9", ""),
    "pytorch-compile": ("#E69F00", "//"),
    "pytorch-tuned": ("#009E73", ".."),
    "pytorch-triton": ("#CC79A7", "xx"),
    "vllm": ("#0072B2", "\\\\"),
    "onnxruntime": ("#D55E00", "++"),
    "openvino": ("#F0E442", "oo"),
    "tensorrt-engine": ("#999999", "--"),
    "tensorrt-pytorch": ("#56B4E9", "**"),
    "tensorrt-rtx": (
        "#F0E442",
        "||",
    ),  # openvino's colour: no run has both, one needs a card and the other runs on CPUs only
}
SPARE = (
    ("#009E73", "||"),
    ("#E69F00", "oo"),
    ("#CC79A7", "--"),
)  # for lanes that have no row above, in the table's order
STRUCK = "\u0336"  # Unicode's stroke through the sign before it
INK, SOFT, LIMIT = "#1b1d1f", "#55595e", "#b3400a"
MAX_CELLS = 4
DOTS = 60  # points of one lane
FOOT = 150  # letters of a line below the plots
ROOM = 1.22  # of the axis, for the figure beside its bar


def write(path: Path, comparison: Comparison, lang: str) -> None:
    """Draw the comparison into `path`, whole or not at all: 1600 pixels wide, 900 high or more."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    say = language(lang)
    measured = [row for row in comparison.cells if row.figures]
    rows = measured[:MAX_CELLS]
    style = {"font.size": 17, "hatch.linewidth": 0.7, "text.parse_math": False}
    with warnings.catch_warnings(), plt.rc_context(style):
        # A model's name may hold signs that the font lacks: they are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure, axes = _grid(plt, rows)
        for row, (left, right) in zip(rows, axes):
            _bars(left, row, comparison, say, latency=True)
            _bars(right, row, comparison, say, latency=False)
            if len(rows) > 1:
                left.set_title(cell_name(row, say), fontsize=17, loc="left", fontweight="bold")
        _top(figure, comparison, rows, say)
        foot = [
            *textwrap.wrap(_foot(rows, len(measured) - len(rows), say), FOOT),
            *_without_figures(rows, comparison, say),
        ]
        figure.supxlabel("\n".join(foot), fontsize=14, color=SOFT)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": program(comparison, say)})
        plt.close(figure)
    write_whole(path, buffer.getvalue())


def _grid(plt: Any, rows: Sequence[Row]) -> tuple[Any, Any]:
    """The figure, and its axes: two a cell, for the latency and the throughput."""
    heights = [0.9 * len(row.figures) + 1.4 for row in rows]
    figure, axes = plt.subplots(
        max(1, len(rows)),
        2,
        figsize=(16, max(9.0, sum(heights) + 2.8)),
        dpi=100,
        squeeze=False,
        layout="constrained",
        sharey="row",
        gridspec_kw={"height_ratios": heights or [1]},
    )
    figure.get_layout_engine().set(rect=(0.01, 0.015, 0.98, 0.965))
    for axis in axes.flat[: 0 if rows else 2]:
        axis.set_axis_off()
    return figure, axes


def _top(figure: Any, comparison: Comparison, rows: Sequence[Row], say: Language) -> None:
    """Model and place, the marks in capitals, the verdict."""
    parts = [plain(comparison.model.name, NAME // 2), place(comparison)]
    parts += [cell_name(rows[0], say)] if len(rows) == 1 else []
    capitals = marks(comparison, say)
    verdict = lead(comparison, say)
    lines = [" "] if capitals else []  # the line of the marks
    lines += textwrap.wrap(" - ".join(parts), 100)[:2]
    lines += [] if verdict.word == "simulated" else textwrap.wrap(plain(verdict.sentence, 600), 105)
    title = figure.suptitle("\n".join(lines), fontsize=19, x=0.012, ha="left", color=INK, linespacing=1.3)
    if capitals:
        figure.canvas.draw()  # only then is it known where the title's first line came to lie
        top = title.get_window_extent().transformed(figure.transFigure.inverted()).y1
        figure.text(
            0.016,
            top - 10 / figure.bbox.height,
            "   ".join(capitals),
            ha="left",
            va="top",
            fontsize=14,
            fontweight="bold",
            color="white",
            bbox={"facecolor": "#a02c14", "edgecolor": "none", "pad": 4},
        )


def _foot(rows: Sequence[Row], cut: int, say: Language) -> str:
    parts = [say("chart_note")]
    if any(ceiling.line(f) is not None for row in rows for f in row.figures):
        parts.append(say("chart_ceiling"))
    if not all(edges(f.latency_trials).firm for row in rows for f in row.figures):
        parts.append(say("chart_range"))
    if any(_cut(row) for row in rows):
        parts.append(say("plot_beyond"))
    if cut:
        parts.append(say("chart_cut", n=cut))
    return say.clauses(parts)


def _cut(row: Row) -> bool:
    """Whether something of the cell runs out of one of its plots."""
    for latency in (True, False):
        trials, _, end = _drawn(row, latency)
        if any(beyond(max([edges(values).high, *values]), end) for values in trials):
            return True
    return False


def _drawn(row: Row, latency: bool) -> tuple[list[list[float]], list[float | None], float]:
    """What a plot of the cell draws of each lane, its trials and its ceiling, and where the axis ends. The latency, of which less
    is better, has no ceiling."""
    trials = [f.latency_trials if latency else rates(f, row) for f in row.figures]
    limits = [None if latency else ceiling.line(f) for f in row.figures]
    possible = [ceiling.excess(f) is None for f in row.figures]
    return trials, limits, axis_end(list(zip(trials, possible)), limits, ROOM, times=latency)


def _without_figures(rows: Sequence[Row], comparison: Comparison, say: Language) -> list[str]:
    """The lanes that were asked for and have no bar, in lines: a picture travels without the report that gives the reasons."""
    lanes = [label(a.lane, a.precision, comparison) for a in comparison.failed]
    for row in rows:
        where = f" ({say('cell_short', batch=row.batch, prompt=row.prompt_length, new=row.new_tokens)})"
        lanes += [
            label(h.lane, h.precision, comparison) + (where if len(comparison.cells) > 1 else "") for h in row.holes
        ]
    if not lanes:
        return []
    told = plain(say("chart_without", lanes=", ".join(dict.fromkeys(lanes))), 3 * FOOT)
    return textwrap.wrap(told, FOOT)[:2]


def _bars(axis: Any, row: Row, comparison: Comparison, say: Language, latency: bool) -> None:
    """One plot: a bar a lane, of its latency or of its throughput."""
    trials, limits, end = _drawn(row, latency)
    out = refused(row)
    ceilings = [None] * len(limits) if latency else ceiling.told(row.figures, end, say)
    for i, (f, values, limit) in enumerate(zip(row.figures, trials, limits)):
        centre = f.latency if latency else f.throughput
        void = (f.lane, f.precision) in out
        _bar(axis, i, f.lane, centre, values, void)
        _figure_beside(axis, i, centre, values, end, say, void)
        told = [ceilings[i], reaches(values, end, say)]
        _edge(axis, i, limit, [words for words in told if words], end)
    names = ["\n".join(textwrap.wrap(label(f.lane, f.precision, comparison), 16)) for f in row.figures]
    axis.set_yticks(range(len(names)), names, fontsize=18)
    axis.set_ylim(len(names) - 0.35, -0.65)
    axis.set_xlim(0, end)
    axis.set_xlabel(say("chart_latency" if latency else "chart_throughput"), fontsize=16)
    axis.tick_params(axis="x", labelsize=15)
    axis.tick_params(axis="y", length=0)
    marks = ticks(end)
    axis.set_xticks(marks, labels(marks, say))
    axis.grid(axis="x", color="#dddddd", zorder=0)
    axis.spines[["top", "right"]].set_visible(False)


def _bar(axis: Any, i: int, lane: str, centre: float, values: Sequence[float], void: bool) -> None:
    """A bar with its interval, where there is one, and a dot a trial; of what is no result an empty one with a dashed edge."""
    low, high, firm = edges(values)
    colour, hatch = ("none", "") if void else look(lane)
    if firm:
        axis.barh(
            i,
            centre,
            height=0.56,
            color=colour,
            hatch=hatch,
            edgecolor="#222222",
            linewidth=1,
            zorder=2,
            linestyle="--" if void else "-",
        )
        axis.errorbar(
            centre, i - 0.12, xerr=[[centre - low], [high - centre]], color=INK, capsize=7, linewidth=2.2, zorder=4
        )
    dots = thinned(values, DOTS)
    heights = [i + 0.14 + 0.06 * height(k) for k in range(len(dots))]
    axis.scatter(dots, heights, s=52, color=INK, edgecolor="white", linewidth=0.9, zorder=5)


def look(lane: str) -> tuple[str, str]:
    """The colour and the hatch of a lane's bars."""
    without = [name for name in LANES if name not in LOOKS]
    return LOOKS.get(lane) or SPARE[without.index(lane) % len(SPARE)]


def _figure_beside(
    axis: Any, i: int, centre: float, values: Sequence[float], end: float, say: Language, void: bool
) -> None:
    """The lane's figure, to the right of its bar and of its trials; where they run out of the plot, at the edge. One that is no
    result is struck out."""
    last = max([edges(values).high, *values, centre])
    out = beyond(last, end)
    text = say.number(centre) + (" →" if beyond(centre, end) else "")
    axis.annotate(
        "".join(f"{sign}{STRUCK}" for sign in text) if void else text,
        (end if out else last, i),
        xytext=(-4 if out else 9, 0),
        textcoords="offset points",
        ha="right" if out else "left",
        va="center",
        fontsize=18,
        fontweight="bold",
        color=INK,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85},
        zorder=6,
    )


def _edge(axis: Any, i: int, limit: float | None, told: Sequence[str], end: float) -> None:
    """A line where the ceiling is, and at the edge what is told of it and of what lies beyond."""
    if limit is not None and not beyond(limit, end):
        axis.plot([limit, limit], [i - 0.42, i + 0.42], color=LIMIT, linewidth=3, linestyle=(0, (2, 1)), zorder=3)
    if told:
        axis.annotate("; ".join(told), (end, i + 0.42), ha="right", va="center", fontsize=13, color=LIMIT, zorder=6)
