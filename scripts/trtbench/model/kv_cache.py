"""Bytes and tokens of the KV cache: how large a pool must be that never makes a sequence wait. The only place that counts
them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trtbench.errors import UserError
from trtbench.model.shape import ModelShape

if TYPE_CHECKING:  # a roofline is computed with nothing installed, and a cell is a msgspec struct
    from trtbench.settings.cells import Cell


def values_per_token(layers: int, kv_heads: int, head_dim: int) -> int:
    """Keys and values of one token in so many layers."""
    return 2 * layers * kv_heads * head_dim


def values_of(shape: ModelShape) -> int:
    """What one layer keeps of one token: keys and values, or the latent that it makes both of."""
    if shape.latent is not None:
        return shape.latent.kv_rank + shape.latent.rope_dim
    return values_per_token(1, shape.kv_heads, shape.head_dim)


def bytes_per_token(layers: int, kv_heads: int, head_dim: int, width: int = 2) -> int:
    """Bytes of the keys and values of one token in all layers, at `width` bytes a value."""
    return values_per_token(layers, kv_heads, head_dim) * width


def heads_per_rank(kv_heads: int, ranks: int) -> int:
    """KV heads that each of the ranks keeps that a model is split over; where there are fewer heads than ranks, several ranks
    keep the same one. So in TensorRT-LLM (layers/attention.py, num_attention_kv_heads) and in vLLM (get_num_kv_heads)."""
    return -(-kv_heads // ranks)


def bytes_per_token_of(config: Mapping[str, Any], width: int = 2, ranks: int = 1) -> int:
    """The same from a config.json, of all ranks together; one whose architecture isn't known is read as a Llama's."""
    try:
        shape = ModelShape.from_config(config)
    except UserError:
        pass
    else:
        on_a_rank = dataclasses.replace(shape, kv_heads=heads_per_rank(shape.kv_heads, ranks))
        return ranks * shape.layers * values_of(on_a_rank) * width
    heads = config["num_attention_heads"]
    return ranks * bytes_per_token(
        config["num_hidden_layers"],
        heads_per_rank(config.get("num_key_value_heads") or heads, ranks),
        config.get("head_dim") or config["hidden_size"] // heads,
        width,
    )


def unsplittable(config: Mapping[str, Any], ranks: int) -> str:
    """Why attention can't be split over so many ranks, as a sentence without its full stop; empty where it can. Every engine
    here gives each rank as many heads, and refuses the rest, late."""
    return undivided({"attention heads": config.get("num_attention_heads") or config.get("n_head") or ranks}, ranks)


def undivided(sizes: Mapping[str, int], ranks: int) -> str:
    """Which of these sizes of a model so many ranks can't share evenly, as a sentence without its full stop; empty where they
    can."""
    for what, size in sizes.items():
        if size % ranks:
            return f"TP_SIZE={ranks} does not divide the {size} {what} of this model; take a number of cards that does, or TP_SIZE=1"
    return ""


def kv_tokens(cells: Sequence[Cell], tokens_per_block: int, beyond: int = 0) -> int:
    """Tokens that the KV pool must hold for the largest cell. Blocks are counted per sequence: a bound rounded over the
    whole batch leaves the last sequence waiting. `beyond` are further tokens of each sequence."""
    return max(
        cell.batch * math.ceil((cell.prompt_length + cell.new_tokens + beyond) / tokens_per_block) * tokens_per_block
        for cell in cells
    )
