"""The lanes that ONNX Runtime GenAI runs on a card, as far as they can be told without one: what its own builder writes for the
providers of CUDA and of TensorRT for RTX, what such a graph computes, and what the lanes say where there is no card."""

from __future__ import annotations

import io
import json
import runpy
import sys
import types
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

import factory
from cuda_library import cuda_library
from trtbench.errors import Unsupported
from trtbench.lanes import prepared
from trtbench.lanes.lane import Lane, Plan, create
from trtbench.lanes.onnxruntime import conversion, generation, graph, libraries
from trtbench.lanes.onnxruntime import rtx_cards as cards
from trtbench.lanes.onnxruntime import rtx_plugin as plugin
from trtbench.lanes.onnxruntime.card import refusal
from trtbench.lanes.onnxruntime.genai import GenAi
from trtbench.measure import headline, trial_process
from trtbench.model import finding
from trtbench.records.trial import Failure, Sampling
from trtbench.settings.cells import Cell
from trtbench.settings.choosing import Entrant
from trtbench.settings.lanes import LANES

pytest.importorskip("onnxruntime_genai")
onnxruntime = pytest.importorskip("onnxruntime")

NEW = 12
PROMPTS = [[(7 * i + 31 * row) % 500 + 3 for i in range(16)] for row in range(2)]


def lane_of(name: str, precision: str, model: Path, data: Path, device: str = "cuda", value: str = "") -> Lane:
    """The lane, neither prepared nor loaded."""
    cells = tuple(Cell(batch=batch, prompt_length=16, new_tokens=NEW, precision=precision) for batch in (1, 2))
    cache = data / "cache"
    return create(name)(
        Plan(
            model=model,
            model_digest=finding.digest(model, cache),
            precision=precision,
            device=device,
            threads=1,
            sampling=Sampling(seed=5),
            cells=cells,
            cache=cache,
            value=value,
        )
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The builder in this process, where torch is already imported; and the package for CPUs, whose builder is the same, in the
    place of the one for CUDA."""

    def convert(*command: str) -> str:
        monkeypatch.setattr(sys, "argv", [command[2], *command[3:]])
        with redirect_stdout(io.StringIO()):
            runpy.run_module(command[2], run_name="__main__")
        return ""

    monkeypatch.setattr(prepared, "convert", convert)
    monkeypatch.setattr(GenAi, "package", "onnxruntime-genai")
    monkeypatch.setattr(create("onnxruntime"), "package", "onnxruntime-genai")
    monkeypatch.setattr(create("tensorrt-rtx"), "package", "onnxruntime-genai")


MADE = [
    ("onnxruntime", "float16", "cuda", {"enable_cuda_graph": "0"}),
    ("onnxruntime", "int4", "cuda", {"enable_cuda_graph": "0"}),
    ("tensorrt-rtx", "float16", "NvTensorRtRtx", {"enable_cuda_graph": "1"}),
    ("tensorrt-rtx", "int4", "NvTensorRtRtx", {"enable_cuda_graph": "1"}),
]


@pytest.mark.parametrize(("name", "precision", "provider", "options"), MADE)
def test_the_builder_writes_what_the_lane_states(
    name: str,
    precision: str,
    provider: str,
    options: dict[str, str],
    tiny_model: Path,
    shared_data: Path,
    quick: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plugin, "register", lambda: None)
    lane = lane_of(name, precision, tiny_model, shared_data)
    assert isinstance(lane, GenAi)
    lane.prepare()
    written = json.loads((lane.folder() / conversion.CONFIG).read_text())
    assert written["model"]["decoder"]["session_options"]["provider_options"] == [{provider: options}]
    assert written["search"]["past_present_share_buffer"] is True, "which CUDA graphs need"
    own = json.loads((tiny_model / "config.json").read_text())["eos_token_id"]
    assert written["model"]["eos_token_id"] == [conversion.end_of(lane.folder())] != [own]
    # The makers' default, read off what they write, is the value that is tried first.
    assert LANES[name].choices["cuda"].values[0] == options["enable_cuda_graph"]
    assert lane.graphs() == (options["enable_cuda_graph"] == "1")
    read = graph.read(lane.folder())
    assert (read.computes, read.cache, read.attention) == ("float16", "float16", "GroupQueryAttention")
    assert read.bits == (4 if precision == "int4" else None)
    said = lane.stated(runtime="x", runtime_version="1", device="cuda:0", device_name="a card")
    assert (said.compute_precision, said.kv_precision) == ("float16", "float16")
    assert said.weight_precision == precision
    assert lane.memory().weights == conversion.weights(lane.folder()) > 0


def test_a_graph_made_for_a_card_computes_the_model(tiny_model: Path, shared_data: Path, quick: None) -> None:
    """In float16 on ONNX Runtime's provider for CPUs, by the loop that the lane has on a card: the ids of float32."""
    import onnxruntime_genai as og

    lane = lane_of("onnxruntime", "float16", tiny_model, shared_data)
    reference = lane_of("onnxruntime", "float32", tiny_model, shared_data, device="cpu")
    assert isinstance(lane, GenAi)
    for each in (lane, reference):
        each.prepare()
    reference.load()
    config = og.Config(str(lane.folder()))
    config.clear_providers()
    model = og.Model(config)
    for prompts in (PROMPTS[:1], PROMPTS):
        made = generation.generate(og, model, conversion.end_of(lane.folder()), prompts, NEW, Sampling())
        assert made == reference.generate(prompts, NEW)
    assert model.device_type == "CPU", "the word by which an engine that left the card is told"


def test_more_sequences_than_the_engine_takes_are_a_hole(
    tiny_model: Path, shared_data: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real engine refuses the batch; the lane goes on with the cells that it takes. Other refusals are no hole."""
    lane = lane_of("onnxruntime", "float32", tiny_model, shared_data, device="cpu")
    lane.prepare()
    lane.load()
    for most, batch in ((32, 33), (32, 100)):
        with pytest.raises(
            Unsupported, match=f"^ONNX Runtime GenAI takes {most} sequences at most, not a batch of {batch}$"
        ):
            lane.generate(PROMPTS[:1] * batch, NEW)
    assert len(lane.generate(PROMPTS[:1] * 32, NEW)) == 32

    def broken(*arguments: object) -> None:
        raise RuntimeError("something else")

    assert isinstance(lane, GenAi)
    monkeypatch.setattr(lane.og, "Generator", broken)
    with pytest.raises(RuntimeError, match="something else"):
        lane.generate(PROMPTS, NEW)


@pytest.mark.parametrize(
    ("place", "taken", "weights", "said"),
    [
        ("CUDA", 2_400_000_000, 2_200_000_000, ""),
        ("NvTensorRtRtx", 1_300_000_000, 2_200_000_000, ""),
        ("CPU", 2_400_000_000, 2_200_000_000, "E computes on the CPU"),
        ("CPU", None, 2_200_000_000, "E computes on the CPU"),
        ("CUDA", None, 2_200_000_000, ""),
        ("CUDA", 300_000_000, 2_200_000_000, "E took 286 MiB of the card for weights of 2,098 MiB"),
        ("CUDA", -1_000_000_000, 2_200_000_000, ""),  # others gave some back meanwhile: nothing can be said
    ],
)
def test_an_engine_that_does_not_compute_on_the_card_is_refused(
    place: str, taken: int | None, weights: int, said: str
) -> None:
    found = refusal("E", place, taken, weights)
    assert found.startswith(said) and bool(found) == bool(said)


@pytest.mark.parametrize("taken", [0, 10**9])
def test_a_model_that_was_loaded_beside_the_card_ends_the_trial(
    taken: int, tiny_model: Path, shared_data: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real engine, on the CPU; the card is a stand-in that has lost as many bytes as are said."""
    import onnxruntime_genai as og

    class Card:
        name = "a card"

        def __init__(self) -> None:
            self.left = [10**10 - taken, 10**10]

        def free(self) -> int:
            return self.left.pop()

    monkeypatch.setattr("trtbench.lanes.onnxruntime.genai.Card", Card)
    lane = lane_of("onnxruntime", "float16", tiny_model, shared_data)
    assert isinstance(lane, GenAi)
    lane.prepare()
    config = og.Config(str(lane.folder()))
    config.clear_providers()
    with pytest.raises(Unsupported, match="ONNX Runtime GenAI computes on the CPU, though the card was asked for"):
        lane.load_on_card(og, config)
    monkeypatch.setattr(og, "Model", lambda config: types.SimpleNamespace(device_type="CUDA"))
    monkeypatch.setattr(generation, "generate", lambda *arguments: [[1]])
    monkeypatch.setattr(GenAi, "seen_on_card", False)
    lane.load_on_card(og, None)
    if not taken:
        for _ in range(2):  # a cell each: what does not compute on the card does so in none
            with pytest.raises(Unsupported, match="took 0 MiB of the card for weights of"):
                lane.generate(PROMPTS[:1], 1)
        return
    assert lane.generate(PROMPTS[:1], 1) == [[1]]
    assert lane.generate(PROMPTS[:1], 1) == [[1]], "the card is asked once"
    # What the engine kept of that model it need not take for the next, which is loaded for another value of the choice.
    monkeypatch.setattr(lane, "card", None)
    lane.load_on_card(og, None)
    assert lane.free_before is None and lane.generate(PROMPTS[:1], 1) == [[1]]


def test_with_graphs_only_one_sequence_is_taken(
    tiny_model: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "generate", lambda *arguments: [[1]])
    for value, batches in (("1", (1,)), ("0", (1, 2))):
        lane: Any = lane_of("onnxruntime", "float16", tiny_model, shared_data, value=value)
        lane.og = lane.end = None
        for batch in (1, 2):
            if batch in batches:
                assert lane.generate(PROMPTS[:1] * batch, 1) == [[1]]
            else:
                with pytest.raises(Unsupported, match="takes the prompt of one sequence only"):
                    lane.generate(PROMPTS[:1] * batch, 1)
    choice = LANES["onnxruntime"].choices["cuda"]
    assert choice.sequences == 1, "cells of more are timed with the makers' default"


def test_the_cuda_lane_says_what_is_missing_where_no_driver_answers(
    tiny_model: Path, shared_data: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_library(name: str, *more: Any) -> None:
        raise OSError(f"{name}: cannot open shared object file: No such file or directory")

    lane = lane_of("onnxruntime", "float16", tiny_model, shared_data)
    lane.prepare()
    monkeypatch.setattr("trtbench.lanes.onnxruntime.card.ctypes.CDLL", no_library)
    with pytest.raises(
        Unsupported, match=r"no CUDA driver answers here: libcuda\.so\.1: cannot open shared object file"
    ):
        lane.load()


def test_the_driver_s_own_error_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trtbench.lanes.onnxruntime import card

    folder = cuda_library(tmp_path / "driver", status=100, name="CUDA_ERROR_NO_DEVICE")
    load = card.ctypes.CDLL
    monkeypatch.setattr(card.ctypes, "CDLL", lambda name: load(f"{folder}/{name}"))
    with pytest.raises(Unsupported, match="the CUDA driver answers CUDA_ERROR_NO_DEVICE to cuInit"):
        card.Card()


@pytest.mark.parametrize(
    ("name", "precision", "said"),
    [
        ("onnxruntime", "float32", "ONNX Runtime GenAI runs float16, bfloat16 and int4 on a card, not float32"),
        ("tensorrt-rtx", "int8", "TensorRT for RTX runs float16, bfloat16 and int4 on a card, not int8"),
    ],
)
def test_a_precision_that_a_lane_does_not_run_on_a_card_is_refused(
    name: str, precision: str, said: str, tiny_model: Path, shared_data: Path
) -> None:
    with pytest.raises(Unsupported, match=said):
        lane_of(name, precision, tiny_model, shared_data).prepare()


# TensorRT for RTX


class Registry:
    """An ONNX Runtime that knows plugins: `devices` of the provider, or what it raises."""

    __file__ = onnxruntime.__file__

    def __init__(self, devices: list[str], error: str = "") -> None:
        self.devices, self.error, self.registered = devices, error, []

    def preload_dlls(self, **more: Any) -> None:
        self.preloaded = more

    def register_execution_provider_library(self, name: str, library: str) -> None:
        if self.error:
            raise RuntimeError(self.error)
        if name in self.registered:  # as the real ones do
            raise RuntimeError(f"EP library is already registered under {name}")
        self.registered.append(name)

    def unregister_execution_provider_library(self, name: str) -> None:
        self.registered.remove(name)

    def get_ep_devices(self) -> list[types.SimpleNamespace]:
        return [types.SimpleNamespace(ep_name=name) for name in ["CPUExecutionProvider", *self.devices]]


def plugged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, devices: list[str], error: str = "") -> Registry:
    runtime, genai = Registry(devices, error), Registry(devices, error)
    wheel = types.SimpleNamespace(
        get_ep_name=lambda: "NvTensorRTRTXExecutionProvider", get_library_path=lambda: str(tmp_path / "plugin.so")
    )
    for name, module in (
        ("onnxruntime", runtime),
        ("onnxruntime_genai", genai),
        ("onnxruntime_ep_nv_tensorrt_rtx", wheel),
    ):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(plugin, "version", lambda: "1.7.1.116")
    monkeypatch.setattr(plugin, "_REGISTERED", set())
    return genai


def test_the_plugin_is_registered_once_in_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial prepares and loads, and loads again for another value of the choice."""
    genai = plugged(monkeypatch, tmp_path, ["NvTensorRTRTXExecutionProvider"])
    assert plugin.register() is plugin.register() is genai
    assert genai.registered == ["NvTensorRTRTXExecutionProvider"]


def test_a_plugin_that_lists_no_device_says_so_before_anything_is_converted(
    tmp_path: Path, tiny_model: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugged(monkeypatch, tmp_path, [])
    monkeypatch.setattr(conversion, "convert", lambda *arguments: pytest.fail("converted in vain"))
    with pytest.raises(Unsupported, match=r"^TensorRT for RTX 1\.7\.1\.116 lists no device here: .* 8\.6, 8\.9"):
        lane_of("tensorrt-rtx", "float16", tiny_model, shared_data).prepare()


def test_a_plugin_without_a_driver_is_named_with_the_library_that_it_misses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugged(monkeypatch, tmp_path, [], "Error loading plugin.so: libcuda.so.1: cannot open shared object file")
    with pytest.raises(Unsupported, match=r"^TensorRT for RTX can't be loaded: .*libcuda\.so\.1"):
        plugin.register()


def test_a_plugin_with_a_device_is_registered_with_genai(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    genai = plugged(monkeypatch, tmp_path, ["NvTensorRTRTXExecutionProvider"])
    assert plugin.register() is genai
    assert genai.registered == ["NvTensorRTRTXExecutionProvider"]
    assert sys.modules["onnxruntime"].registered == [], "one ONNX Runtime has it"


@pytest.mark.parametrize("beside", [True, False])
def test_libraries_of_cuda_are_found_beside_onnxruntime_and_beside_a_torch_elsewhere(
    beside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, own = tmp_path / "torch" / "site", tmp_path / "unpacked"
    (theirs / "nvidia" / "cu13" / "lib").mkdir(parents=True)
    if beside:
        (own / "nvidia" / "cu13" / "lib").mkdir(parents=True)
    runtime = Registry([])
    runtime.__file__ = str(own / "onnxruntime" / "__init__.py")
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    monkeypatch.delitem(sys.modules, "nvidia", raising=False)
    monkeypatch.setattr(sys, "path", [str(own), str(theirs), *sys.path])
    libraries.preload()
    wanted = {} if beside else {"cudnn": False, "directory": str(theirs / "nvidia" / "cu13" / "lib")}
    assert runtime.preloaded == wanted


def test_the_lane_names_tensorrt_for_rtx_its_version_and_that_nobody_has_tried_it(
    tiny_model: Path, shared_data: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin, "register", lambda: None)
    monkeypatch.setattr(plugin, "version", lambda: "1.7.1.116")
    metadata = types.SimpleNamespace(metadata=types.SimpleNamespace(version=lambda name: "9.9"))
    monkeypatch.setattr("trtbench.lanes.onnxruntime.tensorrt_rtx.importlib", metadata)
    lane = lane_of("tensorrt-rtx", "int4", tiny_model, shared_data)
    assert isinstance(lane, GenAi)
    lane.prepare()
    lane.card = types.SimpleNamespace(name="NVIDIA GeForce RTX 4090")
    said = lane.statement()
    assert (said.runtime, said.runtime_version) == ("TensorRT for RTX", "1.7.1.116")
    assert said.versions == dict.fromkeys(
        ("onnxruntime-ep-nv-tensorrt-rtx", "onnxruntime-gpu", "onnxruntime-genai"), "9.9"
    )
    assert (said.device, said.device_name) == ("cuda:0", "NVIDIA GeForce RTX 4090")
    assert (said.cuda_graphs, said.asked, said.weight_precision) == (True, ["cuda_graphs"], "int4")


class Asked:
    """A Config of GenAI that keeps what it is told."""

    def __init__(self, folder: str) -> None:
        self.overlaid: dict[str, Any] = {}
        self.options: dict[str, str] = {}

    def overlay(self, text: str) -> None:
        self.overlaid = json.loads(text)

    def set_provider_option(self, provider: str, name: str, value: str) -> None:
        assert provider == "NvTensorRtRtx"
        self.options[name] = value


@pytest.mark.parametrize(("value", "graphs"), [("", "1"), ("1", "1"), ("0", "0")])
def test_the_engine_is_sized_for_all_cells_and_keeps_what_it_compiled(
    value: str, graphs: str, tiny_model: Path, shared_data: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Asked] = []
    monkeypatch.setattr(plugin, "register", lambda: types.SimpleNamespace(Config=Asked))
    lane = lane_of("tensorrt-rtx", "float16", tiny_model, shared_data, value=value)
    assert isinstance(lane, GenAi)
    monkeypatch.setattr(lane, "load_on_card", lambda og, config: loaded.append(config))
    lane.prepare()
    lane.load()
    assert loaded[0].overlaid == {"model": {"context_length": 16 + NEW}, "search": {"batch_size": 2}}
    kept = str(shared_data / "cache" / "tensorrt-rtx")
    assert loaded[0].options == {"enable_cuda_graph": graphs, "nv_runtime_cache_path": kept}
    assert lane.graphs() == (graphs == "1")


@pytest.mark.parametrize(
    ("capability", "runs", "doubted"),
    [
        ("7.0", False, False),
        ("7.5", True, True),
        ("8.0", True, True),
        ("8.6", True, False),
        ("8.7", False, False),
        ("8.9", True, False),
        ("9.0", False, False),
        ("10.0", False, False),
        ("10.3", False, False),
        ("11.0", False, False),
        ("12.0", True, False),
        ("12.1", True, False),
        ("13.0", True, False),
        ("unknown", True, False),
    ],
)
def test_cards_are_told_apart_by_their_compute_capability(capability: str, runs: bool, doubted: bool) -> None:
    reason = cards.unable(capability)
    assert (reason == "") == runs
    assert (
        runs
        or 'on a card of 9.0: "The engine cannot run on this GPU, which has compute capability 9.0. Supported' in reason
    )
    assert runs or capability == "9.0" or reason.startswith(f"its compute capability is {capability}, and ")
    doubts = list(headline.notes([Entrant("tensorrt-rtx", "float16")], {}, False, capability))
    assert bool(doubts) == doubted
    assert not doubts or doubts[0].startswith("tensorrt-rtx may not run or be slow here: TensorRT for RTX")
    assert not list(headline.notes([Entrant("onnxruntime", "float16")], {}, False, capability))


def test_no_card_is_named_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    entrants = [Entrant("tensorrt-rtx", precision) for precision in ("float16", "int4")]
    assert len(list(headline.notes(entrants, {}, False, "7.5"))) == 1


def test_tensorrt_for_rtx_is_no_lane_of_tensorrt_llm() -> None:
    """Neither its family, nor its runtime, nor what it needs."""
    row = LANES["tensorrt-rtx"]
    for name in ("tensorrt-engine", "tensorrt-pytorch"):
        other = LANES[name]
        assert row.family != other.family and row.script != other.script and row.label != other.label
        assert row.runtime != other.runtime and row.distribution != other.distribution
        assert not set(row.modules) & set(other.modules)


@pytest.mark.parametrize(("lane", "told"), [("tensorrt-rtx", False), ("onnxruntime", False), ("tensorrt-engine", True)])
def test_what_is_known_of_tensorrt_llm_s_engines_is_not_said_of_another(lane: str, told: bool, tmp_path: Path) -> None:
    log = tmp_path / "trial.log"
    log.write_text("[TRT] [E] IRuntime::deserializeCudaEngine: Version tag does not match. Note: Current Version: 1\n")
    trial = factory.trial(
        lane, failure=Failure(phase="load", reason="RuntimeError: it failed", hint=trial_process.SEE_LOG)
    )
    trial_process._explain(trial, log, 0)
    assert trial.failure is not None
    assert trial.failure.reason.startswith("the TensorRT engine was built by") == told
    log.write_text("CUDA error: the GPU is lost\n")
    trial.failure = Failure(phase="process", reason="it ended by SIGABRT")
    trial_process._explain(trial, log, 0)
    assert trial.failure.reason.startswith("the GPU is lost"), "what is true of every card is said of every lane"
    log.write_text("Failed to deserialize cuda engine\nNo space left on device\n")
    trial.failure = Failure(phase="process", reason="it ended by SIGABRT")
    trial_process._explain(trial, log, 0)
    assert trial.failure.reason == (
        "the TensorRT engine is damaged: TensorRT cannot read it" if told else "the disk is full"
    )
