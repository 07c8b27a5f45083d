"""Kernels that can't be compiled with programmatic dependent launch: pytorch-tuned compiles them without, all of them, says so,
and leaves no other error unsaid.

The faults are raised where PyTorch 2.10.0 raises its own on a card, while Inductor writes the kernels of a graph, so what
reaches the lane is wrapped by the real torch. On a CPU Inductor takes the option and makes nothing of it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from typing import Any

import pytest

pytest.importorskip("torch")

from once import made_once, session_folder
from trtbench.model.synthetic import Shape, write_synthetic
from trtbench.settings.knobs import ROOT

MODEL = Shape(hidden=32, layers=1, heads=2, kv_heads=1, intermediate=48, vocab=300, positions=128)
CELLS = [[1, 12, 9], [2, 5, 3]]  # the first crosses from one span of 16 positions to the next: two decode graphs
GRAPHS = 5  # compiled with dependent launch: the choice of ids and two spans of the first cell, both of the second
FAULTS = (1, 3, 4)  # the first of them; a later one of the same shape; one after a whole shape was compiled
SAID = "AssertionError: TritonCSEVariable must have shape"

CHILD = """
import json, pathlib, sys
import torch
from torch._inductor import config, graph
from trtbench.lanes.lane import Plan, create
from trtbench.lanes.tuned import launch, session
from trtbench.records.trial import Sampling
from trtbench.settings.cells import Cell

model, cache, cells, scenarios = json.loads(sys.argv[1])
session.STEPS, session.LEAST_SPAN = 4, 16
launch.possible = lambda device: True
cells = tuple(Cell(batch=b, prompt_length=p, new_tokens=n, precision="float32") for b, p, n in cells)
write, asked, fault = graph.GraphLowering.codegen, [], {}

def codegen(self):
    if any(node.op == "call_function" for node in self.graph.nodes):
        asked.append(config.triton.enable_pdl)
        if fault.get("at") == sum(asked) and (config.triton.enable_pdl or fault["always"]):
            fault["raised"] = fault.get("raised", 0) + 1
            kind = getattr(torch, fault["kind"], None) or getattr(__builtins__, fault["kind"])
            raise kind(fault["says"] + (f" {fault['raised']}" if fault["always"] else ""))
    return write(self)

graph.GraphLowering.codegen = codegen

def told(name):
    lane = create("pytorch-tuned")(Plan(model=pathlib.Path(model), model_digest="d", precision="float32", device="cpu",
        threads=1, sampling=Sampling(), cells=cells, cache=pathlib.Path(cache) / name))
    asked.clear()
    what = {}
    try:
        what["prepared"] = lane.prepare().cached
        what["compiled"] = list(asked)
        lane.load()
        asked.clear()
        what["ids"] = [lane.generate([[7 + i for i in range(c.prompt_length)]] * c.batch, c.new_tokens) for c in cells]
        what["later"] = list(asked)
        what["notes"] = lane.statement().notes
    except Exception as error:
        what["error"] = f"{type(error).__name__}: {error}"
        what["compiled"] = list(asked)
    what["kept"] = [json.loads(file.read_text()) for file in pathlib.Path(cache, name).rglob(launch.FILE)]
    lane.close()
    torch._dynamo.reset()
    return what

for name, faults in scenarios.items():
    fault.clear()
    fault.update({"always": False, "kind": "AssertionError", "says": "TritonCSEVariable must have shape", **faults})
    print("TOLD", json.dumps([name, told(name), None if faults.get("once") else told(name)]), flush=True)
"""

SCENARIOS: dict[str, dict[str, Any]] = {
    "none": {},
    **{f"graph {at}": {"at": at} for at in FAULTS},
    "always": {"at": 2, "always": True, "kind": "ValueError", "says": "the compiler is broken", "once": True},
    "memory": {"at": 2, "kind": "OutOfMemoryError", "says": "no room", "once": True},
}


@dataclasses.dataclass
class Told:
    """What `prepare` and the calls of a lane gave, and those of another one after it in the same folder."""

    first: dict[str, Any]
    again: dict[str, Any]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """All of them in one process: importing torch costs more than the rest."""
    folder = session_folder(tmp_path_factory, "dependent-launch")
    with made_once(folder / "told.txt") as wanted:
        if wanted:
            (folder / "model").mkdir()
            write_synthetic(folder / "model", MODEL, seed=3)
            asked = json.dumps([str(folder / "model"), str(folder / "cache"), CELLS, SCENARIOS])
            env = {**os.environ, "OMP_NUM_THREADS": "1", "TORCHINDUCTOR_COMPILE_THREADS": "1"}
            env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "scripts"), *filter(None, [os.environ.get("PYTHONPATH")])])
            done = subprocess.run([sys.executable, "-c", CHILD, asked], env=env, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-3000:]
            (folder / "told.txt").write_text(done.stdout)
    said = (folder / "told.txt").read_text()
    lines = [json.loads(line[5:]) for line in said.splitlines() if line.startswith("TOLD ")]
    return {name: Told(first, again) for name, first, again in lines}


def about(notes: list[str]) -> list[str]:
    return [note for note in notes if "programmatic dependent launch" in note]


@pytest.mark.slow
@pytest.mark.ngc
def test_where_compiling_with_it_works_it_is_stated_and_nothing_is_kept(told: dict[str, Told]) -> None:
    plain = told["none"]
    assert sum(plain.first["compiled"]) == GRAPHS
    for lane in (plain.first, plain.again):
        assert about(lane["notes"]) == ["programmatic dependent launch"]
        assert lane["kept"] == []


@pytest.mark.slow
@pytest.mark.ngc
@pytest.mark.parametrize("at", FAULTS)
def test_what_does_not_compile_with_it_is_compiled_without_and_so_is_all_else(at: int, told: dict[str, Told]) -> None:
    first, again = told[f"graph {at}"].first, told[f"graph {at}"].again
    assert first["ids"] == again["ids"] == told["none"].first["ids"]
    # Up to the fault with it; from then on nothing, and what had been compiled with it is compiled again.
    last = len(first["compiled"]) - 1 - first["compiled"][::-1].index(True)
    assert sum(first["compiled"]) == at
    assert first["compiled"][last + 1 :].count(False) >= GRAPHS
    said = f"programmatic dependent launch asked for; this torch could not compile with it ({SAID}), compiled without"
    for lane in (first, again):
        assert about(lane["notes"]) == [said]
        assert lane["kept"] == [{"refusal": SAID}]
        assert lane["later"] == []  # a trial finds all of it compiled, and asks for nothing else
    assert again["prepared"] and again["compiled"] == []


@pytest.mark.slow
@pytest.mark.ngc
def test_an_error_of_another_cause_is_the_one_of_the_compilation_without(told: dict[str, Told]) -> None:
    broken = told["always"].first
    assert "ValueError: the compiler is broken 2" in broken["error"]
    assert broken["kept"] == []
    assert broken["compiled"][-1] is False


@pytest.mark.slow
@pytest.mark.ngc
def test_memory_that_ran_out_while_compiling_is_not_blamed_on_it(told: dict[str, Told]) -> None:
    crowded = told["memory"].first
    assert "OutOfMemoryError: no room" in crowded["error"]
    assert crowded["kept"] == []
    assert crowded["compiled"] == [False, True, True]  # the prefill, which does not ask for it, and no second try
