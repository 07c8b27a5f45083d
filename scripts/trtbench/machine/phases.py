"""The child's side of `child.run_child`: it ends with its parent and says where it is."""

from __future__ import annotations

import os
from collections.abc import Callable

from trtbench.machine.processes import die_with_parent


def tethered(prefix: str = "") -> Callable[[str], None]:
    """Have this process end when its parent does; return what tells a phase, to the log behind `prefix` and to the parent."""
    parent = os.environ.get("TRTBENCH_PARENT")
    die_with_parent(int(parent) if parent else None)
    progress_fd = os.environ.get("TRTBENCH_PROGRESS_FD")
    pipe = os.fdopen(int(progress_fd), "w", buffering=1) if progress_fd else None

    def say(phase: str) -> None:
        print(f"{prefix}{phase}", flush=True)
        if pipe is not None:
            print(phase, file=pipe)

    return say
