"""The child's side of `child.run_child`: it ends with its parent and says where it is."""

from __future__ import annotations

import os
from typing import Protocol

from trtbench.machine.processes import die_with_parent


class Say(Protocol):
    """Tells a phase, and after how many seconds without another word this process counts as hung (None: never). The same
    phase again is only another limit."""

    def __call__(self, phase: str, limit: float | None = None) -> None: ...


def tethered(prefix: str = "") -> Say:
    """Have this process end when its parent does; return what tells a phase, to the log behind `prefix` and to the parent."""
    parent = os.environ.get("TRTBENCH_PARENT")
    die_with_parent(int(parent) if parent else None)
    progress_fd = os.environ.get("TRTBENCH_PROGRESS_FD")
    pipe = os.fdopen(int(progress_fd), "w", buffering=1) if progress_fd else None
    told = ""

    def say(phase: str, limit: float | None = None) -> None:
        nonlocal told
        if phase != told:
            print(f"{prefix}{phase}", flush=True)
        told = phase
        if pipe is not None:
            print(phase if limit is None else f"{phase}\t{limit:g}", file=pipe)

    return say
