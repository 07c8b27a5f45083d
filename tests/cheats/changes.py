"""What a cheat is, and what cheats of several themes do to a story (tests/liars.py)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import msgspec

import factory
from liars import Story
from trtbench.figures.leaving import departures
from trtbench.machine.disturbance import disturbances
from trtbench.records.run import Tried
from trtbench.records.trial import Trial
from trtbench.referee.audit.findings import FAIL

TRT, TORCH, TUNED = "tensorrt-engine", "pytorch-eager", "pytorch-tuned"
CELL = (1, 128, 200)
Cheat = Callable[[Story], None]
CHEATS: dict[str, tuple[Cheat, str, str]] = {}


def cheat(code: str, level: str = FAIL) -> Callable[[Cheat], Cheat]:
    def note(change: Cheat) -> Cheat:
        CHEATS[change.__name__] = (change, code, level)
        return change

    return note


def cut(story: Story, lane: str, keep: Callable[[list[int]], list[int]]) -> None:
    for _, e2e, _ in story.passes(lane):
        e2e.outputs = [[keep(row) for row in output] for output in e2e.outputs]


def scale(story: Story, lane: str, factor: float) -> None:
    for _, e2e, ttft in story.passes(lane):
        for part in (e2e, ttft):
            part.times = [round(t * factor) for t in part.times]


def drawn_anew(story: Story, lane: str, factors: Sequence[float]) -> None:
    """Each trial of the lane takes all of its times by a factor of its own, as after a compiler's search that ends elsewhere in
    each process; the clocks fit."""
    for t, factor in zip(story.of(lane), itertools.cycle(factors), strict=False):
        for record in t.cells:
            assert record.first_call is not None and record.e2e is not None and record.ttft is not None
            record.first_call = round(record.first_call * factor)
            record.warmup = [round(time * factor) for time in record.warmup]
            for part in (record.e2e, record.ttft):
                part.times = [round(time * factor) for time in part.times]
        factory.stamped(t, t.began or 0)


def offered(story: Story, lane: str, seconds: dict[str, list[float]], taken: str) -> None:
    """The run says that these values were tried for a lane, and every trial that it was timed with the one that was taken."""
    batch, prompt_length, new_tokens = CELL
    story.run.tried = [
        Tried(
            lane=lane,
            precision="float16",
            batch=batch,
            prompt_length=prompt_length,
            new_tokens=new_tokens,
            setting="engine.way",
            value=value,
            seconds=times,
            chosen=value == taken,
        )
        for value, times in seconds.items()
    ]
    for t in story.of(lane):
        t.cells[0].setting = taken


def beside_a_neighbour(t: Trial, story: Story, share: float = 0.2) -> None:
    """As the program writes it: the telemetry, and what it decides by it."""
    assert t.telemetry is not None and story.run.rules is not None
    t.telemetry.cpu = factory.cpu_use(share)
    t.disturbed = disturbances(t, story.run.rules, {})


def again(t: Trial, factor: float = 0.97) -> Trial:
    """One attempt more at the same trial, with times of its own."""
    made: Trial = msgspec.convert(msgspec.to_builtins(t), type(t))
    made.attempt = t.attempt + 1
    for record in made.cells:
        assert record.e2e is not None
        record.e2e.times = [round(time * factor) + i for i, time in enumerate(record.e2e.times)]
        record.warmup = [round(time * factor) for time in record.warmup]
    assert t.ended is not None
    return factory.stamped(made, t.ended)


def run_again(story: Story, t: Trial, factor: float = 0.97) -> Trial:
    """One attempt more at the same trial, as when the run was taken up again: at the run's next place."""
    made = again(t, factor)
    made.position = 1 + max(other.position for other in story.trials)
    story.trials.append(factory.stamped(made, made.position * factory.SLOT))
    return made


def close_up(story: Story) -> None:
    """The trials that are left have the places that they would have without the others."""
    for place, t in enumerate(sorted(story.trials, key=lambda t: t.position), 1):
        t.position = place


def recorded_earlier(t: Trial) -> None:
    """A record of schema 1: without what came with schema 2."""
    t.schema, t.round, t.disturbed = 1, None, None
    t.began = t.ended = t.sealed = None
    t.settings = {name: value for name, value in t.settings.items() if name not in ("QUIET", "SLOW_LANES")}
    assert t.telemetry is not None
    t.telemetry.cpu = t.telemetry.waited = None
    t.model = msgspec.structs.replace(t.model, config_text=None, files=None)
    t.environment = msgspec.structs.replace(t.environment, cards=None, program=None)
    for record in t.cells:
        record.cpu = record.began = record.ended = None
        for part in (record.e2e, record.ttft):
            if part is not None:
                part.between = None
    for gpu in t.telemetry.gpus or []:
        gpu.foreign_compute = gpu.early_clock = gpu.idle_temperature = None
        gpu.idle_utilisation = gpu.early_reasons = None


def with_a_faster_base(story: Story, tuned: float = 1400.0) -> None:
    """Tell the story again with a third lane, by default a PyTorch lane that makes the headline look worse."""
    story.latency = {TORCH: 2000.0, TUNED: tuned, TRT: 1000.0}
    story.tell()


def keep_rounds(story: Story, lane: str, kept: int) -> None:
    story.trials = [t for t in story.trials if t.lane != lane or t.index <= kept]
    close_up(story)


def honest_departure(story: Story, finished: int) -> None:
    """Who leaves after this round leaves, as the program does it."""
    known = [t for t in story.trials if t.index <= finished]
    story.run.departures = departures(known, story.run, finished)
    for departure in story.run.departures:
        keep_rounds(story, departure.lane, finished)
