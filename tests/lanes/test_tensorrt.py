"""What the TensorRT-LLM lanes ask for, by cells and card, without an engine."""

from __future__ import annotations

import pytest

from trtbench.engine import preflight
from trtbench.lanes.tensorrt.engine import TensorRTEngine
from trtbench.lanes.tensorrt.pytorch import TensorRTPyTorch, graphs_for
from trtbench.machine.requirements import Gpu


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
