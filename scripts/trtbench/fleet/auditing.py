"""Bundles that came back, each audited again in a process of its own limits: what a machine of the fleet hands over is taken for
hostile, and may neither take the memory of this machine nor keep it waiting."""

from __future__ import annotations

import hashlib
import os
import re
import resource
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, NoReturn

import msgspec

from trtbench.comparison import untrusted
from trtbench.comparison.safe_reading import unpacked
from trtbench.comparison.sieve import TAKEN_OUT
from trtbench.errors import UserError
from trtbench.fleet import outcome
from trtbench.fleet.outcome import Outcome
from trtbench.fleet.wanted import Wanted
from trtbench.records.files import shown
from trtbench.settings.knobs import ROWS
from trtbench.settings.reading import parse

MEMORY = 3 * 2**30  # bytes of address space of one process
SECONDS = 120  # of one bundle
MOST = 8  # processes


class Judged(NamedTuple):
    """Of one bundle: its outcome, or in words why it is refused. `content` is the SHA-256 of what is packed in it."""

    outcome: Outcome | None
    refusal: str
    content: str = ""


class Auditors:
    """Processes that audit bundles. Use as a context manager."""

    def __init__(self, processes: int | None = None) -> None:
        self._count = processes or max(1, min(MOST, os.cpu_count() or 1))
        self._pool = self._new(self._count)
        self._pending: dict[str, tuple[Future[bytes], Path, Wanted]] = {}

    def __enter__(self) -> Auditors:
        return self

    def __exit__(self, *reason: object) -> None:
        self._pool.shutdown(wait=not self._pending, cancel_futures=True)

    @staticmethod
    def _new(count: int) -> ProcessPoolExecutor:
        # Not forked: a process that is copied with its threads may hang.
        return ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_limit)

    def begin(self, path: Path, wanted: Wanted) -> None:
        """Have the bundle of a run audited."""
        self._pending[wanted.id] = self._submit(path, wanted), path, wanted

    def _submit(self, path: Path, wanted: Wanted) -> Future[bytes]:
        try:
            return self._pool.submit(_judged, str(path), msgspec.json.encode(wanted))
        except BrokenProcessPool:
            self._pool = self._new(self._count)
            return self._pool.submit(_judged, str(path), msgspec.json.encode(wanted))

    @property
    def pending(self) -> int:
        return len(self._pending)

    def done(self, wait: bool = False) -> Iterator[tuple[str, Judged]]:
        """Those that are audited, by the ids of their runs; with `wait` all of them."""
        for run, (future, path, wanted) in list(self._pending.items()):
            if not wait and not future.done():
                continue
            del self._pending[run]
            try:
                yield run, msgspec.json.decode(future.result(), type=Judged)
            except BrokenProcessPool:
                # One of the bundles ended a process, and with it all others: which one shows when it is alone.
                yield run, self._alone(path, wanted)

    def _alone(self, path: Path, wanted: Wanted) -> Judged:
        with self._new(1) as alone:
            try:
                return msgspec.json.decode(
                    alone.submit(_judged, str(path), msgspec.json.encode(wanted)).result(), type=Judged
                )
            except BrokenProcessPool:
                return Judged(None, "what came back ended the process that audited it")


def _limit() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who waits for this process
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _judged(path: str, wanted: bytes) -> bytes:
    """In the process of its own."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(SECONDS)
    try:
        return msgspec.json.encode(judged(Path(path), msgspec.json.decode(wanted, type=Wanted)))
    except UserError as error:
        return msgspec.json.encode(Judged(None, shown(error)))
    except MemoryError:
        return msgspec.json.encode(Judged(None, "what came back needs more memory than it may take"))
    finally:
        signal.alarm(0)


def _too_long(number: int, frame: FrameType | None) -> NoReturn:
    raise UserError(f"what came back takes longer than {SECONDS} s to audit.")


def judged(path: Path, wanted: Wanted) -> Judged:
    """A bundle read as a stranger's, audited again, and held to what was asked for. Raises UserError where it is none."""
    comparison, kind = untrusted.read(path)
    if kind != "bundle":
        return Judged(None, "what came back is no bundle")
    other = not_as_asked(wanted, comparison.settings)
    if other:
        return Judged(None, other)
    content = hashlib.sha256(unpacked(path, path.read_bytes())).hexdigest()
    return Judged(outcome.of(comparison), "", content)


def not_as_asked(wanted: Wanted, settings: dict[str, Any]) -> str:
    """What a run has other than was asked for, in words; empty where nothing. Folders are not compared: a bundle has none."""
    asked = {**wanted.settings, "PRECISION": wanted.precision}
    if not wanted.model.startswith(("/", ".", "~")):
        asked["MODEL_NAME"] = wanted.model
    for name, text in asked.items():
        value = parse(name, text)
        if ROWS[name].kind == "path":
            continue
        had = settings.get(name)
        if not _same(had, value):
            return f"what came back is another run: {name} was to be {shown(text)} and is {shown(had)}"
    return ""


def _same(had: Any, asked: Any) -> bool:
    """Whether a bundle has what was asked for. What the sieve of bundles took out of a text may have been anything."""
    one, other = _plain(had), _plain(asked)
    if isinstance(one, str) and isinstance(other, str):
        return re.fullmatch(".+".join(map(re.escape, TAKEN_OUT.split(one))), other) is not None
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _plain(value: Any) -> Any:
    """A value as a record has it, whether it was a tuple, and a whole number whether as 1 or 1.0."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(part) for part in value]
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
