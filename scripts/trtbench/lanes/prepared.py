"""What a lane makes once (conversion, build, compilation) and finds again: made aside, sealed by a note, renamed."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from trtbench.errors import Unsupported, reason_of
from trtbench.records.files import whole_folder, write_whole

NOTE = "prepared.json"


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What conversion, build or compilation cost: nanoseconds, whether it came from the cache, bytes on disk."""

    nanoseconds: int
    cached: bool
    bytes: int


def found(folder: Path) -> Prepared | None:
    """What lies whole in `folder` and what it cost; None where it must be made."""
    note = folder / NOTE
    if not note.is_file():
        return None
    cost = json.loads(note.read_text())
    return Prepared(cost["nanoseconds"], True, cost["bytes"])


def require(folder: Path) -> None:
    """Raise Unsupported unless a converted model lies whole in `folder`."""
    if not (folder / NOTE).is_file():
        raise Unsupported("the converted model is not in the cache; run the step again, it converts first")


def key(*parts: str, libraries: Sequence[str] = ()) -> str:
    """A short name for all that goes into what is made: `parts`, and the versions of installed `libraries`."""
    versions = [importlib.metadata.version(name) for name in libraries]
    return hashlib.sha256("\0".join([*parts, *versions]).encode()).hexdigest()[:16]


KEPT = 20_000  # characters of what a converter said in which its reason is looked for


def convert(*command: str) -> str:
    """Run a converter; return why it failed, empty where it did not. In a process of its own: it holds the whole model and torch,
    which must not count as the lane's memory. What it says goes to our own output, the trial's log, as it comes."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as converter:
        assert converter.stdout is not None
        said = ""
        for line in converter.stdout:
            sys.stderr.write(line)
            said = (said + line)[-KEPT:]
    sys.stderr.flush()
    return reason_of(said, converter.returncode) if converter.returncode else ""


def seal(folder: Path, nanoseconds: int) -> Prepared:
    """Say in `folder` that all of it is there; without the note it counts as never made."""
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    write_whole(folder / NOTE, json.dumps({"nanoseconds": nanoseconds, "bytes": size}).encode())
    return Prepared(nanoseconds, False, size)


def made(folder: Path, make: Callable[[Path], None]) -> Prepared:
    """What lies in `folder`; where nothing whole does, `make` fills a folder beside it, which then takes its place. What
    `make` raises goes on, and nothing half made is left."""
    cached = found(folder)
    if cached is not None:
        return cached
    # Two runs may prepare the same lane at once: each has a folder of its own until then.
    with whole_folder(folder, str(os.getpid())) as making:
        start = time.perf_counter_ns()
        make(making)
        return seal(making, time.perf_counter_ns() - start)
