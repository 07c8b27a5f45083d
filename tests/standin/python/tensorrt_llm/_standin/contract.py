"""The contract that the product relies on; the stand-in accepts what it lists and nothing else."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

# STANDIN_CONTRACT lets a test pretend that an image differs from what the product expects.
PATH = Path(
    os.environ.get("STANDIN_CONTRACT")
    or Path(__file__).resolve().parents[5] / "scripts" / "trtbench" / "engine" / "contract" / "contract.json"
)


@functools.cache
def contract() -> dict[str, Any]:
    """Return the whole contract."""
    loaded: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return loaded


def tool(name: str) -> dict[str, Any]:
    """Return a command-line tool's entry, e.g. "trtllm-build"."""
    entry: dict[str, Any] = contract()["tools"][name]
    return entry


def fields(dotted: str) -> dict[str, dict[str, Any]]:
    """Return the fields of a Python class, e.g. "tensorrt_llm.SamplingParams"."""
    entry: dict[str, dict[str, Any]] = contract()["python"][dotted]["fields"]
    return entry
