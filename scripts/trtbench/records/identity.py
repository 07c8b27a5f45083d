"""Names that follow from what they name: a machine's from its parts, a model's from its files.

Whoever writes a record and whoever checks one make them by the same functions.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

MARK = "+simulated"  # how the stand-in for tests calls itself, in the local part of its version
UNNAMED = "unknown"  # how a lane calls a card that it could not ask for its name
_VERSION = re.compile(r"\s*v?(\d+(?:\.\d+)*)(?:[-_.]?(alpha|beta|dev|rc|a|b)[-_.]?(\d*))?", re.IGNORECASE)


def machine_name(cpu_model: str, cores: int, memory: int, gpus: Sequence[str] | None) -> str:
    """What must be equal for records to be comparable, as 16 hexadecimal digits; `memory` in bytes counts in whole GiB."""
    parts = repr((cpu_model, cores, round(memory / 2**30), sorted(gpus or [])))
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def card_name(name: str) -> str:
    """A card's name as all who name it write it: without its maker, without the slice of it that is used, and without the
    driver that NVML names beside a Jetson's."""
    return " ".join(name.lower().replace("nvidia", " ").split()).partition(" mig ")[0].removesuffix(" (nvgpu)")


def model_digest(files: Mapping[str, str]) -> str:
    """SHA-256 over the names and the SHA-256 of the files that make a model."""
    return hashlib.sha256(json.dumps(dict(files), sort_keys=True).encode()).hexdigest()


def recorded(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a record holds of a config.json: all but what is null."""
    return {name: value for name, value in config.items() if isinstance(value, (int, float, str, bool, list, dict))}


def release(version: str) -> str:
    """A version without what the same software's packages differ in: its local part (+cu130), post-releases and zeros at
    the end; empty where it is no version."""
    match = _VERSION.match(version)
    if match is None:
        return ""
    numbers = [int(part) for part in match[1].split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    early = f"{match[2].lower()}{int(match[3] or 0)}" if match[2] else ""
    return ".".join(map(str, numbers)) + early
