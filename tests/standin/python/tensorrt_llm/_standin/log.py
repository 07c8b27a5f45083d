"""Lines shaped like the real loggers', on standard output as there."""

from __future__ import annotations

import time


def python_log(level: str, message: str) -> None:
    """Print a line as the Python side does; level is I, W or E."""
    print(f"[{time.strftime('%m/%d/%Y-%H:%M:%S')}] [TRT-LLM] [{level}] {message}", flush=True)


def trt_log(level: str, message: str) -> None:
    """Print a line as TensorRT itself does; level is I, W or E."""
    print(f"[{time.strftime('%m/%d/%Y-%H:%M:%S')}] [TRT] [{level}] {message}", flush=True)


def cpp_log(level: str, message: str) -> None:
    """Print a line as the C++ runtime does; level is INFO, WARNING or ERROR."""
    print(f"[TensorRT-LLM][{level}] {message}", flush=True)


def elapsed(seconds: float) -> str:
    """Format seconds as HH:MM:SS."""
    return time.strftime("%H:%M:%S", time.gmtime(seconds))
