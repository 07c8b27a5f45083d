"""What must be read first, said once for every format, and why a run ended, in the reader's language."""

from __future__ import annotations

import re

import pytest

import factory
import reports
from trtbench.comparison.clean_text import plain
from trtbench.comparison.comparing import compare
from trtbench.comparison.result import Comparison
from trtbench.measure import stopping
from trtbench.records.run import Absent
from trtbench.records.trial import Failure
from trtbench.report import text
from trtbench.report.language import ENGLISH, FRENCH
from trtbench.report.notices import stopped, warnings
from trtbench.settings.knobs import Settings

NARROW = {"pytorch-eager": [200.0 + i / 100 for i in range(12)], "onnxruntime": [100.0 + i / 100 for i in range(12)]}


def reasons() -> list[str]:
    """Every sentence that the program itself ends a run with."""
    run, trials = factory.run(), factory.trials(NARROW)
    narrow = stopping.enough(trials, run, Settings(), stopping.Stop(rounds=12, spent=1, next_round=1, budget=None))
    spent = stopping.enough(trials[:4], run, Settings(), stopping.Stop(rounds=2, spent=9, next_round=9, budget=10.0))
    early = stopping.enough(trials[:2], run, Settings(), stopping.Stop(rounds=1, spent=9, next_round=9, budget=10.0))
    assert narrow and spent and early
    return [narrow, spent, early, *(stopping.every_trial(n, left) for n in (1, 9, 1000) for left in (False, True))]


def test_every_reason_to_stop_has_its_french_sentence() -> None:
    for reason in reasons():
        assert stopped(reason, ENGLISH) == reason
        french = stopped(reason, FRENCH)
        assert re.search("tours?|eu lieu", french), reason
        numbers = [re.findall(r"\d+", sentence) for sentence in (reason, french)]
        assert sorted(numbers[0]) == sorted(numbers[1])


def test_where_lanes_left_the_reason_is_about_those_that_stayed() -> None:
    assert stopping.every_trial(9, left=True) == "all 9 trials of each lane that stayed were run"
    assert "restée jusqu\u2019au bout" in stopped(stopping.every_trial(9, left=True), FRENCH)


@pytest.mark.parametrize(
    "told",
    [
        "all , trials of each lane were run",
        "every headline interval is within 1.2.3% after 3 rounds",
        "every headline interval is within .% after 3 rounds",
        f"all {'9' * 5000} trials of each lane were run",
        f"TIME_BUDGET={'A' * 5000} s is spent after 3 rounds; raise it for a narrower interval",
        "TIME_BUDGET=\x1b[31m s is spent after 3 rounds; raise it for a narrower interval",
    ],
)
def test_a_reason_that_only_looks_like_one_of_ours_is_shown_as_text(told: str) -> None:
    for say in (ENGLISH, FRENCH):
        assert stopped(told, say) == plain(told)


def test_a_reason_that_an_older_record_wrote_with_the_wrong_form_is_set_right() -> None:
    assert stopped("all 1 trials of each lane were run", ENGLISH) == "1 trial of each lane was run"
    assert stopped("TIME_BUDGET=9 s is spent after 1 rounds; raise it for a narrower interval", FRENCH) == (
        "TIME_BUDGET=9\u00a0s est épuisé après 1 tour\u202f; augmentez-le pour un intervalle plus étroit"
    )


def test_a_reason_that_is_not_known_stays_and_is_cleaned() -> None:
    assert stopped("because \x1b[31m I say so", FRENCH) == "because \ufffd[31m I say so"


def test_the_text_says_what_every_format_says() -> None:
    for comparison in (reports.refused(), reports.simulated(), reports.audited()):
        shown = " ".join(text.render(comparison, "en").split())
        assert all(notice in shown for notice in warnings(comparison, ENGLISH))


def test_a_failed_lane_that_this_program_does_not_know_is_named_by_itself() -> None:
    absent = [Absent(lane="their-lane", precision="float32", failure=Failure(phase="load", reason="no room"))]
    comparison = reports.honest(absent=absent)
    assert "their-lane float32: no room" in text.render(comparison, "en")


def test_a_lane_that_ran_on_no_card_of_ours_says_so_before_any_figure() -> None:
    """Until somebody's run comes in, in every format and both languages."""

    def compared(rival: str) -> Comparison:
        means = {"pytorch-eager": NARROW["pytorch-eager"], rival: NARROW["onnxruntime"]}
        return compare(factory.run(lanes=list(means), headline=rival), factory.trials(means))

    comparison = compared("tensorrt-rtx")
    for say, mark in ((ENGLISH, "UNTRIED"), (FRENCH, "JAMAIS ESSAYÉ")):
        (said,) = [sentence for sentence in warnings(comparison, say) if sentence.startswith(mark)]
        assert "TensorRT for RTX" in said
    assert "UNTRIED" in text.render(comparison, "en") and "JAMAIS ESSAYÉ" in text.render(comparison, "fr")
    assert not [s for s in warnings(compared("onnxruntime"), ENGLISH) if s.startswith("UNTRIED")]
