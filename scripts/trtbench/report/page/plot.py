"""The plots of one cell as numbers: every trial, its lane's interval, the ceiling. Laid out for a phone's width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trtbench.comparison.result import Comparison, Row
from trtbench.figures.summary import Figures
from trtbench.report import ceiling
from trtbench.report.language import Language
from trtbench.report.names import label
from trtbench.report.scale import axis_end, beyond, height, labels, thinned, ticks
from trtbench.report.spread import Edges, edges, rates

WIDTH, LEFT, RIGHT = 380.0, 6.0, 374.0
LANE, FAR_LANE, FOOT = 46.0, 62.0, 26.0
DOTS = 100  # points of one lane; more would lie on one another and make the page heavy
ROOM = 1.03  # of the axis, so that the last mark is whole


class Tick(NamedTuple):
    """A line across the plot and the figure below it."""

    x: float
    text: str
    anchor: str


class Whisker(NamedTuple):
    """How far a lane reaches; `firm`: it is the interval, else the lowest and the highest trial."""

    path: str
    firm: bool


class Ceiling(NamedTuple):
    """The highest rate that memory and peak allow, and what is told where a line does not say it: that it lies beyond the
    axis, or why there is none above the lane's trials."""

    told: str | None
    path: str | None


class RateLane(NamedTuple):
    """The trials of one lane; `y` is the middle of its marks. `spoken` is for who does not see them."""

    name: str
    figure: str
    spoken: str
    y: float
    centre: float
    dots: str
    whisker: Whisker
    ceiling: Ceiling


class TimeLane(NamedTuple):
    """One generation of one lane: where its first token falls and where its last; `y` is the middle of its bar."""

    name: str
    figure: str
    spoken: str
    y: float
    first_token: float
    last_token: float
    whiskers: Sequence[Whisker]


class Plot(NamedTuple):
    """Lanes below one another over one axis, and what its legend must know."""

    lanes: Sequence[RateLane] | Sequence[TimeLane]
    ticks: Sequence[Tick]
    bottom: float  # where the axis lies
    firm: bool  # every lane has an interval
    trials: int  # of the lane that has most
    ceiling: bool
    width: float = WIDTH
    left: float = LEFT
    right: float = RIGHT
    dots: int = DOTS

    @property
    def height(self) -> float:
        """With the figures below the axis."""
        return self.bottom + FOOT


def rate_plot(row: Row, comparison: Comparison, say: Language) -> Plot:
    """Output tokens per second: one line a lane with its trials, their interval and the ceiling."""
    trials = [rates(f, row) for f in row.figures]
    end = axis_end(trials, [ceiling.line(f) for f in row.figures], ROOM)
    pitch = FAR_LANE if any(ceiling.told(f, end, say) for f in row.figures) else LANE
    lanes = []
    for i, (f, values) in enumerate(zip(row.figures, trials)):
        name, y, whisker = label(f.lane, f.precision, comparison), pitch * i + 30, edges(values)
        dots = "".join(f"M{_x(v, end):.1f} {y + 5 * height(j):.0f}h0" for j, v in enumerate(thinned(values, DOTS)))
        lanes.append(
            RateLane(
                name=name,
                figure=say.number(f.throughput),
                spoken=_spoken(f, whisker, name, say),
                y=y,
                centre=_x(f.throughput, end),
                dots=dots,
                whisker=_whisker(whisker, end, y),
                ceiling=_ceiling(f, end, y, say),
            )
        )
    return _plot(row, lanes, all(lane.whisker.firm for lane in lanes), end, pitch, say)


def time_plot(row: Row, comparison: Comparison, say: Language) -> Plot:
    """One generation from left to right: prefill, then decode; the whiskers are the intervals of both ends."""
    end = axis_end([f.latency_trials for f in row.figures], (), ROOM)
    lanes = [
        TimeLane(
            name=label(f.lane, f.precision, comparison),
            figure=say.number(f.latency),
            spoken=say(
                "spoken_time", lane=label(f.lane, f.precision, comparison), prefill=f.ttft, decode=f.latency - f.ttft
            ),
            y=LANE * i + 30,
            first_token=_x(min(f.ttft, f.latency), end),
            last_token=_x(f.latency, end),
            whiskers=[_whisker(edges(values), end, LANE * i + 30) for values in (f.ttft_trials, f.latency_trials)],
        )
        for i, f in enumerate(row.figures)
    ]
    return _plot(row, lanes, all(lane.whiskers[-1].firm for lane in lanes), end, LANE, say)


def _plot(
    row: Row, lanes: Sequence[RateLane] | Sequence[TimeLane], firm: bool, end: float, pitch: float, say: Language
) -> Plot:
    values = ticks(end)
    marks = []
    for i, (value, text) in enumerate(zip(values, labels(values, say))):
        x = _x(value, end)
        anchor = "start" if i == 0 else "end" if x > RIGHT - 40 else "middle"
        marks.append(Tick(x, text, anchor))
    return Plot(
        lanes,
        marks,
        bottom=pitch * len(lanes) + 4,
        firm=firm,
        trials=max(f.trials for f in row.figures),
        ceiling=any(isinstance(lane, RateLane) and lane.ceiling.path is not None for lane in lanes),
    )


def _x(value: float, end: float) -> float:
    return LEFT + (RIGHT - LEFT) * min(max(value / end, 0.0), 1.0)


def _whisker(whisker: Edges, end: float, y: float) -> Whisker:
    low, high = _x(whisker.low, end), _x(whisker.high, end)
    path = f"M{low:.1f} {y - 7:.0f}v14M{low:.1f} {y:.0f}H{high:.1f}M{high:.1f} {y - 7:.0f}v14"
    return Whisker(path, whisker.firm)


def _ceiling(f: Figures, end: float, y: float, say: Language) -> Ceiling:
    rate = ceiling.line(f)
    path = None if rate is None or beyond(rate, end) else f"M{_x(rate, end):.1f} {y - 12:.0f}v24"
    return Ceiling(ceiling.told(f, end, say), path)


def _spoken(f: Figures, whisker: Edges, lane: str, say: Language) -> str:
    """One lane's rate, how far it reaches, and its ceiling."""
    spoken = say("spoken_rate", lane=lane, rate=f.throughput, low=whisker.low, high=whisker.high)
    rate, share, words = ceiling.line(f), ceiling.share(f), ceiling.words(f, say)
    if rate is not None and share is not None:
        spoken = say("spoken_ceiling", spoken=spoken, rate=rate, share=share)
    return f"{spoken}, {words}" if words else spoken
