"""The axes of the plots: what sets them, what runs out of them, and what is marked on them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reports
from trtbench.report import scale, spread
from trtbench.report.language import ENGLISH
from trtbench.report.page.plot import rate_plot, time_plot

figures = st.floats(1e-3, 1e6)
lanes = st.lists(st.tuples(st.lists(figures, min_size=1, max_size=9), st.booleans()), min_size=1, max_size=6)


@given(lanes, st.lists(st.none() | figures, max_size=6), st.booleans())
def test_every_lane_that_sets_the_axis_lies_on_it(
    lanes: list[tuple[list[float], bool]], ceilings: list[float | None], times: bool
) -> None:
    end = scale.axis_end(lanes, ceilings, 1.2, times)
    possible = [values for values, can_be in lanes if can_be] or [values for values, _ in lanes]
    fastest = min(possible, key=lambda values: sum(values) / len(values))
    assert end >= max(fastest) * 1.2
    if not times:
        assert end >= max(map(max, possible)) * 1.2


@given(st.lists(figures, min_size=1, max_size=5), st.integers(2, 1000), st.floats(1.0, 1.2))
def test_one_lane_of_any_slowness_leaves_the_others_their_place(fast: list[float], slower: int, room: float) -> None:
    alone = scale.axis_end([(fast, True)], (), room, times=True)
    beside = scale.axis_end([(fast, True), ([max(fast) * scale.SLOW * slower], True)], (), room, times=True)
    assert beside == alone


def test_a_rate_that_cannot_be_true_sets_no_axis_but_where_there_is_no_other() -> None:
    assert scale.axis_end([([100.0], True), ([9e6], False)], (), 1.0) == 100.0
    assert scale.axis_end([([9e6], False)], (), 1.0) == 9e6


def test_an_interval_fits_in_unless_it_ends_far_beyond_all_trials() -> None:
    quiet, wide = [100.0, 101.0, 99.0], [30.0, 90.0, 400.0]
    assert scale.axis_end([(quiet, True)], (), 1.0) == spread.edges(quiet).high > max(quiet)
    assert scale.axis_end([(wide, True)], (), 1.0) == max(wide)
    assert scale.reaches(quiet, 200.0, ENGLISH) is None
    assert scale.reaches(wide, 400.0, ENGLISH) == "the interval ends at 2,592.7 →"
    assert scale.reaches(wide, 200.0, ENGLISH) == "interval too wide to draw: 4.06-2,592.7 →"
    assert scale.reaches([1.0, 9e9], 2.0, ENGLISH) is None, "no interval: the trials themselves lie outside"


@given(st.floats(1e-3, 1e6), st.floats(1.5, 1e6))
def test_marks_of_a_logarithmic_axis_are_round_and_lie_on_it(least: float, width: float) -> None:
    marks = scale.decades(least, least * width)
    assert all(least <= mark <= least * width for mark in marks)
    assert [*marks] == sorted(set(marks))
    assert all(round(mark / 10 ** math.floor(math.log10(mark) + 1e-9)) in (1, 2, 5) for mark in marks)


def test_on_the_page_the_figures_stand_at_their_bars_and_what_runs_out_ends_in_an_arrow() -> None:
    comparison = reports.uneven()
    plot = time_plot(comparison.cells[0], comparison, ENGLISH)
    slow, fast, wide = plot.lanes
    assert (slow.value.text, slow.value.anchor) == ("3,999.9 →", "end")
    assert (fast.value.text, fast.value.anchor) == ("50.00", "start")
    assert fast.value.x > fast.last_token > 40, "as long as among its like"  # type: ignore[union-attr]
    assert wide.told == ["the interval ends at 2,592.7 →"]
    assert wide.whiskers[-1].path.endswith("l6 5l-6 5"), "an arrow"  # type: ignore[union-attr]
    assert plot.beyond and plot.spans and not plot.ranges
    assert plot.title == "Whole generation (ms)"
    honest = reports.honest()
    assert not time_plot(honest.cells[0], honest, ENGLISH).beyond


def test_a_ceiling_that_all_lanes_share_and_that_lies_beyond_is_told_once() -> None:
    comparison = reports.honest()
    for f in comparison.cells[0].figures:
        f.ceiling_tok_s, f.ceiling_basis = 90_000.0, "nominal"
    told = [lane.told for lane in rate_plot(comparison.cells[0], comparison, ENGLISH).lanes]
    assert told == [[], [], ["ceiling 90,000 tok/s →"]]
    comparison.cells[0].figures[0].ceiling_tok_s = 50_000.0
    told = [lane.told for lane in rate_plot(comparison.cells[0], comparison, ENGLISH).lanes]
    assert told[0] == ["ceiling 50,000 tok/s →"] and told[1] == told[2] == ["ceiling 90,000 tok/s →"]


def test_a_single_trial_has_no_whisker(tmp_path: Path) -> None:
    comparison = reports.honest()
    comparison.cells[0].figures[0].latency_trials = [100.0]
    first, second, _ = rate_plot(comparison.cells[0], comparison, ENGLISH).lanes
    assert first.whisker is None and second.whisker is not None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("ratio", "written"), [(0.0, "0.00x"), (0.004, "<0.01x"), (2.406, "2.41x"), (24.06, "24.1x"), (240.6, "241x")]
)
def test_a_ratio_has_the_digits_that_mean_something(ratio: float, written: str) -> None:
    assert ENGLISH.times(ratio) == written
