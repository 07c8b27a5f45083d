"""What this program relies on in TensorRT-LLM (contract.json), and where the installed one has it.

The contract was written down from NVIDIA's files without the image at hand (docs/tensorrt-contract.md); probe.py asks
the installed one whether it agrees.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from trtbench.errors import UserError

PATH = Path(__file__).with_name("contract.json")


@functools.lru_cache(maxsize=1)  # not `cache`: the doctor reads it with Python 3.8
def load() -> dict[str, Any]:
    """The contract, as committed."""
    return json.loads(PATH.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def tool_path(tool: str, examples: Path) -> Path | None:
    """Where a tool is: a command on PATH, or a script below the examples folder; None when it is not there."""
    entry = load()["tools"][tool]
    if "command" in entry:
        program = shutil.which(entry["command"])
        return Path(program) if program else None
    script = examples / Path(entry["path"]).relative_to(load()["examples_dir"])
    return script if script.is_file() else None


def command(tool: str, examples: Path) -> list[str]:
    """The words that start a tool. Raises UserError, saying what is missing, when it is not there."""
    path = tool_path(tool, examples)
    if path is not None:
        return [str(path)] if "command" in load()["tools"][tool] else [sys.executable, str(path)]
    if tool == "trtllm-build":
        raise UserError(no_build())
    raise UserError(
        f"EXAMPLES_DIR={str(examples)!r} has no {Path(load()['tools'][tool]['path']).relative_to(load()['examples_dir'])}; "
        f"in NVIDIA's image it is {load()['examples_dir']}."
    )


def installed() -> bool:
    """Whether there is a TensorRT-LLM at all; imports nothing."""
    return importlib.util.find_spec("tensorrt_llm") is not None


def no_build() -> str:
    """Why there is no trtllm-build: no TensorRT-LLM at all, or a release that builds no engines any more."""
    release = load()["release"]
    if not installed():
        return (
            f"trtllm-build is not here: engines are built in NVIDIA's image ({release['image']}; see README.md); "
            "without a GPU run bash scripts/bench_local.sh."
        )
    return (
        f"TensorRT-LLM {version('tensorrt_llm')} is here without trtllm-build: releases after "
        f"{release['engine_backend_last']} build no TensorRT engines, so tensorrt-engine is left out and tensorrt-pytorch is the "
        f"only TensorRT-LLM lane here. For engines use {release['image']}."
    )


def version(name: str) -> str:
    """The installed version of a distribution, without importing it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"
