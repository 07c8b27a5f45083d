"""All cells in one plot of the page, as numbers: throughput against latency, a line a lane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from trtbench.comparison.result import Comparison, Row
from trtbench.report.language import Language
from trtbench.report.names import cell_name, label
from trtbench.report.scale import decades, labels

WIDTH, HEIGHT, LEFT, RIGHT, TOP, FOOT = 380.0, 242.0, 60.0, 372.0, 24.0, 44.0
ROOM = 1.25  # of both axes, which are logarithmic, on either side, so that every spot is whole
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # letters tell lanes apart without colours


class Tick(NamedTuple):
    """A line across the plot and the figure at its end."""

    at: float
    text: str


class Spot(NamedTuple):
    """One lane in one cell."""

    x: float
    y: float
    spoken: str


class Line(NamedTuple):
    """One lane through its cells, from the fastest generation to the slowest."""

    letter: str
    name: str
    path: str
    spots: Sequence[Spot]


class Sweep(NamedTuple):
    """Output tokens per second over the milliseconds of a whole generation."""

    lines: Sequence[Line]
    times: Sequence[Tick]
    rates: Sequence[Tick]
    width: float = WIDTH
    height: float = HEIGHT + FOOT
    left: float = LEFT
    right: float = RIGHT
    top: float = TOP
    bottom: float = HEIGHT


def sweep(rows: Sequence[Row], comparison: Comparison, say: Language) -> Sweep | None:
    """The plot; None when no lane has two cells."""
    lanes: dict[str, list[tuple[float, float, str]]] = {}
    for row in rows:
        for f in row.figures:
            point = (f.latency, f.throughput, cell_name(row, say))
            lanes.setdefault(label(f.lane, f.precision, comparison), []).append(point)
    lettered = list(zip(LETTERS, lanes.items()))
    drawn = [points for _, (_, points) in lettered]
    if not any(len(points) > 1 for points in drawn):
        return None
    times = _axis([ms for points in drawn for ms, _, _ in points])
    rates = _axis([rate for points in drawn for _, rate, _ in points])
    lines = []
    for letter, (name, points) in lettered:
        spots = [
            Spot(_x(ms, times), _y(rate, rates), say("spoken_cell", lane=name, cell=where, ms=ms, rate=rate))
            for ms, rate, where in sorted(points)
        ]
        lines.append(Line(letter, name, "M" + "L".join(f"{spot.x:.1f} {spot.y:.1f}" for spot in spots), spots))
    marks = decades(*times), decades(*rates)
    return Sweep(
        lines,
        [Tick(_x(ms, times), text) for ms, text in zip(marks[0], labels(marks[0], say))],
        [Tick(_y(rate, rates), text) for rate, text in zip(marks[1], labels(marks[1], say))],
    )


def _axis(values: Sequence[float]) -> tuple[float, float]:
    """From where to where it goes."""
    return min(values) / ROOM, max(values) * ROOM


def _share(value: float, axis: tuple[float, float]) -> float:
    least, most = axis
    return math.log(value / least) / math.log(most / least)


def _x(ms: float, axis: tuple[float, float]) -> float:
    return LEFT + (RIGHT - LEFT) * _share(ms, axis)


def _y(rate: float, axis: tuple[float, float]) -> float:
    return HEIGHT - (HEIGHT - TOP) * _share(rate, axis)
