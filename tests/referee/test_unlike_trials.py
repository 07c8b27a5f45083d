"""Trials that hold still and differ: told from noise, and from trials that are alike."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from liars import MS, Story
from trtbench.referee.audit import audit
from trtbench.referee.audit.findings import WARN, Finding
from trtbench.referee.audit.steady import MIN_F, between_trials
from trtbench.report.audit_text import advice, sentence
from trtbench.report.language import LANGUAGES

LANE = "pytorch-tuned"
SEEN = (348.0, 371.3, 357.6, 385.8, 383.1)  # ms, pytorch-tuned, batch 32 on a GPU; each trial's calls within 0.2 %
STILL = (1.0, 0.999, 1.001, 1.0005, 0.9995)
# With deviations raised to a power, F of these changes in its last digit when all times are scaled.
A_POWER_MOVES_IT = [[1000000] * 3, [1000000, 1000000, 1916228], [1000000, 1299077, 2773133, 70496808]]
trials_of_calls = st.lists(st.lists(st.integers(1_000_000, 10**10), min_size=3, max_size=8), min_size=3, max_size=6)


def calls(means: Sequence[float], around: Sequence[float] = STILL) -> list[list[int]]:
    """Times in ns, the calls of each trial around its mean in ms."""
    return [[round(mean * MS * one) for one in around] for mean in means]


def unlike(trials: Sequence[Sequence[int]]) -> list[Finding]:
    """What the audit says of trials with these times."""
    story = Story(latency={LANE: 400.0}, rounds=len(trials), iterations=max(map(len, trials))).tell()
    for t, times in zip(story.of(LANE), trials, strict=True):
        e2e = t.cells[0].e2e
        assert e2e is not None
        e2e.times = list(times)
    findings = audit(story.run, story.trials, None, story.workload)
    return [f for f in findings if f.code == "steady.trials"]


def test_what_was_seen_on_a_card_is_told_with_the_fastest_and_the_slowest_trial() -> None:
    (finding,) = unlike(calls(SEEN))
    assert (finding.level, finding.lane, finding.cell) == (WARN, LANE, (1, 128, 200))
    assert finding.figures == {"spread": pytest.approx(0.1024, abs=1e-4), "fastest": 1, "slowest": 4}
    english, french = ([sentence(finding, say), advice(finding, say)] for say in LANGUAGES.values())
    assert english == [
        "The trials differ more than the calls within them: their means lie up to 10.2% apart (trial 1 is the fastest, trial 4 "
        "the slowest).",
        "Each process may have made other choices, for example of kernels when it compiled: compare the logs of these two "
        "trials, and run more trials.",
    ]
    assert "s\u2019écartent de 10,2" in french[0] and "l\u2019essai 4 le plus lent" in french[0]


def test_noisy_calls_of_the_same_means_are_not_told() -> None:
    assert unlike(calls(SEEN, (0.9, 0.95, 1.0, 1.05, 1.1))) == []


def test_many_noisy_calls_are_not_told_though_chance_does_not_explain_the_means() -> None:
    """50 calls a trial that spread by 12 %: F is 30, and the means still spread less than the calls."""
    draw = random.Random(3)
    trials = [[round(ms * MS * draw.gauss(1, 0.06)) for _ in range(50)] for ms in SEEN]
    spread, f = between_trials(trials)
    assert spread > 0.05 and MIN_F < f < 50
    assert unlike(trials) == []


@pytest.mark.parametrize(("slowest", "told"), [(104.9, False), (105.5, True)])
def test_five_per_cent_are_needed(slowest: float, told: bool) -> None:
    assert bool(unlike(calls((100.0, 100.0, slowest)))) is told


def test_two_trials_are_too_few() -> None:
    assert unlike(calls((348.0, 385.8))) == []
    assert unlike(calls((348.0, 371.3, 385.8)))


def test_trials_of_two_calls_are_not_looked_at() -> None:
    assert unlike(calls(SEEN, (1.0, 1.001))) == []
    full, short = calls(SEEN), calls((1000.0,), (1.0, 1.001))
    (finding,) = unlike([*full[:3], *short])
    assert finding.figures["slowest"] == 2
    assert unlike([*full[:2], *short]) == []


def test_trials_without_any_variance_are_told() -> None:
    assert unlike(calls(SEEN, (1.0,) * 5))
    assert unlike(calls((348.0,) * 5, (1.0,) * 5)) == []


def test_an_attempt_that_does_not_count_is_not_looked_at() -> None:
    """It was run again, so the last attempt stands for the trial."""
    story = Story(latency={LANE: 400.0}, rounds=4).tell()
    for t, index, attempt, factor in zip(story.of(LANE), (1, 2, 3, 3), (1, 1, 1, 2), (1.0, 1.0, 1.5, 1.0), strict=True):
        e2e = t.cells[0].e2e
        assert e2e is not None
        t.index, t.attempt, e2e.times = index, attempt, calls((400.0 * factor,))[0]
    assert "steady.trials" not in {f.code for f in audit(story.run, story.trials, None, story.workload)}


@given(trials=trials_of_calls)
def test_f_is_scipys(trials: list[list[int]]) -> None:
    spread, f = between_trials(trials)
    if any(len(set(times)) > 1 for times in trials):
        assert f == pytest.approx(stats.f_oneway(*trials).statistic, rel=1e-6, abs=1e-9)
    means = [sum(times) / len(times) for times in trials]
    assert spread == pytest.approx((max(means) - min(means)) * len(means) / sum(means))


@given(trials=trials_of_calls, factor=st.integers(2, 1000))
@example(trials=A_POWER_MOVES_IT, factor=2)
def test_a_scale_changes_nothing(trials: list[list[int]], factor: int) -> None:
    """Powers of two are exact, so that not even a decision on the very limit moves."""
    spread, f = between_trials(trials)
    assert between_trials([[time * factor for time in times] for times in trials]) == pytest.approx((spread, f))
    assert between_trials([[time * 1024 for time in times] for times in trials]) == (spread, f)


@pytest.mark.parametrize(("trials", "chance"), [(3, 1e-4), (5, 1e-6)])
def test_chance_alone_hardly_gives_such_an_f(trials: int, chance: float) -> None:
    """Of five calls a trial."""
    assert chance / 10 < stats.f.sf(MIN_F, trials - 1, trials * 4) < chance
