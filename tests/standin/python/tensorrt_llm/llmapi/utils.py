"""Switches of the LLM API that are read from the environment."""

from __future__ import annotations

import functools
import os


@functools.cache
def enable_worker_single_process_for_tp1() -> bool:
    """Whether the engine runs in the calling process. Read once: who changes the variable later changes nothing."""
    return os.environ.get("TLLM_WORKER_USE_SINGLE_PROCESS", "0") == "1"
