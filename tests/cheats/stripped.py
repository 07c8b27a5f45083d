"""Cheats that take out of a record what something is checked by, or add what excuses it."""

from __future__ import annotations

import msgspec

import factory
from cheats.changes import TORCH, TRT, TUNED, again, cheat, with_a_faster_base
from cheats.clock import ORT, on_a_cpu, shortened
from liars import Story
from trtbench.records import judgement as judgements
from trtbench.records.judgement import Judgement
from trtbench.records.run import counting
from trtbench.records.telemetry import CpuUse
from trtbench.records.trial import CellRecord, LeftOut, Trial
from trtbench.referee.audit.findings import WARN
from trtbench.referee.judge.drawing import drawn
from trtbench.referee.judge.spec import PATIENCE, SECONDS
from trtbench.referee.lane_scores import lane_scores


def faster_in_all_clocks(story: Story, lane: str, factor: float) -> None:
    """A lie that is consistent, but for what a cheat leaves or takes out."""
    for record, e2e, ttft in story.passes(lane):
        for part in (e2e, ttft):
            part.times = [round(time * factor) + i for i, time in enumerate(part.times)]
        record.warmup = [round(time * factor) for time in record.warmup]
        assert record.first_call is not None
        record.first_call = round(record.first_call * factor)
    for trial in story.of(lane):
        factory.stamped(trial, trial.began or 0)


@cheat("provenance.stripped")
def takes_out_its_statement_and_beats_the_ceiling(story: Story) -> None:
    story.tell()
    faster_in_all_clocks(story, TRT, 0.05)
    for trial in story.of(TRT):
        trial.statement = None


@cheat("provenance.stripped")
def takes_its_telemetry_out(story: Story) -> None:
    story.tell()
    for trial in story.of(TORCH):
        trial.telemetry = None


@cheat("provenance.stripped")
def takes_the_clocks_of_its_own_lane_out(story: Story) -> None:
    on_a_cpu(story)
    for trial in story.of(ORT):
        trial.began = trial.ended = None
        for record in trial.cells:
            shortened(record, 0.35)
            record.warmup = [round(time * 0.35) for time in record.warmup]
            record.began = record.ended = None
            for part in (record.e2e, record.ttft):
                assert part is not None
                part.began = part.ended = part.between = None


@cheat("provenance.stripped")
def takes_the_clocks_of_all_lanes_out(story: Story) -> None:
    """Then the run looks like one of before, but for what came later than the clocks."""
    takes_the_clocks_of_its_own_lane_out(story)
    for trial in story.trials:
        trial.began = trial.ended = None
        for record in trial.cells:
            record.began = record.ended = None


@cheat("provenance.left_out", WARN)
def says_that_its_memory_could_not_be_told(story: Story) -> None:
    """Nothing can be held against a memory that is not there; it must not be gone without a word."""
    story.tell()
    for trial in story.of(TRT):
        trial.cells[0].memory = None
        trial.left_out = [LeftOut(kind="memory", reason="RuntimeError: nobody knows")]


@cheat("provenance.left_out", WARN)
def says_of_one_trial_that_its_end_hung(story: Story) -> None:
    story.tell()
    next(story.of(TRT)).left_out = [LeftOut(kind="close", reason="shutting down took longer than 60 s and was ended")]


@cheat("provenance.stripped")
def takes_its_memory_out_and_excuses_another_part(story: Story) -> None:
    story.tell()
    for trial in story.of(TRT):
        trial.cells[0].memory = None
        trial.left_out = [LeftOut(kind="energy", reason="RuntimeError: nobody knows")]


@cheat("provenance.stripped")
def takes_what_was_fixed_out_of_its_own_lane(story: Story) -> None:
    story.tell()
    for trial in story.of(TRT):
        trial.sealed = None


@cheat("provenance.stripped")
def takes_the_configuration_out_of_its_own_lane(story: Story) -> None:
    story.tell()
    for trial in story.of(TRT):
        trial.model = msgspec.structs.replace(trial.model, config_text=None, files=None)


@cheat("provenance.config")
def leaves_a_short_configuration_out_for_its_length(story: Story) -> None:
    """Nothing says then what shape the model has, and the files still make its digest."""
    story.tell()
    for trial in story.trials:
        trial.model = msgspec.structs.replace(trial.model, config={"vocab_size": 32000}, config_text=None)


@cheat("provenance.stripped")
def takes_the_first_tokens_of_the_fastest_pytorch_lane_out(story: Story) -> None:
    """A cell without one of its passes has no figures, so that the lane is no candidate."""
    with_a_faster_base(story)
    for trial in story.of(TUNED):
        trial.cells[0].ttft = None


@cheat("provenance.stripped")
def leaves_both_passes_of_the_fastest_pytorch_lane_out(story: Story) -> None:
    with_a_faster_base(story)
    for trial in story.of(TUNED):
        trial.cells[0].e2e = trial.cells[0].ttft = None


@cheat("provenance.stripped")
def calls_its_slowest_trial_a_hole(story: Story) -> None:
    story.tell()
    record = next(story.of(TRT)).cells[0]
    record.e2e = record.ttft = record.memory = None
    record.hole = "does not fit into memory"


@cheat("provenance.cells", WARN)
def calls_its_slowest_trial_of_one_of_two_cells_a_hole(story: Story) -> None:
    story.tell()
    trial = next(story.of(TRT))
    (record,) = trial.cells
    hole = CellRecord(cell=record.cell, hole="does not fit into memory")
    other = msgspec.structs.replace(record, cell=msgspec.structs.replace(record.cell, new_tokens=100))
    trial.cells = [hole, other]


@cheat("provenance.cells")
def leaves_the_cells_of_the_fastest_pytorch_lane_out(story: Story) -> None:
    with_a_faster_base(story)
    for trial in story.of(TUNED):
        trial.cells = []


@cheat("provenance.stripped")
def keeps_the_five_fastest_calls(story: Story) -> None:
    on_a_cpu(story)
    for trial in story.of(ORT):
        (record,) = trial.cells
        assert record.e2e is not None and record.ttft is not None
        part = record.e2e
        part.times = sorted(part.times)[:5]
        part.output, part.outputs, part.foreign_cpu = part.output[:5], part.outputs[:5], [0.0] * 5
        part.prompts_digest = story.workload.digest_calls(record.cell, 0, 5)
        record.ttft.prompts_digest = story.workload.digest_calls(record.cell, 5, len(record.ttft.times))
        factory.stamped(trial, trial.began or 0)


@cheat("ceiling.generation")
def states_a_precision_that_nobody_knows(story: Story) -> None:
    story.tell()
    faster_in_all_clocks(story, TRT, 0.05)
    for trial in story.of(TRT):
        assert trial.statement is not None
        trial.statement.weight_precision = "w4"


def beside_little(trial: Trial) -> None:
    """Somebody whom no limit calls a neighbour, and who may have been there for no more than the warm-up."""
    assert trial.telemetry is not None
    trial.telemetry.cpu = CpuUse(seconds=trial.seconds, cores=4, others=0.0095 * 4 * trial.seconds, stolen=0.0)


@cheat("time.excused", WARN)
def excuses_its_times_by_a_little_neighbour(story: Story) -> None:
    on_a_cpu(story)
    for trial in story.of(ORT):
        shortened(trial.cells[0], 0.35)
        beside_little(trial)


@cheat("time.excused", WARN)
def excuses_its_times_by_a_process_on_the_card(story: Story) -> None:
    story.tell()
    for trial in story.of(TRT):
        trial.cells[0].warmup = [3 * time for time in trial.cells[0].warmup]
        factory.stamped(trial, trial.began or 0)
        assert trial.telemetry is not None and trial.telemetry.gpus
        trial.telemetry.gpus[0].foreign_processes = 1


@cheat("time.kind")
def excuses_the_rivals_slow_calls_by_a_neighbour_outside(story: Story) -> None:
    """Who was there while the clock stood does not slow what it measured."""
    on_a_cpu(story)
    for trial in story.of(TORCH):
        e2e = trial.cells[0].e2e
        assert e2e is not None
        e2e.times = [4 * time for time in e2e.times]
        factory.stamped(trial, trial.began or 0)
        beside_little(trial)


@cheat("time.kind", WARN)
def shortens_its_passes_by_less_than_tells_of_one_trial(story: Story) -> None:
    on_a_cpu(story)
    for record, _, _ in story.passes(ORT):
        shortened(record, 0.6)


@cheat("time.kind", WARN)
def shortens_its_passes_and_the_last_call_before_them(story: Story) -> None:
    shortens_its_passes_by_less_than_tells_of_one_trial(story)
    for record, _, _ in story.passes(ORT):
        record.warmup[-1] = round(record.warmup[-1] * 0.6)


@cheat("time.kind", WARN)
def shortens_its_passes_and_keeps_two_calls_of_the_warm_up(story: Story) -> None:
    shortens_its_passes_by_less_than_tells_of_one_trial(story)
    for record, _, _ in story.passes(ORT):
        assert record.began is not None
        record.began += sum(record.warmup[2:])
        record.warmup = record.warmup[:2]


@cheat("time.kind", WARN)
def lengthens_the_rivals_passes_by_less_than_tells_of_one_trial(story: Story) -> None:
    on_a_cpu(story)
    for trial in story.of(TORCH):
        trial.cells[0].warmup = [round(time / 2.5) for time in trial.cells[0].warmup]
        factory.stamped(trial, trial.began or 0)


@cheat("time.overlap")
def runs_two_trials_together_and_says_no_time(story: Story) -> None:
    on_a_cpu(story)
    for trial, rival in zip(story.of(ORT), story.of(TORCH)):
        factory.stamped(trial, (rival.began or 0) + 100_000_000)
        trial.started = "unknown"


@cheat("provenance.mixed", WARN)
def adds_slow_trials_of_the_rival_from_another_run(story: Story) -> None:
    story.tell()
    for trial in list(story.of(TORCH)):
        slow = again(trial, 2.0)
        slow.run, slow.attempt, slow.position = "20250101-000000", 1, len(story.trials) + 1
        story.trials.append(slow)


@cheat("provenance.headline")
def carries_no_headline_beside_rivals(story: Story) -> None:
    """None was carried: as before the first rival is there."""
    story.latency = {TORCH: 2000.0, "vllm": 900.0, TRT: 1000.0}
    story.tell()
    story.run.headline = "vllm"
    for trial in story.trials:
        assert trial.sealed is not None
        trial.sealed.headline = None


def unscored(story: Story, seconds: float) -> None:
    """The lane returns what it likes, and its scores are left out."""
    story.tell()
    story.answer_differently(TRT)

    def leave_out(story: Story) -> None:
        assert story.judged is not None
        kept = {sequence.key for sequence in drawn(list(story.of(TORCH)), story.seed)}
        scores = [score for score in story.judged.scores if score.key in kept]
        lines = list(lane_scores(counting(story.trials), scores, story.run))
        judged: Judgement = msgspec.structs.replace(story.judged, scores=scores, lanes=lines, seconds=seconds)
        judged.checksum = judgements.checksum(judged)
        story.judged = judged

    story.afterwards.append(leave_out)


@cheat("parity.score")
def leaves_its_scores_out(story: Story) -> None:
    unscored(story, 3.0)


@cheat("parity.score")
def leaves_its_scores_out_and_says_that_time_was_short(story: Story) -> None:
    """Then the others would have fewer: each lane's first sequence is scored before any other."""
    unscored(story, SECONDS * PATIENCE - 1)


@cheat("parity.unscored", WARN)
def leaves_its_scores_out_after_a_long_time(story: Story) -> None:
    unscored(story, SECONDS * PATIENCE + 1)
