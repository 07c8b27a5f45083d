"""What pytorch-tuned or pytorch-triton does where PyTorch can't compile with dependent launch, on a card that has it.

    PYTHONPATH=scripts python benchmarks/dependent_launch.py [LANE]

PyTorch 2.10 raises in Inductor for every kernel with a load when it is asked for programmatic dependent launch; other versions
are made to fail there just so. Three processes: without the fault, with it, and with it again on what the second one kept.
The lane must compile without, say so, keep the refusal, ask no second time, and give the same ids.
Exit status 1 when something of that is not so, 2 without such a card.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

INDUCTOR = "torch._inductor.codegen.triton"
FAULT = "TRTBENCH_FAULT_IN_DEPENDENT_LAUNCH"
SAID = "AssertionError: TritonCSEVariable must have shape"
NEW = 600  # ids: two spans of attention


def break_inductor(module: Any) -> None:
    """Have a load under dependent launch be generated without a shape, on which Inductor itself raises."""
    import torch

    kept = module.TritonKernel._handle_pdl_after_load

    def after_load(self: Any, launch_buffer: Any, result: Any) -> Any:
        if not torch._inductor.config.triton.enable_pdl:
            return kept(self, launch_buffer, result)
        print("FAULT", flush=True)
        return self.cse.generate(launch_buffer, "0", dtype=torch.int32)

    module.TritonKernel._handle_pdl_after_load = after_load


class Finder(importlib.abc.MetaPathFinder):
    """Breaks Inductor's module once it is imported."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != INDUCTOR:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def then_break(module: Any) -> None:
            execute(module)
            break_inductor(module)

        spec.loader.exec_module = then_break
        return spec


def generate(lane_name: str, folder: Path, cache: Path) -> None:
    """One process: prepare, load, generate twice; prints what came of it."""
    import torch

    from trtbench.lanes.lane import Plan, create
    from trtbench.records.trial import Sampling
    from trtbench.settings.cells import Cell

    cell = Cell(batch=1, prompt_length=64, new_tokens=NEW, precision="float16")
    lane = create(lane_name)(
        Plan(
            model=folder,
            model_digest="d",
            precision="float16",
            device="cuda",
            threads=4,
            sampling=Sampling(),
            cells=(cell,),
            cache=cache,
        )
    )
    prepared = lane.prepare()
    lane.load()
    lane.begin(cell)
    prompts = [[(5 + 7 * i) % 500 for i in range(cell.prompt_length)]]
    seconds = []
    for _ in range(2):
        torch.cuda.synchronize()
        start = time.perf_counter()
        ids = lane.generate(prompts, NEW)
        seconds.append(round(time.perf_counter() - start, 4))
    kept = [json.loads(file.read_text())["refusal"] for file in cache.rglob("dependent_launch.json")]
    notes = [note for note in lane.statement().notes if "dependent launch" in note]
    told = {"cached": prepared and prepared.cached, "seconds": seconds, "notes": notes, "kept": kept, "ids": ids}
    print("TOLD " + json.dumps(told))


def told_by(lane_name: str, folder: Path, cache: Path, fault: bool) -> dict[str, Any]:
    env = {**os.environ, FAULT: "1" if fault else ""}
    command = [sys.executable, __file__, "generate", lane_name, str(folder), str(cache)]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{lane_name} failed:\n{done.stderr[-4000:]}")
    lines = done.stdout.splitlines()
    told: dict[str, Any] = json.loads(next(line for line in lines if line.startswith("TOLD "))[5:])
    return {**told, "faults": lines.count("FAULT")}


def main(lane_name: str = "pytorch-tuned") -> int:
    import torch

    from trtbench.model.synthetic import Shape, write_synthetic

    if not torch.cuda.is_available() or torch.cuda.get_device_capability()[0] < 9:
        print("no card with programmatic dependent launch is here", file=sys.stderr)
        return 2
    home = Path(tempfile.mkdtemp())
    folder = home / "model"
    folder.mkdir()
    shape = Shape(hidden=512, layers=4, heads=8, kv_heads=2, intermediate=1024, vocab=2000, positions=1024)
    write_synthetic(folder, shape, seed=3)
    whole = told_by(lane_name, folder, home / "whole", False)
    first = told_by(lane_name, folder, home / "fault", True)
    again = told_by(lane_name, folder, home / "fault", True)
    for title, told in {"without the fault": whole, "with it": first, "with it, again": again}.items():
        print(f"{title}: {json.dumps({name: value for name, value in told.items() if name != 'ids'})}")
    right = {
        "dependent launch is stated as had without the fault": not whole["kept"]
        and "asked for" not in str(whole["notes"]),
        "the refusal is stated": all(SAID in str(told["notes"]) for told in (first, again)),
        "the refusal is kept": all(told["kept"] == [SAID] for told in (first, again)),
        "it is met once": (first["faults"], again["faults"]) == (1, 0),
        "what was compiled is found again": again["cached"],
        "the ids are the same": whole["ids"] == first["ids"] == again["ids"],
    }
    for name, holds in right.items():
        print(f"{'yes' if holds else 'NO '}  {name}")
    return 0 if all(right.values()) else 1


if os.environ.get(FAULT):
    sys.meta_path.insert(0, Finder())
if __name__ == "__main__":
    if sys.argv[1:2] == ["generate"]:
        generate(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    else:
        sys.exit(main(*sys.argv[1:2]))
