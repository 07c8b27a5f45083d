"""A Llama-style decoder in plain PyTorch, shaped so that its compiler fuses a decode step into few kernels.

Every head is kept as two halves (the pairs that the rotary embedding turns), `lo` and `hi`: then the two products that
one rotation needs are two sums over the same range, which Inductor puts into one kernel together with the rotation and
the write into the KV cache. Shapes: B sequences, T prompt ids, S cache positions, H hidden, Q and K query and KV heads,
D half a head, R = (Q + 2 K) · D rows of one half of the fused QKV matrix, I intermediate.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional as F

from trtbench.errors import Unsupported
from trtbench.model import files as model_files

# [..., H] with [N, H] and perhaps a bias [N]: [..., N]
Product = Callable[..., Tensor]

_KINDS = ("llama", "mistral", "qwen2")
WIDEST_ON_CPU = 3072  # rows of a matrix that is multiplied in one piece there
ROWS = 64  # slices have whole multiples of so many: the matrix library is slow with odd ones


@dataclasses.dataclass(frozen=True)
class Config:
    """Sizes as above; `frequencies` are the D rotary frequencies (radians a position)."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    half: int
    intermediate: int
    vocab: int
    eps: float
    tied: bool
    bias: bool
    frequencies: tuple[float, ...]

    @property
    def rows(self) -> int:
        return (self.heads + 2 * self.kv_heads) * self.half


class Layer(NamedTuple):
    """Weights of one layer: qkv [2, R, H], bias [2, R] or None, o [H, 2, Q·D], up [2, I, H] (gate, up), down [H, I]."""

    norm: Tensor
    qkv: Tensor
    bias: Tensor | None
    o: Tensor
    mlp_norm: Tensor
    up: Tensor
    down: Tensor


class Ends(NamedTuple):
    """What lies around the layers: embedding [V, H], final norm [H], head [V, H]."""

    embedding: Tensor
    norm: Tensor
    head: Tensor


def read_config(folder: Path, longest: int) -> Config:
    """Read config.json; Unsupported names what this decoder does not compute."""
    raw = model_files.read_config(folder)
    kind = raw.get("model_type")
    if kind not in _KINDS:
        raise Unsupported(f"pytorch-tuned has its own decoder for {', '.join(_KINDS)}, and this model is {kind}")
    for name, computed in (("hidden_act", "silu"), ("mlp_bias", False), ("attention_bias", False)):
        if raw.get(name, computed) != computed:
            raise Unsupported(f"pytorch-tuned does not compute a model with {name}={raw[name]!r}")
    if "quantization_config" in raw:
        raise Unsupported("pytorch-tuned does not read quantised weights")
    window = raw.get("sliding_window") if kind == "mistral" or raw.get("use_sliding_window") else None
    if window is not None and window < longest:
        raise Unsupported(f"pytorch-tuned has no sliding window; this model's is {window}, the longest cell {longest}")
    heads = raw["num_attention_heads"]
    size = raw.get("head_dim") or raw["hidden_size"] // heads
    return Config(
        layers=raw["num_hidden_layers"],
        hidden=raw["hidden_size"],
        heads=heads,
        kv_heads=raw.get("num_key_value_heads") or heads,
        half=size // 2,
        intermediate=raw["intermediate_size"],
        vocab=raw["vocab_size"],
        eps=raw.get("rms_norm_eps", 1e-6),
        tied=raw.get("tie_word_embeddings", False),
        bias=kind == "qwen2",
        frequencies=tuple(_frequencies(raw, size)),
    )


def _frequencies(raw: dict[str, Any], size: int) -> list[float]:
    """Rotary frequencies of the plain, linear and llama3 kinds (Su et al. 2021; Llama 3.1's config for the last)."""
    rope = {**(raw.get("rope_scaling") or {}), **(raw.get("rope_parameters") or {})}
    base = rope.get("rope_theta") or raw.get("rope_theta") or 10000.0
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind not in ("default", "linear", "llama3") or raw.get("partial_rotary_factor", 1) != 1:
        raise Unsupported(f"pytorch-tuned does not compute rotary embeddings of the kind {kind!r}")
    plain = [base ** (-2 * i / size) for i in range(size // 2)]
    if kind == "default":
        return plain
    factor = rope["factor"]
    if kind == "linear":
        return [f / factor for f in plain]
    low, high, original = rope["low_freq_factor"], rope["high_freq_factor"], rope["original_max_position_embeddings"]
    scaled = []
    for f in plain:
        turns = original * f / (2 * math.pi)
        keep = min(1.0, max(0.0, (turns - low) / (high - low)))
        scaled.append(f * (keep + (1 - keep) / factor))
    return scaled


def read_weights(folder: Path, config: Config, dtype: torch.dtype, device: str) -> tuple[list[Layer], Ends]:
    """Read the safetensors and arrange them as `Layer` and `Ends` say."""
    where = {}
    files = [safe_open(str(file), framework="pt") for file in model_files.weight_files(folder)]
    for file in files:
        where.update(dict.fromkeys(file.keys(), file))

    def get(name: str) -> Tensor:
        if name not in where:
            raise Unsupported(f"pytorch-tuned does not find {name} among the weights")
        return where[name].get_tensor(name).to(device, dtype)

    c, h = config, 2 * config.half

    def halves(matrix: Tensor) -> Tensor:  # [heads · 2 D, …] → [2, heads · D, …]
        split = matrix.view(-1, 2, c.half, *matrix.shape[1:])
        return split.transpose(0, 1).reshape(2, -1, *matrix.shape[1:])

    layers = []
    for i in range(c.layers):
        at = f"model.layers.{i}."
        qkv = [halves(get(f"{at}self_attn.{n}_proj.weight")) for n in "qkv"]
        bias = [halves(get(f"{at}self_attn.{n}_proj.bias")) for n in "qkv"] if c.bias else None
        o = get(at + "self_attn.o_proj.weight").view(c.hidden, c.heads, 2, c.half)
        layers.append(
            Layer(
                norm=get(at + "input_layernorm.weight"),
                qkv=torch.cat(qkv, 1),
                bias=None if bias is None else torch.cat(bias, 1),
                o=o.transpose(1, 2).reshape(c.hidden, 2, c.heads * h // 2),
                mlp_norm=get(at + "post_attention_layernorm.weight"),
                up=torch.stack([get(f"{at}mlp.{n}_proj.weight") for n in ("gate", "up")]),
                down=get(at + "mlp.down_proj.weight"),
            )
        )
    embedding = get("model.embed_tokens.weight")
    head = embedding if c.tied else get("lm_head.weight")
    if c.tied and "lm_head.weight" in where and not torch.equal(get("lm_head.weight"), embedding):
        # transformers 4 takes the embedding, transformers 5 the weights of its own.
        raise Unsupported(
            "pytorch-tuned reads tie_word_embeddings=true, but lm_head.weight is there and is not the embedding"
        )
    return layers, Ends(embedding, get("model.norm.weight"), head)


def rotation(config: Config, length: int, device: str) -> tuple[Tensor, Tensor]:
    """Cosine and sine [S, R] in float32 for one half of Q, K and V side by side; V is not turned (1 and 0)."""
    turned = (config.heads + config.kv_heads, config.kv_heads)
    angle = torch.outer(
        torch.arange(length, dtype=torch.float64), torch.tensor(config.frequencies, dtype=torch.float64)
    )
    angle = torch.cat([angle.repeat(1, turned[0]), angle.new_zeros(length, turned[1] * config.half)], 1)
    return angle.cos().float().to(device), angle.sin().float().to(device)


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    wide = x.float()
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)).to(x.dtype) * weight


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`F.linear` of [B, T, H] with [N, H]; on a CPU in slices of the fused matrices, which the matrix library there multiplies
    faster than a whole one (docs/performance.md)."""
    if x.device.type != "cpu" or weight.shape[0] <= WIDEST_ON_CPU or bias is not None:
        return F.linear(x, weight, bias)
    slices = -(-weight.shape[0] // WIDEST_ON_CPU)
    size = -(-weight.shape[0] // (slices * ROWS)) * ROWS
    return torch.cat([F.linear(x, part) for part in weight.split(size)], -1)


def sums(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The same product for few rows, as sums that Inductor puts into one loop over the matrix: it is read once for all rows.
    Sums in float32."""
    wide = weight.float()
    rows = torch.stack([(wide * row).sum(-1) for row in x.reshape(-1, x.shape[-1]).float().unbind(0)])
    if bias is not None:
        rows = rows + bias.float()
    return rows.to(x.dtype).view(*x.shape[:-1], -1)


def project(
    x: Tensor, w: Layer, config: Config, cos: Tensor, sin: Tensor, product: Product = linear
) -> tuple[Tensor, Tensor, Tensor]:
    """Norm, fused QKV and rotation of [B, T, H]: q [B, Q, T, 2D], k and v [B, K, T, 2D]; cos and sin are [T, R]."""
    b, t, _ = x.shape
    bias = None if w.bias is None else w.bias.view(-1)
    both = product(rms_norm(x, w.norm, config.eps), w.qkv.view(-1, config.hidden), bias)
    lo, hi = both.view(b, t, 2, -1, config.half).unbind(2)
    cos, sin = cos.view(t, -1, config.half), sin.view(t, -1, config.half)

    def turned(start: int, stop: int) -> Tensor:  # apart for Q, K and V: each goes to its place in one kernel
        a, b, c, s = (part[..., start:stop, :] for part in (lo, hi, cos, sin))
        return torch.cat([a * c - b * s, b * c + a * s], -1).to(x.dtype).transpose(1, 2)

    ends = config.heads, config.heads + config.kv_heads, config.heads + 2 * config.kv_heads
    return turned(0, ends[0]), turned(ends[0], ends[1]), turned(ends[1], ends[2])


def finish_layer(x: Tensor, mixed: Tensor, w: Layer, config: Config, product: Product = linear) -> Tensor:
    """Output projection of `mixed` [B, Q, T, 2D] and the MLP, with both residuals: [B, T, H]."""
    b, t, _ = x.shape
    halves = mixed.view(b, -1, t, 2, config.half).permute(0, 2, 3, 1, 4).reshape(b, t, -1)
    x = x + product(halves, w.o.view(config.hidden, -1))
    gate, up = product(rms_norm(x, w.mlp_norm, config.eps), w.up.view(-1, config.hidden)).chunk(2, -1)
    return x + product(F.silu(gate) * up, w.down)
