"""The tuned decoder split over two ranks: two processes over gloo, each with its share of the weights, give the ids that transformers
gives for the whole model. Without the compiler, which the end-to-end test of several ranks has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tiny_families import TINY, config_of, greedy, write_tiny

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from trtbench.errors import Unsupported  # noqa: E402
from trtbench.lanes.tuned import families, steps, weights  # noqa: E402
from trtbench.settings.knobs import ROOT  # noqa: E402

RANKS, PROMPT, NEW = 2, 11, 4
# One sequence and three of them as sums over rows, two by the matrix library: the three forms of a decode step.
FORMS = ((1, True), (3, True), (2, False))
SPLIT = [name for name in TINY if TINY[name][0] not in weights.NORM_OVER_HEADS]
# What a family's own settings leave open: a head that can't be split for its vocabulary, and the other way of tying.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in SPLIT},
    "llama with an odd vocabulary": ("llama", {"vocab_size": 301}),
    "llama tied": ("llama", {"tie_word_embeddings": True}),
    "llama tied with an odd vocabulary": ("llama", {"vocab_size": 301, "tie_word_embeddings": True}),
    "qwen2 untied": ("qwen2", {"tie_word_embeddings": False}),
    "gemma2 untied": ("gemma2", {"tie_word_embeddings": False}),
}
CHILD = """
import json, pathlib, sys, types
import torch
torch.compile = lambda function, **_: function
from trtbench.lanes import ranks
from trtbench.lanes.tuned import families, session, weights
from trtbench.lanes.tuned.launch import DependentLaunch
from trtbench.records.trial import Sampling
rank, asked = int(sys.argv[1]), json.loads(pathlib.Path(sys.argv[2]).read_text())
torch.set_num_threads(1)
torch.set_grad_enabled(False)
session.LEAST_SPAN = 16
ranks.join(types.SimpleNamespace(device="cpu", rank=rank, tp_size=asked["ranks"]), sys.argv[2] + ".store")
told = []
for model, sampling, forms in asked["turns"]:
    folder = pathlib.Path(model)
    config = weights.share_of(families.read_config(folder, asked["prompt"] + asked["new"]), asked["ranks"], rank)
    layers, ends = weights.read_weights(folder, config, torch.float32, "cpu")
    torch.manual_seed(rank + 1)  # ranks that draw for themselves would part
    for prompts, sums in forms:
        shape = len(prompts), asked["prompt"], asked["new"]
        made = session.Session(config, layers, ends, Sampling(**sampling), shape, DependentLaunch(folder, "cpu"), sums)
        told.append(made.run(prompts, asked["new"]))
ranks.leave()
print("TOLD", json.dumps(told))
"""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small are done on one thread before others have begun."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def by_ranks(folder: Path, turns: list[Any]) -> list[list[Any]]:
    """What each rank returned for these models, samplings and forms, one after the other."""
    asked = folder / "asked.json"
    asked.write_text(json.dumps({"ranks": RANKS, "prompt": PROMPT, "new": NEW, "turns": turns}))
    env = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(rank), str(asked)],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(RANKS)
    ]
    try:
        ended = [process.communicate(timeout=100) for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, (_, said) in zip(processes, ended):
        assert process.returncode == 0, said[-3000:]
    return [json.loads(said.splitlines()[-1].removeprefix("TOLD ")) for said, _ in ended]


def prompts_of(seed: int) -> list[tuple[list[list[int]], bool]]:
    draw = torch.Generator().manual_seed(seed)
    return [(torch.randint(3, 290, (batch, PROMPT), generator=draw).tolist(), sums) for batch, sums in FORMS]


@pytest.mark.slow
def test_two_ranks_give_the_ids_of_transformers(tmp_path: Path) -> None:
    turns, expected = [], []
    for seed, (name, (family, more)) in enumerate(VARIANTS.items()):
        folder, forms = tmp_path / name.replace(" ", "-"), prompts_of(seed)
        del forms[1 + seed % 2]  # each family as one sequence, and as several of them in one way or the other
        model = write_tiny(folder, {**config_of(family), **more}, seed)
        turns.append((str(folder), {}, forms))
        expected += [(name, len(prompts), greedy(model, prompts, NEW)) for prompts, _ in forms]
    first, second = by_ranks(tmp_path, turns)
    assert [(*of, ids) for (*of, _), ids in zip(expected, first)] == expected
    assert second == first
    assert len({json.dumps(ids) for ids in first}) == len(first), "each form of each family has ids of its own"


@pytest.mark.slow
def test_ranks_that_draw_draw_the_same(tmp_path: Path) -> None:
    """With a head that is split for its vocabulary, and with one that each rank has whole."""
    drawn: dict[str, float] = {"temperature": 1.0, "top_p": 0.9}
    turns: list[Any] = []
    for vocabulary in (300, 301):
        folder = tmp_path / str(vocabulary)
        write_tiny(folder, {**config_of("llama"), "vocab_size": vocabulary}, 1)
        turns += [(str(folder), sampling, prompts_of(1)) for sampling in (drawn, {})]
    first, second = by_ranks(tmp_path, turns)
    assert first == second
    answers = [first[at : at + len(FORMS)] for at in range(0, len(first), len(FORMS))]
    assert answers[0] != answers[1] and answers[2] != answers[3], "the draw bears on the ids"


@pytest.mark.parametrize(("vocabulary", "ranks"), [(300, 2), (512, 4), (14, 7)])
def test_the_best_of_all_ranks_is_the_first_of_equal_logits(
    vocabulary: int, ranks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one process: what each rank tells the others is kept first, and then given to each of them."""
    draw = torch.Generator().manual_seed(ranks)
    logits = torch.randint(0, 4, (9, vocabulary), generator=draw).float()
    configs: list[Any] = [SimpleNamespace(rank=rank, ranks=ranks, head_split=True) for rank in range(ranks)]
    shares = list(zip(logits.chunk(ranks, -1), configs))
    told: list[Any] = []

    def gathered(share: Any, config: Any) -> Any:
        told.append(share)
        return torch.stack(told[:ranks] if len(told) > ranks else [share] * ranks)

    monkeypatch.setattr(steps, "gathered", gathered)
    for _ in range(2):
        chosen = [steps.choose(share, 0.0, 1.0, config).tolist() for share, config in shares]
    assert chosen == [logits.argmax(-1).tolist()] * ranks


@pytest.mark.parametrize("name", VARIANTS)
def test_shares_put_together_are_the_whole(name: str, tmp_path: Path) -> None:
    family, more = VARIANTS[name]
    folder = tmp_path / "model"
    write_tiny(folder, {**config_of(family), **more}, 1)
    config = families.read_config(folder, PROMPT + NEW)
    shares = [weights.share_of(config, RANKS, rank) for rank in range(RANKS)]
    layers, ends = weights.read_weights(folder, config, torch.float32, "cpu")
    parts = [weights.read_weights(folder, share, torch.float32, "cpu") for share in shares]
    # The rows of Q, K and V, in the share of each rank and in the whole, are one block after the other.
    own = [share_rows * config.half for share_rows in (shares[0].heads, *[shares[0].kv_heads] * 2)]

    def rows_together(of_ranks: list[Any]) -> Any:
        blocks = zip(*(part.split(own, 1) for part in of_ranks))
        return torch.cat([torch.cat(block, 1) for block in blocks], 1)

    for layer, *shared in zip(layers, *(read for read, _ in parts)):
        assert torch.equal(rows_together([part.qkv for part in shared]), layer.qkv)
        if layer.bias is not None:
            assert torch.equal(rows_together([part.bias for part in shared]), layer.bias)
        assert torch.equal(torch.cat([part.o for part in shared], 2), layer.o)
        assert torch.equal(torch.cat([part.up for part in shared], 1), layer.up)
        assert torch.equal(torch.cat([part.down for part in shared], 1), layer.down)
        for field in ("norm", "mlp_norm", "q_norm", "k_norm", "post_norm", "post_mlp_norm"):
            kept = getattr(layer, field)
            assert all(
                part == kept if kept is None else torch.equal(part, kept)
                for part in (getattr(s, field) for s in shared)
            )
    heads = [part.head for _, part in parts]
    assert shares[0].head_split == (config.vocab % RANKS == 0)
    assert torch.equal(torch.cat(heads) if shares[0].head_split else heads[0], ends.head)
    for _, part in parts:
        assert torch.equal(part.embedding, ends.embedding) and torch.equal(part.norm, ends.norm)
    # A share that is a view of the whole would keep all of it in memory.
    held = [part for read, _ in parts for layer in read for part in layer if part is not None]
    assert all(part.untyped_storage().nbytes() <= part.nbytes for part in held)


def test_a_norm_over_all_heads_is_refused_with_the_family(tmp_path: Path) -> None:
    write_tiny(tmp_path / "model", config_of("olmo2"), 1)
    config = families.read_config(tmp_path / "model", PROMPT + NEW)
    with pytest.raises(
        Unsupported, match="pytorch-tuned does not split olmo2 over cards: a norm of it is over all heads"
    ):
        weights.share_of(config, RANKS, 0)
    assert weights.share_of(config, 1, 0) is config


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"num_attention_heads": 3, "num_key_value_heads": 3, "hidden_size": 48}, "3 attention heads"),
        ({"num_key_value_heads": 1}, "1 key-value heads"),
        ({"intermediate_size": 95}, "95 rows of the MLP"),
    ],
)
def test_what_does_not_divide_is_refused_with_both_numbers(more: dict[str, Any], said: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**config_of("llama"), **more}))
    config = families.read_config(tmp_path, PROMPT + NEW)
    with pytest.raises(Unsupported, match=f"TP_SIZE={RANKS} does not divide the {said} of this model"):
        weights.share_of(config, RANKS, 1)
