"""The PNG: bars from zero, a point for every trial, an interval for every bar; readable in grey and at 1200 px."""

from __future__ import annotations

import io
import math
import statistics
from pathlib import Path
from typing import Any

from trtbench.comparison import Comparison, Row
from trtbench.lanes import LANES
from trtbench.records import write_whole
from trtbench.report.text import label, number
from trtbench.report.words import words
from trtbench.speedup import MIN_TRIALS
from trtbench.student_t import quantile
from trtbench.summary import Figures

# Okabe & Ito's colours (distinct with the common colour blindnesses), lightest for PyTorch; hatches tell them apart in grey.
COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#F0E442", "#999999")
HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "--")
MAX_CELLS = 6


def write(path: Path, comparison: Comparison, lang: str) -> None:
    """Draw the comparison into `path`, whole or not at all."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    say = words(lang)
    rows = comparison.cells[:MAX_CELLS]
    figure, axes = plt.subplots(
        len(rows), 2, figsize=(12, 1.2 + 4.2 * len(rows)), dpi=100, squeeze=False, layout="constrained"
    )
    for row, (left, right) in zip(rows, axes):
        _bars(left, row, comparison, lang, latency=True)
        _bars(right, row, comparison, lang, latency=False)
        left.set_title(
            say["cell"].format(batch=row.batch, prompt=row.prompt_length, new=row.new_tokens), fontsize=12, loc="left"
        )
        right.set_title("")
        left.set_ylabel(say["chart_latency"], fontsize=11)
        right.set_ylabel(say["chart_throughput"], fontsize=11)
    figure.suptitle(_title(comparison, say), fontsize=13)
    figure.supxlabel(say["chart_note"], fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    plt.close(figure)
    write_whole(path, buffer.getvalue())


def _title(comparison: Comparison, say: dict[str, str]) -> str:
    place = ", ".join(comparison.environment.gpus or [comparison.environment.cpu_model])
    marks = []
    if comparison.simulated:
        marks.append(say["simulated"].split(":")[0])
    if comparison.model.synthetic:
        marks.append(
            say["demonstration" if comparison.model.name == "demo" else "synthetic"].split(" :")[0].split(":")[0]
        )
    return f"{comparison.model.name} - {place}" + (f"\n{' - '.join(marks)}" if marks else "")


def _bars(axis: Any, row: Row, comparison: Comparison, lang: str, latency: bool) -> None:
    lanes = list(LANES)
    tops = []
    for i, f in enumerate(row.figures):
        heights = values(f, row, latency)
        centre = f.latency if latency else f.throughput
        kind = lanes.index(f.lane) % len(COLOURS)
        axis.bar(
            i,
            centre,
            width=0.62,
            color=COLOURS[kind],
            hatch=HATCHES[kind],
            edgecolor="#222222",
            linewidth=0.8,
            zorder=2,
        )
        offsets = [0.16 * (k - (len(heights) - 1) / 2) / max(1, len(heights) - 1) for k in range(len(heights))]
        axis.scatter(
            [i + 0.12 + o for o in offsets], heights, s=22, color="#111111", edgecolor="white", linewidth=0.6, zorder=4
        )
        half = half_width(heights)
        if half is not None:
            axis.errorbar(i - 0.12, centre, yerr=half, color="#111111", capsize=5, linewidth=1.4, zorder=3)
        top = max([*heights, centre + (half or 0)])
        tops.append(top)
        axis.annotate(
            number(centre, lang),
            (i, top),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=11,
            fontweight="bold",
        )
    axis.set_xticks(
        range(len(row.figures)),
        [label(f.lane, f.precision, comparison).replace(" ", "\n", 1) for f in row.figures],
        fontsize=10,
    )
    axis.set_ylim(0, max(tops) * 1.15)
    axis.set_xlim(-0.6, max(len(row.figures) - 0.4, 1.4))
    axis.grid(axis="y", color="#dddddd", zorder=0)
    axis.spines[["top", "right"]].set_visible(False)


def values(f: Figures, row: Row, latency: bool) -> list[float]:
    """One value a trial: ms, or output tokens per second."""
    return f.latency_trials if latency else [row.batch * row.new_tokens / ms * 1e3 for ms in f.latency_trials]


def half_width(heights: list[float]) -> float | None:
    """Half the 95 % t interval of the trials' mean; None below three trials."""
    if len(heights) < MIN_TRIALS:
        return None
    return quantile(0.95, len(heights) - 1) * statistics.stdev(heights) / math.sqrt(len(heights))
