"""Who ran, in what, on what and of which model: what honest runs look like, and that no lane brings its own ceiling."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable

import msgspec
import pytest

import factory
import liars
from cheats.changes import TORCH, TRT
from cheats.who import (
    brings_a_faster_memory,
    card_of,
    gpu_of,
    has_a_larger_cache,
    has_a_wider_bus_wherever_one_looks,
    has_no_cards_described_and_a_faster_memory,
    install,
    state,
    states_a_card_that_is_not_there,
    surround,
)
from liars import Story
from trtbench.comparison.comparing import compare
from trtbench.records.identity import machine_name, model_digest, recorded, release
from trtbench.records.trial import Model, Statement, simulated
from trtbench.referee import record_roofline
from trtbench.referee.audit import audit
from trtbench.referee.audit.findings import FAIL, WARN, Finding
from trtbench.referee.audit.who import faults
from trtbench.referee.record_roofline import Roof
from trtbench.settings.lanes import LANES


def findings_of(change: Callable[[Story], None], story: Story | None = None) -> list[Finding]:
    story = (story or Story()).tell()
    change(story)
    story.seal()
    return audit(story.run, story.trials, story.judged, story.workload)


# Honest runs


def was_recorded_before_cards_and_configurations_were_described(story: Story) -> None:
    for t in story.trials:
        surround(t, cards=None)
        t.model = msgspec.structs.replace(t.model, config_text=None, files=None)


def has_packages_with_local_versions(story: Story) -> None:
    """As torch.__version__ has it, and as the distribution of the same release is listed."""
    state(story, TORCH, runtime_version="1.0.0+cu130", versions={"torch": "1.0.0+cu130"})
    for t in story.trials:
        t.environment = install(t.environment, torch="1.0", tensorrt_llm="1.0.post1")


def has_a_card_that_others_call_by_a_shorter_name(story: Story) -> None:
    for lane in (TORCH, TRT):
        state(story, lane, device_name="GeForce RTX 4070")


def has_a_slice_of_a_card_that_one_tool_calls_by_the_whole(story: Story) -> None:
    for t in story.trials:
        name = f"{story.gpu} MIG 1g.5gb"
        gpu_of(t).name = name
        parts = [name]
        environment = t.environment
        surround(
            t,
            gpus=parts,
            machine=machine_name(environment.cpu_model, environment.cores, environment.memory, parts),
            cards=[msgspec.structs.replace(card_of(t), name=name)],
        )
    story.run.machine = story.trials[0].environment.machine


def has_a_card_that_answers_nothing(story: Story) -> None:
    for t in story.trials:
        gpu = gpu_of(t)
        gpu.memory_bus_width = gpu.memory_clock_max = gpu.sm_clock_max = gpu.memory_total = None
        surround(t, cards=[msgspec.structs.replace(card_of(t), memory_bus_width=None, compute_capability=None)])


def has_a_slice_that_only_one_engine_calls_so(story: Story) -> None:
    has_a_slice_of_a_card_that_one_tool_calls_by_the_whole(story)
    state(story, TORCH, device_name=f"{story.gpu} MIG 1g.5gb")


def has_a_jetson(story: Story) -> None:
    """NVML names the driver beside it, CUDA does not."""
    for t in story.trials:
        gpu_of(t).name = "Orin (nvgpu)"
        parts = ["Orin (nvgpu)"]
        environment = t.environment
        surround(
            t,
            gpus=parts,
            machine=machine_name(environment.cpu_model, environment.cores, environment.memory, parts),
            cards=[msgspec.structs.replace(card_of(t), name=parts[0])],
        )
    state(story, TORCH, device_name="Orin")
    state(story, TRT, device_name=parts[0], built_from={**story.built_from(), "gpu": parts[0]})
    story.run.machine = story.trials[0].environment.machine


def has_a_lane_that_could_not_ask_for_its_card(story: Story) -> None:
    """nvidia-smi is not where it looks, though the driver's library answers."""
    state(story, TRT, device_name="unknown")


def runs_a_build_from_sources_that_calls_itself_no_version(story: Story) -> None:
    state(story, TORCH, runtime_version="dev", versions={"torch": "dev"})


def was_handed_on_by_somebody_called_like_an_engine(story: Story) -> None:
    """The key under which the engine announced itself was taken out for their name."""
    for t in story.trials:
        t.announced = {"[name]": "0.24.0", "[name]_llm": "1.0"}


def was_taken_up_again_on_another_card_of_the_kind(story: Story) -> None:
    for t in story.trials:
        if t.index > 3:
            gpu_of(t).uuid = "GPU-1"
            surround(t, cards=[msgspec.structs.replace(card_of(t), uuid="GPU-1")])


def was_taken_up_again_after_an_update_that_describes_cards(story: Story) -> None:
    for t in story.trials:
        if t.index <= 3:
            surround(t, cards=None)


def holds_a_tied_head_twice(story: Story) -> None:
    for t in story.trials:
        t.model = msgspec.structs.replace(t.model, parameters=round(1.9 * t.model.parameters))


HONEST = [
    was_recorded_before_cards_and_configurations_were_described,
    has_packages_with_local_versions,
    has_a_card_that_others_call_by_a_shorter_name,
    has_a_slice_of_a_card_that_one_tool_calls_by_the_whole,
    has_a_card_that_answers_nothing,
    has_a_slice_that_only_one_engine_calls_so,
    has_a_jetson,
    has_a_lane_that_could_not_ask_for_its_card,
    runs_a_build_from_sources_that_calls_itself_no_version,
    was_handed_on_by_somebody_called_like_an_engine,
    was_taken_up_again_on_another_card_of_the_kind,
    was_taken_up_again_after_an_update_that_describes_cards,
    holds_a_tied_head_twice,
]


@pytest.mark.parametrize("change", HONEST, ids=lambda change: change.__name__)
def test_an_honest_run_raises_no_failure(change: Callable[[Story], None]) -> None:
    assert liars.codes(findings_of(change), FAIL) == set()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (has_a_lane_that_could_not_ask_for_its_card, "provenance.card"),
        (runs_a_build_from_sources_that_calls_itself_no_version, "provenance.library"),
    ],
)
def test_what_an_honest_lane_can_not_tell_is_said(change: Callable[[Story], None], code: str) -> None:
    assert code in liars.codes(findings_of(change), WARN)


def test_numbers_that_json_does_not_have_are_no_other_configuration() -> None:
    """As in config.json of state space models; a record holds null for them."""
    config = {**liars.TINYLLAMA, "time_step_limit": [0.0, math.inf], "scale": math.nan, "unset": None}
    text = json.dumps(config)
    described = factory.model(config=recorded(config))
    digests = {**(described.files or {}), "config.json": hashlib.sha256(text.encode()).hexdigest()}
    model = msgspec.structs.replace(described, config_text=text, files=digests, digest=model_digest(digests))
    read = msgspec.json.decode(msgspec.json.encode(model), type=Model)
    assert list(faults(read)) == []
    assert list(faults(msgspec.structs.replace(read, config={**read.config, "scale": 2.0}))) == ["config"]


def test_a_quantised_checkpoint_holds_several_parameters_in_a_number() -> None:
    def of(parameters: float, **more: object) -> list[str]:
        model = factory.model(config={**liars.TINYLLAMA, **more})
        return list(faults(msgspec.structs.replace(model, parameters=round(parameters * model.parameters))))

    assert of(0.2) == ["parameters"]
    assert of(0.2, quantization_config={"quant_method": "gptq", "bits": 4}) == []
    assert of(0.05, quantization_config={"quant_method": "gptq", "bits": 4}) == ["parameters"]


def test_a_lane_beside_the_stand_in_is_not_simulated_for_that() -> None:
    """PyTorch is real in a run in which the stand-in takes TensorRT-LLM's place."""

    def installs_the_stand_in(story: Story) -> None:
        for t in story.trials:
            t.environment = install(t.environment, tensorrt_llm="1.0+simulated")

    findings = findings_of(installs_the_stand_in)
    assert {f.lane for f in findings if f.code == "provenance.simulated"} == {TRT}


def test_a_lane_that_needs_no_software_of_its_own_is_not_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = next(Story().tell().of(TORCH))
    monkeypatch.setitem(LANES, TORCH, msgspec_row := type(LANES[TORCH])("x:Y", "toy", "toy.sh", (), ("cpu",), {}))
    assert msgspec_row.distribution == "" and not simulated(trial)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2.13.0+cpu", "2.13.0", True),
        ("2026.4.1.0", "2026.4.1", True),
        ("10.14.1.48.post1", "10.14.1.48", True),
        ("2.9.0a0+145a3a7bda.nv25.10", "2.9.0a0", True),
        ("0.4.0-dev", "0.4.0.dev0", True),
        ("1.2.1", "1.2.0", False),
        ("1.2.0rc1", "1.2.0", False),
        ("1.2.0rc1", "1.2.0rc10", False),
        ("1.10", "1.1", False),
    ],
)
def test_two_versions_are_of_one_release(one: str, other: str, same: bool) -> None:
    assert (release(one) == release(other)) is same


# The ceiling is the run's


def ceilings(change: Callable[[Story], None], story: Story | None = None) -> dict[str, float | None]:
    story = (story or Story()).tell()
    change(story)
    made = compare(story.run, story.trials)
    return {f.lane: f.ceiling_tok_s for f in made.cells[0].figures}


@pytest.mark.parametrize(
    "change",
    [
        brings_a_faster_memory,
        states_a_card_that_is_not_there,
        has_a_wider_bus_wherever_one_looks,
        has_no_cards_described_and_a_faster_memory,
    ],
    ids=lambda change: change.__name__,
)
def test_a_lane_that_claims_a_faster_card_has_the_ceiling_of_the_run(change: Callable[[Story], None]) -> None:
    honest, claimed = ceilings(lambda story: None)[TRT], ceilings(change)
    assert honest is not None and claimed[TRT] == claimed[TORCH]
    assert claimed[TRT] == pytest.approx(honest, rel=0.001)


def test_a_lane_that_names_no_card_has_the_ceiling_of_the_run() -> None:
    def hides_its_card(story: Story) -> None:
        for t in story.of(TRT):
            t.telemetry = None
            surround(t, cards=None, gpus=None)
        state(story, TRT, device_name="NVIDIA B200")

    assert ceilings(hides_its_card) == ceilings(lambda story: None)


def test_of_caches_that_differ_the_smallest_counts() -> None:
    story = Story(gpu=None, default_precision="float32", latency={TORCH: 50000.0, TRT: 30000.0}, first=2000).tell()
    honest = record_roofline.hardware(story.trials)
    has_a_larger_cache(story)
    assert record_roofline.hardware(story.trials) == honest
    roof = record_roofline.roof(next(story.of(TRT)), story.run, honest)
    assert isinstance(roof, Roof) and roof.machine.cache == liars.CACHE


def test_a_run_that_names_no_card_at_all_has_no_ceiling() -> None:
    def hides_the_card(story: Story) -> None:
        for t in story.trials:
            t.telemetry, t.statement = None, None
            surround(t, cards=None, gpus=None)

    assert set(ceilings(hides_the_card).values()) == {None}


# What was taken out of a run that was handed on


def test_a_machine_whose_name_was_taken_out_is_a_warning() -> None:
    def hides_its_card(story: Story) -> None:
        for t in story.trials:
            surround(t, gpus=["[name] RTX 4070"], cards=None)
            gpu_of(t).name = "[name] RTX 4070"
            assert isinstance(t.statement, Statement)
            t.statement = msgspec.structs.replace(t.statement, device_name="[name] RTX 4070", built_from=None)

    findings = findings_of(hides_its_card)
    assert liars.codes(findings, FAIL) == set()
    assert "provenance.machine" in liars.codes(findings, WARN)


# Lanes whose distribution differs from device to device, or only brings the runtime along

ONNX, RTX = "onnxruntime", "tensorrt-rtx"


def on_a_card(lane: str) -> Story:
    return Story(latency={TORCH: 2000.0, lane: 900.0}).tell()


def findings_without(lane: str, distribution: str) -> list[Finding]:
    def lacks(story: Story) -> None:
        for t in story.of(lane):
            libraries = {name: version for name, version in t.environment.libraries.items() if name != distribution}
            t.environment = msgspec.structs.replace(t.environment, libraries=libraries, venv=".venv-onnxruntime")

    return [f for f in findings_of(lacks, on_a_card(lane)) if f.code.startswith("provenance.")]


def test_on_a_card_onnx_runtime_is_the_package_for_cuda() -> None:
    assert findings_without(ONNX, "onnxruntime-genai") == []
    lacking = findings_without(ONNX, "onnxruntime-genai-cuda")
    assert [(f.code, f.figures["name"]) for f in lacking] == [("provenance.not_installed", "onnxruntime-genai-cuda")]


def test_a_package_for_cuda_that_is_simulated_is_told() -> None:
    trial = factory.trial(ONNX, environment=install(factory.environment(), **{"onnxruntime-genai-cuda": "1+simulated"}))
    assert simulated(trial)
    assert not simulated(factory.trial(ONNX))


@pytest.mark.parametrize(
    ("versions", "level"),
    [({"onnxruntime-ep-nv-tensorrt-rtx": "1.0"}, None), ({"onnxruntime-ep-nv-tensorrt-rtx": "1.1"}, FAIL), ({}, WARN)],
)
def test_tensorrt_for_rtx_is_held_by_the_version_of_the_plugin_that_brings_it(
    versions: dict[str, str], level: str | None
) -> None:
    def states(story: Story) -> None:
        state(story, RTX, runtime_version="1.7.1.116", versions=versions)

    found = [f for f in findings_of(states, on_a_card(RTX)) if f.code.startswith("provenance.")]
    assert [(f.code, f.level) for f in found] == ([("provenance.library", level)] if level else [])
