"""What must be read first, said once for every format, and why a run ended, in the reader's language."""

from __future__ import annotations

import re
from pathlib import Path

import factory
import reports
from trtbench.measure import stopping
from trtbench.records.run import Absent
from trtbench.records.trial import Failure
from trtbench.report import text
from trtbench.report.notices import stopped, warnings
from trtbench.settings.knobs import ROOT, Settings

NARROW = {"pytorch-eager": [200.0 + i / 100 for i in range(12)], "onnxruntime": [100.0 + i / 100 for i in range(12)]}


def reasons() -> list[str]:
    """Every sentence that the program itself ends a run with."""
    run, trials = factory.run(), factory.trials(NARROW)
    narrow = stopping.enough(trials, run, Settings(), stopping.Stop(rounds=12, spent=1, next_round=1, budget=None))
    spent = stopping.enough(trials[:4], run, Settings(), stopping.Stop(rounds=2, spent=9, next_round=9, budget=10.0))
    fixed = re.search(r'stopped = f"(all \{limit\} [^"]+)"', Path(ROOT / "scripts/trtbench/measure/run.py").read_text())
    assert narrow and spent and fixed
    return [narrow, spent, fixed[1].replace("{limit}", "9")]


def test_every_reason_to_stop_has_its_french_sentence() -> None:
    for reason in reasons():
        assert stopped(reason, "en") == reason
        french = stopped(reason, "fr")
        assert re.search("tours|tourné", french), reason
        numbers = [re.findall(r"\d+", sentence) for sentence in (reason, french)]
        assert sorted(numbers[0]) == sorted(numbers[1])


def test_a_reason_that_is_not_known_stays_and_is_cleaned() -> None:
    assert stopped("because \x1b[31m I say so", "fr") == "because \ufffd[31m I say so"


def test_the_text_says_what_every_format_says() -> None:
    for comparison in (reports.refused(), reports.simulated(), reports.audited()):
        shown = " ".join(text.render(comparison, "en").split())
        assert all(notice in shown for notice in warnings(comparison, "en"))


def test_a_failed_lane_that_this_program_does_not_know_is_named_by_itself() -> None:
    absent = [Absent(lane="their-lane", precision="float32", failure=Failure(phase="load", reason="no room"))]
    comparison = reports.honest(absent=absent)
    assert "their-lane float32: no room" in text.render(comparison, "en")
