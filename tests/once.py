"""What is made once a session, although pytest-xdist runs it in several processes."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest


def session_folder(factory: pytest.TempPathFactory, name: str) -> Path:
    """A folder for the whole session: the processes of pytest-xdist have it in common."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    folder.mkdir(exist_ok=True)
    return folder


@contextlib.contextmanager
def made_once(path: Path) -> Iterator[bool]:
    """Whether `path` must be made now; no other process makes it meanwhile. What failed on the way is nobody's to use: the
    others fail too, and say where."""
    with open(f"{path}.lock", "a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        assert lock.read() != "failed", f"{path} could not be made; the test that tried says why"
        try:
            yield not path.exists()
        except BaseException:
            lock.write("failed")
            raise
