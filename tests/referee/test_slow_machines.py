"""Honest runs of slow, full and stalling machines: their clocks fit each other, and no failure is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import factory
import liars
from cheats.changes import TORCH, TRT
from liars import DEMO, MS, Story
from trtbench.records.trial import Trial
from trtbench.referee.audit import audit
from trtbench.referee.audit.findings import FAIL, WARN

SECOND = 1000 * MS


def later(trial: Trial, from_: int, by: int) -> None:
    """Let everything of a trial that stood at `from_` (perf_counter_ns) or behind it stand so much later."""
    for record in trial.cells:
        for stamped in (record, record.e2e, record.ttft, record.energy):
            if stamped is None:
                continue
            assert stamped.began is not None and stamped.ended is not None
            if stamped.began >= from_:
                stamped.began += by
            if stamped.ended >= from_:
                stamped.ended += by
    assert trial.began is not None and trial.ended is not None
    trial.ended += by
    trial.seconds = (trial.ended - trial.began) / 1e9


def with_a_pause_between_two_calls(story: Story) -> None:
    """The hypervisor moved the machine to another host, or swap was read."""
    for trial in story.trials[2:4]:
        record = trial.cells[0]
        assert record.e2e is not None and record.e2e.ended is not None and record.e2e.between is not None
        record.e2e.between += 1400 * MS
        later(trial, record.e2e.ended, 1400 * MS)
        assert record.cpu is not None
        record.cpu.seconds += 1.4


def with_few_warm_up_calls_while_the_clock_rose(story: Story) -> None:
    """WARMUP_LIMIT=3 with calls of milliseconds: a card that had rested is at its lowest clock still."""
    story.run.settings = {**story.run.settings, "WARMUP_LIMIT": 3}
    for lane, slow in ((TORCH, 4.0), (TRT, 3.0)):
        for trial in story.of(lane):
            record, trial.settings = trial.cells[0], story.run.settings
            record.warmup = [round(slow * time) for time in record.warmup[:3]]
            record.settled = False
            factory.stamped(trial, trial.began or 0)


def with_thousands_of_processes(story: Story) -> None:
    """Looking at all of them takes a while, at the end of what is watched."""
    for trial in story.trials:
        record = trial.cells[0]
        assert record.cpu is not None and record.ttft is not None and record.ttft.ended is not None
        record.cpu.seconds += 1.8
        later(trial, record.ttft.ended + 1, 1800 * MS)


def with_prompts_whose_digest_takes_long(story: Story) -> None:
    """Some hundred nanoseconds an id on a slow processor, before the CPU is looked at for the last time."""
    for trial in story.trials:
        record = trial.cells[0]
        assert record.cpu is not None and record.e2e is not None and record.ttft is not None
        for part in (record.e2e, record.ttft):
            assert part.ended is not None
            took = 450 * story.batch * story.prompt * len(part.times)
            later(trial, part.ended + 1, took)
            record.cpu.seconds += took / 1e9


def with_an_engine_that_ends_slowly(story: Story) -> None:
    for trial in story.of(TRT):
        assert trial.ended is not None
        later(trial, trial.ended + 1, 150 * SECOND)


MACHINES: list[tuple[Callable[[Story], None], Story]] = [
    (with_a_pause_between_two_calls, Story()),
    (with_few_warm_up_calls_while_the_clock_rose, Story(new=2, latency={TORCH: 40.0, TRT: 26.0})),
    (with_thousands_of_processes, Story(rounds=3)),
    (
        with_prompts_whose_digest_takes_long,
        Story(
            batch=256,
            prompt=2048,
            new=2,
            config=DEMO,
            gpu="NVIDIA H100 80GB HBM3",
            latency={TORCH: 950.0, TRT: 900.0},
            first=500.0,
            rounds=3,
        ),
    ),
    (with_an_engine_that_ends_slowly, Story()),
]


@pytest.mark.parametrize(("change", "story"), MACHINES, ids=[change.__name__ for change, _ in MACHINES])
def test_an_honest_run_raises_no_failure(change: Callable[[Story], None], story: Story) -> None:
    story.tell()
    change(story)
    story.seal()
    findings = audit(story.run, story.trials, story.judged, story.workload)
    assert liars.codes(findings, FAIL) == set()
    assert not [f for f in findings if f.level == WARN and f.code.startswith("time.")]
