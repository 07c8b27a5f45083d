"""The lock itself; that runs refuse and builds wait is tested beside those."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from trtbench.records import lock


def test_the_holder_is_named_to_whoever_comes_second(tmp_path: Path) -> None:
    holders: list[str] = []

    def refuse(holder: str) -> None:
        holders.append(holder)
        raise TimeoutError

    with lock.held(lock.opened(tmp_path)):
        with pytest.raises(TimeoutError), lock.held(lock.opened(tmp_path), refuse):
            pass
        assert holders == [str(os.getpid())]
    with lock.held(lock.opened(tmp_path), refuse):  # free again
        pass
    assert len(holders) == 1


def test_a_full_disk_is_no_fault_of_the_lock(small_disk: Callable[[int], Path]) -> None:
    folder = small_disk(64)
    file = lock.opened(folder)
    filling = os.open(folder / "filling", os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while os.write(filling, bytes(4096)):
            pass
    os.close(filling)
    with lock.held(file):
        assert (folder / ".lock").read_text() == ""
