"""A folder held by one process at a time; the lock says which process that is."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


def opened(folder: Path, name: str = ".lock") -> TextIO:
    """The lock's file `name` in `folder`, made with the folder where it is not there. Raises OSError where that cannot be."""
    folder.mkdir(parents=True, exist_ok=True)
    return (folder / name).open("a+")


@contextmanager
def held(file: TextIO, busy: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock to the end of the block. Where another process has it, `busy` is called with that one's id: what it
    raises goes on, and when it returns, the lock is waited for."""
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if busy is not None:
                file.seek(0)
                busy(file.read().strip() or "unknown")
            fcntl.flock(file, fcntl.LOCK_EX)
        with contextlib.suppress(OSError):  # the lock is held all the same: a full disk is told by whoever needs room
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), str(os.getpid()).encode())
        yield
