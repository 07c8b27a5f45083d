"""What the processes that audit bundles leave behind goes with the tests that had them: other tests look for children of this process."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from multiprocessing import resource_tracker

import psutil
import pytest


@pytest.fixture(scope="module", autouse=True)
def nothing_left() -> Iterator[None]:
    before = {process.pid for process in psutil.Process().children()}
    yield
    gc.collect()  # what has a name in that process gives it back first
    stop = getattr(resource_tracker._resource_tracker, "_stop", None)  # type: ignore[attr-defined]
    if stop is not None:
        stop()
    left = [process for process in psutil.Process().children() if process.pid not in before]
    _, alive = psutil.wait_procs(left, timeout=20)
    for process in alive:
        process.kill()
