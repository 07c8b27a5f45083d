"""What the TensorRT-LLM lanes ask for, by cells and card, without an engine."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from trtbench.engine import preflight
from trtbench.errors import Unsupported
from trtbench.lanes.lane import Plan
from trtbench.lanes.tensorrt.engine import TensorRTEngine
from trtbench.lanes.tensorrt.pytorch import TensorRTPyTorch, graphs_for
from trtbench.machine.requirements import Gpu
from trtbench.records.trial import Sampling
from trtbench.settings.cells import Cell


@pytest.mark.parametrize(
    ("batches", "arguments"),
    [
        ([1], {"max_batch_size": 1}),
        ([1, 8], {"max_batch_size": 8}),
        ([6], {"max_batch_size": 6}),
        ([4, 24, 200], {"max_batch_size": 200}),
        ([3, 8], {"batch_sizes": [1, 2, 3, 4, 8]}),
        ([160, 192], {"batch_sizes": [1, 2, 4, *range(8, 129, 8), 160, 192]}),
    ],
)
def test_every_batch_of_a_cell_has_a_graph_and_smaller_ones_are_padded(
    batches: list[int], arguments: dict[str, object]
) -> None:
    assert graphs_for(batches) == {**arguments, "enable_padding": True}


@pytest.mark.parametrize("lane", [TensorRTEngine, TensorRTPyTorch])
@pytest.mark.parametrize(
    ("capability", "expected"),
    [
        ((8, 0), {"TRTLLM_ENABLE_PDL": "0"}),
        ((8, 9), {"TRTLLM_ENABLE_PDL": "0"}),
        ((9, 0), {}),
        ((12, 0), {}),
        (None, {}),
    ],
)
def test_a_card_without_programmatic_dependent_launch_is_not_asked_for_it(
    lane: type[TensorRTPyTorch],
    capability: tuple[int, int] | None,
    expected: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gpu = Gpu(index=0, name="a card", capability=capability, driver="580", total_mib=1, free_mib=1)
    monkeypatch.setattr(preflight, "gpu_in_use", lambda: gpu)
    assert lane.environment() == expected
    monkeypatch.setattr(preflight, "gpu_in_use", lambda: None)
    assert lane.environment() == {}


def plan_of(folder: Path, tp_size: int) -> Plan:
    return Plan(
        model=folder,
        model_digest="d",
        precision="float16",
        device="cuda",
        threads=2,
        sampling=Sampling(temperature=0.0, top_p=1.0, seed=5),
        cells=(Cell(batch=1, prompt_length=12, new_tokens=4, precision="float16"),),
        cache=folder / "cache",
        model_name="some/model",
        tp_size=tp_size,
    )


def test_the_command_that_builds_the_engine_says_for_how_many_cards(tmp_path: Path) -> None:
    assert "--tp-size" not in TensorRTEngine(plan_of(tmp_path, 1)).command()
    assert TensorRTEngine(plan_of(tmp_path, 2)).command().endswith(" --tp-size 2")


def test_how_many_cards_is_asked_of_the_runtime_where_it_tells(tmp_path: Path) -> None:
    lane = TensorRTPyTorch(plan_of(tmp_path, 2))
    assert (lane.ranks(), lane.where()) == (2, "in 2 processes, one for each card"), "what was asked for"
    lane.llm = SimpleNamespace(args=SimpleNamespace(parallel_config=SimpleNamespace(tp_size=4)))
    assert lane.ranks() == 4


@pytest.mark.parametrize("lane", [TensorRTEngine, TensorRTPyTorch])
def test_heads_that_the_cards_cannot_share_are_refused_before_the_runtime_starts(
    lane: type[TensorRTPyTorch], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt_llm", SimpleNamespace(SamplingParams=None))
    (tmp_path / "config.json").write_text('{"num_attention_heads": 8}')
    with pytest.raises(Unsupported, match="TP_SIZE=3 does not divide the 8 attention heads"):
        lane(plan_of(tmp_path, 3)).load()
