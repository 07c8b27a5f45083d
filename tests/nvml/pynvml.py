"""Stands in for nvidia-ml-py where there is no GPU: answers from a recording (NVML_TAPE), as tools/record_nvml.py
makes it on a real one.

`answers` holds for every question and card what was answered, in order; after the last answer the last one stays.
NVML_BREAK=N:CODE makes every question after the first N looks at the power fail with that NVML code, as a card does that
is lost in the middle of a run; NVML_LOST names a file, and once it is there every question fails as on a lost card.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

_MESSAGES = {
    3: "Not Supported",
    9: "Driver Not Loaded",
    13: "Function Not Found",
    15: "GPU is lost",
    999: "Unknown Error",
}


class NVMLError(Exception):
    def __init__(self, value: int) -> None:
        super().__init__(_MESSAGES.get(value, f"error {value}"))
        self.value = value


class _Tape:
    def __init__(self) -> None:
        self.answers: dict[str, list[Any]] = json.loads(Path(os.environ["NVML_TAPE"]).read_bytes())["answers"]
        self.asked: dict[str, int] = {}
        after, _, code = os.environ.get("NVML_BREAK", "").partition(":")
        self.breaks = (int(after), int(code)) if code else None

    def answer(self, key: str) -> Any:
        if Path(os.environ.get("NVML_LOST", "/nowhere")).exists():
            raise NVMLError(15)
        if self.breaks is not None and self.asked.get("nvmlDeviceGetPowerUsage@0", 0) >= self.breaks[0]:
            raise NVMLError(self.breaks[1])
        if key not in self.answers:
            raise NVMLError(13)
        number = self.asked.get(key, 0)
        self.asked[key] = number + 1
        told = self.answers[key][min(number, len(self.answers[key]) - 1)]
        if isinstance(told, dict) and "error" in told:
            raise NVMLError(told["error"])
        return _struct(told)


def _struct(told: Any) -> Any:
    if isinstance(told, dict):
        return SimpleNamespace(**told)
    if isinstance(told, list):
        return [_struct(part) for part in told]
    return told


_tape: _Tape | None = None


def nvmlInit() -> None:
    global _tape
    _tape = _Tape()
    if "nvmlInit" in _tape.answers:
        _tape.answer("nvmlInit")


def nvmlShutdown() -> None:
    global _tape
    _tape = None


def nvmlDeviceGetHandleByIndex(index: int) -> int:
    return index


def __getattr__(name: str) -> Callable[..., Any]:
    if not name.startswith("nvml"):
        raise AttributeError(name)

    def ask(*arguments: Any) -> Any:
        if _tape is None:
            raise NVMLError(1)
        handle, *rest = arguments or (None,)
        key = name if handle is None else "@".join([name, *map(str, (handle, *rest))])
        return _tape.answer(key)

    return ask
