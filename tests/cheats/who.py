"""Cheats with who ran, in what, on what, and of which model; and records that leave out what would tell."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import msgspec

import factory
from cheats.changes import TORCH, TRT, cheat
from liars import Story
from trtbench.records.identity import model_digest
from trtbench.records.telemetry import Card, Gpu
from trtbench.records.trial import Environment, Statement, Trial
from trtbench.referee.audit.findings import WARN

H100 = "NVIDIA H100 80GB HBM3"


def state(story: Story, lane: str, **changed: Any) -> None:
    """Have every statement of a lane say this."""
    for t in story.of(lane):
        assert t.statement is not None
        t.statement = msgspec.structs.replace(t.statement, **changed)


def surround(trial: Trial, **changed: Any) -> None:
    """Put a trial on another machine, as its own record has it."""
    trial.environment = msgspec.structs.replace(trial.environment, **changed)


def gpu_of(trial: Trial) -> Gpu:
    assert trial.telemetry is not None and trial.telemetry.gpus
    return trial.telemetry.gpus[0]


def card_of(trial: Trial) -> Card:
    assert trial.environment.cards
    return trial.environment.cards[0]


def statement_of(trial: Trial) -> Statement:
    assert trial.statement is not None
    return trial.statement


def install(environment: Environment, **versions: str) -> Environment:
    return msgspec.structs.replace(environment, libraries={**environment.libraries, **versions})


# The engine that ran


@cheat("provenance.runtime")
def runs_pytorch_and_calls_it_the_engine(story: Story) -> None:
    state(story, TRT, runtime="PyTorch")


@cheat("provenance.runtime")
def mixes_up_the_two_runtimes_of_tensorrt_llm(story: Story) -> None:
    state(story, TRT, runtime="TensorRT-LLM PyTorch")


@cheat("provenance.runtime")
def runs_something_slower_as_the_base(story: Story) -> None:
    state(story, TORCH, runtime="ONNX Runtime GenAI")


@cheat("provenance.library")
def states_a_release_that_is_not_installed(story: Story) -> None:
    state(story, TRT, runtime_version="1.2.1", built_from={**story.built_from(), "version": "1.2.1"})


@cheat("provenance.library")
def states_an_early_release_as_the_final_one(story: Story) -> None:
    for t in story.of(TRT):
        t.environment = install(t.environment, tensorrt_llm="1.0rc2")


@cheat("provenance.library")
def states_another_torch_beside_its_runtime(story: Story) -> None:
    state(story, TRT, versions={"torch": "2.11.0+cu130"})


@cheat("provenance.library")
def installs_an_older_torch_for_the_base(story: Story) -> None:
    for t in story.of(TORCH):
        t.environment = install(t.environment, torch="0.4.1")


@cheat("provenance.library", WARN)
def states_no_version_at_all(story: Story) -> None:
    state(story, TRT, runtime_version="latest", built_from={**story.built_from(), "version": "latest"})


@cheat("provenance.card", WARN)
def can_not_tell_its_card(story: Story) -> None:
    state(story, TRT, device_name="unknown")


@cheat("provenance.announced")
def has_the_rivals_engine_in_its_log(story: Story) -> None:
    for t in story.of(TORCH):
        t.announced = {"vllm": "0.24.0"}


@cheat("provenance.announced")
def runs_tensorrt_llm_and_calls_it_pytorch(story: Story) -> None:
    for t in story.of(TORCH):
        t.announced = {"tensorrt_llm": "1.0"}


@cheat("provenance.library")
def states_another_release_than_its_log(story: Story) -> None:
    for t in story.of(TRT):
        t.announced = {"tensorrt_llm": "0.9.0"}


@cheat("provenance.simulated")
def announces_the_stand_in(story: Story) -> None:
    for t in story.of(TRT):
        t.announced = {"tensorrt_llm": "1.0+simulated"}


@cheat("provenance.not_installed", WARN)
def removes_its_runtime_from_what_was_installed(story: Story) -> None:
    for t in story.of(TRT):
        surround(t, libraries={name: v for name, v in t.environment.libraries.items() if name != "tensorrt_llm"})


@cheat("provenance.simulated")
def unmarks_its_statement_and_forgets_what_was_installed(story: Story) -> None:
    for t in story.of(TRT):
        t.environment = install(t.environment, tensorrt_llm="1.0+simulated")


@cheat("provenance.simulated")
def writes_the_stand_ins_name_in_another_way(story: Story) -> None:
    for t in story.of(TRT):
        t.environment = install(t.environment, **{"TensorRT-LLM": "1.0+simulated"})


@cheat("provenance.simulated")
def gives_the_stand_in_a_name_of_its_own(story: Story) -> None:
    for t in story.of(TRT):
        surround(t, libraries={"numpy": "2.0.0", "engine": "1.0+simulated"})


@cheat("provenance.simulated")
def states_the_stand_ins_version(story: Story) -> None:
    state(story, TRT, runtime_version="1.0+simulated")


@cheat("provenance.simulated")
def states_the_stand_in_among_its_libraries(story: Story) -> None:
    state(story, TRT, versions={"tensorrt": "10.14.1+simulated"})


@cheat("provenance.simulated")
def runs_an_engine_that_the_stand_in_built(story: Story) -> None:
    state(story, TRT, built_from={**story.built_from(), "version": "1.0+simulated"})


@cheat("provenance.artefact", WARN)
def says_nothing_of_its_engine(story: Story) -> None:
    state(story, TRT, built_from=None)


@cheat("provenance.artefact", WARN)
def says_only_for_which_card_its_engine_was_built(story: Story) -> None:
    state(story, TRT, built_from={"gpu": story.gpu})


@cheat("provenance.engine")
def runs_an_engine_for_another_capability(story: Story) -> None:
    state(story, TRT, built_from={**story.built_from(), "compute_capability": "9.0"})


# The card


@cheat("provenance.card")
def states_a_card_that_is_not_there(story: Story) -> None:
    state(story, TRT, device_name=H100)


@cheat("provenance.card")
def was_watched_on_another_card(story: Story) -> None:
    for t in story.of(TRT):
        gpu_of(t).name = H100


@cheat("provenance.card")
def brings_a_wider_bus(story: Story) -> None:
    for t in story.of(TRT):
        gpu_of(t).memory_bus_width = 384


@cheat("provenance.card")
def brings_a_faster_memory(story: Story) -> None:
    for t in story.trials:
        gpu_of(t).memory_clock_max = 12500


@cheat("provenance.card")
def runs_on_two_cards(story: Story) -> None:
    for t in story.of(TRT):
        assert t.telemetry is not None
        t.telemetry.gpus = [gpu_of(t), msgspec.structs.replace(gpu_of(t), uuid="GPU-1")]


@cheat("provenance.card")
def describes_another_card_than_it_names(story: Story) -> None:
    for t in story.trials:
        surround(t, cards=[msgspec.structs.replace(card_of(t), name=H100)])


@cheat("provenance.card")
def was_watched_on_the_neighbouring_card(story: Story) -> None:
    for t in story.of(TRT):
        gpu_of(t).uuid = "GPU-1"


@cheat("provenance.cards")
def has_a_wider_bus_wherever_one_looks(story: Story) -> None:
    for t in story.of(TRT):
        gpu_of(t).memory_bus_width = 384
        surround(t, cards=[msgspec.structs.replace(card_of(t), memory_bus_width=384)])


@cheat("provenance.cards")
def has_no_cards_described_and_a_faster_memory(story: Story) -> None:
    for t in story.trials:
        surround(t, cards=None)
    for t in story.of(TRT):
        gpu_of(t).memory_clock_max = 12500


@cheat("provenance.cards")
def has_more_memory(story: Story) -> None:
    for t in story.of(TRT):
        gpu_of(t).memory_total = 24 * factory.GIB


@cheat("provenance.cards", WARN)
def takes_the_better_one_of_two_cards(story: Story) -> None:
    for t in story.of(TRT):
        gpu_of(t).uuid = "GPU-1"
        surround(t, cards=[msgspec.structs.replace(card_of(t), uuid="GPU-1")])


@cheat("provenance.cards", WARN)
def has_a_larger_cache(story: Story) -> None:
    for t in story.of(TRT):
        surround(t, last_level_cache=2**40)


# The machine


@cheat("provenance.machine")
def gives_another_machine_the_runs_name(story: Story) -> None:
    for t in story.of(TRT):
        surround(t, cpu_model="Faster CPU @ 5.00GHz", cores=64)


@cheat("provenance.machine")
def has_more_memory_than_the_machine_of_that_name(story: Story) -> None:
    for t in story.of(TRT):
        surround(t, memory=512 * factory.GIB)


@cheat("provenance.machine")
def names_a_faster_card_in_every_record(story: Story) -> None:
    for t in story.trials:
        gpu_of(t).name = H100
        surround(t, gpus=[H100], cards=[msgspec.structs.replace(card_of(t), name=H100)])
        t.statement = msgspec.structs.replace(statement_of(t), device_name=H100)


# The model


def reshape(story: Story, keep: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Describe the model otherwise in every record."""
    for t in story.trials:
        t.model = msgspec.structs.replace(t.model, **keep(SMALLER))


SMALLER: dict[str, Any] = {**Story().config, "num_hidden_layers": 11}
SMALLER_TEXT = json.dumps(SMALLER)
SMALLER_FILES = {**(factory.model().files or {}), "config.json": hashlib.sha256(SMALLER_TEXT.encode()).hexdigest()}


@cheat("provenance.config")
def counts_half_of_the_layers(story: Story) -> None:
    reshape(story, lambda config: {"config": config})


@cheat("provenance.config")
def counts_half_of_the_layers_in_the_text_too(story: Story) -> None:
    reshape(story, lambda config: {"config": config, "config_text": SMALLER_TEXT})


@cheat("provenance.config")
def counts_half_of_the_layers_in_all_but_the_digest(story: Story) -> None:
    reshape(story, lambda config: {"config": config, "config_text": SMALLER_TEXT, "files": SMALLER_FILES})


@cheat("provenance.config")
def counts_half_of_the_layers_and_all_parameters(story: Story) -> None:
    digest = model_digest(SMALLER_FILES)
    story.run.model_digest = digest
    described = {"config": SMALLER, "config_text": SMALLER_TEXT, "files": SMALLER_FILES, "digest": digest}
    reshape(story, lambda config: {**described, "parameters": 4 * story.model().parameters})


@cheat("provenance.config")
def describes_a_smaller_model_for_its_own_lane_and_leaves_the_text_out(story: Story) -> None:
    for t in story.of(TRT):
        t.model = msgspec.structs.replace(t.model, config=SMALLER, config_text=None, files=None)


@cheat("provenance.config")
def calls_it_another_architecture(story: Story) -> None:
    reshape(story, lambda config: {"architecture": "GPT2LMHeadModel"})


@cheat("provenance.config")
def holds_fewer_parameters_than_its_shape(story: Story) -> None:
    reshape(story, lambda config: {"parameters": 21_000_000})


@cheat("provenance.config_unknown", WARN)
def leaves_the_configuration_out(story: Story) -> None:
    reshape(story, lambda config: {"config_text": None})


@cheat("provenance.config_unknown", WARN)
def leaves_the_files_out(story: Story) -> None:
    reshape(story, lambda config: {"files": None})


@cheat("provenance.config_unknown", WARN)
def leaves_both_out_in_its_own_lane(story: Story) -> None:
    for t in story.of(TRT):
        t.model = msgspec.structs.replace(t.model, config_text=None, files=None)


# What is absent


@cheat("fairness.no_workload", WARN)
def deletes_the_workload(story: Story) -> None:
    story.workload = None  # type: ignore[assignment]


def weigh(story: Story, lane: str, weights: int | None) -> None:
    for record, _, _ in story.passes(lane):
        assert record.memory is not None
        record.memory.weights = weights


@cheat("fairness.unstated", WARN)
def does_not_say_what_its_weights_take(story: Story) -> None:
    weigh(story, TRT, None)


@cheat("fairness.unstated", WARN)
def says_one_byte_in_a_precision_that_nobody_knows(story: Story) -> None:
    weigh(story, TRT, 1)
    state(story, TRT, weight_precision="e3m2")


@cheat("fairness.unstated", WARN)
def makes_no_statement(story: Story) -> None:
    for t in story.of(TRT):
        t.statement = None


@cheat("fairness.weights")
def says_that_its_weights_take_one_byte(story: Story) -> None:
    weigh(story, TRT, 1)


@cheat("fairness.weights")
def says_that_its_weights_take_nothing(story: Story) -> None:
    weigh(story, TRT, 0)


def use_memory(story: Story, lane: str, peak: int | None) -> None:
    for record, _, _ in story.passes(lane):
        assert record.memory is not None
        record.memory.peak_rss = peak


@cheat("machine.unwatched", WARN)
def takes_no_memory(story: Story) -> None:
    use_memory(story, TRT, 0)


@cheat("machine.unwatched", WARN)
def takes_one_byte_of_memory(story: Story) -> None:
    use_memory(story, TRT, 1)


@cheat("machine.unwatched", WARN)
def leaves_its_memory_out(story: Story) -> None:
    for record, _, _ in story.passes(TRT):
        record.memory = None


@cheat("machine.unwatched", WARN)
def blanks_the_clocks(story: Story) -> None:
    for t in story.of(TRT):
        gpu_of(t).sm_clock = []


@cheat("machine.unwatched", WARN)
def blanks_the_driver(story: Story) -> None:
    for t in story.of(TRT):
        surround(t, driver=None)


@cheat("machine.unwatched", WARN)
def blanks_whether_the_card_was_in_use_before(story: Story) -> None:
    for t in story.of(TORCH):
        gpu_of(t).idle_utilisation = None


@cheat("machine.unwatched", WARN)
def hides_that_the_governor_was_changed(story: Story) -> None:
    for t in story.of(TRT):
        surround(t, governor="performance")


@cheat("fairness.unstated", WARN)
def does_not_say_whether_graphs_were_on(story: Story) -> None:
    state(story, TRT, cuda_graphs=None)


@cheat("steady.no_warmup", WARN)
def leaves_its_warm_up_out(story: Story) -> None:
    for record, _, _ in story.passes(TRT):
        record.warmup = []


@cheat("steady.no_warmup", WARN)
def leaves_its_first_call_out(story: Story) -> None:
    for record, _, _ in story.passes(TRT):
        record.first_call = None
