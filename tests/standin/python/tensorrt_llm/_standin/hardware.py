"""The machine that the stand-in pretends to run on, from STANDIN_* environment variables."""

from __future__ import annotations

import os

SIMULATED = "stand-in for TensorRT-LLM: the model runs on the CPU through PyTorch, no TensorRT engine exists"
VERSION = os.environ.get("STANDIN_VERSION", "1.2.1")


def _release(version: str) -> tuple[int, int, int]:
    """Return (major, minor, release candidate); a final release counts as candidate 10**6."""
    major, minor, rest = version.split(".", 2)
    candidate = rest.split("rc")[1].split(".")[0] if "rc" in rest else str(10**6)
    return int(major), int(minor), int(candidate)


HAS_ENGINE_BACKEND = _release(VERSION) <= (1, 3, 20)


def gpu_count() -> int:
    """Number of GPUs pretended to be visible."""
    return int(os.environ.get("STANDIN_GPU", "1"))


def compute_capability() -> str:
    """Compute capability of the card that CUDA calls number 0, as "major.minor". STANDIN_SM names the cards in the order of
    the bus; CUDA itself puts the fastest one first unless CUDA_DEVICE_ORDER says otherwise."""
    cards = os.environ.get("STANDIN_SM", "8.6").split(",")
    if os.environ.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID":
        cards.sort(key=float, reverse=True)
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0]
    return cards[int(first)] if first.isdigit() and int(first) < len(cards) else cards[0]


def gpu_memory_bytes() -> int:
    """Memory of the pretended GPU in bytes."""
    return int(os.environ.get("STANDIN_GPU_MEMORY_MB", "8192")) * 2**20


def open_mpi() -> str:
    """Version of the pretended Open MPI."""
    return os.environ.get("STANDIN_OPEN_MPI", "4.1.9a1")


def tensorrt_version() -> str:
    """Version of the pretended TensorRT."""
    return os.environ.get("STANDIN_TENSORRT", "10.14.1.48")
