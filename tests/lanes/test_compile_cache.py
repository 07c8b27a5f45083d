"""What a lane finds compiled: no second compilation, no second search, no pool of compiling processes beside a measurement."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from command import ROOT
from trtbench.lanes.tuned.session import STATIC_LAUNCHER, options
from trtbench.model.built_in import Shape
from trtbench.model.synthetic import write_synthetic

# A trial of a lane whose folder says that all is compiled: what Inductor would compile with, and who else is there then.
CHILD = """
import json, multiprocessing, sys
from pathlib import Path
from trtbench.lanes import lane, prepared
from trtbench.lanes.compile_cache import CompileCache
from trtbench.lanes.lane import Plan
from trtbench.records.trial import Sampling
from trtbench.settings.cells import Cell

name, model, cache = sys.argv[1:]
folders = []
made = CompileCache.__init__
def init(self, *args):
    made(self, *args)
    folders.append(self.folder)
    self.folder.mkdir(parents=True)
    prepared.seal(self.folder, 1)
CompileCache.__init__ = init
cell = Cell(batch=1, prompt_length=4, new_tokens=2, precision="float32")
plan = Plan(model=Path(model), model_digest="d", precision="float32", device="cpu", threads=1, sampling=Sampling(),
            cells=(cell,), cache=Path(cache))
found = lane.create(name)(plan).prepare()
assert found.cached and len(folders) == 1
from torch._inductor.async_compile import AsyncCompile, get_compile_threads
print("TOLD " + json.dumps([get_compile_threads(), AsyncCompile.use_process_pool()]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("lane", "asked"), [("pytorch-tuned", None), ("pytorch-tuned", "4"), ("pytorch-compile", "4")])
def test_a_trial_that_finds_all_compiled_compiles_in_its_own_process(
    lane: str, asked: str | None, tmp_path: Path
) -> None:
    """A kernel from the pool would be searched for anew, by each trial, from where the last one ended."""
    (tmp_path / "model").mkdir()
    write_synthetic(tmp_path / "model", Shape(32, 1, 4, 2, 48, 64), seed=3)
    env = {name: value for name, value in os.environ.items() if name != "TORCHINDUCTOR_COMPILE_THREADS"}
    env |= {"PYTHONPATH": str(ROOT / "scripts")} | ({"TORCHINDUCTOR_COMPILE_THREADS": asked} if asked else {})
    command = [sys.executable, "-c", CHILD, lane, str(tmp_path / "model"), str(tmp_path / "cache")]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    told = next(line for line in done.stdout.splitlines() if line.startswith("TOLD "))
    assert json.loads(told[5:]) == [1, False]


@pytest.mark.ngc
@pytest.mark.parametrize("wide", [False, True])
def test_decode_steps_on_a_card_ask_inductor_for_what_this_pytorch_has(wide: bool) -> None:
    asked = options("cuda", wide, False)
    assert asked[STATIC_LAUNCHER] is False
    torch.compile(lambda x: x, options=asked)  # refuses a name that it does not have
    assert options("cpu", wide, False) == {}
