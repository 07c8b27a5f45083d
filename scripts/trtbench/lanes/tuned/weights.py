"""The safetensors of a model as the tuned decoder holds them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from trtbench.errors import Unsupported
from trtbench.lanes.tuned.decoder import Config, Ends, Layer
from trtbench.lanes.tuned.families import FAMILIES
from trtbench.model import files as model_files
from trtbench.model.kv_cache import undivided

# Before the names of a decoder's weights; the others are a decoder's inside a model that also sees.
PREFIXES = ("model.", "language_model.model.", "model.language_model.")
HEADS = ("lm_head.weight", "language_model.lm_head.weight")
NORM_OVER_HEADS = ("olmo2",)  # of queries and of keys


def share_of(config: Config, ranks: int, rank: int) -> Config:
    """What one of `ranks` computes: its share of the heads and of the MLP. Raises Unsupported where they do not divide."""
    if ranks == 1:
        return config
    sizes = {
        "attention heads": config.heads,
        "key-value heads": config.kv_heads,
        "rows of the MLP": config.intermediate,
    }
    if reason := undivided(sizes, ranks):
        raise Unsupported(reason)
    if config.kind in NORM_OVER_HEADS:
        raise Unsupported(
            f"pytorch-tuned does not split {config.kind} over cards: a norm of it is over all heads together"
        )
    return dataclasses.replace(
        config,
        heads=config.heads // ranks,
        kv_heads=config.kv_heads // ranks,
        intermediate=config.intermediate // ranks,
        ranks=ranks,
        rank=rank,
    )


def read_weights(folder: Path, config: Config, dtype: torch.dtype, device: str) -> tuple[list[Layer], Ends]:
    """Read the safetensors and arrange them as `Layer` and `Ends` say; of what is split over ranks, this one's share."""
    where = {}
    files = [safe_open(str(file), framework="pt") for file in model_files.weight_files(folder)]
    for file in files:
        where.update(dict.fromkeys(file.keys(), file))

    def get(name: str, split: int | None = None) -> Tensor:
        if name not in where:
            raise Unsupported(f"pytorch-tuned does not find {name} among the weights")
        weight = where[name].get_tensor(name)
        if split is not None and config.ranks > 1:
            weight = _share(weight, split, config).clone()  # else the whole would be kept for it
        return weight.to(device, dtype)

    start = next((prefix for prefix in PREFIXES if f"{prefix}embed_tokens.weight" in where), PREFIXES[0])
    layers = [_layer(get, f"{start}layers.{i}.", config) for i in range(config.layers)]
    embedding = get(f"{start}embed_tokens.weight")
    named = next((name for name in HEADS if name in where), HEADS[0])
    rows = 0 if config.head_split else None
    head = get(named, rows) if not config.tied else embedding if rows is None else _share(embedding, rows, config)
    if config.tied and named in where and not torch.equal(get(named), embedding):
        # transformers 4 takes the embedding, transformers 5 the weights of its own.
        raise Unsupported(
            f"pytorch-tuned reads tie_word_embeddings=true, but {named} is there and is not the embedding"
        )
    return layers, Ends(embedding, _norm(get(f"{start}norm.weight"), config), head)


def _share(matrix: Tensor, dimension: int, config: Config) -> Tensor:
    """This rank's part of what is split along a dimension."""
    return matrix if config.ranks == 1 else matrix.chunk(config.ranks, dimension)[config.rank]


def _layer(get: Callable[..., Tensor], at: str, config: Config) -> Layer:
    c, family = config, FAMILIES[config.kind]

    def norm(name: str | None) -> Tensor | None:
        return None if name is None else _norm(get(f"{at}{name}.weight"), c)

    if family.fused:
        rows = [2 * c.half * heads * c.ranks for heads in (c.heads, c.kv_heads, c.kv_heads)]
        q, k, v = (_share(part, 0, c) for part in get(f"{at}self_attn.qkv_proj.weight").split(rows))
        up = _share(get(f"{at}mlp.gate_up_proj.weight").view(2, -1, c.hidden), 1, c).contiguous()
    else:
        q, k, v = (get(f"{at}self_attn.{n}_proj.weight", 0) for n in "qkv")
        up = torch.stack([get(f"{at}mlp.{n}_proj.weight", 0) for n in ("gate", "up")])
    biases = [_halves(get(f"{at}self_attn.{n}_proj.bias", 0), c) for n in "qkv"] if c.bias else None
    q_norm, k_norm = (
        _halves(_norm(get(f"{at}self_attn.{n}_norm.weight"), c), c).view(2, -1, c.half) if family.head_norms else None
        for n in "qk"
    )
    o = get(f"{at}self_attn.o_proj.weight", 1).reshape(c.hidden, c.heads, 2, c.half)
    before, after, mlp_before, mlp_after = family.norms
    return Layer(
        norm=norm(before),
        qkv=torch.cat([_halves(_turned_first(q, c), c), _halves(_turned_first(k, c), c), _halves(v, c)], 1),
        bias=None if biases is None else torch.cat(biases, 1),
        o=o.transpose(1, 2).reshape(c.hidden, 2, c.heads * c.half),
        mlp_norm=norm(mlp_before),
        up=up,
        down=get(f"{at}mlp.down_proj.weight", 1),
        q_norm=q_norm,
        k_norm=k_norm,
        post_norm=norm(after),
        post_mlp_norm=norm(mlp_after),
    )


def _norm(weight: Tensor, config: Config) -> Tensor:
    """In float32 with its offset where the family multiplies before it rounds."""
    offset = FAMILIES[config.kind].offset
    return weight if offset is None else weight.float() + offset


def _halves(matrix: Tensor, config: Config) -> Tensor:
    """[heads · 2 D, …] to [2, heads · D, …]."""
    split = matrix.view(-1, 2, config.half, *matrix.shape[1:])
    return split.transpose(0, 1).reshape(2, -1, *matrix.shape[1:])


def _turned_first(matrix: Tensor, config: Config) -> Tensor:
    """The rows of each head so that its halves are pairs where only `turned` dimensions of it are turned: the others become pairs
    that stand still. Q and K alike, so that their products are the same."""
    if not config.turned:
        return matrix
    first, rest = torch.arange(2 * config.half).split([config.turned, 2 * config.half - config.turned])
    order = torch.cat([part for pair in zip(first.chunk(2), rest.chunk(2)) for part in pair])
    return matrix.view(-1, 2 * config.half, *matrix.shape[1:])[:, order].reshape(matrix.shape)
