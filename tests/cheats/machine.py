"""Cheats with the machine, and times that did not hold still."""

from __future__ import annotations

from cheats.changes import TORCH, TRT, beside_a_neighbour, cheat, drawn_anew
from liars import Story
from trtbench.referee.audit.findings import WARN


@cheat("machine.throttled")
def throttles_half_way(story: Story) -> None:
    for t in story.of(TORCH):
        assert t.telemetry is not None and t.telemetry.gpus
        t.telemetry.gpus[0].sm_clock = [2475] * 10 + [1500] * 10
        t.telemetry.gpus[0].throttle_reasons = ["sw_thermal_slowdown"]
    for _, e2e, _ in story.passes(TORCH):
        e2e.times = [round(t * (1.6 if i >= 5 else 1)) for i, t in enumerate(e2e.times)]


@cheat("machine.clock")
def lowers_the_clock_of_some_trials(story: Story) -> None:
    for t in list(story.of(TORCH))[:2]:
        assert t.telemetry is not None and t.telemetry.gpus
        t.telemetry.gpus[0].sm_clock = [1800] * 20


@cheat("machine.changed")
def caps_the_rivals_power(story: Story) -> None:
    for t in story.of(TORCH):
        assert t.telemetry is not None and t.telemetry.gpus
        t.telemetry.gpus[0].power_cap = 120.0


@cheat("machine.busy", WARN)
def has_a_noisy_neighbour_and_hides_the_whole_trial(story: Story) -> None:
    for t in story.of(TORCH):
        assert t.telemetry is not None
        t.telemetry.cpu = None
    for _, e2e, _ in story.passes(TORCH):
        e2e.foreign_cpu = [t / 1e9 for t in e2e.times]


@cheat("machine.disturbed", WARN)
def counts_what_a_neighbour_disturbed(story: Story) -> None:
    for t in story.of(TORCH):
        beside_a_neighbour(t, story)


@cheat("machine.unwatched", WARN)
def blanks_who_used_the_cpu_in_a_cell(story: Story) -> None:
    for record, _, _ in story.passes(TORCH):
        record.cpu = None


@cheat("machine.unwatched", WARN)
def blanks_who_was_on_the_card_before(story: Story) -> None:
    for t in story.of(TORCH):
        assert t.telemetry is not None and t.telemetry.gpus
        t.telemetry.gpus[0].foreign_compute = None


@cheat("machine.busy", WARN)
def says_that_nobody_was_there_though_every_call_tells_of_somebody(story: Story) -> None:
    for _, e2e, _ in story.passes(TORCH):
        e2e.foreign_cpu = [t / 1e9 for t in e2e.times]


@cheat("machine.neighbour", WARN)
def shares_the_gpu(story: Story) -> None:
    for t in story.of(TORCH):
        assert t.telemetry is not None and t.telemetry.gpus
        t.telemetry.gpus[0].foreign_processes = 1


@cheat("machine.unwatched", WARN)
def hides_telemetry(story: Story) -> None:
    for t in story.of(TRT):
        t.telemetry = None


@cheat("steady.drift", WARN)
def drifts(story: Story) -> None:
    for _, e2e, _ in story.passes(TRT):
        e2e.times = [round(t * (1 + 0.01 * i)) for i, t in enumerate(e2e.times)]


@cheat("steady.compile")
def compiles_in_the_timed_pass(story: Story) -> None:
    for _, e2e, _ in story.passes(TORCH):
        e2e.times[0] *= 8
    for t in story.of(TORCH):
        t.seconds += 60


@cheat("steady.first_busy", WARN)
def is_slowed_in_its_first_call(story: Story) -> None:
    for _, e2e, _ in list(story.passes(TORCH))[:2]:
        e2e.times[0] *= 40
        e2e.foreign_cpu = [e2e.times[0] / 1e9, *(e2e.foreign_cpu or [])[1:]]


@cheat("steady.first", WARN)
def does_not_warm_up(story: Story) -> None:
    for _, e2e, _ in list(story.passes(TORCH))[:2]:
        e2e.times[0] = round(e2e.times[0] * 1.5)


@cheat("steady.trials", WARN)
def compiles_another_program_in_each_process(story: Story) -> None:
    drawn_anew(story, TORCH, (1.0, 1.12, 1.06))


@cheat("aa.differs", WARN)
def slows_every_other_trial_of_the_rival(story: Story) -> None:
    for t in story.of(TORCH):
        if t.index % 2 == 0:
            assert t.cells[0].e2e is not None
            t.cells[0].e2e.times = [round(x * 1.2) for x in t.cells[0].e2e.times]
            t.seconds += 10
