"""Where TensorRT-LLM's engine runs on one GPU: in a process that MPI spawns, its makers' default, or in the calling one. On
several GPUs it runs in as many spawned processes, and there is nothing to choose.

A variable decides, which both runtimes read when their LLM is constructed and then remember. Open MPI 5 (images from
1.3.0rc27 on) cannot spawn from a program that mpirun did not start: there only the calling process is left.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

from trtbench.errors import Unsupported

VARIABLE = "TLLM_WORKER_USE_SINGLE_PROCESS"
SPAWNED, CALLING = "0", "1"
UTILITIES = "llmapi/utils.py"  # the file of TensorRT-LLM that reads the variable

# The library that the engine would use tells, without MPI being started.
_ASK = "import mpi4py; mpi4py.rc.initialize = False; from mpi4py import MPI; print(MPI.Get_library_version())"
_SECONDS = 60.0


@functools.cache
def known() -> bool:
    """Whether the TensorRT-LLM that is installed reads the variable; looked up in its file, nothing is imported."""
    spec = importlib.util.find_spec("tensorrt_llm")
    folders = [Path(folder) for folder in (spec.submodule_search_locations if spec else None) or []]
    files = [file for folder in folders if (file := folder / UTILITIES).is_file()]
    return any(VARIABLE in file.read_text(encoding="utf-8", errors="replace") for file in files)


@functools.cache
def open_mpi() -> int | None:
    """The first number of Open MPI's version; None where it is not known, or the library is another."""
    loaded = sys.modules.get("mpi4py.MPI")
    version = re.search(r"Open MPI v(\d{1,3})\.", loaded.Get_library_version() if loaded else _asked())
    return int(version[1]) if version else None


def _asked() -> str:
    """What the library says of itself in a process of its own; empty where it says nothing."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _ASK], capture_output=True, text=True, timeout=_SECONDS, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def can_choose() -> bool:
    """Whether the engine can run in either process here, and the user has not said in which."""
    return VARIABLE not in os.environ and known() and not cannot_spawn()


def cannot_spawn() -> bool:
    """Whether this machine's MPI is one that cannot spawn the engine's process."""
    return (open_mpi() or 0) >= 5


def set_place(value: str, tp_size: int = 1) -> str:
    """Have the next LLM of this process run where `value` says; without one where the user says, else where it can. Returns
    why, where there was no choice. Raises Unsupported for one on several GPUs where none of their processes can be started."""
    why = ""
    if tp_size > 1:
        # TensorRT-LLM asks the variable for one GPU alone (executor/executor.py): whatever it says, there is a process for each.
        if cannot_spawn():
            raise Unsupported(
                f"TP_SIZE={tp_size} needs {tp_size} processes, and Open MPI {open_mpi()} cannot spawn them; take a TensorRT-LLM "
                "image with Open MPI 4 (up to 1.3.0rc26), or TP_SIZE=1"
            )
        return why
    if not value and VARIABLE not in os.environ and known() and cannot_spawn():
        value, why = CALLING, f"Open MPI {open_mpi()} cannot spawn another"
    if not value:
        return why
    os.environ[VARIABLE] = value
    from tensorrt_llm.llmapi import utils

    remembered = getattr(utils, "enable_worker_single_process_for_tp1", None)
    forget = getattr(remembered, "cache_clear", None)
    if forget is not None:
        forget()
    return why
