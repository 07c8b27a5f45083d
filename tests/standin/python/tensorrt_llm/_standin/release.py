"""What differs from release to release: the PyTorch runtime's arguments, and the Open MPI that the image has.

Read in NVIDIA's later commits: after 1.3.0rc20 there is no engine runtime; all arguments that the product passes are still
there, `sampler_type` is gone and others have come. Images from 1.3.0rc27 on have Open MPI 5, whose MPI_Comm_spawn fails.
"""

from __future__ import annotations

import sys
from typing import Any

from tensorrt_llm._standin import failures, hardware

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


def refuse_to_spawn() -> None:
    """With Open MPI 5 the thread that starts the worker dies, and who waits for the worker waits without end."""
    if int(hardware.open_mpi().partition(".")[0]) >= 5:
        print(SPAWN_FAILS, file=sys.stderr, flush=True)
        failures.hang()
