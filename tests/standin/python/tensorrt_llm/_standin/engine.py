"""The engine folder: config.json with the real keys, and a file for each rank that says it is no engine."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from tensorrt_llm._standin import failures, hardware, ranks

MAGIC = b"STANDIN ENGINE (simulated)\n"
DIGEST = 32


def write_engine(folder: Path, config: dict[str, Any], weights: bytes, rank: int = 0) -> None:
    """Write config.json and a rank's engine: magic, one line of JSON, the checkpoint's safetensors, SHA-256."""
    header = json.dumps(
        {
            "simulated": hardware.SIMULATED,
            "tensorrt": hardware.tensorrt_version(),
            "compute_capability": hardware.compute_capability(),
        }
    ).encode()
    body = MAGIC + header + b"\n" + weights
    body += hashlib.sha256(body).digest()
    if failures.failing("corrupt-engine"):
        body = body[: len(body) // 2]
    (folder / f"rank{rank}.engine").write_bytes(body)
    (folder / "config.json").write_text(json.dumps(config, indent=4) + "\n", encoding="utf-8")


def engine_config(folder: Path) -> dict[str, Any]:
    """Read and check config.json as the real runtime infers a model's format from it."""
    path = folder / "config.json"
    if not path.is_file():
        raise ValueError(f"Failed to infer model format because no config.json exists in {folder}")
    if "STANDIN_READS" in os.environ:
        with open(os.environ["STANDIN_READS"], "a", encoding="utf-8") as log:
            log.write(f"{os.path.realpath(path)}\n")
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if "pretrained_config" not in config or "build_config" not in config:
        raise NotImplementedError(f"the stand-in's engine runtime loads engine folders only, got {folder}")
    return config


def load_engine(folder: Path) -> tuple[Any, dict[str, Any], int]:
    """Return the model that runs, the folder's config.json and the bytes of all ranks' files."""
    from safetensors.torch import load

    from tensorrt_llm._standin.models import from_tensors

    config = engine_config(folder)
    bodies = [_weights(folder / f"rank{rank}.engine") for rank in range(world_size(config))]
    tensors = ranks.joined([load(weights) for weights, _ in bodies])
    return from_tensors(config["pretrained_config"], tensors), config, sum(size for _, size in bodies)


def world_size(config: dict[str, Any]) -> int:
    """Ranks of an engine."""
    return int(config["pretrained_config"]["mapping"]["world_size"])


def _weights(path: Path) -> tuple[bytes, int]:
    """A rank's safetensors, and the bytes of its file."""
    if not path.is_file():
        raise RuntimeError(f"[TensorRT-LLM][ERROR] Assertion failed: Error opening engine file: {path}")
    body = path.read_bytes()
    digest = body[-DIGEST:]
    if not body.startswith(MAGIC) or hashlib.sha256(body[:-DIGEST]).digest() != digest:
        from tensorrt_llm._standin.log import trt_log

        trt_log(
            "E",
            "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Serialization assertion "
            "safeVersionRead == kSAFE_SERIALIZATION_VERSION failed.)",
        )
        failures.deserialisation_failed()
    line, _, weights = body[len(MAGIC) : -DIGEST].partition(b"\n")
    header = json.loads(line)
    if header["tensorrt"] != hardware.tensorrt_version():
        failures.version_tag_mismatch()
    if header["compute_capability"] != hardware.compute_capability():
        failures.incompatible_device(hardware.compute_capability(), header["compute_capability"])
    return weights, len(body)
