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
from trtbench.figures.summary import Figures
from trtbench.records.files import write_whole
from trtbench.report.names import label
from trtbench.report.notices import mark
from trtbench.report.notices import warnings as notices
from trtbench.report.numbers import number
from trtbench.report.spread import rates, span
from trtbench.report.story import lead, place
from trtbench.report.words.report import words
from trtbench.settings.lanes import LANES

# Okabe & Ito's colours (distinct with the common colour blindnesses); hatches tell them apart in grey.
COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#F0E442", "#999999")
HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "--")
INK, SOFT, LIMIT = "#1b1d1f", "#55595e", "#b3400a"
MAX_CELLS = 4
FAR = 2.5  # a ceiling more than this many times the best figure is named at the edge, not drawn to scale
DOTS = 60  # points of one lane


def write(path: Path, comparison: Comparison, lang: str) -> None:
    """Draw the comparison into `path`, whole or not at all: 1600 pixels wide, 900 high or more."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    say = words(lang)
    every = [row for row in comparison.cells if row.figures]
    rows = every[:MAX_CELLS]
    heights = [0.9 * len(row.figures) + 1.4 for row in rows]
    plain_text = {"font.size": 17, "hatch.linewidth": 0.7, "text.parse_math": False}
    with warnings.catch_warnings(), plt.rc_context(plain_text):
        # A model's name may hold signs that the font lacks: they are drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
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
        for row, (left, right) in zip(rows, axes):
            _bars(left, row, comparison, lang, latency=True)
            _bars(right, row, comparison, lang, latency=False)
            if len(rows) > 1:
                left.set_title(_where(row, say), fontsize=17, loc="left", fontweight="bold")
        _top(figure, comparison, rows, lang)
        figure.supxlabel(_foot(rows, len(every) - len(rows), say), fontsize=14, color=SOFT)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
        plt.close(figure)
    write_whole(path, buffer.getvalue())


def _where(row: Row, say: dict[str, str]) -> str:
    return say["cell"].format(batch=row.batch, prompt=row.prompt_length, new=row.new_tokens)


def _top(figure: Any, comparison: Comparison, rows: Sequence[Row], lang: str) -> None:
    """Model and place, the marks in capitals, the verdict."""
    say = words(lang)
    parts = [plain(comparison.model.name, NAME // 2), place(comparison)]
    parts += [_where(rows[0], say)] if len(rows) == 1 else []
    marks = [m for m in (mark(notice) for notice in notices(comparison, lang)) if m]
    found = lead(comparison, lang)
    lines = [" "] if marks else []  # the line of the marks
    lines += textwrap.wrap(" - ".join(parts), 100)[:2]
    lines += [] if found.word == "simulated" else textwrap.wrap(plain(found.sentence, 300), 105)
    title = figure.suptitle("\n".join(lines), fontsize=19, x=0.012, ha="left", color=INK, linespacing=1.3)
    if marks:
        figure.canvas.draw()  # only then is it known where the title's first line came to lie
        top = title.get_window_extent().transformed(figure.transFigure.inverted()).y1
        figure.text(
            0.016,
            top - 10 / figure.bbox.height,
            "   ".join(marks),
            ha="left",
            va="top",
            fontsize=14,
            fontweight="bold",
            color="white",
            bbox={"facecolor": "#a02c14", "edgecolor": "none", "pad": 4},
        )


def _foot(rows: Sequence[Row], cut: int, say: dict[str, str]) -> str:
    parts = [say["chart_note"]]
    if any(f.ceiling_tok_s is not None for row in rows for f in row.figures):
        parts.append(say["chart_ceiling"])
    if any(span(f.latency_trials) is None for row in rows for f in row.figures):
        parts.append(say["chart_range"])
    if cut:
        parts.append(say["chart_cut"].format(n=cut))
    return "; ".join(parts)


def _bars(axis: Any, row: Row, comparison: Comparison, lang: str, latency: bool) -> None:
    say = words(lang)
    found = [(f, f.latency_trials if latency else rates(f, row)) for f in row.figures]
    best = max(max([*values, *(span(values) or ())]) for _, values in found)
    shown = [limit for f, _ in found if (limit := _ceiling(f, latency)) is not None and limit <= best * FAR]
    right = max([best, *shown]) * 1.22  # room for the figure beside its bar
    for i, (f, values) in enumerate(found):
        _lane(axis, i, f, values, right, lang, latency)
    axis.set_yticks(range(len(found)), [_name(f, comparison) for f, _ in found], fontsize=18)
    axis.set_ylim(len(found) - 0.35, -0.65)
    axis.set_xlim(0, right)
    axis.set_xlabel(say["chart_latency" if latency else "chart_throughput"], fontsize=16)
    axis.tick_params(axis="x", labelsize=15)
    axis.tick_params(axis="y", length=0)
    axis.locator_params(axis="x", nbins=5)
    axis.grid(axis="x", color="#dddddd", zorder=0)
    axis.spines[["top", "right"]].set_visible(False)


def _lane(axis: Any, i: int, f: Figures, values: Sequence[float], right: float, lang: str, latency: bool) -> None:
    centre, edges = f.latency if latency else f.throughput, span(values)
    low, high = edges or (min(values), max(values))
    kind = list(LANES).index(f.lane) % len(COLOURS)
    if edges:
        axis.barh(
            i, centre, height=0.56, color=COLOURS[kind], hatch=HATCHES[kind], edgecolor="#222222", linewidth=1, zorder=2
        )
        axis.errorbar(
            centre, i - 0.12, xerr=[[centre - low], [high - centre]], color=INK, capsize=7, linewidth=2.2, zorder=4
        )
    drawn = values if len(values) <= DOTS else [values[i * len(values) // DOTS] for i in range(DOTS)]
    heights = [i + 0.14 + 0.06 * (k % 3 - 1) for k in range(len(drawn))]
    axis.scatter(drawn, heights, s=52, color=INK, edgecolor="white", linewidth=0.9, zorder=5)
    ceiling = _ceiling(f, latency)
    if ceiling is not None and ceiling <= right:
        axis.plot([ceiling, ceiling], [i - 0.42, i + 0.42], color=LIMIT, linewidth=3, linestyle=(0, (2, 1)), zorder=3)
    past = [high, *values, *([ceiling] if ceiling is not None and high < ceiling < high + right * 0.2 else [])]
    axis.annotate(
        number(centre, lang),
        (max(past), i),
        xytext=(9, 0),
        textcoords="offset points",
        va="center",
        fontsize=18,
        fontweight="bold",
        color=INK,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85},
        zorder=6,
    )
    if ceiling is not None and ceiling > right:
        far = f"{words(lang)['ceiling']} {number(ceiling, lang)} →"
        axis.annotate(far, (right, i + 0.42), ha="right", va="center", fontsize=13, color=LIMIT, zorder=6)


def _ceiling(f: Figures, latency: bool) -> float | None:
    """The ceiling in this plot's unit: a least time or a highest rate."""
    if not f.ceiling_tok_s:
        return None
    return f.latency * f.throughput / f.ceiling_tok_s if latency else f.ceiling_tok_s


def _name(f: Figures, comparison: Comparison) -> str:
    return "\n".join(textwrap.wrap(label(f.lane, f.precision, comparison), 16))
