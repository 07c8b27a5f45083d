"""The table of lanes against the lanes themselves."""

from __future__ import annotations

import importlib.util

import pytest

from trtbench.lanes.lane import Lane, create
from trtbench.settings.lanes import LANES


@pytest.mark.parametrize("name", LANES)
def test_the_row_says_whether_the_lane_prepares(name: str) -> None:
    if name == "pytorch-triton" and importlib.util.find_spec("triton") is None:
        pytest.skip("triton is not installed, which that lane's module imports")
    assert LANES[name].prepares == (create(name).prepare is not Lane.prepare)
