"""The table of lanes against the lanes themselves."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from trtbench.lanes.lane import Lane, create
from trtbench.measure import trial_process
from trtbench.settings.knobs import ROOT
from trtbench.settings.lanes import LANES


@pytest.mark.parametrize("name", LANES)
def test_the_row_says_whether_the_lane_prepares(name: str) -> None:
    if name == "pytorch-triton" and importlib.util.find_spec("triton") is None:
        pytest.skip("triton is not installed, which that lane's module imports")
    assert LANES[name].prepares == (create(name).prepare is not Lane.prepare)


@pytest.mark.parametrize("name", LANES)
def test_the_row_names_the_runtime_as_the_lanes_statement_does(name: str) -> None:
    """The audit holds the one against the other, and nothing imports an engine for it: the name stands in the lane's module
    or in that of its statement."""
    row = LANES[name]
    modules = [row.where.partition(":")[0], "trtbench.lanes.torch_facts"]
    sources = [(ROOT / "scripts" / module.replace(".", "/")).with_suffix(".py").read_text() for module in modules]
    source = sources[1] if row.family == "pytorch" else sources[0]
    assert re.search(rf'(runtime=|self\.state\(\s*)"{re.escape(row.runtime)}"', source)


@pytest.mark.parametrize(
    ("line", "announced"),
    [
        ("[TensorRT-LLM] TensorRT LLM version: 1.2.1", {"tensorrt_llm": "1.2.1"}),
        ("[TensorRT-LLM] TensorRT-LLM version: 1.0.0rc4", {"tensorrt_llm": "1.0.0rc4"}),
        ("INFO 07-01 [core.py:58] Initializing a V1 LLM engine (v0.24.0) with config: x", {"vllm": "0.24.0"}),
        ("no engine says anything of TensorRT LLM version 1.2.1", {}),
    ],
)
def test_engines_announce_themselves_in_a_log(tmp_path: Path, line: str, announced: dict[str, str]) -> None:
    log = tmp_path / "trial.log"
    earlier = "[TensorRT-LLM] TensorRT LLM version: 0.1.0 of an attempt before\n"
    log.write_text(f"{earlier}[pytorch-eager] load\n{line}\n")
    assert trial_process.announced(log, len(earlier)) == announced
    assert trial_process.announced(tmp_path / "none.log", 0) == {}
