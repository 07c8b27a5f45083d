"""Reading, auditing, comparing and printing take time in proportion to the records. Lines that are run are counted, not seconds:
the count is the same on a busy machine. How long ten thousand records take measures benchmarks/audit_scale.py."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import pytest

import factory
from liars import Story
from trtbench.comparison.audited import load
from trtbench.comparison.comparing import compare
from trtbench.records import judgement
from trtbench.records.files import encode
from trtbench.records.telemetry import Disturbance
from trtbench.records.trial import Trial
from trtbench.report import text

LINEAR = 1.05  # how far the lines a record may grow when there are twice as many; what every run takes is not counted


def of_rounds(rounds: int) -> Story:
    return Story(rounds=rounds, iterations=3, new=8, prompt=16).tell()


def with_retries(rounds: int) -> Story:
    """Every trial was disturbed once and run again."""
    story = of_rounds(rounds)
    again = [msgspec.convert(msgspec.to_builtins(trial), Trial) for trial in story.trials]
    for trial, retry in zip(story.trials, again):
        trial.disturbed = [Disturbance(kind="cpu", value=0.5, limit=0.1)]
        retry.attempt = 2
    story.trials = [each for pair in zip(story.trials, again) for each in pair]
    for position, trial in enumerate(story.trials, 1):
        trial.position = position
    return story


def lines_run(results: Path, story: Story) -> int:
    """Lines of our own code that are run from the folder to the report."""
    story.seal()
    home = factory.store(results, story.run, story.trials)
    (home / "workload.json").write_bytes(encode(story.workload))
    assert story.judged is not None
    judgement.write(home / judgement.FILE, story.judged)
    lines = 0

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        if "trtbench" not in frame.f_code.co_filename:
            return None
        lines += event == "line"
        return count

    traced = sys.gettrace()
    sys.settrace(count)
    try:
        audited = load(results, story.run.id)
        text.render(compare(audited.run, audited.trials, audited.findings, audited.judged), "en")
    finally:
        sys.settrace(traced)
    return lines


@pytest.mark.parametrize("tell", [of_rounds, with_retries])
def test_twice_the_records_more_take_twice_the_work_more(tell: Callable[[int], Story], tmp_path: Path) -> None:
    few, some, many = (lines_run(tmp_path / str(rounds), tell(rounds)) for rounds in (60, 120, 240))
    assert (many - some) / (some - few) < 2 * LINEAR, (few, some, many)
