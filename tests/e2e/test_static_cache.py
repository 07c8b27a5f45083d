"""`pytorch-compile` in several cells: each with a static cache of its own length, compiled as if it were the only one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from trtbench.model.synthetic import Shape, write_synthetic
from trtbench.settings.knobs import ROOT

SHAPE = Shape(hidden=32, layers=1, heads=2, kv_heads=1, intermediate=48, vocab=300, positions=128)
CELLS = [[1, 20, 9], [1, 7, 6]]  # from longer to shorter

CHILD = """
import json, pathlib, sys
from torch._dynamo.utils import counters
import torch
from transformers import StaticCache
from trtbench.lanes.lane import Plan, create
from trtbench.measure.passes import _warm_up
from trtbench.measure.spec import Spec
from trtbench.records.trial import CellRecord, Sampling
from trtbench.settings.cells import Cell

model, cache, runs = json.loads(sys.argv[1])
caches, make = [], StaticCache.__init__

def made(self, *arguments, **named):
    caches.append(self)
    make(self, *arguments, **named)

StaticCache.__init__ = made

class Prompts:
    def prompts(self, cell, number):
        return [[5 + number + i for i in range(cell.prompt_length)]] * cell.batch

class Short:
    warmup_limit = 1

for cells in runs:
    torch._dynamo.reset()
    cells = tuple(Cell(batch=b, prompt_length=p, new_tokens=n, precision="float32") for b, p, n in cells)
    lane = create("pytorch-compile")(Plan(model=pathlib.Path(model), model_digest="d", precision="float32", device="cpu",
        threads=1, sampling=Sampling(), cells=cells, cache=pathlib.Path(cache)))
    lane.load()
    for cell in cells:
        counters.clear()
        lengths, batches = [], []
        for new_tokens in (cell.new_tokens, 1, cell.new_tokens):
            if new_tokens == cell.new_tokens and not lengths:
                _warm_up(lane, Prompts(), cell, Short(), 0, CellRecord(cell=cell), "warm-up", lambda phase, limit: None)
            else:
                lane.generate(Prompts().prompts(cell, 3), new_tokens)
            keys = caches[-1].layers[0].keys
            lengths.append(keys.shape[2])
            batches.append(keys.shape[0])
        print("TOLD", json.dumps({"lengths": lengths, "batches": batches,
            "missed": counters["inductor"]["fxgraph_cache_miss"]}))
"""


@pytest.mark.slow
@pytest.mark.ngc
def test_a_shorter_cell_after_a_longer_one_has_its_own_cache_and_what_is_compiled_for_it_alone(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    write_synthetic(tmp_path / "model", SHAPE, seed=3)
    alone = [[cell] for cell in CELLS[1:]]
    asked = json.dumps([str(tmp_path / "model"), str(tmp_path / "cache"), [CELLS, *alone]])
    env = {**os.environ, "OMP_NUM_THREADS": "1", "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    env["TORCHINDUCTOR_CACHE_DIR"] = str(tmp_path / "inductor")
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "scripts"), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run([sys.executable, "-c", CHILD, asked], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    told = [json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith("TOLD ")]
    for cell, found in zip([*CELLS, *(cell for (cell,) in alone)], told, strict=True):
        batch, prompt, new = cell
        assert found["batches"] == [batch] * 3
        assert found["lengths"] == [prompt + new - 1] * 3, cell  # the last new id is never fed back
    assert all(found["missed"] > 0 for found in told[: len(CELLS)])
    assert [found["missed"] for found in told[len(CELLS) :]] == [0] * len(alone), (
        "another cell bore on what was compiled"
    )
