"""The lanes: one row each. Importing this table imports no engine."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata

from trtbench.settings.environments import Interpreter, here, may_be_made, ready


@dataclasses.dataclass(frozen=True)
class Choice:
    """A documented setting of an engine that bears on its speed here, and the values that are tried before the first timed
    trial, the makers' default first. Every lane is offered `MOST_VALUES` at most, and the same seconds (measure/trying.py). It
    bears on cells of at most so many `sequences`, on all where that is None; where something of the machine decides whether
    there is a choice at all, `offered` names the function that says so (module:function, without an argument); where a value can't
    compute every cell of every model, `unable` names the one that says why not (of DATA_DIR/cache, the model's digest, the
    precision, the value and the cell's tokens)."""

    setting: str
    values: tuple[str, ...]
    sequences: int | None = None
    offered: str = ""
    unable: str = ""
    one_card: bool = False  # there is nothing to choose over several


MOST_VALUES = 3
TRIAL = ("msgspec", "psutil")  # that a trial's process imports: an environment made elsewhere may lack them
FEW = 8  # sequences that pytorch-tuned decodes by sums on a CPU: the matrix library multiplies more of them as fast


@dataclasses.dataclass(frozen=True)
class Row:
    """What must be known of a lane before it is imported."""

    where: str  # module:class
    family: str  # names the result file <family>_benchmark.json
    script: str  # under scripts/, runs the family
    modules: tuple[str, ...]  # imported by every trial
    devices: tuple[str, ...]
    precisions: dict[str, tuple[str, ...]]  # by device, the default first
    baseline: bool = False  # a candidate for "the best PyTorch lane"
    label: str = ""
    to_prepare: tuple[str, ...] = ()  # needed besides, but only for conversion, in a process of its own
    prepares: bool = True  # converts, builds or compiles before its first trial, in a process of its own
    spawns: bool = False  # runs in processes of its own, whose start can hang
    choices: dict[str, Choice] = dataclasses.field(default_factory=dict)  # by device; docs/fairness.md says why these
    bound: str = ""  # why it runs on these devices only
    image: str = ""  # a Docker image that has the modules
    compose: str = ""  # the profile and the service of docker-compose.yml that run the family in it
    runtime: str = ""  # what its statement calls the runtime
    distribution: str = ""  # the distribution whose version is the runtime's
    announces: str = ""  # a pattern of what it prints when it starts, with its version as the group
    built: bool = False  # runs what was built apart, and says from what
    # The environment of its own in which it runs (settings/environments.py), by device; elsewhere that of the command itself.
    environments: dict[str, str] = dataclasses.field(default_factory=dict)
    on_request: bool = False  # that environment is large: LANES=auto takes it where it was made before
    distributions: dict[str, str] = dataclasses.field(default_factory=dict)  # by device, where it is not `distribution`
    unable: str = (
        ""  # module:function of a card's compute capability ("8.9"): why the lane can't run on it, empty where it can
    )
    doubtful: str = ""  # the same of what speaks against a card on which it is started all the same
    untried: bool = False  # has run on no card of those who wrote it: every report says so
    # How it splits a model over cards (TP_SIZE): "ranks" in a process of ours for each (lanes/ranks.py), "engine" in its engine's own
    # way; empty: it can't.
    over_cards: str = ""
    carried: bool = False  # the distribution brings the runtime along, whose version is not its own

    def distribution_on(self, device: str) -> str:
        """The distribution whose version is the runtime's, on this device."""
        return self.distributions.get(device, self.distribution)


_TORCH: dict[str, tuple[str, ...]] = {
    "cpu": ("float32", "bfloat16", "float16"),
    "cuda": ("float16", "bfloat16", "float32"),
}

_ENGINE = ("float16", "bfloat16", "int8", "int4", "fp8", "int4_awq")

_ANNOUNCED = r"\[TensorRT-LLM\] TensorRT[- ]LLM version: ([\w.+-]+)"

_WORKER = Choice(
    "TLLM_WORKER_USE_SINGLE_PROCESS", ("0", "1"), offered="trtbench.engine.worker_process:can_choose", one_card=True
)

_NVIDIA_IMAGE = "nvcr.io/nvidia/tensorrt-llm/release:1.2.1"

DEFAULT_PRECISION = {"cpu": "float32", "cuda": "float16"}

LANES: dict[str, Row] = {
    "pytorch-eager": Row(
        "trtbench.lanes.pytorch_eager:PytorchEager",
        "pytorch",
        "bench_pytorch.sh",
        ("torch", "transformers"),
        ("cpu", "cuda"),
        _TORCH,
        baseline=True,
        label="PyTorch eager",
        prepares=False,
        runtime="PyTorch",
        distribution="torch",
        over_cards="ranks",
    ),
    "pytorch-compile": Row(
        "trtbench.lanes.pytorch_compile:PytorchCompile",
        "pytorch",
        "bench_pytorch.sh",
        ("torch", "transformers"),
        ("cpu", "cuda"),
        _TORCH,
        baseline=True,
        label="PyTorch compile",
        runtime="PyTorch",
        distribution="torch",
        over_cards="ranks",
    ),
    "pytorch-tuned": Row(
        "trtbench.lanes.tuned.lane:PytorchTuned",
        "pytorch",
        "bench_pytorch.sh",
        ("torch", "safetensors"),
        ("cpu", "cuda"),
        _TORCH,
        baseline=True,
        label="PyTorch tuned",
        choices={"cpu": Choice("decode", ("compiled sums", "matrix library"), FEW)},
        runtime="PyTorch",
        distribution="torch",
        over_cards="ranks",
    ),
    "pytorch-triton": Row(
        "trtbench.lanes.triton.lane:PytorchTriton",
        "pytorch",
        "bench_pytorch.sh",
        ("torch", "safetensors", "triton"),
        ("cuda",),
        {"cuda": ("float16", "bfloat16", "float32")},
        label="Triton kernels",
        runtime="PyTorch",
        distribution="torch",
    ),
    "vllm": Row(
        "trtbench.lanes.vllm:Vllm",
        "vllm",
        "bench_vllm.sh",
        ("vllm",),
        ("cuda",),
        {"cuda": ("float16", "bfloat16")},
        label="vLLM",
        choices={"cuda": Choice("VLLM_ENABLE_V1_MULTIPROCESSING", ("1", "0"))},
        prepares=False,
        spawns=True,
        image="vllm/vllm-openai:v0.32.0",
        compose="--profile vllm-only up benchmark-vllm",
        runtime="vLLM",
        distribution="vllm",
        announces=r"Initializing a V1 LLM engine \(v([\w.+-]+)\)",
        environments={"cuda": ".venv-vllm"},
        on_request=True,
        over_cards="engine",
    ),
    "onnxruntime": Row(
        "trtbench.lanes.onnxruntime.lane:OnnxRuntime",
        "onnxruntime",
        "bench_onnx.sh",
        ("onnxruntime_genai",),
        ("cpu", "cuda"),
        {"cpu": ("float32", "int8", "int4"), "cuda": ("float16", "bfloat16", "int4")},
        label="ONNX Runtime",
        choices={
            "cpu": Choice("session.intra_op.allow_spinning", ("1", "0")),
            "cuda": Choice(
                "enable_cuda_graph", ("0", "1"), 1
            ),  # with more sequences the graph has no attention that takes them
        },
        to_prepare=("torch", "transformers", "onnx"),
        runtime="ONNX Runtime GenAI",
        distribution="onnxruntime-genai",
        environments={"cuda": ".venv-onnxruntime"},
        distributions={"cuda": "onnxruntime-genai-cuda"},
    ),
    "tensorrt-rtx": Row(
        "trtbench.lanes.onnxruntime.tensorrt_rtx:TensorRtRtx",
        "tensorrt-rtx",
        "bench_rtx.sh",
        ("onnxruntime_genai", "onnxruntime_ep_nv_tensorrt_rtx"),
        ("cuda",),
        {"cuda": ("float16", "bfloat16", "int4")},
        label="TensorRT for RTX",
        choices={"cuda": Choice("enable_cuda_graph", ("1", "0"))},
        to_prepare=("torch", "transformers", "onnx"),
        runtime="TensorRT for RTX",
        distribution="onnxruntime-ep-nv-tensorrt-rtx",
        carried=True,
        environments={"cuda": ".venv-onnxruntime"},
        unable="trtbench.lanes.onnxruntime.rtx_cards:unable",
        doubtful="trtbench.lanes.onnxruntime.rtx_cards:doubtful",
        untried=True,
    ),
    "openvino": Row(
        "trtbench.lanes.openvino.lane:OpenVino",
        "openvino",
        "bench_openvino.sh",
        ("openvino", "openvino_genai"),
        ("cpu",),
        {"cpu": ("float32", "bfloat16", "int8", "int4")},
        label="OpenVINO",
        choices={
            "cpu": Choice("ATTENTION_BACKEND", ("PA", "SDPA"), unable="trtbench.lanes.openvino.reach:unable"),
        },
        to_prepare=("torch", "transformers", "openvino_tokenizers"),
        runtime="OpenVINO GenAI",
        distribution="openvino-genai",
    ),
    "tensorrt-engine": Row(
        "trtbench.lanes.tensorrt.engine:TensorRTEngine",
        "tensorrt",
        "bench_trt.sh",
        ("tensorrt_llm", "tensorrt_llm._tensorrt_engine"),
        ("cuda",),
        {"cuda": _ENGINE, "cpu": _ENGINE},
        label="TensorRT engine",
        choices={"cuda": _WORKER, "cpu": _WORKER},
        spawns=True,
        image=_NVIDIA_IMAGE,
        compose="--profile tensorrt-only up benchmark-tensorrt",
        runtime="TensorRT engine",
        distribution="tensorrt_llm",
        announces=_ANNOUNCED,
        built=True,
        over_cards="engine",
    ),
    "tensorrt-pytorch": Row(
        "trtbench.lanes.tensorrt.pytorch:TensorRTPyTorch",
        "tensorrt",
        "bench_trt.sh",
        ("tensorrt_llm",),
        ("cuda",),
        {"cuda": ("float16", "bfloat16"), "cpu": ("float16", "bfloat16")},
        label="TensorRT-LLM PyTorch",
        choices={"cuda": _WORKER, "cpu": _WORKER},
        spawns=True,
        image=_NVIDIA_IMAGE,
        compose="--profile tensorrt-only up benchmark-tensorrt",
        runtime="TensorRT-LLM PyTorch",
        distribution="tensorrt_llm",
        announces=_ANNOUNCED,
        over_cards="engine",
    ),
}


def interpreter(name: str, device: str) -> Interpreter | None:
    """The Python that the lane's trials run with on this device: that of the lane's own environment where it is there with all
    that the lane needs, else that of this process; None where neither has it."""
    own = _own(name, device)
    return next((python for python in (own, here()) if python is not None and not _lacks(name, device, python)), None)


def _own(name: str, device: str) -> Interpreter | None:
    """The interpreter of the lane's own environment, where it has one and that is there."""
    environments = LANES[name].environments
    return ready(environments[device]) if device in environments else None


def missing(name: str, device: str) -> str | None:
    """Say which module the lane lacks here, or None; imports nothing."""
    if interpreter(name, device) is not None:
        return None
    own = _own(name, device)
    lacking = _lacks(name, device, own or here())
    top = lacking[0].partition(".")[0]
    if lacking[0] != top:
        return f"needs {lacking[0]}, which the {top} that is installed does not have"
    return f"needs {', '.join(lacking)}, which is not installed" + (f" in {own.name}" if own is not None else "")


def _lacks(name: str, device: str, python: Interpreter) -> list[str]:
    """The modules that an interpreter lacks for the lane; the distribution, where another one has the same modules."""
    row = LANES[name]
    needed = (*row.modules, *row.to_prepare, *(TRIAL if python.name else ()))
    lacking = [module for module in needed if not python.has(module)]
    apart = row.distributions.get(device)
    return [apart] if apart and not lacking and python.release(apart) is None else lacking


def remedy(name: str, device: str) -> str:
    """What to do about a module that the lane lacks, as half a sentence: make its environment, take the image that has it, else
    to install it."""
    row = LANES[name]
    to_make = device in row.environments and may_be_made()
    ways = [f"bash scripts/{row.script} --install makes {row.environments[device]} for it"] if to_make else []
    if row.image and any(here().has(module.partition(".")[0]) for module in row.modules if "." in module):
        ways.append(f"{row.image} has it: take BASE_IMAGE out of .env, then docker compose {row.compose} --build")
    elif row.image:
        ways.append(f"{row.image} has it: docker compose {row.compose}, as README.md shows")
    return ", or ".join(ways) or "install it"


def unable(name: str, capability: str | None) -> str:
    """Why a card of this compute capability can't run the lane, as a sentence without its full stop; empty where it can, or where
    the driver does not tell."""
    return _said(LANES[name].unable, capability)


def doubtful(name: str, capability: str | None) -> str:
    """What speaks against a card of this compute capability though the lane is started on it, as a sentence without its full
    stop; empty where nothing does."""
    return _said(LANES[name].doubtful, capability)


def _said(where: str, capability: str | None) -> str:
    if not where or capability is None:
        return ""
    module, _, function = where.partition(":")
    return str(getattr(importlib.import_module(module), function)(capability))


def devices(name: str) -> tuple[str, ...]:
    """Devices that the lane runs on. A runtime whose version says that it is simulated (the stand-in for tests) computes
    on the CPU."""
    row = LANES[name]
    return (*row.devices, "cpu") if "cpu" not in row.devices and any(map(simulated, row.modules)) else row.devices


def simulated(module: str) -> bool:
    """Whether the installed distribution calls itself simulated, in the local part of its version."""
    try:
        return importlib.metadata.version(module).endswith("+simulated")
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return False
