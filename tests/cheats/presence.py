"""Cheats with what is there: records taken away, records laid beside others, trials called failed."""

from __future__ import annotations

import msgspec

from cheats.changes import TORCH, TRT, again, cheat, close_up, run_again
from liars import Story
from trtbench.records.trial import Failure, Trial
from trtbench.referee.audit.findings import WARN

FELL = Failure(phase="load", reason="it fell over")


def numbered(story: Story, lane: str, index: int) -> Trial:
    return next(t for t in story.of(lane) if t.index == index)


def failed_first(story: Story, lane: str = TRT, index: int = 2) -> Trial:
    """The trial failed and was run again, as it happens: the first attempt holds nothing but its reason."""
    first = numbered(story, lane, index)
    run_again(story, first)
    first.failure, first.cells, first.statement, first.disturbed = FELL, [], None, []
    return first


@cheat("provenance.position")
def deletes_a_failed_attempt_and_counts_anew(story: Story) -> None:
    story.trials.remove(failed_first(story))
    numbered(story, TRT, 2).attempt = 1


@cheat("provenance.position")
def deletes_the_headlines_slowest_trial_and_counts_anew(story: Story) -> None:
    story.trials.remove(numbered(story, TRT, 3))
    for t in story.of(TRT):
        t.index -= t.index > 3


@cheat("provenance.position")
def deletes_the_very_first_trial(story: Story) -> None:
    (first,) = [t for t in story.trials if t.position == 1]
    story.trials.remove(first)


@cheat("provenance.position")
def deletes_a_whole_round_and_counts_anew(story: Story) -> None:
    story.trials = [t for t in story.trials if t.round != 2]
    for t in story.trials:
        assert t.round is not None
        t.index -= t.index > 2
        t.round -= t.round > 2


@cheat("base.vanished")
def deletes_the_headlines_slowest_trial_and_moves_the_others_up(story: Story) -> None:
    deletes_the_headlines_slowest_trial_and_counts_anew(story)
    for t in story.of(TRT):
        t.round = t.index
    close_up(story)


@cheat("provenance.rounds")
def deletes_the_last_rounds(story: Story) -> None:
    story.trials = [t for t in story.trials if t.index <= 4]


@cheat("provenance.rounds")
def deletes_a_whole_round_and_moves_the_others_up(story: Story) -> None:
    deletes_a_whole_round_and_counts_anew(story)
    close_up(story)


@cheat("provenance.twice")
def lays_a_copy_with_other_times_beside_a_trial(story: Story) -> None:
    twin = again(numbered(story, TRT, 6))
    twin.index, twin.round, twin.attempt = 7, 7, 1
    story.trials.append(twin)


@cheat("provenance.twice")
def lays_the_same_record_twice(story: Story) -> None:
    story.trials.append(again(numbered(story, TRT, 2), 1.0))


@cheat("provenance.attempts")
def lays_a_second_record_of_a_trial_at_a_later_place(story: Story) -> None:
    run_again(story, numbered(story, TRT, 2)).attempt = 1


@cheat("provenance.retried")
def runs_a_slow_trial_again_in_a_later_call(story: Story) -> None:
    run_again(story, numbered(story, TRT, 5))
    run_again(story, numbered(story, TRT, 2))


@cheat("provenance.retried")
def runs_a_fine_trial_of_the_base_again(story: Story) -> None:
    run_again(story, numbered(story, TORCH, 4), 1.05)


@cheat("provenance.cells")
def lists_a_cell_twice(story: Story) -> None:
    for t in story.of(TRT):
        t.cells = [again(t).cells[0], *t.cells]


@cheat("provenance.cells")
def lists_a_cell_twice_in_one_trial_of_the_base(story: Story) -> None:
    t = numbered(story, TORCH, 3)
    t.cells = [*t.cells, again(t, 1.1).cells[0]]


@cheat("provenance.cells")
def drops_a_cell_in_which_it_lost(story: Story) -> None:
    asked = story.workload.cells
    story.workload = msgspec.structs.replace(
        story.workload, cells=[*asked, *(msgspec.structs.replace(cell, batch=8) for cell in asked)]
    )
    story.run.workload_digest = story.workload.digest()
    for t in story.trials:
        t.workload_digest = story.run.workload_digest


@cheat("provenance.cells")
def drops_a_cell_and_the_workload(story: Story) -> None:
    """Without the workload the settings say which cells were asked for."""
    story.run.settings = {**story.run.settings, "BATCH_SIZES": [1, 8]}
    for t in story.trials:
        t.settings = story.run.settings
    story.workload = None  # type: ignore[assignment]


@cheat("provenance.failed")
def calls_a_slow_trial_failed(story: Story) -> None:
    slow = numbered(story, TRT, 2)
    run_again(story, slow)
    slow.failure = FELL


@cheat("provenance.failed")
def calls_a_slow_trial_failed_and_takes_its_times_out(story: Story) -> None:
    slow = numbered(story, TRT, 2)
    run_again(story, slow)
    slow.failure, slow.cells = FELL, []


@cheat("provenance.failed")
def calls_a_slow_trial_killed(story: Story) -> None:
    slow = numbered(story, TRT, 2)
    run_again(story, slow)
    slow.failure, slow.statement = Failure(phase="process", reason="the process was ended by SIGKILL"), None


@cheat("provenance.failed")
def calls_measured_cells_holes(story: Story) -> None:
    slow = numbered(story, TRT, 2)
    run_again(story, slow)
    slow.failure = Failure(phase="cells", reason="no room")


@cheat("provenance.failed", WARN)
def calls_a_slow_trial_failed_after_its_last_call(story: Story) -> None:
    slow = numbered(story, TRT, 2)
    run_again(story, slow)
    slow.failure, slow.statement = Failure(phase="memory", reason="the engine ended"), None


@cheat("provenance.lane", WARN)
def loses_every_trial_of_a_rival(story: Story) -> None:
    story.latency = {TORCH: 2000.0, TRT: 1000.0, "vllm": 900.0}
    story.tell()
    story.trials = [t for t in story.trials if t.lane != "vllm"]
    close_up(story)


@cheat("provenance.lane", WARN)
def loses_one_of_two_precisions_of_the_headline(story: Story) -> None:
    story.run.settings = {**story.run.settings, "PRECISION": ["float16", "fp8"]}
    for t in story.trials:
        t.settings = story.run.settings
