"""The lanes: one row each. Importing this table imports no engine."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trtbench.lanes.base import Lane


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


_TORCH: dict[str, tuple[str, ...]] = {
    "cpu": ("float32", "bfloat16", "float16"),
    "cuda": ("float16", "bfloat16", "float32"),
}

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
    ),
    "onnxruntime": Row(
        "trtbench.lanes.onnxruntime:OnnxRuntime",
        "onnxruntime",
        "bench_onnx.sh",
        ("onnxruntime_genai",),
        ("cpu",),
        {"cpu": ("float32", "int8", "int4")},
        label="ONNX Runtime",
        to_prepare=("torch", "transformers", "onnx"),
    ),
    "openvino": Row(
        "trtbench.lanes.openvino:OpenVino",
        "openvino",
        "bench_openvino.sh",
        ("openvino", "openvino_genai"),
        ("cpu",),
        {"cpu": ("float32", "bfloat16", "int8", "int4")},
        label="OpenVINO",
        to_prepare=("torch", "transformers", "openvino_tokenizers"),
    ),
}


def missing(name: str) -> str | None:
    """Say which module the lane lacks here, or None; imports nothing."""
    row = LANES[name]
    absent = [module for module in (*row.modules, *row.to_prepare) if importlib.util.find_spec(module) is None]
    return f"needs {', '.join(absent)}, which is not installed" if absent else None


def create(name: str) -> type[Lane]:
    """Import the lane's module and return its class."""
    module, _, cls = LANES[name].where.partition(":")
    return getattr(importlib.import_module(module), cls)  # type: ignore[no-any-return]
