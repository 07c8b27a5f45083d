"""A lane that was only prepared is closed without a word: its trial's log must not end with a fault of ours."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from trtbench.lanes.lane import Plan, create
from trtbench.records.trial import Sampling
from trtbench.settings.cells import Cell
from trtbench.settings.lanes import LANES


@pytest.mark.parametrize("name", LANES)
def test_a_lane_that_loaded_nothing_can_be_closed(name: str, tmp_path: Path) -> None:
    if name == "pytorch-triton" and importlib.util.find_spec("triton") is None:
        pytest.skip("triton is not installed, which that lane's module imports")
    plan = Plan(
        model=tmp_path,
        model_digest="",
        precision=LANES[name].precisions[LANES[name].devices[0]][0],
        device=LANES[name].devices[0],
        threads=1,
        sampling=Sampling(),
        cells=(Cell(batch=1, prompt_length=2, new_tokens=2, precision="any"),),
        cache=tmp_path,
    )
    create(name)(plan).close()
