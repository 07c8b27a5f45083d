"""A Llama-style decoder in plain PyTorch, shaped so that its compiler fuses a decode step into few kernels.

Every head is kept as two halves (the pairs that the rotary embedding turns), `lo` and `hi`: then the two products that
one rotation needs are two sums over the same range, which Inductor puts into one kernel together with the rotation and
the write into the KV cache. Shapes: B sequences, T prompt ids, S cache positions, H hidden, Q and K query and KV heads,
D half a head, R = (Q + 2 K) · D rows of one half of the fused QKV matrix, I intermediate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.distributed
import torch.distributed._functional_collectives as collectives
from torch import Tensor
from torch.nn import functional as F

# [..., H] with [N, H] and perhaps a bias [N]: [..., N]
Product = Callable[..., Tensor]

WIDEST_ON_CPU = 3072  # rows of a matrix that is multiplied in one piece there
ROWS = 64  # slices have whole multiples of so many: the matrix library is slow with odd ones


@dataclasses.dataclass(frozen=True)
class Config:
    """Sizes as above; `frequencies` are the D rotary frequencies (radians a position; 0: that pair is not turned).

    What follows them is as in a Llama unless `families` says otherwise; the steps ask for it while they are compiled, so
    a Llama's kernels know nothing of it.
    """

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
    by_layer: tuple[tuple[float, ...], ...] = ()  # the frequencies of each layer, where they are not the same
    amplitude: float = 1.0  # of cosine and sine, where a pair is turned
    turned: int = 0  # how many dimensions of a head are turned; 0: all
    kind: str = "llama"
    activation: str = "silu"
    query_scale: float | None = None  # instead of one over the root of a head's size
    score_cap: float | None = None  # attention's scores are kept within it by a tanh
    embedding_scale: float = 1.0
    residual_scale: float = 1.0  # of what a branch adds
    logits_divisor: float = 1.0
    logits_cap: float | None = None
    ranks: int = 1  # that the heads, the MLP and, where it divides, the vocabulary are split over; sizes above are of one of them
    rank: int = 0
    beyond_llama: tuple[str, ...] = ()  # what a step computes beyond a Llama's, by the name of its setting or weight

    @property
    def rows(self) -> int:
        return (self.heads + 2 * self.kv_heads) * self.half

    @property
    def head_split(self) -> bool:
        """Whether each rank has a share of the head's rows, and so of the logits."""
        return self.ranks > 1 and self.vocab % self.ranks == 0

    @property
    def scale(self) -> float:
        return (2 * self.half) ** -0.5 if self.query_scale is None else self.query_scale


class Layer(NamedTuple):
    """Weights of one layer: qkv [2, R, H], bias [2, R] or None, o [H, 2, Q·D], up [2, I, H] (gate, up), down [H, I].

    A norm's weight in float32 beside other weights multiplies before the result is rounded (Gemma, OLMo 2), else after
    (Llama). q_norm and k_norm are [2, 1, D], a norm of each head, or [2, heads, D], one of all heads together.
    """

    norm: Tensor | None
    qkv: Tensor
    bias: Tensor | None
    o: Tensor
    mlp_norm: Tensor | None
    up: Tensor
    down: Tensor
    q_norm: Tensor | None = None
    k_norm: Tensor | None = None
    post_norm: Tensor | None = None  # of what attention adds
    post_mlp_norm: Tensor | None = None  # of what the MLP adds


class Ends(NamedTuple):
    """What lies around the layers: embedding [V, H], final norm [H], head [V, H]."""

    embedding: Tensor
    norm: Tensor
    head: Tensor


def reduced(share: Tensor, config: Config) -> Tensor:
    """The sum over all ranks of what each has computed from its share of a matrix's columns."""
    return share if config.ranks == 1 else collectives.all_reduce(share, "sum", _group())


def gathered(share: Tensor, config: Config) -> Tensor:
    """[B, N] of each rank, side by side: [ranks, B, N]."""
    return collectives.all_gather_tensor(share[None].contiguous(), 0, _group()).view(config.ranks, *share.shape)


def of_first_rank(values: Tensor) -> Tensor:
    """What rank 0 has, in all of them."""
    return collectives.broadcast(values, 0, _group())


def _group() -> str:
    return str(torch.distributed.group.WORLD.group_name)


def rms_norm(x: Tensor, weight: Tensor | None, eps: float) -> Tensor:
    """`x` [..., H] as it is where the model has no such norm."""
    if weight is None:
        return x
    wide = x.float()
    normed = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    if weight.dtype is not x.dtype:
        return (normed * weight).to(x.dtype)
    return normed.to(x.dtype) * weight


def norm_heads(lo: Tensor, hi: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """RMS norm of Q or K [..., heads, D] before they are turned: of each head, or of all of them where `weight` has a row
    for each."""
    wide = lo.float(), hi.float()
    over = (-2, -1) if weight.shape[1] > 1 else (-1,)
    mean = (wide[0].square() + wide[1].square()).mean(over, keepdim=True) / 2
    scale = torch.rsqrt(mean + eps)
    if weight.dtype is not lo.dtype:
        return (wide[0] * scale * weight[0]).to(lo.dtype), (wide[1] * scale * weight[1]).to(lo.dtype)
    return (wide[0] * scale).to(lo.dtype) * weight[0], (wide[1] * scale).to(lo.dtype) * weight[1]


def activated(gate: Tensor, config: Config) -> Tensor:
    return F.silu(gate) if config.activation == "silu" else F.gelu(gate, approximate="tanh")


def added(branch: Tensor, norm: Tensor | None, config: Config) -> Tensor:
    """What a branch of the layer adds to the residual [..., H]."""
    branch = rms_norm(branch, norm, config.eps)
    return branch if config.residual_scale == 1 else branch * config.residual_scale


def capped(values: Tensor, cap: float | None) -> Tensor:
    return values if cap is None else torch.tanh(values / cap) * cap


def embed(ids: Tensor, ends: Ends, config: Config) -> Tensor:
    """[...] to [..., H]."""
    rows = ends.embedding[ids]
    return rows if config.embedding_scale == 1 else rows * config.embedding_scale


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

    def turned(start: int, stop: int, norm: Tensor | None = None) -> Tensor:
        # apart for Q, K and V: each goes to its place in one kernel
        a, b, c, s = (part[..., start:stop, :] for part in (lo, hi, cos, sin))
        if norm is not None:
            a, b = norm_heads(a, b, norm, config.eps)
        return torch.cat([a * c - b * s, b * c + a * s], -1).to(x.dtype).transpose(1, 2)

    ends = config.heads, config.heads + config.kv_heads, config.heads + 2 * config.kv_heads
    return turned(0, ends[0], w.q_norm), turned(ends[0], ends[1], w.k_norm), turned(ends[1], ends[2])


def finish_layer(x: Tensor, mixed: Tensor, w: Layer, config: Config, product: Product = linear) -> Tensor:
    """Output projection of `mixed` [B, Q, T, 2D] and the MLP, with both residuals: [B, T, H]."""
    b, t, _ = x.shape
    halves = mixed.view(b, -1, t, 2, config.half).permute(0, 2, 3, 1, 4).reshape(b, t, -1)
    x = x + added(reduced(product(halves, w.o.view(config.hidden, -1)), config), w.post_norm, config)
    gate, up = product(rms_norm(x, w.mlp_norm, config.eps), w.up.view(-1, config.hidden)).chunk(2, -1)
    return x + added(reduced(product(activated(gate, config) * up, w.down), config), w.post_mlp_norm, config)
