"""Where torch.compile keeps what it made: one folder for each machine, version, shape of model and set of cells."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trtbench.errors import Unsupported
from trtbench.lanes import prepared
from trtbench.lanes.lane import Lane, Plan
from trtbench.lanes.prepared import Prepared
from trtbench.machine import host
from trtbench.model import files

PACKAGE = Path(__file__).parents[1]


class CompileCache:
    """Points Inductor at a folder; its note says that all cells were compiled and what that cost."""

    def __init__(self, plan: Plan, lane: str, *sources: str) -> None:
        """`sources` are the modules whose text bears on what is compiled, by their path in the package."""
        import torch

        cuda = plan.device == "cuda"
        parts: list[Any] = [
            {name: host.libraries().get(name) for name in ("torch", "transformers", "triton")},
            str(torch.__version__),
            [torch.cuda.get_device_name(), *torch.cuda.get_device_capability()]
            if cuda
            else [host.cpu_model(), plan.threads],
            # Weights do not bear on what is compiled, the shape does.
            files.read_config(plan.model),
            plan.precision,
            *([plan.value] if plan.value else []),
            *([plan.tp_size] if plan.tp_size > 1 else []),
            [plan.sampling.temperature, plan.sampling.top_p],
            sorted([cell.batch, cell.prompt_length, cell.new_tokens] for cell in plan.cells),
            [(PACKAGE / f"{name}.py").read_text(encoding="utf-8") for name in sources],
        ]
        key = prepared.key(json.dumps(parts, sort_keys=True))
        self.plan = plan
        self.folder = plan.cache / lane / f"{plan.precision}-{key}"

    def prepared(self, lane: Lane, again: Callable[[], bool] = lambda: False) -> Prepared:
        """Use the folder in this process; unless it is complete, load the lane and make each cell's calls once, and once more
        where `again` says that trials will compile otherwise than the first of these calls did."""
        self.folder.mkdir(parents=True, exist_ok=True)
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(self.folder / "inductor")
        os.environ["TRITON_CACHE_DIR"] = str(self.folder / "triton")
        complete = prepared.found(self.folder)
        if complete is not None:
            _compile_in_this_process()
            return complete
        lane.load()
        start = time.perf_counter_ns()
        self._compile_all(lane)
        if again():
            self._compile_all(lane)
        return prepared.seal(self.folder, time.perf_counter_ns() - start)

    def _compile_all(self, lane: Lane) -> None:
        for cell in self.plan.cells:
            prompts = [[1] * cell.prompt_length] * cell.batch
            lane.begin(cell)
            _if_possible(lane, prompts, cell.new_tokens)
            _if_possible(lane, prompts, 1)


def _compile_in_this_process() -> None:
    """No pool of compiling processes beside a measurement that has nothing left to compile.

    A kernel that comes back from one has forgotten that its tile was searched for (Triton's Config, unpickled, keeps no attribute
    of others), so Inductor searches again, from where the last process ended: each trial had kernels of its own. The environment
    variable for it is read when torch is imported, which was before."""
    from torch._inductor import config

    config.compile_threads = 1


def _if_possible(lane: Lane, prompts: list[list[int]], new_tokens: int) -> None:
    """Generate; a cell that the lane does not support or that memory does not hold is left to its trial, a hole there."""
    import torch

    try:
        lane.generate(prompts, new_tokens)
    except (torch.OutOfMemoryError, Unsupported) as error:
        print(f"not prepared, batch {len(prompts)} and {len(prompts[0])} prompt ids: {error}")
