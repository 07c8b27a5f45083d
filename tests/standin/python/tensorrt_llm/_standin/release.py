"""What differs from release to release: the PyTorch runtime's arguments, and the Open MPI that the image has.

Read in NVIDIA's later commits: after 1.3.0rc20 there is no engine runtime; all arguments that the product passes are still
there, `sampler_type` is gone and others have come. Images from 1.3.0rc27 on have Open MPI 5, whose MPI_Comm_spawn fails.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from tensorrt_llm._standin import failures, hardware
from tensorrt_llm._standin.log import python_log

REMOVED_ARGUMENTS = {"sampler_type"}
ADDED_ARGUMENTS: dict[str, dict[str, Any]] = {
    "generation_config": {"type": "str", "default": "trtllm"},
    "encoder_max_batch_size": {"type": "int|none", "default": None},
}
SPAWN_FAILS = """Exception in thread Thread-1 (_manager_spawn):
Traceback (most recent call last):
  File "mpi4py/futures/_lib.py", line 938, in client_spawn
    comm = MPI.COMM_SELF.Spawn(python_exe, args, max_workers, info)
mpi4py.MPI.Exception: MPI_ERR_UNKNOWN: unknown error"""


def torch_arguments(of_contract: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The PyTorch runtime's arguments in this release, from those that the contract lists."""
    if hardware.HAS_ENGINE_BACKEND:
        return of_contract
    kept = {name: row for name, row in of_contract.items() if name not in REMOVED_ARGUMENTS}
    return {**kept, **ADDED_ARGUMENTS}


def single_process() -> bool:
    """Whether the worker of one GPU runs in the calling process, so that MPI starts none."""
    if os.environ.get("TLLM_WORKER_USE_SINGLE_PROCESS", "0") != "1":
        return False
    python_log("W", "Using single process worker for TP1, this may hurt streaming generation performance.")
    return True


def refuse_to_spawn() -> None:
    """With Open MPI 5 the thread that starts the worker dies, and who waits for the worker waits without end."""
    if os.environ.get("STANDIN_OPENMPI", "4") == "5":
        print(SPAWN_FAILS, file=sys.stderr, flush=True)
        failures.hang()
