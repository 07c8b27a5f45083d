"""The ratio, its interval and the verdict."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from trtbench.figures.speedup import MIN_EFFECT, interval, interval_over, more_trials, verdict, verdict_over

times = st.lists(st.floats(min_value=0.01, max_value=1e5), min_size=3, max_size=8)
near = st.lists(st.floats(min_value=97.0, max_value=103.0), min_size=3, max_size=8)
MIRROR = {"faster": "slower", "slower": "faster"}


@given(lane=times, base=times)
def test_swapping_the_lanes_mirrors_the_ratio_and_its_interval(lane: list[float], base: list[float]) -> None:
    one, other = interval(lane, base), interval(base, lane)
    assert one.low is not None and one.high is not None and other.low is not None and other.high is not None
    assert one.ratio * other.ratio == pytest.approx(1)
    assert math.log(one.low) == pytest.approx(-math.log(other.high), abs=1e-9, rel=1e-9)
    assert math.log(one.high) == pytest.approx(-math.log(other.low), abs=1e-9, rel=1e-9)


@given(lane=near, base=near)
def test_swapping_the_lanes_mirrors_the_verdict(lane: list[float], base: list[float]) -> None:
    one, other = verdict(lane, base, 0.03), verdict(base, lane, 0.03)
    found = interval(lane, base)
    assert found.low is not None and found.high is not None
    assume(abs(abs(math.log(found.ratio)) - math.log1p(MIN_EFFECT)) > 1e-9)  # on the very edge rounding decides
    assert other.word == MIRROR.get(one.word, one.word)
    assert other.reason == one.reason
    assert other.more_trials == one.more_trials


def test_equivalence_is_the_same_from_either_side() -> None:
    """An interval of 0.9705 to 0.9999 lies within 3 % seen from one lane and, naively, not from the other."""
    lane, base = [100.0, 101.4, 102.8], [100.0, 100.0, 100.1]
    for margin in (0.01, 0.02, 0.025, 0.028, 0.03, 0.035, 0.05):
        one, other = verdict(lane, base, margin), verdict(base, lane, margin)
        assert (one.word == "equivalent") == (other.word == "equivalent")


@given(lane=near, base=near, factor=st.sampled_from([1e-9, 1e-3, 60.0, 1e6]))
def test_units_do_not_matter(lane: list[float], base: list[float], factor: float) -> None:
    one = interval(lane, base)
    other = interval([t * factor for t in lane], [t * factor for t in base])
    assert (other.ratio, other.low, other.high) == pytest.approx((one.ratio, one.low, one.high))


@given(lane=times, base=times, level=st.sampled_from([0.9, 0.95, 0.99]))
def test_the_interval_is_scipys_welch_interval_of_the_logarithms(
    lane: list[float], base: list[float], level: float
) -> None:
    a, b = [math.log(t) for t in base], [math.log(t) for t in lane]
    assume(min(statistics.stdev(a), statistics.stdev(b)) > 1e-6)
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(level)
    found = interval(lane, base, level)
    assert found.low is not None and found.high is not None
    assert math.log(found.low) == pytest.approx(expected.low, rel=1e-6, abs=1e-9)
    assert math.log(found.high) == pytest.approx(expected.high, rel=1e-6, abs=1e-9)


def test_a_textbook_example() -> None:
    """By hand. Logs 0.1, 0.2, 0.3 against 0.5, 0.6, 0.7: difference 0.4, variances 0.01, standard error sqrt(0.02 / 3) = 0.08165,
    4 degrees of freedom, t = 2.776.
    """
    lane, base = [math.exp(x) for x in (0.1, 0.2, 0.3)], [math.exp(x) for x in (0.5, 0.6, 0.7)]
    found = interval(lane, base)
    assert found.ratio == pytest.approx(math.exp(0.4))
    assert found.low == pytest.approx(math.exp(0.4 - 2.7764 * 0.081650), rel=1e-4)
    assert found.high == pytest.approx(math.exp(0.4 + 2.7764 * 0.081650), rel=1e-4)


@pytest.mark.parametrize(("lanes", "bases"), [(1, 5), (2, 5), (5, 2), (1, 1)])
def test_fewer_than_three_trials_get_a_ratio_and_no_interval(lanes: int, bases: int) -> None:
    found = interval([50.0] * lanes, [100.0] * bases)
    assert found.ratio == pytest.approx(2)
    assert (found.low, found.high, found.half_width) == (None, None, None)
    judged = verdict([50.0] * lanes, [100.0] * bases, 0.03)
    assert (judged.word, judged.reason) == ("none", "too_few_trials")


@pytest.mark.parametrize(("trials", "weak"), [(3, True), (4, True), (5, False), (6, False)])
def test_fewer_than_five_trials_are_weak(trials: int, weak: bool) -> None:
    assert interval([50.0, 51.0, 52.0, 51.0, 50.0, 51.5][:trials], [100.0, 101.0] * 4).weak is weak


@pytest.mark.parametrize(
    ("lane", "base", "word", "reason"),
    [
        ([50.0, 51.0, 49.0], [100.0, 101.0, 99.0], "faster", "interval_excludes_one"),
        ([100.0, 101.0, 99.0], [50.0, 51.0, 49.0], "slower", "interval_excludes_one"),
        ([100.0, 100.1, 99.9], [100.0, 100.2, 99.8], "equivalent", "interval_within_margin"),
        ([90.0, 100.0, 110.0], [95.0, 105.0, 100.0], "inconclusive", "interval_includes_one"),
        ([99.5, 99.5, 99.5], [100.0, 100.0, 100.0], "equivalent", "interval_within_margin"),
        ([100.0] * 3, [100.0] * 3, "equivalent", "interval_within_margin"),
        ([50.0] * 3, [100.0] * 3, "faster", "interval_excludes_one"),
    ],
)
def test_verdicts(lane: list[float], base: list[float], word: str, reason: str) -> None:
    judged = verdict(lane, base, 0.03)
    assert (judged.word, judged.reason) == (word, reason)


def test_a_difference_below_one_per_cent_is_none_even_when_it_is_sure() -> None:
    judged = verdict([99.5, 99.5, 99.5001], [100.0, 100.0, 100.0001], margin=0.001)
    assert (judged.word, judged.reason) == ("inconclusive", "effect_too_small")


def test_identical_times_have_an_interval_of_no_width() -> None:
    found = interval([7.0] * 4, [7.0] * 4)
    assert found.ratio == 1.0
    assert found.half_width == pytest.approx(0, abs=1e-6)


def test_the_number_of_further_trials_is_the_fewest_that_would_settle_it() -> None:
    lane, base = [96.0, 101.0, 91.0], [100.0, 105.0, 95.0]
    more = verdict(lane, base, 0.03).more_trials
    assert more is not None
    a, b = [math.log(t) for t in base], [math.log(t) for t in lane]
    difference = statistics.fmean(a) - statistics.fmean(b)
    spread = math.sqrt(statistics.variance(a) + statistics.variance(b))

    def settled(total: int) -> bool:
        return bool(stats.t.ppf(0.975, 2 * (total - 1)) * spread / math.sqrt(total) < difference)

    assert settled(3 + more)
    assert not settled(3 + more - 1)


@pytest.mark.parametrize(("trials", "base_trials"), [(20, 36), (36, 20), (5, 5), (4, 12)])
def test_the_fewest_further_trials_are_counted_from_what_each_side_has(trials: int, base_trials: int) -> None:
    """A lane at 1 % noise and a base at 5 % that had extra trials, 1.6 % apart; counted up one by one with scipy."""

    def spread(count: int, deviation: float) -> list[float]:
        logs = [i - (count - 1) / 2 for i in range(count)]
        return [math.exp(x * deviation / statistics.stdev(logs)) for x in logs]

    lane, base = [ms * math.exp(-0.016) for ms in spread(trials, 0.01)], spread(base_trials, 0.05)

    def settled(more: int) -> bool:
        one, other = 0.01**2 / (trials + more), 0.05**2 / (base_trials + more)
        df = (one + other) ** 2 / (one**2 / (trials + more - 1) + other**2 / (base_trials + more - 1))
        error = math.sqrt(one + other)
        return bool(stats.t.ppf(0.975, df) * error < 0.016 or 0.016 + stats.t.ppf(0.95, df) * error <= math.log1p(0.03))

    assert not settled(0)
    assert more_trials(lane, base, 0.03, 0.95) == next(more for more in range(1, 1001) if settled(more))


def test_no_number_of_trials_is_promised_for_a_difference_that_is_hardly_one() -> None:
    assert more_trials([90.0, 100.0, 111.111], [100.0, 100.5, 99.5], 0.001, 0.95) is None


# Over several candidates for the base

several = st.lists(near, min_size=1, max_size=3)


@given(lane=near, bases=several)
def test_the_range_holds_the_interval_to_each_candidate_and_no_more(
    lane: list[float], bases: list[list[float]]
) -> None:
    over = interval_over(lane, bases)
    alone = [interval(lane, base) for base in bases]
    assert over.ratio == alone[0].ratio
    assert over.low == min(i.low for i in alone if i.low is not None)
    assert over.high == max(i.high for i in alone if i.high is not None)


@settings(max_examples=40)
@given(lane=near, bases=several)
def test_faster_and_equivalent_hold_against_every_candidate(lane: list[float], bases: list[list[float]]) -> None:
    over = verdict_over(lane, bases, 0.03)
    words = [verdict(lane, base, 0.03).word for base in bases]
    if over.word == "faster":
        assert set(words) == {"faster"}
    if over.word == "equivalent":
        alike = [interval(lane, base, 0.90) for base in bases]
        assert all(i.low is not None and i.high is not None and 1 / 1.03 <= i.low <= i.high <= 1.03 for i in alike)
    if set(words) <= {"faster"} or set(words) == {"slower"} or set(words) == {"equivalent"}:
        assert over.word == words[0]


@given(lane=near, base=near)
def test_one_candidate_is_judged_as_a_base_is(lane: list[float], base: list[float]) -> None:
    over, one = verdict_over(lane, [base], 0.03), verdict(lane, base, 0.03)
    assert (over.word, over.reason, over.more_trials) == (one.word, one.reason, one.more_trials)


@settings(max_examples=40)
@given(lane=near, bases=several, more=near)
def test_another_candidate_never_makes_a_lane_faster(
    lane: list[float], bases: list[list[float]], more: list[float]
) -> None:
    if verdict_over(lane, bases, 0.03).word != "faster":
        assert verdict_over(lane, [*bases, more], 0.03).word != "faster"


TIGHT = [100.0, 100.2, 99.8, 100.1, 99.9]
WIDE = [100.0, 112.0, 89.0, 106.0, 95.0]


def test_slower_than_one_candidate_is_enough_and_that_one_is_named() -> None:
    said = verdict_over([ms * 1.05 for ms in TIGHT], [WIDE, TIGHT], 0.03)
    assert (said.word, said.reason, said.candidate) == ("slower", "slower_than_candidate", 1)


def test_slower_than_one_of_several_takes_more_than_slower_than_a_single_one() -> None:
    """The bound is shared among the candidates: what just excludes 1 against one does not among three."""
    shifted = ([ms * (1 + step / 1e3) for ms in WIDE] for step in range(1, 400))
    lane = next(times for times in shifted if (interval(times, TIGHT).high or 1) < 1)
    assert verdict_over(lane, [TIGHT], 0.001).word == "slower"
    assert verdict_over(lane, [TIGHT, [ms * 1.02 for ms in WIDE], [ms * 1.02 for ms in WIDE]], 0.001).word != "slower"


def test_the_candidate_whose_noise_alone_is_in_the_way_is_named() -> None:
    lane = [ms * 0.97 for ms in TIGHT]
    assert verdict_over(lane, [TIGHT], 0.001).word == "faster"
    for bases, place in (([WIDE, TIGHT], 0), ([TIGHT, [ms * 1.001 for ms in WIDE]], 1), ([WIDE], 0)):
        said = verdict_over(lane, bases, 0.001)
        assert (said.word, said.candidate) == ("inconclusive", place)
    assert verdict_over(WIDE, [TIGHT, TIGHT], 0.001).candidate is None  # the lane's own noise


def test_the_noise_of_a_candidate_is_that_of_its_trials_and_not_that_of_their_small_number() -> None:
    said = verdict_over([ms * 0.9 for ms in WIDE * 6], [WIDE[:3]], 0.001)
    assert (said.word, said.candidate) == ("inconclusive", None)


def test_a_candidate_with_two_trials_leaves_no_interval_and_no_verdict() -> None:
    over = interval_over(TIGHT, [TIGHT, WIDE[:2]])
    assert (over.low, over.high) == (None, None)
    said = verdict_over(TIGHT, [TIGHT, WIDE[:2]], 0.03)
    assert (said.word, said.reason, said.candidate) == ("none", "few_trials_of_candidate", 1)
    assert verdict_over(TIGHT, [TIGHT[:2], WIDE], 0.03).reason == "too_few_trials"
