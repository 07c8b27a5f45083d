"""Cheats, each caught by the finding meant for it, and honest runs, which raise no failure. Prints the confusion table."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

import factory
import liars
from liars import DEMO, TINYLLAMA, Story
from trtbench.comparison.comparing import compare
from trtbench.errors import UserError
from trtbench.figures.leaving import departures
from trtbench.machine.disturbance import disturbances
from trtbench.measure.stopping import every_trial
from trtbench.records import judgement, run_folder
from trtbench.records.run import Absent, Compared, Departure, Tried
from trtbench.records.telemetry import Disturbance
from trtbench.records.trial import Failure, Pass, Sampling, Trial, checksum
from trtbench.referee.audit import audit
from trtbench.referee.audit.findings import FAIL, PASS, WARN, Finding
from trtbench.report.audit_text import advice, sentence
from trtbench.report.headline import lead
from trtbench.report.language import ENGLISH, LANGUAGES, Language
from trtbench.report.words.audit import FIGURES
from trtbench.settings.lanes import LANES, MOST_VALUES

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


@cheat("count.new_ids")
def stops_at_end_of_sequence(story: Story) -> None:
    cut(story, TRT, lambda row: row[:137])
    scale(story, TRT, 0.9)


@cheat("rate.disagrees")
def stops_early_and_prints_all(story: Story) -> None:
    cut(story, TRT, lambda row: row[:137])


@cheat("count.new_ids")
def returns_prompt_and_output(story: Story) -> None:
    cut(story, TRT, lambda row: [5] * 128 + row)


@cheat("count.prompt_returned")
def returns_the_prompt_as_output(story: Story) -> None:
    for record, e2e, _ in story.passes(TRT):
        for call, output in enumerate(e2e.outputs):
            for row, prompt in zip(output, story.workload.prompts(record.cell, call)):
                row[:128] = prompt


@cheat("count.padding")
def counts_padding(story: Story) -> None:
    cut(story, TRT, lambda row: row[:80] + [2] * 120)


@cheat("count.ids")
def returns_an_uninitialised_buffer(story: Story) -> None:
    cut(story, TRT, lambda row: [*row[:-1], -1094795586])


@cheat("count.iterations", WARN)
def drops_slow_iterations(story: Story) -> None:
    for _, e2e, _ in story.passes(TRT):
        keep = sorted(range(10), key=lambda i: e2e.times[i])[:8]
        e2e.times = [e2e.times[i] for i in sorted(keep)]
        e2e.output, e2e.foreign_cpu = e2e.output[:8], (e2e.foreign_cpu or [])[:8]


@cheat("parity.same_answer")
def caches_answers(story: Story) -> None:
    for _, e2e, _ in story.passes(TRT):
        e2e.output = [0] * len(e2e.output)


@cheat("ceiling.generation")
def answers_from_a_table(story: Story) -> None:
    scale(story, TRT, 0.05)


@cheat("ceiling.decode")
def divides_its_time_by_three(story: Story) -> None:
    scale(story, TRT, 0.35)


@cheat("provenance.copied")
def prints_the_rivals_time_times_0_35(story: Story) -> None:
    for (_, mine, _), (_, other, _) in zip(story.passes(TRT), story.passes(TORCH)):
        mine.times = [round(t * 0.35) for t in other.times]


@cheat("provenance.copied")
def repeats_one_trial(story: Story) -> None:
    first = next(story.passes(TRT))[1]
    for _, e2e, _ in story.passes(TRT):
        e2e.times = list(first.times)


@cheat("ceiling.prefill")
def stops_the_clock_before_the_token_is_there(story: Story) -> None:
    for _, _, ttft in story.passes(TRT):
        ttft.times = [t // 30 for t in ttft.times]


@cheat("ceiling.ttft_above_whole")
def times_another_first_token(story: Story) -> None:
    for _, _, ttft in story.passes(TRT):
        ttft.times = [t * 90 for t in ttft.times]


@cheat("ceiling.same_times")
def writes_equal_times(story: Story) -> None:
    for _, e2e, _ in story.passes(TRT):
        e2e.times = [e2e.times[0]] * len(e2e.times)


@cheat("ceiling.zero")
def writes_zeros_after_an_error(story: Story) -> None:
    for _, e2e, _ in story.passes(TRT):
        e2e.times = [0] * len(e2e.times)


@cheat("rate.wall")
def times_more_than_there_was(story: Story) -> None:
    for t in story.of(TRT):
        t.seconds = 3.0


@cheat("fairness.precision")
def says_another_precision(story: Story) -> None:
    for t in story.of(TRT):
        assert t.statement is not None
        t.statement.weight_precision = t.statement.compute_precision = "fp8"


@cheat("fairness.weights")
def holds_int4_and_says_float16(story: Story) -> None:
    for record, _, _ in story.passes(TRT):
        assert record.memory is not None
        record.memory.weights = 600_000_000


@cheat("parity.near")
def computes_in_int4_silently(story: Story) -> None:
    story.near[TRT] = 0.09


@cheat("parity.near")
def drops_a_layer(story: Story) -> None:
    story.near[TRT] = 0.58


@cheat("parity.quantised")
def quantises_a_real_model_to_rubbish(story: Story) -> None:
    story.precision[TRT] = "int4_awq"
    story.tell()
    story.near[TRT] = 0.40


@cheat("fairness.model")
def runs_another_model(story: Story) -> None:
    for t in story.of(TRT):
        t.model = msgspec.structs.replace(t.model, digest="b" * 64)


@cheat("fairness.prompts")
def takes_easier_prompts(story: Story) -> None:
    for _, e2e, _ in story.passes(TRT):
        e2e.prompts_digest = "0" * 64


@cheat("fairness.workload")
def takes_another_workload(story: Story) -> None:
    for t in story.of(TRT):
        t.workload_digest = "0" * 64


@cheat("fairness.reuse")
def reuses_prefixes(story: Story) -> None:
    for t in story.of(TRT):
        assert t.statement is not None
        t.statement.prefix_reuse = True


@cheat("fairness.device")
def runs_the_rival_on_the_cpu(story: Story) -> None:
    for t in story.of(TORCH):
        assert t.statement is not None
        t.statement.device = "cpu"


@cheat("fairness.machine")
def brings_another_machines_records(story: Story) -> None:
    for t in story.of(TRT):
        t.environment = msgspec.structs.replace(t.environment, machine="fedcba9876543210")


@cheat("fairness.settings")
def samples_where_the_rival_is_greedy(story: Story) -> None:
    for t in story.of(TRT):
        t.settings = {**t.settings, "TEMPERATURE": 0.7}


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


APART = {"plain": [1.0, 1.01, 1.02], "fancy": [0.8, 0.81, 0.82]}


@cheat("fairness.setting")
def times_the_rival_in_its_slower_setting(story: Story) -> None:
    offered(story, TRT, APART, "fancy")
    for t in story.of(TRT):
        t.cells[0].setting = "plain"


@cheat("fairness.setting")
def names_a_setting_that_nobody_tried(story: Story) -> None:
    for t in story.of(TRT):
        t.cells[0].setting = "fancy"


@cheat("fairness.choice")
def chooses_the_rivals_slower_setting(story: Story) -> None:
    offered(story, TRT, APART, "plain")


@cheat("fairness.choice")
def chooses_what_two_tries_speak_for(story: Story) -> None:
    offered(story, TRT, {way: times[:2] for way, times in APART.items()}, "fancy")


@cheat("fairness.offered")
def tries_more_for_its_own_lane(story: Story) -> None:
    values = {f"way {i}": [1.0, 1.01, 1.02] for i in range(MOST_VALUES + 1)}
    offered(story, TORCH, values, "way 0")


@cheat("fairness.graphs", WARN)
def has_cuda_graphs_alone(story: Story) -> None:
    for t in story.of(TRT):
        assert t.statement is not None
        t.statement.cuda_graphs = True


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


@cheat("steady.first", WARN)
def does_not_warm_up(story: Story) -> None:
    for _, e2e, _ in list(story.passes(TORCH))[:2]:
        e2e.times[0] = round(e2e.times[0] * 1.5)


@cheat("machine.busy", WARN)
def has_a_noisy_neighbour_and_hides_the_whole_trial(story: Story) -> None:
    for t in story.of(TORCH):
        assert t.telemetry is not None
        t.telemetry.cpu = None
    for _, e2e, _ in story.passes(TORCH):
        e2e.foreign_cpu = [t / 1e9 for t in e2e.times]


def beside_a_neighbour(t: Trial, story: Story, share: float = 0.2) -> None:
    """As the program writes it: the telemetry, and what it decides by it."""
    assert t.telemetry is not None and story.run.rules is not None
    t.telemetry.cpu = factory.cpu_use(share)
    t.disturbed = disturbances(t, story.run.rules, None)


def again(t: Trial, factor: float = 0.97) -> Trial:
    """One attempt more at the same trial, with times of its own."""
    made: Trial = msgspec.convert(msgspec.to_builtins(t), type(t))
    made.attempt = t.attempt + 1
    for record in made.cells:
        assert record.e2e is not None
        record.e2e.times = [round(time * factor) + i for i, time in enumerate(record.e2e.times)]
    return made


@cheat("machine.disturbed", WARN)
def counts_what_a_neighbour_disturbed(story: Story) -> None:
    for t in story.of(TORCH):
        beside_a_neighbour(t, story)


@cheat("provenance.disturbed")
def forgets_its_neighbour(story: Story) -> None:
    slowed = next(story.of(TORCH))
    beside_a_neighbour(slowed, story)
    slowed.disturbed = []


@cheat("provenance.disturbed")
def invents_a_neighbour_for_a_slow_trial(story: Story) -> None:
    slow = next(t for t in story.of(TRT) if t.index == 2)
    story.trials.append(again(slow))
    slow.disturbed = [Disturbance(kind="cpu", value=0.2, limit=0.01)]


@cheat("provenance.disturbed")
def says_that_the_card_was_hot_before(story: Story) -> None:
    """It was hot while the calls were timed: that is the lane's own load."""
    slow = next(t for t in story.of(TRT) if t.index == 2)
    assert slow.telemetry is not None and slow.telemetry.gpus
    slow.telemetry.gpus[0].throttle_reasons = ["hw_thermal_slowdown"]
    story.trials.append(again(slow))
    slow.disturbed = [Disturbance(kind="gpu_throttled", value=1, limit=0)]


@cheat("provenance.attempts")
def deletes_the_attempt_that_displeased(story: Story) -> None:
    second = next(t for t in story.of(TRT) if t.index == 2)
    story.trials.append(again(second))
    story.trials.remove(second)


@cheat("provenance.attempts")
def keeps_two_records_of_one_attempt(story: Story) -> None:
    second = next(t for t in story.of(TRT) if t.index == 2)
    twin = again(second)
    twin.attempt = 1
    story.trials.append(twin)


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


@cheat("provenance.rules")
def tells_disturbed_trials_by_a_rule_of_its_own(story: Story) -> None:
    """So strict that any trial may be run again."""
    assert story.run.rules is not None
    story.run.rules = msgspec.structs.replace(story.run.rules, foreign_cpu=1e-6)


def recorded_earlier(t: Trial) -> None:
    """A record of schema 1: without what came with schema 2."""
    t.schema, t.round, t.disturbed = 1, None, None
    t.settings = {name: value for name, value in t.settings.items() if name not in ("QUIET", "SLOW_LANES")}
    assert t.telemetry is not None
    t.telemetry.cpu = t.telemetry.waited = None
    for record in t.cells:
        record.cpu = None
    for gpu in t.telemetry.gpus or []:
        gpu.foreign_compute = gpu.early_clock = gpu.idle_temperature = None
        gpu.idle_utilisation = gpu.early_reasons = None


@cheat("provenance.schema")
def lays_an_older_record_among_the_others(story: Story) -> None:
    recorded_earlier(next(story.of(TRT)))


@cheat("provenance.old", WARN)
def says_that_it_is_older(story: Story) -> None:
    story.run.schema = 1
    story.run.rules = story.run.candidates = story.run.departures = None
    for t in story.trials:
        recorded_earlier(t)


@cheat("machine.neighbour", WARN)
def shares_the_gpu(story: Story) -> None:
    for t in story.of(TORCH):
        assert t.telemetry is not None and t.telemetry.gpus
        t.telemetry.gpus[0].foreign_processes = 1


@cheat("machine.unwatched", WARN)
def hides_telemetry(story: Story) -> None:
    for t in story.of(TRT):
        t.telemetry = None


@cheat("provenance.simulated")
def is_a_stand_in(story: Story) -> None:
    for t in story.of(TRT):
        assert t.statement is not None
        t.statement.simulated = True


@cheat("provenance.engine")
def runs_an_engine_of_another_model(story: Story) -> None:
    for t in story.of(TRT):
        assert t.statement is not None
        t.statement.built_from = {"model": "b" * 64, "gpu": story.gpu or "", "version": "1.2.1"}


@cheat("provenance.versions")
def updates_half_way(story: Story) -> None:
    for t in list(story.of(TRT))[3:]:
        assert t.statement is not None
        t.statement.runtime_version = "1.2.2"


@cheat("provenance.mixed")
def mixes_runs(story: Story) -> None:
    for t in story.of(TRT):
        t.run = "20250101-000000"
        t.settings = {**t.settings, "WARMUP_LIMIT": 99}


@cheat("provenance.gap")
def leaves_bad_trials_out(story: Story) -> None:
    story.trials = [t for t in story.trials if not (t.lane == TRT and t.index in (2, 4))]


@cheat("provenance.retried")
def repeats_until_it_pleases(story: Story) -> None:
    second = next(t for t in story.of(TRT) if t.index == 2)
    story.trials.append(again(second))


@cheat("aa.differs", WARN)
def slows_every_other_trial_of_the_rival(story: Story) -> None:
    for t in story.of(TORCH):
        if t.index % 2 == 0:
            assert t.cells[0].e2e is not None
            t.cells[0].e2e.times = [round(x * 1.2) for x in t.cells[0].e2e.times]
            t.seconds += 10


def with_a_faster_base(story: Story, tuned: float = 1400.0) -> None:
    """Tell the story again with a third lane, by default a PyTorch lane that makes the headline look worse."""
    story.latency = {TORCH: 2000.0, TUNED: tuned, TRT: 1000.0}
    story.tell()


def keep_rounds(story: Story, lane: str, kept: int) -> None:
    story.trials = [t for t in story.trials if t.lane != lane or t.index <= kept]


@cheat("base.left")
def sends_the_fastest_pytorch_lane_away(story: Story) -> None:
    with_a_faster_base(story)
    keep_rounds(story, TUNED, 1)
    cell = Compared(batch=1, prompt_length=128, new_tokens=200, base=TORCH, ratio=2.4)
    story.run.departures = [Departure(lane=TUNED, precision="float16", round=1, position=3, rule="ratio", cells=[cell])]


@cheat("base.left")
def makes_a_lane_leave_that_the_rules_keep(story: Story) -> None:
    with_a_faster_base(story, tuned=2100.0)
    honest_departure(story, 3)
    assert story.run.departures and story.run.rules
    rules = {name: getattr(story.run.rules, name) for name in story.run.rules.__struct_fields__}
    story.run.rules = type(story.run.rules)(**{**rules, "leaves": False})


@cheat("base.rules")
def seals_rules_by_which_noise_rules_lanes_out(story: Story) -> None:
    assert story.run.rules
    rules = {name: getattr(story.run.rules, name) for name in story.run.rules.__struct_fields__}
    story.run.rules = type(story.run.rules)(**{**rules, "candidate_level": 0.3})


@cheat("base.left")
def notes_other_figures_of_a_lane_that_left(story: Story) -> None:
    with_a_faster_base(story, tuned=9000.0)
    honest_departure(story, 1)
    (departure,) = story.run.departures or []
    departure.cells = [msgspec.structs.replace(cell, ratio=cell.ratio * 1.01) for cell in departure.cells]


@cheat("base.left")
def runs_a_lane_on_that_left(story: Story) -> None:
    with_a_faster_base(story, tuned=9000.0)
    every_trial = story.trials
    honest_departure(story, 1)
    story.trials = every_trial


@cheat("base.vanished")
def loses_the_later_trials_of_the_fastest_pytorch_lane(story: Story) -> None:
    with_a_faster_base(story)
    keep_rounds(story, TUNED, 3)


@cheat("base.vanished", WARN)
def loses_the_later_trials_of_another_lane(story: Story) -> None:
    story.latency = {TORCH: 2000.0, TRT: 1000.0, "vllm": 1400.0}
    story.tell()
    keep_rounds(story, "vllm", 3)


@cheat("base.unaccounted")
def loses_the_fastest_pytorch_lane(story: Story) -> None:
    with_a_faster_base(story)
    keep_rounds(story, TUNED, 0)


@cheat("base.unaccounted")
def loses_the_fastest_pytorch_lane_after_a_single_round(story: Story) -> None:
    story.rounds = 1
    loses_the_fastest_pytorch_lane(story)


@cheat("base.unaccounted")
def loses_one_of_two_precisions_of_the_fastest_pytorch_lane(story: Story) -> None:
    story.precision = {TUNED: "float32"}
    with_a_faster_base(story, tuned=1900.0)
    story.run.candidates = [*(story.run.candidates or []), (TUNED, "float16")]


@cheat("base.vanished")
def loses_the_last_trial_of_the_fastest_pytorch_lane(story: Story) -> None:
    with_a_faster_base(story)
    keep_rounds(story, TUNED, story.rounds - 1)


@cheat("base.vanished")
def excuses_lost_trials_by_a_note_that_the_lane_is_absent(story: Story) -> None:
    loses_the_later_trials_of_the_fastest_pytorch_lane(story)
    story.run.absent = [Absent(lane=TUNED, precision="float16", failure=Failure(phase="load", reason="no room"))]


@cheat("base.excused", WARN)
def notes_as_absent_a_lane_that_ran(story: Story) -> None:
    story.run.absent = [Absent(lane=TORCH, precision="float16", failure=Failure(phase="load", reason="no room"))]


@cheat("base.vanished")
def marks_one_trial_as_not_interleaved_to_hide_lost_ones(story: Story) -> None:
    loses_the_later_trials_of_the_fastest_pytorch_lane(story)
    next(t for t in story.of(TORCH) if t.index == 2).interleaved = False


@cheat("base.unchecked", WARN)
def runs_a_lane_in_a_step_of_its_own(story: Story) -> None:
    for t in story.of(TRT):
        t.interleaved = False


@cheat("base.left")
def decides_before_the_round_is_over(story: Story) -> None:
    """The trial that was still to come is the headline's, so that no figure of the departure changes."""
    with_a_faster_base(story, tuned=2300.0)
    honest_departure(story, 3)
    (departure,) = story.run.departures or []
    (last,) = [t for t in story.trials if t.position == departure.position]
    (other,) = [t for t in story.of(TRT) if t.index == 3]
    last.position, other.position = other.position, last.position
    departure.position -= 1


@cheat("base.absent", WARN)
def cannot_start_the_fastest_pytorch_lane(story: Story) -> None:
    with_a_faster_base(story)
    keep_rounds(story, TUNED, 0)
    story.run.absent = [Absent(lane=TUNED, precision="float16", failure=Failure(phase="load", reason="no room"))]


def honest_departure(story: Story, finished: int) -> None:
    """Who leaves after this round leaves, as the program does it."""
    known = [t for t in story.trials if t.index <= finished]
    story.run.departures = departures(known, story.run, finished)
    for departure in story.run.departures:
        keep_rounds(story, departure.lane, finished)


def caught(story: Story) -> list[Finding]:
    return audit(story.run, story.trials, story.judged, story.workload)


def told(change: Cheat) -> Story:
    story = Story().tell()
    change(story)
    return story.seal()


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_is_caught_by_the_finding_meant_for_it(name: str) -> None:
    change, code, level = CHEATS[name]
    findings = caught(told(change))
    assert (code, level) in {(f.code, f.level) for f in findings}


WORDS = ("what", "part")  # figures of findings that are words of a sentence, and so have a row in both languages


@pytest.mark.parametrize("say", LANGUAGES.values(), ids=LANGUAGES)
def test_what_is_found_is_said_in_the_language_and_names_lanes_by_their_label(say: Language) -> None:
    heard = set()
    for change, _, _ in CHEATS.values():
        for finding in caught(told(change)):
            if finding.level == PASS:
                continue
            heard.add(finding.code)
            said = f"{sentence(finding, say)} {advice(finding, say)}"
            assert not [lane for lane in LANES if re.search(rf"(?<![\w-]){lane}(?![\w-])", said) and "-" in lane], said
            words = ", ".join(str(finding.figures[name]) for name in WORDS if name in finding.figures)
            assert [word for word in words.split(", ") if word and word not in FIGURES] == []
    assert len(heard) > 40


# Of zeros no comparison can be made at all: test_zeros_never_get_past_the_reader.
FAILING = [name for name, (_, _, level) in CHEATS.items() if level == FAIL and name != "writes_zeros_after_an_error"]


@pytest.mark.parametrize("name", FAILING)
def test_a_cheat_that_fails_voids_the_verdict(name: str) -> None:
    story = told(CHEATS[name][0])
    made = compare(story.run, story.trials, caught(story), story.judged)
    words = {a.verdict.word for a in made.cells[0].against}
    assert words == ({"none"} if name == "is_a_stand_in" else {"void"})


def test_zeros_never_get_past_the_reader(tmp_path: Path) -> None:
    story = told(writes_zeros_after_an_error)
    factory.store(tmp_path, story.run, story.trials)
    with pytest.raises(UserError, match="times"):
        run_folder.trials(tmp_path, story.run.id)


def test_a_record_edited_by_hand_is_caught(tmp_path: Path) -> None:
    story = told(lambda story: None)
    home = factory.store(tmp_path, story.run, story.trials)
    file = next(f for f in sorted((home / "trials").iterdir()) if TRT in f.name)
    record = run_folder.read_trials([file])[0]
    assert record.cells[0].e2e is not None
    first = record.cells[0].e2e.times[0]
    file.write_text(file.read_text().replace(str(first), str(first * 9 // 10), 1))
    findings = audit(story.run, run_folder.trials(tmp_path, story.run.id), story.judged, story.workload)
    assert [(f.code, f.lane) for f in findings if f.level == FAIL] == [("provenance.changed", TRT)]


def test_a_judgement_edited_by_hand_is_caught() -> None:
    story = told(drops_a_layer)
    assert story.judged is not None
    story.judged.scores = [msgspec.structs.replace(s, near=s.positions) for s in story.judged.scores]
    assert ("provenance.changed", FAIL) in {(f.code, f.level) for f in caught(story)}


def test_ids_that_were_not_judged_do_not_pass() -> None:
    story = told(lambda story: None)
    story.answer_differently(TRT)
    for t in story.of(TRT):
        t.checksum = checksum(t)
    findings = caught(story)
    assert ("parity.unscored", WARN, TRT) in {(f.code, f.level, f.lane) for f in findings}
    assert ("parity", TRT) not in {(f.code, f.lane) for f in findings}


def skewed(draw: random.Random) -> float:
    return draw.expovariate(1.0)


def outlying(draw: random.Random) -> float:
    return draw.gauss(0, 1) + (40 if draw.random() < 0.05 else 0)


HONEST: dict[str, Callable[[int], Story]] = {
    "plain": lambda seed: Story(seed=seed),
    "noisy": lambda seed: Story(seed=seed, spread=(0.05, 0.15)),
    "skewed": lambda seed: Story(seed=seed, spread=(0.02, 0.05), noise=skewed),
    "with outliers": lambda seed: Story(seed=seed, noise=outlying),
    "slow": lambda seed: Story(seed=seed, latency={TORCH: 90000.0, TRT: 60000.0}, first=2000.0),
    "fast but possible": lambda seed: Story(seed=seed, latency={TORCH: 900.0, TRT: 835.0}, first=4.9),
    "quantised and saying so": lambda seed: Story(
        seed=seed, latency={TORCH: 2000.0, TRT: 330.0}, precision={TRT: "int4_awq"}, near={TRT: 0.93}
    ),
    "quantised, random weights": lambda seed: Story(
        seed=seed, latency={TORCH: 2000.0, TRT: 500.0}, precision={TRT: "int8"}, near={TRT: 0.09}, synthetic=True
    ),
    "cache-sized model": lambda seed: Story(
        seed=seed, config=DEMO, latency={TORCH: 200.0, TRT: 9.0}, first=0.6, gpu="NVIDIA GeForce RTX 4090"
    ),
    "tied embeddings": lambda seed: Story(
        seed=seed, config={**TINYLLAMA, "tie_word_embeddings": True}, latency={TORCH: 1500.0, TRT: 850.0}
    ),
    "grouped heads": lambda seed: Story(seed=seed, config={**TINYLLAMA, "num_key_value_heads": 1}),
    "batch 32": lambda seed: Story(seed=seed, batch=32, new=50, rounds=5, latency={TORCH: 900.0, TRT: 320.0}, first=60),
    "on a CPU": lambda seed: Story(
        seed=seed, gpu=None, default_precision="float32", latency={TORCH: 50000.0, "onnxruntime": 30000.0}, first=2000
    ),
    "cache-sized on a CPU": lambda seed: Story(
        seed=seed,
        gpu=None,
        config=DEMO,
        default_precision="float32",
        latency={TORCH: 1100.0, "onnxruntime": 310.0},
        first=25,
    ),
    "unknown card": lambda seed: Story(seed=seed, gpu="NVIDIA Example 9000"),
    "three trials": lambda seed: Story(seed=seed, rounds=3),
    "sampled": lambda seed: Story(seed=seed, sampling=Sampling(temperature=0.8, top_p=0.9, seed=7)),
    "two new tokens": lambda seed: Story(seed=seed, new=2, latency={TORCH: 40.0, TRT: 26.0}, spread=(0.05, 0.2)),
    "equal lanes": lambda seed: Story(seed=seed, latency={TORCH: 1000.0, TRT: 1000.0}),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_run_raises_no_failure(name: str) -> None:
    for seed in range(1, 6):
        story = HONEST[name](seed).tell().seal()
        assert [f for f in caught(story) if f.level == FAIL] == []


@pytest.mark.parametrize("iterations", [1, 3, 8])
def test_a_first_token_that_is_the_whole_by_a_few_per_cent_of_noise_voids_nothing(iterations: int) -> None:
    """With one new token the two passes are the same work: either may come out as the slower one."""
    for seed in range(1, 31):
        story = Story(seed=seed, new=1, first=1000.0, iterations=iterations, rounds=3).tell().seal()
        assert [f for f in caught(story) if f.level == FAIL] == []


@pytest.mark.parametrize("iterations", [1, 3])
def test_first_tokens_well_above_the_whole_are_told_by_three_calls_of_each(iterations: int) -> None:
    story = Story(first=20.0, iterations=iterations, rounds=3).tell()
    times_another_first_token(story)
    (finding,) = (f for f in caught(story.seal()) if f.code == "ceiling.ttft_above_whole")
    assert finding.level == FAIL and finding.figures["trials"] == "1, 2, 3"


@pytest.mark.parametrize(("tuned", "finished"), [(9000.0, 1), (2300.0, 3)])
def test_a_lane_that_left_by_the_rules_is_no_finding_and_voids_nothing(tuned: float, finished: int) -> None:
    story = Story()
    with_a_faster_base(story, tuned)
    honest_departure(story, finished)
    story.seal()
    assert [(d.lane, d.round) for d in story.run.departures or []] == [(TUNED, finished)]
    findings = caught(story)
    assert {f.code for f in findings if f.code.startswith("base.")} == set()
    made = compare(story.run, story.trials, findings, story.judged)
    assert {a.lane: a.verdict.word for a in made.cells[0].against}[TRT] == "faster"


def test_a_trial_run_again_after_a_departure_does_not_make_it_wrong() -> None:
    """As when a run is taken up again: the trial has the number and round of the one that failed, and a later position."""
    story = Story()
    with_a_faster_base(story, 9000.0)
    honest_departure(story, 1)
    again = next(t for t in story.trials if t.lane == TORCH and t.index == 1)
    again.position = max(t.position for t in story.trials) + 1
    again.attempt = 2
    assert again.cells[0].e2e is not None
    first = msgspec.structs.replace(again, attempt=1, position=1, cells=[], failure=Failure(phase="x", reason="y"))
    story.trials.append(first)
    story.run.departures = departures([t for t in story.trials if t.index == 1 and t is not again], story.run, 1)
    story.seal()
    assert "base.left" not in {f.code for f in caught(story)}


def test_a_base_trial_run_again_before_the_next_round_does_not_make_a_departure_wrong() -> None:
    """The run was cut off after round one, where a lane had left, and taken up again: the base's disturbed trial is run again
    first, and is so slow now that the lane would stay."""
    story = Story(rounds=1)
    with_a_faster_base(story, 9000.0)
    story.run.stopped = None
    base = next(story.of(TORCH))
    beside_a_neighbour(base, story)
    story.run.departures = departures(story.trials, story.run, 1)
    assert [d.lane for d in story.run.departures] == [TUNED]
    second = again(base, 3.0)
    second.position = len(story.trials) + 1
    story.trials.append(second)
    assert "base.left" not in {f.code for f in caught(story.seal())}


def test_trials_of_another_run_decide_no_departure() -> None:
    story = Story()
    with_a_faster_base(story, 9000.0)
    honest_departure(story, 1)
    strangers = [msgspec.structs.replace(t, run="20250101-000000", round=1) for t in story.of(TORCH) if t.index > 1]
    for t in strangers:
        t.cells = [msgspec.structs.replace(record, e2e=slower(record.e2e, 9)) for record in t.cells]
    story.trials += strangers
    assert "base.left" not in {f.code for f in caught(story.seal())}


def slower(part: Pass | None, factor: int) -> Pass:
    assert part is not None
    return msgspec.structs.replace(part, times=[t * factor for t in part.times])


def test_a_lane_that_left_no_trial_of_the_last_round_of_a_run_that_was_cut_off_is_not_missing() -> None:
    story = Story().tell()
    keep_rounds(story, TORCH, story.rounds - 1)
    story.run.stopped = None
    assert "base.vanished" not in {f.code for f in caught(story.seal())}


def test_a_run_taken_up_again_and_ended_before_the_round_that_was_cut_off_misses_nothing() -> None:
    story = Story().tell()
    keep_rounds(story, TORCH, story.rounds - 1)
    story.run.stopped = every_trial(story.rounds - 2)
    assert "base.vanished" not in {f.code for f in caught(story.seal())}


@pytest.mark.parametrize(("kept", "missing"), [(4, False), (3, True)])
def test_a_lane_that_came_later_has_the_rounds_of_the_call_that_it_came_with(kept: int, missing: bool) -> None:
    """Its compiler was missing at first; then the run was taken up again for four rounds."""
    story = Story()
    with_a_faster_base(story)
    keep_rounds(story, TUNED, kept)
    for t in story.of(TUNED):
        t.position += 100
    story.run.stopped = "TIME_BUDGET=60 s is spent after 4 rounds; raise it for a narrower interval"
    assert ("base.vanished" in {f.code for f in caught(story.seal())}) is missing


def test_a_lane_of_a_quantised_comparison_is_void_when_a_base_of_any_full_precision_is_lost() -> None:
    story = Story(latency={TORCH: 2000.0, TUNED: 1400.0, TRT: 330.0}, precision={TRT: "int4_awq", TUNED: "bfloat16"})
    story.near = {TRT: 0.93}
    story.tell()
    keep_rounds(story, TUNED, 0)
    story.seal()
    made = compare(story.run, story.trials, caught(story), story.judged)
    verdict = {a.lane: a.verdict for a in made.cells[0].against}[TRT]
    assert (verdict.word, verdict.reason) == ("void", "base.unaccounted")
    said = lead(made, ENGLISH).sentence
    assert "base.unaccounted (PyTorch tuned bfloat16)" in said


@pytest.mark.parametrize("lane", [TRT, TORCH])
def test_a_trial_that_a_neighbour_disturbed_may_be_run_again(lane: str) -> None:
    """Whether it was the slower one or the faster one."""
    for factor in (0.98, 1.01):
        story = Story().tell()
        first = next(t for t in story.of(lane) if t.index == 3)
        story.trials.append(again(first, factor))
        beside_a_neighbour(first, story)
        findings = caught(story.seal())
        assert [f.code for f in findings if f.level == FAIL] == []
        assert liars.codes(findings, WARN) <= {"aa.differs", "steady.drift"}


def test_the_clock_that_is_normal_is_that_of_the_trials_so_far() -> None:
    """A card that somebody slowed down before the fourth trial's first call: told by the trials before it."""
    story = Story().tell()
    late = [t for t in story.trials if t.position >= 4]
    for t in late:
        assert t.telemetry is not None and t.telemetry.gpus and story.run.rules is not None
        t.telemetry.gpus[0].early_clock = 1500
        t.disturbed = disturbances(t, story.run.rules, 2475)
        assert [one.kind for one in t.disturbed] == ["gpu_clock"]
    codes = {f.code for f in caught(story.seal())}
    assert "provenance.disturbed" not in codes and "machine.disturbed" in codes


def test_the_plain_honest_run_has_nothing_but_passes() -> None:
    assert liars.codes(caught(Story().tell().seal()), WARN) == set()


def test_the_confusion_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Every cheat and every honest run, and what the audit said; printed by pytest -s."""
    rows = []
    for name, (change, code, level) in CHEATS.items():
        findings = [f for f in caught(told(change)) if f.level != "pass"]
        hit = (code, level) in {(f.code, f.level) for f in findings}
        others = sorted({f"{f.code} ({f.level})" for f in findings} - {f"{code} ({level})"})
        rows.append((name.replace("_", " "), f"{code} ({level})", hit, ", ".join(others)))
    false = []
    for name, make in HONEST.items():
        findings = caught(make(1).tell().seal())
        false += [(name, f.code) for f in findings if f.level == FAIL]
        rows.append((name, "no fail", not false, ", ".join(sorted({f.code for f in findings if f.level == WARN}))))
    with capsys.disabled():
        print(f"\n{'run':<44}{'meant':<32}{'':<8}also")
        for name, meant, hit, others in rows:
            print(f"{name:<44}{meant:<32}{'yes' if hit else 'MISSED':<8}{others}")
        caught_ones = sum(hit for _, meant, hit, _ in rows if meant != "no fail")
        print(
            f"caught {caught_ones} of {len(CHEATS)} cheats; "
            f"{len({name for name, _ in false})} of {len(HONEST)} honest runs failed"
        )
    assert caught_ones == len(CHEATS) >= 20
    assert false == []


def test_the_judge_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    story = told(drops_a_layer)
    assert story.judged is not None
    judgement.write(tmp_path / "judge.json", story.judged)
    assert judgement.read(tmp_path / "judge.json") == story.judged
    assert (story.batch, story.prompt, story.new) == CELL
