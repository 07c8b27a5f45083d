"""Cheats with the times themselves: each changes some of the clocks that a record holds, and another one tells."""

from __future__ import annotations

from collections.abc import Iterator

import factory
from cheats.changes import TORCH, TRT, TUNED, cheat, with_a_faster_base
from liars import DEMO, MS, Story
from trtbench.records.trial import CellRecord, Energy, Pass
from trtbench.referee.audit.findings import WARN

ORT = "onnxruntime"


def on_a_cpu(story: Story, torch: float = 900.0, ort: float = 800.0, first: float = 60.0, new: int = 200) -> None:
    """Tell it again of a CPU, where no nominal bandwidth bounds a time."""
    story.gpu, story.default_precision, story.config, story.new = None, "float32", dict(DEMO), new
    story.latency, story.first = {TORCH: torch, ORT: ort}, first
    story.tell()


def both(story: Story, lane: str) -> Iterator[tuple[CellRecord, Pass]]:
    for record, e2e, ttft in story.passes(lane):
        yield record, e2e
        yield record, ttft


def times(part: Pass, factor: float) -> None:
    part.times = [max(1, round(time * factor)) for time in part.times]


def filled(part: Pass) -> None:
    """Say that we needed what the calls leave of the window."""
    assert part.began is not None and part.ended is not None
    part.between = part.ended - part.began - sum(part.times)


def shortened(record: CellRecord, factor: float) -> None:
    """Scale both passes with their own clocks, as if they had run in quick succession."""
    assert record.e2e is not None and record.ttft is not None and record.e2e.began is not None
    now = record.e2e.began
    for part in (record.e2e, record.ttft):
        times(part, factor)
        part.began, part.between = now, factory.BETWEEN * len(part.times)
        part.ended = now = now + sum(part.times) + part.between
    assert record.cpu is not None
    record.cpu.seconds = round((record.ttft.ended - record.e2e.began) / 1e9, 3)


@cheat("time.window")
def takes_a_tenth_of_every_time(story: Story) -> None:
    on_a_cpu(story)
    for _, part in both(story, ORT):
        times(part, 0.1)


@cheat("time.window")
def takes_a_nanosecond_a_call(story: Story) -> None:
    on_a_cpu(story)
    for _, part in both(story, ORT):
        part.times = [1 + i for i in range(len(part.times))]


@cheat("time.window")
def trims_its_slowest_call(story: Story) -> None:
    on_a_cpu(story)
    for _, e2e, _ in story.passes(ORT):
        e2e.times[e2e.times.index(max(e2e.times))] = min(e2e.times) + 1


@cheat("time.window")
def shortens_its_first_tokens_alone(story: Story) -> None:
    on_a_cpu(story)
    for _, _, ttft in story.passes(ORT):
        times(ttft, 0.8)


@cheat("time.window")
def lengthens_the_times_of_the_rival(story: Story) -> None:
    on_a_cpu(story)
    for _, e2e, _ in story.passes(TORCH):
        times(e2e, 1.3)


@cheat("time.window")
def slows_the_fastest_pytorch_lane_until_it_is_no_base(story: Story) -> None:
    with_a_faster_base(story)
    for _, e2e, _ in story.passes(TUNED):
        times(e2e, 3.0)


@cheat("time.between")
def puts_down_to_the_program_what_it_took_off_its_times(story: Story) -> None:
    on_a_cpu(story)
    for _, e2e, _ in story.passes(ORT):
        times(e2e, 0.35)
        filled(e2e)


@cheat("time.between")
def forgets_what_stood_between_its_calls(story: Story) -> None:
    on_a_cpu(story)
    for _, part in both(story, ORT):
        times(part, 0.35)
        part.between = None


@cheat("time.watched")
def shortens_its_passes_too(story: Story) -> None:
    on_a_cpu(story)
    for record, _, _ in story.passes(ORT):
        assert record.cpu is not None
        seconds = record.cpu.seconds
        shortened(record, 0.35)
        record.cpu.seconds = seconds


@cheat("time.kind")
def leaves_its_warm_up_as_it_was(story: Story) -> None:
    on_a_cpu(story)
    for record, _, _ in story.passes(ORT):
        shortened(record, 0.35)


@cheat("time.kind")
def shortens_calls_of_a_few_milliseconds(story: Story) -> None:
    """So short that what stands between them hides it."""
    on_a_cpu(story, torch=9.0, ort=8.0, first=1.0, new=4)
    for _, part in both(story, ORT):
        times(part, 0.3)
        filled(part)


@cheat("time.kind")
def slows_the_rival_once_it_is_warm(story: Story) -> None:
    on_a_cpu(story)
    for record, _, _ in story.passes(TORCH):
        record.warmup = [round(time / 3.5) for time in record.warmup]


@cheat("time.kind")
def leaves_its_pass_for_energy_as_it_was(story: Story) -> None:
    for record, e2e, ttft in story.passes(TRT):
        assert ttft.ended is not None and record.ended is not None
        took = 5 * max(e2e.times)
        record.energy = Energy(began=ttft.ended, ended=ttft.ended + took, tokens=5 * story.new, watts=200.0)
        record.ended += took
        shortened(record, 0.45)
        record.warmup = [round(time * 0.45) for time in record.warmup]


@cheat("time.unaccounted")
def shortens_its_warm_up_too(story: Story) -> None:
    on_a_cpu(story)
    for record, _, _ in story.passes(ORT):
        shortened(record, 0.2)
        record.warmup = [round(time * 0.2) for time in record.warmup]


@cheat("time.unaccounted")
def shortens_all_but_the_whole_trial(story: Story) -> None:
    on_a_cpu(story, torch=90_000.0, ort=80_000.0, first=6_000.0)
    for trial in story.of(ORT):
        for record in trial.cells:
            before = sum(record.warmup)
            shortened(record, 0.2)
            record.warmup = [round(time * 0.2) for time in record.warmup]
            assert record.began is not None and record.ttft is not None and record.ttft.ended is not None
            record.began += before - sum(record.warmup)
            record.ended = record.ttft.ended + max(record.e2e.times if record.e2e else [0])


@cheat("time.wall")
def shortens_the_whole_trial(story: Story) -> None:
    on_a_cpu(story)
    for trial in story.of(ORT):
        trial.seconds *= 0.5


@cheat("time.wall")
def changes_one_of_two_clocks_of_a_trial(story: Story) -> None:
    on_a_cpu(story)
    for trial in story.of(ORT):
        trial.seconds += 5.0


@cheat("time.wall")
def warms_up_for_longer_than_there_was_time(story: Story) -> None:
    on_a_cpu(story)
    for record, _, _ in story.passes(ORT):
        record.warmup = [record.warmup[0]] * 5 + record.warmup


@cheat("time.order")
def takes_its_first_tokens_from_before(story: Story) -> None:
    on_a_cpu(story)
    for _, e2e, ttft in story.passes(ORT):
        assert ttft.began is not None and ttft.ended is not None and e2e.began is not None
        back = ttft.ended - e2e.began
        ttft.began, ttft.ended = ttft.began - back, ttft.ended - back


@cheat("time.order")
def brings_a_cell_of_another_trial(story: Story) -> None:
    on_a_cpu(story)
    first, second, *_ = story.of(ORT)
    second.cells = first.cells


@cheat("time.overlap")
def runs_two_trials_together(story: Story) -> None:
    on_a_cpu(story)
    for trial, rival in zip(story.of(ORT), story.of(TORCH)):
        assert rival.began is not None
        factory.stamped(trial, rival.began + 100 * MS)


@cheat("time.overlap")
def numbers_its_trials_as_if_they_had_taken_turns(story: Story) -> None:
    """One lane ran after the other."""
    on_a_cpu(story)
    ran = [*story.of(TORCH), *story.of(ORT)]
    for place, trial in enumerate(ran, 1):
        factory.stamped(trial, place * factory.SLOT)


@cheat("provenance.not_interleaved", WARN)
def says_that_its_trials_took_turns(story: Story) -> None:
    on_a_cpu(story)
    for place, trial in enumerate([*story.of(TORCH), *story.of(ORT)], 1):
        trial.position = place
        factory.stamped(trial, place * factory.SLOT)


@cheat("time.unstamped", WARN)
def strips_the_clocks_of_its_passes(story: Story) -> None:
    on_a_cpu(story)
    for _, part in both(story, ORT):
        part.began = part.ended = part.between = None


@cheat("time.unstamped", WARN)
def strips_the_clocks_of_its_trials(story: Story) -> None:
    on_a_cpu(story)
    for trial in story.of(ORT):
        trial.began = trial.ended = None
