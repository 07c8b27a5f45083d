"""Cheats with what the judge wrote, and with the records after it had looked."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from cheats.changes import TORCH, TRT, again, cheat
from liars import Story
from trtbench.records.judgement import Judgement, Score, digest, trial_key
from trtbench.records.trial import EngineMetrics, Sampling, Trial
from trtbench.referee.audit.findings import WARN


def of(story: Story) -> Judgement:
    assert story.judged is not None
    return story.judged


def rescored(story: Story, **fields: Any) -> None:
    """Every score with other figures."""
    of(story).scores = [msgspec.structs.replace(score, **fields) for score in of(story).scores]


def repainted(story: Story, lane: str, **fields: Any) -> None:
    """The line of a lane with other figures."""
    of(story).lanes = [
        msgspec.structs.replace(line, **fields) if line.lane == lane else line for line in of(story).lanes
    ]


def judged_by_an_earlier_program(story: Story) -> None:
    of(story).trials = UNSET


def other_ids(trial: Trial, part: str, calls: range | None = None, shift: int = 5) -> None:
    """A trial whose pass returned other ids in these calls."""
    timed_pass = getattr(trial.cells[0], part)
    for call in calls or range(len(timed_pass.output)):
        number = timed_pass.output[call]
        timed_pass.outputs[number] = [[3 + (i + shift) % 31990 for i in row] for row in timed_pass.outputs[number]]


def found_wrong(story: Story, trials: list[Trial], part: str) -> None:
    """The judge finds none of the ids near that these trials returned in a pass."""
    digests = {digest(row) for t in trials for output in getattr(t.cells[0], part).outputs for row in output}

    def wrong(score: Score) -> Score:
        return msgspec.structs.replace(score, near=0) if score.digest in digests else score

    of(story).scores = [wrong(score) for score in of(story).scores]


# Another judgement


@cheat("parity.judgement")
def shows_the_judgement_of_another_run(story: Story) -> None:
    story.afterwards.append(lambda story: setattr(of(story), "run", "20250101-000000"))


@cheat("parity.judgement")
def takes_every_id_for_near(story: Story) -> None:
    story.afterwards.append(lambda story: setattr(of(story), "near_deviations", 30.0))


@cheat("parity.judgement")
def judges_the_first_ids_only(story: Story) -> None:
    story.afterwards.append(lambda story: setattr(of(story), "max_positions", 2))


@cheat("parity.judgement")
def judges_at_another_temperature(story: Story) -> None:
    story.afterwards.append(lambda story: setattr(of(story), "sampling", Sampling(temperature=2.0, seed=7)))


# Scores that can't be


@cheat("parity.score")
def finds_more_ids_near_than_there_are(story: Story) -> None:
    story.afterwards.append(lambda story: rescored(story, near=201))


@cheat("parity.score")
def scores_more_ids_than_a_row_has(story: Story) -> None:
    story.afterwards.append(lambda story: rescored(story, positions=250, near=250))


@cheat("parity.score")
def scores_a_few_ids_of_a_row(story: Story) -> None:
    story.near[TRT] = 0.58
    story.afterwards.append(lambda story: rescored(story, positions=1, near=1, nll=1.0))


@cheat("parity.score")
def calls_ids_likely_that_another_is_far_above(story: Story) -> None:
    story.near[TRT] = 0.58
    story.afterwards.append(lambda story: rescored(story, nll=0.5))


@cheat("parity.score")
def gives_greedy_ids_the_excuse_of_sampled_ones(story: Story) -> None:
    story.near[TRT] = 0.09
    story.afterwards.append(lambda story: rescored(story, surprisal=1.0, expected=1.0, variance=1.0))


@cheat("parity.score")
def allows_sampled_ids_any_spread(story: Story) -> None:
    story.sampling = Sampling(temperature=0.8, top_p=0.9, seed=7)
    story.tell()
    story.afterwards.append(lambda story: rescored(story, surprisal=9000.0, variance=1e8))


@cheat("parity.score")
def drowns_sampled_ids_in_nats(story: Story) -> None:
    story.sampling = Sampling(temperature=0.8, seed=7)
    story.tell()
    story.afterwards.append(lambda story: rescored(story, surprisal=1e308, expected=1e308))


@cheat("parity.score")
def leaves_the_nats_of_sampled_ids_out(story: Story) -> None:
    story.sampling = Sampling(temperature=0.8, seed=7)
    story.tell()
    story.afterwards.append(lambda story: rescored(story, surprisal=None, expected=None, variance=None))


@cheat("parity.score")
def scores_the_same_ids_twice(story: Story) -> None:
    story.near[TRT] = 0.58

    def better(story: Story) -> None:
        of(story).scores += [msgspec.structs.replace(score, near=score.positions) for score in of(story).scores]

    story.afterwards.append(better)


@cheat("parity.score")
def scores_more_places_than_are_drawn(story: Story) -> None:
    story.near[TRT], story.batch = 0.9, 4

    def more(story: Story) -> None:
        right = next(score for score in of(story).scores if score.near == score.positions)
        of(story).scores += [msgspec.structs.replace(right, call=call, row=3) for call in range(12)]

    story.tell()
    story.afterwards.append(more)


@cheat("parity.homeless")
def has_ids_judged_that_nobody_returned(story: Story) -> None:
    def more(story: Story) -> None:
        of(story).scores.append(msgspec.structs.replace(of(story).scores[0], digest="0" * 32))

    story.afterwards.append(more)


# Lines that do not follow


@cheat("parity.lines")
def paints_the_share_of_near_ids(story: Story) -> None:
    story.precision[TRT] = "int4_awq"
    story.tell()
    story.near[TRT] = 0.85
    story.afterwards.append(lambda story: repainted(story, TRT, near=1.0))


@cheat("parity.lines")
def paints_the_perplexity(story: Story) -> None:
    story.afterwards.append(lambda story: repainted(story, TRT, perplexity=1.5))


@cheat("parity.lines")
def paints_the_number_of_ids(story: Story) -> None:
    story.afterwards.append(lambda story: repainted(story, TRT, sequences=400, positions=80000))


@cheat("parity.lines")
def paints_equal_ids(story: Story) -> None:
    story.near[TRT] = 1.0
    story.afterwards.append(lambda story: repainted(story, TRT, equal=1.0, exact=1.0))


@cheat("parity.lines")
def paints_equal_ids_alone(story: Story) -> None:
    story.near[TRT] = 1.0
    story.afterwards.append(lambda story: repainted(story, TRT, equal=0.9))


@cheat("parity.lines")
def paints_exact_answers_alone(story: Story) -> None:
    story.near[TRT] = 1.0
    story.afterwards.append(lambda story: repainted(story, TRT, exact=0.9))


@cheat("parity.lines")
def takes_equal_ids_from_a_lucky_trial(story: Story) -> None:
    for t in [*story.of(TRT)][1:]:
        other_ids(t, "e2e")
    story.afterwards.append(lambda story: repainted(story, TRT, equal=1.0, exact=1.0))


@cheat("parity.lines")
def takes_equal_ids_from_the_lucky_trial_of_the_base(story: Story) -> None:
    for t in [*story.of(TORCH)][1:]:
        other_ids(t, "e2e")
    story.afterwards.append(lambda story: repainted(story, TRT, equal=1.0, exact=1.0))


@cheat("parity.lines")
def compares_its_ids_with_its_own(story: Story) -> None:
    story.near[TRT] = 1.0
    story.afterwards.append(lambda story: repainted(story, TRT, base=TRT, equal=1.0, exact=1.0))


@cheat("parity.lines")
def says_nothing_of_a_lane(story: Story) -> None:
    def silent(story: Story) -> None:
        of(story).lanes = [line for line in of(story).lanes if line.lane != TRT]

    story.afterwards.append(silent)


@cheat("parity.lines")
def says_two_things_of_a_lane(story: Story) -> None:
    def more(story: Story) -> None:
        of(story).lanes += [msgspec.structs.replace(of(story).lanes[-1], perplexity=1.1)]

    story.afterwards.append(more)


@cheat("parity.lines")
def paints_what_an_earlier_program_said(story: Story) -> None:
    story.afterwards += [judged_by_an_earlier_program, lambda story: repainted(story, TRT, perplexity=1.5)]


@cheat("parity.earlier", WARN)
def keeps_the_equal_ids_of_the_first_trials(story: Story) -> None:
    """As an earlier program did; what is said of all trials is something else."""
    takes_equal_ids_from_a_lucky_trial(story)
    story.afterwards.append(judged_by_an_earlier_program)


# Ids that changed after they were judged


@cheat("parity.changed")
def changes_the_ids_of_one_trial(story: Story) -> None:
    story.afterwards.append(lambda story: other_ids([*story.of(TRT)][2], "e2e"))


@cheat("parity.changed")
def changes_the_ids_of_all_trials(story: Story) -> None:
    story.afterwards.append(lambda story: story.answer_differently(TRT))


@cheat("parity.changed")
def changes_the_ids_of_one_call(story: Story) -> None:
    story.afterwards.append(lambda story: other_ids(next(story.of(TRT)), "e2e", range(9, 10)))


@cheat("parity.changed")
def changes_the_first_tokens(story: Story) -> None:
    story.afterwards.append(lambda story: story.begin_differently(TRT))


@cheat("parity.changed")
def changes_the_ids_of_the_base(story: Story) -> None:
    story.afterwards.append(lambda story: other_ids([*story.of(TORCH)][-1], "e2e"))


@cheat("parity.changed")
def slips_a_trial_in_among_those_that_were_judged(story: Story) -> None:
    def unseen(story: Story) -> None:
        t = next(story.of(TRT))
        other_ids(t, "e2e")
        trials = of(story).trials
        assert trials is not UNSET
        of(story).trials = [one for one in trials if one.trial != trial_key(t)]

    story.afterwards.append(unseen)


@cheat("parity.changed")
def changes_a_trial_that_an_earlier_program_judged(story: Story) -> None:
    story.afterwards += [judged_by_an_earlier_program, lambda story: other_ids([*story.of(TRT)][2], "e2e")]


@cheat("parity.changed")
def changes_one_call_that_an_earlier_program_judged(story: Story) -> None:
    def change(story: Story) -> None:
        call = next(score.call for score in of(story).scores if score.part == "e2e")
        other_ids([*story.of(TRT)][2], "e2e", range(call, call + 1))

    story.afterwards += [judged_by_an_earlier_program, change]


@cheat("parity.homeless")
def changes_a_lane_that_an_earlier_program_judged(story: Story) -> None:
    story.near[TRT] = 1.0
    story.afterwards += [judged_by_an_earlier_program, lambda story: story.answer_differently(TRT, 100)]


@cheat("parity.gone")
def deletes_a_trial_that_was_judged(story: Story) -> None:
    story.afterwards.append(lambda story: story.trials.remove([*story.of(TRT)][-1]))


@cheat("parity.gone")
def deletes_a_lane_that_was_judged(story: Story) -> None:
    def without(story: Story) -> None:
        story.trials = [t for t in story.trials if t.lane != "pytorch-tuned"]

    story.latency["pytorch-tuned"] = 2100.0
    story.tell()
    story.afterwards.append(without)


@cheat("parity.unscored", WARN)
def adds_a_trial_that_nobody_judges(story: Story) -> None:
    """Honest where a run was cut off before it was judged again; it never passes."""

    def later(story: Story) -> None:
        t = again([*story.of(TRT)][-1])
        t.index, t.attempt, t.round = t.index + 1, 1, (t.round or 0) + 1
        t.position = max(other.position for other in story.trials) + 1
        other_ids(t, "e2e")
        story.trials.append(t)

    story.afterwards.append(later)


# First tokens


@cheat("parity.first")
def begins_with_wrong_tokens(story: Story) -> None:
    story.near_first[TRT] = 0.0


@cheat("parity.first")
def begins_with_wrong_tokens_in_one_trial(story: Story) -> None:
    t = [*story.of(TRT)][1]
    other_ids(t, "ttft")
    story.afterwards.append(lambda story: found_wrong(story, [t], "ttft"))


@cheat("parity.first")
def begins_three_calls_of_ten_with_wrong_tokens(story: Story) -> None:
    t = [*story.of(TRT)][1]
    other_ids(t, "ttft", range(3))

    def wrong(story: Story) -> None:
        changed = {digest(row) for output in t.cells[0].ttft.outputs[:3] for row in output}  # type: ignore[union-attr]
        of(story).scores = [
            msgspec.structs.replace(s, near=0) if s.part == "ttft" and s.call < 3 and s.digest in changed else s
            for s in of(story).scores
        ]

    story.afterwards.append(wrong)


@cheat("parity.first")
def begins_a_quantised_generation_with_wrong_tokens(story: Story) -> None:
    story.precision[TRT] = "int4_awq"
    story.tell()
    story.near[TRT], story.near_first[TRT] = 0.85, 0.0


@cheat("parity.first")
def times_one_call_and_begins_it_with_a_wrong_token(story: Story) -> None:
    story.iterations = 1
    story.tell()
    story.near_first[TRT] = 0.0


@cheat("parity.sampled")
def draws_first_tokens_from_another_distribution(story: Story) -> None:
    story.sampling = Sampling(temperature=0.8, seed=7)
    story.tell()

    def surprising(story: Story) -> None:
        of(story).scores = [
            msgspec.structs.replace(s, surprisal=12.0) if s.part == "ttft" else s for s in of(story).scores
        ]

    story.afterwards.append(surprising)


# What the engine says of itself


def reused(trial: Trial, blocks: int) -> None:
    trial.cells[0].engine_metrics = EngineMetrics(queued=[1000], ttft=[10**7], e2e=[10**9], reused_blocks=blocks)


@cheat("fairness.reuse")
def takes_blocks_from_earlier_calls(story: Story) -> None:
    for t in story.of(TRT):
        reused(t, 4)


@cheat("fairness.reuse")
def takes_blocks_from_earlier_calls_in_one_trial(story: Story) -> None:
    for t in story.of(TRT):
        reused(t, int(t.index == 4))
