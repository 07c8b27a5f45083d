"""The lane of vLLM against a stand-in that takes only arguments of vLLM 0.24.0."""

from __future__ import annotations

import importlib.util
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trtbench.errors import Unsupported
from trtbench.lanes import lane
from trtbench.lanes.lane import Lane, Plan
from trtbench.records.trial import Sampling
from trtbench.settings import lanes
from trtbench.settings.cells import Cell

STANDIN = Path(__file__).parents[1] / "vllm" / "vllm.py"
CONFIG = {"num_hidden_layers": 2, "num_attention_heads": 8, "num_key_value_heads": 2, "hidden_size": 64}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The stand-in as the module `vllm`, and a torch that names a card."""
    spec = importlib.util.spec_from_file_location("vllm", STANDIN)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "vllm", module)
    spec.loader.exec_module(module)
    torch = types.ModuleType("torch")
    torch.__version__ = "2.11.0"  # type: ignore[attr-defined]
    torch.cuda = types.SimpleNamespace(get_device_name=lambda: "a card")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    for name in ("VLLM_CACHE_ROOT", "VLLM_NO_USAGE_STATS", "VLLM_ENABLE_V1_MULTIPROCESSING"):
        monkeypatch.setenv(name, "")  # so that what the lane sets is taken back
    monkeypatch.delenv("VLLM_USE_FLASHINFER_SAMPLER", raising=False)
    yield module
    monkeypatch.delenv("VLLM_USE_FLASHINFER_SAMPLER", raising=False)


def lane_of(folder: Path, precision: str = "float16", temperature: float = 0.0, tp_size: int = 1) -> Lane:
    (folder / "config.json").write_text(json.dumps(CONFIG))
    cells = tuple(Cell(batch=b, prompt_length=p, new_tokens=20, precision=precision) for b, p in ((1, 30), (4, 12)))
    plan = Plan(
        model=folder,
        model_digest="d",
        precision=precision,
        device="cuda",
        threads=2,
        sampling=Sampling(temperature=temperature, top_p=0.9 if temperature else 1.0, seed=5),
        cells=cells,
        cache=folder / "cache",
        tp_size=tp_size,
    )
    return lane.create("vllm")(plan)


def test_every_prompt_gets_exactly_the_ids_asked_for(engine: Any, tmp_path: Path) -> None:
    lane = lane_of(tmp_path)
    lane.load()
    rows = [[1, 2, 3], [7, 8, 9]]
    made = lane.generate(rows, 20)
    assert [len(row) for row in made] == [20, 20]
    assert made[0][:3] == [3, 4, 5] and made[1][0] == 9
    assert all(type(row) is list for row in made)
    prompts, params = engine.ASKED[-1]
    assert [p["prompt_token_ids"] for p in prompts] == rows
    assert params.given["temperature"] == 0 and params.given["detokenize"] is False
    # It would mask the logit of the end id in every step, and so change greedy ids.
    assert "min_tokens" not in params.given


def test_sampling_takes_the_settings_of_the_run(engine: Any, tmp_path: Path) -> None:
    lane = lane_of(tmp_path, temperature=0.7)
    lane.load()
    lane.generate([[1, 2]], 2)
    given = engine.ASKED[-1][1].given
    assert (given["temperature"], given["top_p"], given["seed"]) == (0.7, 0.9, 5)


def test_the_pool_holds_the_largest_cell_and_nothing_is_reused(engine: Any, tmp_path: Path) -> None:
    lane = lane_of(tmp_path)
    lane.load()
    given = engine.MADE[-1].given
    per_token = 2 * 2 * 2 * 8 * 2  # K and V, layers, KV heads, size of a head, bytes
    # Four sequences of 12 + 20 ids and one more: three blocks of 16 each; one block is vLLM's own.
    assert given["kv_cache_memory_bytes"] >= (4 * 3 + 1) * 16 * per_token
    assert given["kv_cache_memory_bytes"] <= (4 * 3 + 3) * 16 * per_token
    assert given["enable_prefix_caching"] is False
    assert given["max_num_seqs"] == 4 and given["max_model_len"] >= 50
    assert engine.MADE[-1].environment["VLLM_ENABLE_V1_MULTIPROCESSING"] == "1"
    assert engine.MADE[-1].environment["VLLM_CACHE_ROOT"].startswith(str(tmp_path))


def test_the_statement_is_asked_of_the_engine(engine: Any, tmp_path: Path) -> None:
    lane = lane_of(tmp_path, precision="bfloat16")
    lane.load()
    engine.MADE[-1].llm_engine.vllm_config.model_config.dtype = "torch.float16"  # what it chose, not what it was told
    said = lane.statement()
    assert (said.compute_precision, said.kv_precision) == ("float16", "float16")
    assert said.cuda_graphs is True and said.prefix_reuse is False
    assert said.versions["vllm"] == "0.24.0+standin"
    assert lane.memory().kv_pool == 100 * 16 * 128
    lane.close()
    assert engine.MADE[-1].ended


@pytest.mark.parametrize(("cards", "heads"), [(1, 2), (2, 1), (4, 1), (8, 1)])  # KV heads of each card, of 2 in all
def test_each_card_has_a_pool_for_its_heads(cards: int, heads: int, engine: Any, tmp_path: Path) -> None:
    lane = lane_of(tmp_path, tp_size=cards)
    lane.load()
    given = engine.MADE[-1].given
    per_token = 2 * 2 * heads * 8 * 2  # K and V, layers, heads, size of a head, bytes
    assert given["kv_cache_memory_bytes"] % per_token == 0
    tokens = given["kv_cache_memory_bytes"] // per_token
    assert (4 * 3 + 1) * 16 <= tokens <= (4 * 3 + 3) * 16, "tokens are the same on every card"
    assert ("tensor_parallel_size" in given) == (cards > 1)
    assert lane.statement().tensor_parallel == (cards if cards > 1 else None)
    assert lane.memory().kv_pool == 100 * 16 * cards * per_token


def test_how_many_cards_is_asked_of_the_engine(engine: Any, tmp_path: Path) -> None:
    lane = lane_of(tmp_path, tp_size=2)
    lane.load()
    assert engine.MADE[-1].given["tensor_parallel_size"] == 2
    engine.MADE[-1].llm_engine.vllm_config.parallel_config.tensor_parallel_size = 4
    assert lane.statement().tensor_parallel == 4


def test_heads_that_the_cards_cannot_share_are_refused_before_it_is_started(engine: Any, tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="TP_SIZE=3 does not divide the 8 attention heads"):
        lane_of(tmp_path, tp_size=3).load()
    assert engine.MADE == []


def test_precisions_that_it_does_not_run_are_refused(engine: Any, tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="int8"):
        lane_of(tmp_path, precision="int8").load()
    assert engine.MADE == []


def test_the_stand_in_is_strict(engine: Any) -> None:
    with pytest.raises(TypeError, match="max_batch"):
        engine.LLM("m", dtype="float16", max_batch=3)
    with pytest.raises(TypeError, match="end_id"):
        engine.SamplingParams(end_id=2)


def test_the_table_needs_no_import() -> None:
    before = set(sys.modules)
    assert lanes.missing("vllm", "cuda") in (None, "needs vllm, which is not installed")
    assert "vllm" not in set(sys.modules) - before
