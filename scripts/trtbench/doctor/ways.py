"""What you have, what you type, what you get: the table of README.md, and of the doctor for the machine that it is on.

Standard library only and Python 3.8 syntax, because the doctor runs with the host's own Python before anything is installed.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Way:
    """A row: `purpose` is the doctor's whose machine checks have to pass; a test holds README.md to these."""

    purpose: str
    have: str
    type: str
    get: str


WAYS = (
    Way(
        "local",
        "a laptop or a server without a GPU",
        "bash scripts/bench_local.sh",
        "PyTorch, ONNX Runtime and OpenVINO on the CPU",
    ),
    Way(
        "gpu",
        "an NVIDIA GPU and its driver, no Docker",
        "bash scripts/bench_local.sh",
        "the PyTorch lanes and ONNX Runtime on the card, on an RTX card TensorRT for RTX (not tried on one)",
    ),
    Way(
        "docker",
        "an NVIDIA GPU, Docker, NVIDIA's container toolkit",
        "bash scripts/up.sh auto",
        "PyTorch and TensorRT-LLM, engine built first",
    ),
)
