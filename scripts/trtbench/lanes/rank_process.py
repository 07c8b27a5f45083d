"""A rank beside the trial's own process: makes the calls that it is told of, with its share of the model.

python -m trtbench.lanes.rank_process COMMANDS FAULTS (file descriptors of pipes that `lanes/ranks.py` made)
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
import traceback
from multiprocessing.connection import Connection
from typing import Any

from trtbench.errors import Unsupported, in_one_line
from trtbench.lanes import ranks
from trtbench.lanes.lane import Lane, create
from trtbench.settings.lanes import LANES

TOLD = ("memory",)  # calls whose value rank 0 wants


def main() -> int:
    commands, faults = (Connection(int(number)) for number in sys.argv[1:3])
    name, plan, store = commands.recv()
    for module in LANES[name].modules:
        importlib.import_module(module)
    lane = create(name)(plan)
    ranks.join(plan, store)
    gc.disable()  # as in the timed region of rank 0; what is left over is collected between calls, as there
    while True:
        try:
            number, method, arguments = commands.recv()
        except (EOFError, OSError):  # rank 0 has ended, and says why
            return 0
        if method == "close":
            lane.close()
            ranks.leave()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)  # NCCL has registered what may wait for the other ranks
        value = _made(lane, number, method, arguments, faults)
        gc.collect()
        if method == "load":
            gc.freeze()
        with contextlib.suppress(OSError):
            commands.send(value if method in TOLD else None)


def _made(lane: Lane, number: int, method: str, arguments: tuple[Any, ...], faults: Connection) -> Any:
    """Make one call. What goes wrong in it is told, and the next one waited for: most of it goes wrong in rank 0 as well, which then
    decides what follows."""
    try:
        return getattr(lane, method)(*arguments)
    except Exception as error:
        if not isinstance(error, Unsupported):
            traceback.print_exception(error)
        traceback.clear_frames(error.__traceback__)
        faults.send((number, in_one_line(error)))
    _give_memory_back()
    return None


def _give_memory_back() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


if __name__ == "__main__":
    sys.exit(main())
