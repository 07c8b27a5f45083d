"""The plots of one cell as numbers: every trial, its lane's interval, the ceiling. Laid out for a phone's width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trtbench.comparison.result import Comparison, Row
from trtbench.figures.summary import Figures
from trtbench.report import ceiling
from trtbench.report.headline import refused
from trtbench.report.language import Language
from trtbench.report.names import label
from trtbench.report.scale import axis_end, beyond, height, labels, reaches, thinned, ticks
from trtbench.report.spread import Edges, edges, rates

WIDTH, LEFT, RIGHT = 380.0, 6.0, 374.0
LANE, TOLD, FOOT = 46.0, 16.0, 40.0  # of a lane, of a line of words below it, and of the axis' figures and title
DOTS = 100  # points of one lane; more would lie on one another and make the page heavy
ROOM = 1.22  # of the axis, for the figure beside its marks
DIGIT = 8.5  # of a figure's text, about, in the widest of usual fonts
BESIDE = 7.0  # between a lane's last mark and its figure


class Tick(NamedTuple):
    """A line across the plot and the figure below it."""

    x: float
    text: str
    anchor: str


class Whisker(NamedTuple):
    """How far a lane reaches; `firm`: it is the interval, else the lowest and the highest trial."""

    path: str
    firm: bool


class Value(NamedTuple):
    """A lane's figure and where it stands: beside the last of its marks, or at the edge that they run out of."""

    text: str
    x: float
    anchor: str


class RateLane(NamedTuple):
    """The trials of one lane; `y` is the middle of its marks. `told`: what lies beyond the axis, or why there is no ceiling
    above the trials. `spoken` is for who does not see them."""

    name: str
    void: bool  # its figures are no result
    value: Value
    told: Sequence[str]
    spoken: str
    y: float
    centre: float
    dots: str
    whisker: Whisker | None
    ceiling: str | None


class TimeLane(NamedTuple):
    """One generation of one lane: where its first token falls and where its last; `y` is the middle of its bar."""

    name: str
    void: bool  # its figures are no result
    value: Value
    told: Sequence[str]
    spoken: str
    y: float
    first_token: float
    last_token: float
    whiskers: Sequence[Whisker]


class Plot(NamedTuple):
    """Lanes below one another over one axis, and what its legend must know."""

    lanes: Sequence[RateLane] | Sequence[TimeLane]
    ticks: Sequence[Tick]
    title: str  # of the axis, with its unit
    bottom: float  # where the axis lies
    spans: bool  # some lane has an interval
    ranges: bool  # some has too few trials for one, and more than one
    beyond: bool  # something runs out of the plot
    trials: int  # of the lane that has most
    ceiling: bool
    width: float = WIDTH
    left: float = LEFT
    right: float = RIGHT
    dots: int = DOTS

    @property
    def height(self) -> float:
        """With what stands below the axis."""
        return self.bottom + FOOT


def rate_plot(row: Row, comparison: Comparison, say: Language) -> Plot:
    """Output tokens per second: one line a lane with its trials, their interval and the ceiling."""
    trials = [rates(f, row) for f in row.figures]
    possible = [ceiling.excess(f) is None for f in row.figures]
    end = axis_end(list(zip(trials, possible)), [ceiling.line(f) for f in row.figures], ROOM)
    ceilings = ceiling.told(row.figures, end, say)
    told = [_told([words, reaches(values, end, say)]) for words, values in zip(ceilings, trials)]
    lanes = []
    for f, values, words, y in zip(row.figures, trials, told, _places(told)):
        name, rate = label(f.lane, f.precision, comparison), ceiling.line(f)
        dots = "".join(
            f"M{_x(v, end):.1f} {y + 5 * height(j):.0f}h0"
            for j, v in enumerate(thinned(values, DOTS))
            if not beyond(v, end)
        )
        lanes.append(
            RateLane(
                name=name,
                void=(f.lane, f.precision) in refused(row),
                value=_value(f.throughput, values, end, say, rate),
                told=words,
                spoken=_spoken(f, edges(values), name, say),
                y=y,
                centre=_x(f.throughput, end),
                dots=dots,
                whisker=_whisker(values, end, y),
                ceiling=None if rate is None or beyond(rate, end) else f"M{_x(rate, end):.1f} {y - 12:.0f}v24",
            )
        )
    return _plot(row, lanes, trials, end, say("page_throughput"), say)


def time_plot(row: Row, comparison: Comparison, say: Language) -> Plot:
    """One generation from left to right: prefill, then decode; the whiskers are the intervals of both ends."""
    trials = [f.latency_trials for f in row.figures]
    end = axis_end([(f.latency_trials, ceiling.excess(f) is None) for f in row.figures], (), ROOM, times=True)
    told = [_told([reaches(values, end, say)]) for values in trials]
    lanes = []
    for f, words, y in zip(row.figures, told, _places(told)):
        name = label(f.lane, f.precision, comparison)
        whiskers = [_whisker(values, end, y) for values in (f.ttft_trials, f.latency_trials)]
        lanes.append(
            TimeLane(
                name=name,
                void=(f.lane, f.precision) in refused(row),
                value=_value(f.latency, f.latency_trials, end, say),
                told=words,
                spoken=say("spoken_time", lane=name, prefill=f.ttft, decode=f.latency - f.ttft),
                y=y,
                first_token=_x(min(f.ttft, f.latency), end),
                last_token=_x(f.latency, end),
                whiskers=[whisker for whisker in whiskers if whisker is not None],
            )
        )
    return _plot(row, lanes, trials, end, say("page_latency"), say)


def _told(words: Sequence[str | None]) -> list[str]:
    return [each for each in words if each]


def _places(told: Sequence[Sequence[str]]) -> list[float]:
    """The middle of each lane's marks, below the lanes before it and their lines of words."""
    heights = [LANE + TOLD * len(words) for words in told]
    return [30 + sum(heights[:i]) for i in range(len(told))]


def _plot(
    row: Row,
    lanes: Sequence[RateLane] | Sequence[TimeLane],
    trials: Sequence[Sequence[float]],
    end: float,
    title: str,
    say: Language,
) -> Plot:
    values = ticks(end)
    marks = []
    for i, (value, text) in enumerate(zip(values, labels(values, say))):
        x = _x(value, end)
        anchor = "start" if i == 0 else "end" if x > RIGHT - 40 else "middle"
        marks.append(Tick(x, text, anchor))
    last = lanes[-1]
    reach = [edges(values) for values in trials]
    return Plot(
        lanes,
        marks,
        title,
        bottom=last.y + 20 + TOLD * len(last.told),
        spans=any(each.firm for each in reach),
        ranges=any(not each.firm and len(values) > 1 for each, values in zip(reach, trials)),
        beyond=any(beyond(max(each.high, *values), end) for each, values in zip(reach, trials)),
        trials=max(f.trials for f in row.figures),
        ceiling=any(isinstance(lane, RateLane) and lane.ceiling is not None for lane in lanes),
    )


def _x(value: float, end: float) -> float:
    return LEFT + (RIGHT - LEFT) * min(max(value / end, 0.0), 1.0)


def _value(figure: float, values: Sequence[float], end: float, say: Language, limit: float | None = None) -> Value:
    """The figure beside its marks, and beyond their ceiling where it would cross that; where it has no room there, above
    their line at the edge."""
    last, text = _x(max(figure, edges(values).high, *values), end), say.number(figure)
    width = DIGIT * len(text)
    if limit is not None and last < _x(limit, end) < last + BESIDE + width:
        last = _x(limit, end)
    if last + BESIDE + width < WIDTH:
        return Value(text, last + BESIDE, "start")
    return Value(f"{text}{' →' if beyond(figure, end) else ''}", RIGHT, "end")


def _whisker(values: Sequence[float], end: float, y: float) -> Whisker | None:
    """None for a single trial, which reaches nowhere. What ends beyond the axis ends in an arrow."""
    if len(values) < 2:
        return None
    reach = edges(values)
    low, high = _x(reach.low, end), _x(reach.high, end)
    tip = f"M{high - 6:.1f} {y - 5:.0f}l6 5l-6 5" if beyond(reach.high, end) else f"M{high:.1f} {y - 7:.0f}v14"
    tail = "" if beyond(reach.low, end) else f"M{low:.1f} {y - 7:.0f}v14"
    return Whisker(f"{tail}M{low:.1f} {y:.0f}H{high:.1f}{tip}", reach.firm)


def _spoken(f: Figures, whisker: Edges, lane: str, say: Language) -> str:
    """One lane's rate, how far it reaches, and its ceiling."""
    spoken = say("spoken_rate", lane=lane, rate=f.throughput, low=whisker.low, high=whisker.high)
    rate, share, words = ceiling.line(f), ceiling.share(f), ceiling.words(f, say)
    if rate is not None and share is not None:
        spoken = say("spoken_ceiling", spoken=spoken, rate=rate, share=share)
    return f"{spoken}, {words}" if words else spoken
