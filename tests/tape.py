"""NVML for tests: `play(monkeypatch, ...)` puts the stand-in pynvml in the place of the real one and gives it a tape."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "nvml"
H200 = FOLDER / "h200.json"
CARD = "@0"


def answers(**changed: Any) -> dict[str, list[Any]]:
    """The answers of the H200's tape with some of them changed: `Name=[...]` for nvmlDeviceGetName of card 0, None takes
    the question away."""
    found: dict[str, list[Any]] = copy.deepcopy(json.loads(H200.read_bytes())["answers"])
    for name, told in changed.items():
        key = name if name.startswith("nvml") else f"nvmlDeviceGet{name}{CARD}"
        found.pop(key, None)
        if told is not None:
            found[key] = told
    return found


def two_cards(one: dict[str, list[Any]], **changed: Any) -> dict[str, list[Any]]:
    """The answers of a card and of a second one that differs in its uuid, and in what is `changed`: Name=[...]."""
    second = {key.replace(CARD, "@1", 1): told for key, told in one.items() if CARD in key}
    second |= {"nvmlDeviceGetUUID@1": ["GPU-second"]} | {f"nvmlDeviceGet{n}@1": told for n, told in changed.items()}
    return {**one, **second, "nvmlDeviceGetCount": [2]}


def play(monkeypatch: pytest.MonkeyPatch, folder: Path, told: dict[str, list[Any]], **environment: str) -> None:
    """Have everything in this process and below ask the tape `told`."""
    path = folder / "tape.json"
    path.write_text(json.dumps({"answers": told}))
    monkeypatch.setenv("NVML_TAPE", str(path))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    import pynvml

    monkeypatch.setitem(sys.modules, "pynvml", pynvml)
