"""The compiled PyTorch lanes on a CPU: the ids of the plain lane, exactly N of them, and nothing compiled twice."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tiny_families import config_of, greedy, write_tiny

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from trtbench.errors import Unsupported  # noqa: E402
from trtbench.lanes.lane import Plan, create  # noqa: E402
from trtbench.model.synthetic import Shape, write_synthetic  # noqa: E402
from trtbench.records.trial import Sampling  # noqa: E402
from trtbench.settings.cells import Cell  # noqa: E402
from trtbench.settings.lanes import FEW  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
GQA = Shape(hidden=64, layers=2, heads=4, kv_heads=2, intermediate=96, vocab=500, positions=256)
MHA = Shape(hidden=64, layers=2, heads=4, kv_heads=4, intermediate=96, vocab=500, positions=256)
CELLS = [[1, 9, 12], [3, 9, 12], [1, 14, 5]]
# Steps and spans are made small, so that short generations cross their ends.
CHILD = """
import json, pathlib, sys
from torch._dynamo.utils import counters
from trtbench.lanes.lane import Plan, create
from trtbench.lanes.tuned import session
from trtbench.records.trial import Sampling
from trtbench.settings.cells import Cell
asked = json.loads(sys.argv[1])
session.STEPS, session.LEAST_SPAN = 4, 16
cells = tuple(Cell(batch=b, prompt_length=p, new_tokens=n, precision="float32") for b, p, n in asked["cells"])
for lane, model, seed in asked["turns"]:
    sampling = Sampling(**{**asked["sampling"], "seed": seed})
    lane = create(lane)(Plan(model=pathlib.Path(model), model_digest="d", precision="float32", device="cpu", threads=1,
        sampling=sampling, cells=cells, cache=pathlib.Path(asked["cache"]), value=asked["value"]))
    if asked["together"] and hasattr(lane, "sources"):
        from trtbench.lanes.compile_cache import CompileCache
        folder = CompileCache(lane.plan, lane.name, *lane.sources).folder
        folder.mkdir(parents=True)
        (folder / "inductor").symlink_to(asked["together"])
    counters.clear()
    prepared = lane.prepare()
    lane.load()
    ids = []
    for cell, prompts in zip(cells, asked["prompts"]):
        lane.begin(cell)
        ids.append([lane.generate(prompts, n) for n in (cell.new_tokens, 1, cell.new_tokens)])
    print("TOLD", json.dumps({"ids": ids, "cached": prepared and prepared.cached,
        "cost": prepared and prepared.nanoseconds, "bytes": prepared and prepared.bytes,
        "missed": counters["inductor"]["fxgraph_cache_miss"], "hit": counters["inductor"]["fxgraph_cache_hit"],
        "notes": lane.statement().notes}))
    lane.close()
"""


def run(
    *turns: tuple[str, Path] | tuple[str, Path, int],
    cache: Path,
    cells: list[list[int]] = CELLS,
    together: Path | None = None,
    value: str = "",
    vocab: int = 490,
    **sampling: float,
) -> list[dict[str, Any]]:
    """What lane, model (and seed) gave, one after the other in one process; `together`: one folder for all that is compiled."""
    asked = {
        "turns": [(lane, str(model), *(seed or [0])) for lane, model, *seed in turns],
        "cache": str(cache),
        "cells": cells,
        "prompts": [[[(7 * row + 3 * i + 5) % vocab for i in range(p)] for row in range(b)] for b, p, _ in cells],
        "together": together and str(together),
        "value": value,
        "sampling": sampling,
    }
    # A pool of compiling processes costs more than it saves on a model this small.
    env = {**os.environ, "OMP_NUM_THREADS": "1", "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "scripts"), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run([sys.executable, "-c", CHILD, json.dumps(asked)], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    told = [json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith("TOLD ")]
    assert len(told) == len(turns)
    return told


def check_lengths(ids: list[list[list[list[int]]]], cells: list[list[int]]) -> None:
    for cell, (whole, one, repeated) in zip(cells, ids):
        assert [len(row) for row in whole] == [cell[2]] * cell[0]
        assert one == [row[:1] for row in whole]
        assert repeated == whole, "a call left something behind for the next"


def model_of(folder: Path, shape: Shape, **more: Any) -> Path:
    """A synthetic folder; `more` goes into its configuration."""
    folder.mkdir()
    write_synthetic(folder, shape, seed=11)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **more}))
    return folder


def a_plan(model: Path, cache: Path, longest: int = 21) -> Plan:
    cells = (Cell(batch=1, prompt_length=longest - 12, new_tokens=12, precision="float32"),)
    return Plan(
        model=model,
        model_digest="d",
        precision="float32",
        device="cpu",
        threads=1,
        sampling=Sampling(),
        cells=cells,
        cache=cache,
    )


@pytest.mark.slow
def test_tuned_returns_the_ids_of_eager_and_compiles_once(tmp_path: Path) -> None:
    model = model_of(tmp_path / "model", GQA)
    plain, first = run(("pytorch-eager", model), ("pytorch-tuned", model), cache=tmp_path / "cache")
    (again,) = run(("pytorch-tuned", model), cache=tmp_path / "cache")
    assert plain["ids"] == first["ids"] == again["ids"]
    check_lengths(first["ids"], CELLS)
    assert not first["cached"] and first["missed"] > 0 and first["cost"] > 0 and first["bytes"] > 0
    assert again["cached"] and again["missed"] == 0 and again["hit"] > 0
    assert (again["cost"], again["bytes"]) == (first["cost"], first["bytes"])


@pytest.mark.slow
def test_tuned_returns_them_by_the_matrix_library_too_one_sequence_or_more_than_sums_are_for(tmp_path: Path) -> None:
    model = model_of(tmp_path / "model", GQA)
    cells = [[1, 9, 6], [3, 9, 4], [FEW + 1, 9, 3]]
    lanes = ("pytorch-eager", model), ("pytorch-tuned", model)
    plain, library = run(*lanes, cache=tmp_path / "cache", cells=cells, value="matrix library")
    assert plain["ids"] == library["ids"]
    check_lengths(library["ids"], cells)


@pytest.mark.slow
@pytest.mark.ngc
def test_compile_returns_the_ids_of_eager_and_compiles_once(tmp_path: Path) -> None:
    # transformers' own decoder, compiled as a whole: each layer costs as much again, and shows nothing more.
    model = model_of(tmp_path / "model", dataclasses.replace(GQA, layers=1))
    cells = CELLS[1:]
    plain, first = run(("pytorch-eager", model), ("pytorch-compile", model), cache=tmp_path / "cache", cells=cells)
    (again,) = run(("pytorch-compile", model), cache=tmp_path / "cache", cells=cells)
    assert plain["ids"] == first["ids"] == again["ids"]
    assert not first["cached"] and first["missed"] > 0
    assert again["cached"] and again["missed"] == 0 and again["hit"] > 0
    assert any("private flag" in note for note in first["notes"])


# The same epsilon for most of them: then they share what is compiled, and only what differs is compiled anew.
VARIANTS: dict[str, tuple[Shape, dict[str, Any]]] = {
    "mha": (MHA, {}),
    "tied": (GQA, {"rope_theta": 500.0, "tie_word_embeddings": True, "rms_norm_eps": 1e-3}),
    "llama3-rope": (
        GQA,
        {
            "rms_norm_eps": 1e-3,
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 4.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 32,
            },
        },
    ),
    "qwen2": (
        GQA,
        {
            "rms_norm_eps": 1e-3,
            "model_type": "qwen2",
            "architectures": ["Qwen2ForCausalLM"],
            "use_sliding_window": False,
        },
    ),
    "mistral": (
        GQA,
        {
            "rms_norm_eps": 1e-3,
            "model_type": "mistral",
            "architectures": ["MistralForCausalLM"],
            "sliding_window": 64,
        },
    ),
}


def variant(folder: Path, shape: Shape, more: dict[str, Any]) -> Path:
    """A synthetic folder with that configuration and the weights that it asks for."""
    from safetensors.torch import load_file, save_file

    model = model_of(folder, shape, **more)
    weights = load_file(model / "model.safetensors")
    if more.get("tie_word_embeddings"):
        del weights["lm_head.weight"]
    if more.get("model_type") == "qwen2":
        for name in [n for n in weights if n.endswith(("q_proj.weight", "k_proj.weight", "v_proj.weight"))]:
            rows = weights[name].shape[0]
            weights[name.replace("weight", "bias")] = torch.linspace(-1, 1, rows, dtype=torch.bfloat16)
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    return model


@pytest.mark.slow
@pytest.mark.ngc  # what this lane reads by itself must be what either transformers reads
def test_tuned_follows_the_configuration(tmp_path: Path) -> None:
    """In one process, and what they have in common compiled once: importing and compiling cost far more than the ids."""
    cells = [[1, 9, 12], [3, 9, 7]]  # 21 and 16 positions: the first crosses from one span to the next
    models = [variant(tmp_path / name, *made_of) for name, made_of in VARIANTS.items()]
    turns = [(lane, model) for model in models for lane in ("pytorch-eager", "pytorch-tuned")]
    (tmp_path / "inductor").mkdir()
    told = run(*turns, cache=tmp_path / "cache", cells=cells, together=tmp_path / "inductor")
    for name, plain, tuned in zip(VARIANTS, told[::2], told[1::2]):
        assert plain["ids"] == tuned["ids"], name
        check_lengths(tuned["ids"], cells)
    assert len({json.dumps(plain["ids"]) for plain in told[::2]}) == len(VARIANTS), "each bears on the ids"


# Between them they have what a family has beyond a Llama: norms of queries and keys, scales, caps, norms after the parts.
UNLIKE_LLAMA = ("qwen3", "gemma2")


@pytest.mark.slow
def test_tuned_compiles_what_is_beyond_a_llama(tmp_path: Path) -> None:
    """The arithmetic itself is held against transformers without the compiler, in tests/lanes/test_tuned_families.py."""
    cells = [[1, 9, 4], [4, 9, 4]]
    expected, turns = [], []
    for name in UNLIKE_LLAMA:
        model = write_tiny(tmp_path / name, {**config_of(name), "num_hidden_layers": 2}, seed=5)
        prompts = [[[(7 * row + 3 * i + 5) % 290 for i in range(p)] for row in range(b)] for b, p, _ in cells]
        expected.append([greedy(model, rows, cell[2]) for rows, cell in zip(prompts, cells)])
        turns.append(("pytorch-tuned", tmp_path / name))
    (tmp_path / "inductor").mkdir()
    told = run(*turns, cache=tmp_path / "cache", cells=cells, vocab=290, together=tmp_path / "inductor")
    for name, ids, tuned in zip(UNLIKE_LLAMA, expected, told):
        check_lengths(tuned["ids"], cells)
        assert [whole for whole, _, _ in tuned["ids"]] == ids, name


@pytest.mark.parametrize(
    ("more", "longest", "said"),
    [
        ({"model_type": "gpt2"}, 21, "this model is gpt2"),
        ({"hidden_act": "gelu"}, 21, "hidden_act='gelu'"),
        ({"attention_bias": True}, 21, "attention_bias=True"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, 21, "'yarn'"),
        ({"model_type": "mistral", "sliding_window": 20}, 21, "this model's is 20, the longest cell 21"),
        ({"quantization_config": {"bits": 4}}, 21, "quantised weights"),
    ],
)
def test_tuned_refuses_what_it_does_not_compute(more: dict[str, Any], longest: int, said: str, tmp_path: Path) -> None:
    lane = create("pytorch-tuned")(a_plan(model_of(tmp_path / "model", GQA, **more), tmp_path / "cache", longest))
    with pytest.raises(Unsupported, match="pytorch-tuned") as refusal:
        lane.prepare()
    assert said in str(refusal.value)


def test_tuned_refuses_weights_that_are_not_there(tmp_path: Path) -> None:
    model = model_of(tmp_path / "model", GQA, num_hidden_layers=3)
    with pytest.raises(Unsupported, match=r"does not find model\.layers\.2\.self_attn\.q_proj\.weight"):
        create("pytorch-tuned")(a_plan(model, tmp_path / "cache")).prepare()


def test_tuned_refuses_weights_that_contradict_the_configuration(tmp_path: Path) -> None:
    model = model_of(tmp_path / "model", GQA, tie_word_embeddings=True)
    with pytest.raises(Unsupported, match="lm_head.weight is there and is not the embedding"):
        create("pytorch-tuned")(a_plan(model, tmp_path / "cache")).prepare()


@pytest.mark.slow
def test_sampling_is_drawn_anew_and_follows_the_seed(tmp_path: Path) -> None:
    model = model_of(tmp_path / "model", GQA)
    settings: Any = {"cache": tmp_path / "cache", "cells": [[1, 9, 7]], "temperature": 1.0, "top_p": 0.9}
    drawn = run(*(("pytorch-tuned", model, seed) for seed in (1, 1, 2)), **settings)
    ids = [found["ids"][0] for found in drawn]
    assert ids[0][0] != ids[0][2], "the same draw twice"
    assert ids[1] != ids[2]
    (again,) = run(("pytorch-tuned", model, 1), **settings)  # in a process of its own, as a trial is one
    assert again["ids"] == drawn[1]["ids"]


def config_of_one(vocab: int) -> Any:
    """What a choice asks of a model that is not split."""
    return SimpleNamespace(vocab=vocab, ranks=1, head_split=False)


def test_choice_keeps_to_the_nucleus_and_to_its_shares() -> None:
    from trtbench.lanes.tuned.steps import choose

    config = config_of_one(4)
    torch.manual_seed(5)
    shares = torch.tensor([0.45, 0.05, 0.3, 0.2])
    drawn = choose(shares.log().expand(20_000, 4), 1.0, 0.7, config)
    counts = torch.bincount(drawn, minlength=4) / 20_000
    # 0.45 and 0.3 together hold 0.7; what is left out is shared among them.
    assert counts[1] == counts[3] == 0
    assert abs(counts[0] - 0.6) < 0.015
    sharper = torch.bincount(choose(shares.log().expand(20_000, 4), 0.5, 1.0, config), minlength=4) / 20_000
    assert torch.allclose(sharper, shares**2 / (shares**2).sum(), atol=0.015)


@pytest.mark.parametrize("vocab", [500, 4096, 499])
def test_greedy_takes_the_first_of_equal_logits(vocab: int) -> None:
    from trtbench.lanes.tuned.steps import choose

    logits = torch.randint(0, 4, (7, vocab)).float()
    assert choose(logits, 0.0, 1.0, config_of_one(vocab)).tolist() == logits.argmax(-1).tolist()
