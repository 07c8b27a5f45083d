"""Cheats with the work that each lane was given."""

from __future__ import annotations

import msgspec

from cheats.changes import TORCH, TRT, cheat, offered
from liars import Story
from trtbench.referee.audit.findings import WARN
from trtbench.settings.lanes import MOST_VALUES

APART = {"plain": [1.0, 1.01, 1.02], "fancy": [0.8, 0.81, 0.82]}


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


@cheat("fairness.model")
def runs_another_model(story: Story) -> None:
    for t in story.of(TRT):
        t.model = msgspec.structs.replace(t.model, digest="b" * 64)


@cheat("fairness.prompts")
def takes_easier_prompts(story: Story) -> None:
    for _, e2e, _ in story.passes(TRT):
        e2e.prompts_digest = "0" * 64


@cheat("fairness.unmade", WARN)
def says_that_it_read_more_than_anyone_makes_again(story: Story) -> None:
    for record, _, _ in story.passes(TRT):
        record.cell = msgspec.structs.replace(record.cell, batch=4096, prompt_length=131072)


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


@cheat("fairness.cards")
def takes_two_cards_against_one(story: Story) -> None:
    for t in story.of(TRT):
        assert t.statement is not None
        t.statement.tensor_parallel = 2


@cheat("fairness.cards")
def leaves_the_rival_a_single_card(story: Story) -> None:
    story.cards = 2
    story.tell()
    for t in story.of(TORCH):
        assert t.statement is not None
        t.statement.tensor_parallel = None


@cheat("fairness.more_cards")
def lists_a_second_card_for_its_ceiling(story: Story) -> None:
    """In all records, for one ceiling holds for a run; nothing says that it did anything."""
    story.cards = 2
    story.tell()
    story.run.settings = story.settings = {**story.settings, "TP_SIZE": 1}
    for t in story.trials:
        assert t.statement is not None
        t.statement.tensor_parallel, t.settings = None, story.settings


@cheat("fairness.more_cards")
def lists_one_card_twice(story: Story) -> None:
    story.cards = 2
    story.tell()
    for t in story.trials:
        assert t.telemetry is not None and t.telemetry.gpus is not None and t.environment.cards is not None
        for card in (*t.telemetry.gpus, *t.environment.cards):
            card.uuid = "GPU-0"


@cheat("fairness.idle_card")
def says_that_it_split_what_one_card_holds(story: Story) -> None:
    story.cards = 2
    story.tell()
    for t in story.of(TRT):
        assert t.telemetry is not None and t.telemetry.gpus is not None
        t.telemetry.gpus[1].memory_peak = 900_000_000


@cheat("fairness.settings")
def asks_its_rival_for_fewer_cards(story: Story) -> None:
    story.cards = 2
    story.tell()
    for t in story.of(TORCH):
        t.settings = {**t.settings, "TP_SIZE": 1}


@cheat("fairness.machine")
def brings_another_machines_records(story: Story) -> None:
    for t in story.of(TRT):
        t.environment = msgspec.structs.replace(t.environment, machine="fedcba9876543210")


@cheat("fairness.settings")
def samples_where_the_rival_is_greedy(story: Story) -> None:
    for t in story.of(TRT):
        t.settings = {**t.settings, "TEMPERATURE": 0.7}


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


@cheat("fairness.choice")
def tries_nothing_and_takes_what_it_likes(story: Story) -> None:
    offered(story, TORCH, {"plain": [], "fancy": [], "slow": []}, "slow")
    assert story.run.tried is not None
    story.run.tried[0].failure = "it has no window"


@cheat("fairness.offered")
def tries_more_for_its_own_lane(story: Story) -> None:
    values = {f"way {i}": [1.0, 1.01, 1.02] for i in range(MOST_VALUES + 1)}
    offered(story, TORCH, values, "way 0")


@cheat("fairness.graphs", WARN)
def has_cuda_graphs_alone(story: Story) -> None:
    for t in story.of(TRT):
        assert t.statement is not None
        t.statement.cuda_graphs = True
