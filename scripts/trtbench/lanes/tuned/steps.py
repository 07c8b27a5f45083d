"""The steps of a generation on the tuned decoder: prefill of a layer, decode of a layer, head and choice of the token.

Three forms of KV cache. `Columns` and `Wide` are for one sequence: what a step computes, Q, K and V in halves, goes into column
`position` of two tensors [R, S], or row `position` of two [S, R], so that one kernel does norm, products, rotation and write.
`Heads` is for batches: K and V [B, K, S, 2D], products by the matrix library. `span` is how many positions attention looks at.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from trtbench.lanes.tuned.decoder import (
    Config,
    Ends,
    Layer,
    Product,
    activated,
    added,
    capped,
    finish_layer,
    gathered,
    linear,
    norm_heads,
    of_first_rank,
    project,
    reduced,
    rms_norm,
    sums,
)

MOST_PARTS, LEAST_PART = 16, 128  # of a row whose length is no power of two


class Columns(NamedTuple):
    """lo, hi [R, S] of one layer: the sums over positions, which are most of attention's, read what lies side by side."""

    lo: Tensor
    hi: Tensor


class Wide(NamedTuple):
    """lo, hi [S, R] of one layer."""

    lo: Tensor
    hi: Tensor


class Heads(NamedTuple):
    """k, v [B, K, S, 2D] of one layer."""

    k: Tensor
    v: Tensor


def prefill(x: Tensor, w: Layer, cache: Columns | Wide | Heads, cos: Tensor, sin: Tensor, config: Config) -> Tensor:
    """One layer over the prompts [B, T, H]; fills positions 0 … T-1 of the cache."""
    t = x.shape[1]
    q, k, v = project(x, w, config, cos[:t], sin[:t])
    if isinstance(cache, Heads):
        cache.k[:, :, :t] = k
        cache.v[:, :, :t] = v
    else:
        first = config.heads * config.half
        both = torch.cat([k, v], 1)[0].transpose(0, 1)  # [T, 2K, 2D]
        lower, upper = both[..., : config.half].reshape(t, -1), both[..., config.half :].reshape(t, -1)
        if isinstance(cache, Columns):
            cache.lo[first:, :t] = lower.T
            cache.hi[first:, :t] = upper.T
        else:
            cache.lo[:t, first:] = lower
            cache.hi[:t, first:] = upper
    repeat = config.heads // config.kv_heads
    if repeat > 1:
        k, v = k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)
    return finish_layer(x, _attend(q, k, v, config), w, config)


def _attend(q: Tensor, k: Tensor, v: Tensor, config: Config) -> Tensor:
    """Causal attention of prompts, [B, Q, T, 2D] each; SDPA has no cap for the scores."""
    if config.score_cap is None:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=config.query_scale)
    scores = capped((q @ k.transpose(2, 3)).float() * config.scale, config.score_cap)
    t = torch.arange(q.shape[2], device=q.device)
    weights = torch.where(t[None, :] <= t[:, None], scores, float("-inf")).softmax(-1)
    return weights.to(v.dtype) @ v


def decode_few(
    x: Tensor, w: Layer, cache: Heads, cos: Tensor, sin: Tensor, position: Tensor, span: int, config: Config
) -> tuple[Tensor, ...]:
    """`decode_batch` with sums for products. What each sum reads is returned too, for the reason given at `decode_one`."""
    read: list[Tensor] = []

    def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        read.append(x)
        return sums(x, weight, bias)

    return decode_batch(x, w, cache, cos, sin, position, span, config, product), *read


def decode_batch(
    x: Tensor,
    w: Layer,
    cache: Heads,
    cos: Tensor,
    sin: Tensor,
    position: Tensor,
    span: int,
    config: Config,
    product: Product = linear,
) -> Tensor:
    """One layer of one step for [B, 1, H]; the heads that share a KV head are rows of one small product."""
    b = x.shape[0]
    q, k, v = project(x, w, config, cos[position], sin[position], product)
    cache.k.index_copy_(2, position, k)
    cache.v.index_copy_(2, position, v)
    grouped = q.reshape(b, config.kv_heads, -1, 2 * config.half)
    scores = (grouped @ cache.k[:, :, :span].transpose(2, 3)).float() * config.scale
    scores = capped(scores, config.score_cap)
    seen = torch.arange(span, device=x.device) <= position
    weights = torch.where(seen, scores, float("-inf")).softmax(-1).to(x.dtype)
    mixed = (weights @ cache.v[:, :, :span]).view(b, config.heads, 1, -1)
    return finish_layer(x, mixed, w, config, product)


def decode_one(
    x: Tensor, w: Layer, cache: Columns, cos: Tensor, sin: Tensor, position: Tensor, span: int, config: Config
) -> tuple[Tensor, ...]:
    """One layer of one step for a single sequence, [H]: six fused reductions, every product a sum over a row.

    The first of what is returned is the layer's output. The others are there because what leaves a compiled function
    is computed once, by the kernel that made its parts; else each row of the next product would compute it again.
    """
    c, (lo, hi) = config, cache
    a, b = normed_product(x, w.norm, w.qkv, c.eps)
    if w.bias is not None:
        a, b = a + w.bias[0], b + w.bias[1]
    if w.q_norm is not None and w.k_norm is not None:
        a, b = _norm_rows(a, b, w.q_norm, w.k_norm, c)
    cos_row, sin_row = cos[position][0], sin[position][0]
    lo[:, position] = (a * cos_row - b * sin_row).to(x.dtype)[:, None]
    hi[:, position] = (b * cos_row + a * sin_row).to(x.dtype)[:, None]

    first, second = c.heads * c.half, (c.heads + c.kv_heads) * c.half

    def part(cached: Tensor, start: int, stop: int) -> Tensor:  # [K, 1, D, span] in float32
        return cached[start:stop, :span].view(c.kv_heads, 1, c.half, span).float()

    def query(cached: Tensor) -> Tensor:  # [K, Q/K, D, 1]
        return cached[:first, position].view(c.kv_heads, -1, c.half, 1).float() * c.scale

    scores = (query(lo) * part(lo, first, second) + query(hi) * part(hi, first, second)).sum(-2)
    scores = capped(scores, c.score_cap)
    once = () if c.score_cap is None else (scores,)
    scores = torch.where(torch.arange(span, device=x.device) <= position, scores, float("-inf"))
    # Widened to the range of the products below, so that one kernel makes softmax and products.
    wide = scores.unsqueeze(2).expand(-1, -1, c.half, -1)  # [K, Q/K, D, span]
    power = torch.exp(wide - wide.amax(-1, keepdim=True))
    total = power.sum(-1)
    mixed = [(power * part(cached, second, c.rows)).sum(-1) / total for cached in (lo, hi)]
    lower, upper = (half.to(x.dtype).view(1, -1) for half in mixed)
    products = row_sums(w.o[:, 0], lower[0]) + row_sums(w.o[:, 1], upper[0])
    middle = (x + added(reduced(products, c), w.post_norm, c)).to(x.dtype)
    gate, up = normed_product(middle, w.mlp_norm, w.up, c.eps)
    inner = (activated(gate, c) * up).to(x.dtype)
    output = (middle + added(reduced(row_sums(w.down, inner), c), w.post_mlp_norm, c)).to(x.dtype)
    return output, middle, inner, lower, upper, *once


def _norm_rows(a: Tensor, b: Tensor, q_norm: Tensor, k_norm: Tensor, c: Config) -> tuple[Tensor, Tensor]:
    """`norm_heads` for Q and K in both halves of a row [R]; V as it is."""
    normed = []
    for start, count, weight in ((0, c.heads, q_norm), (c.heads, c.kv_heads, k_norm)):
        lo, hi = (half.view(-1, c.half)[start : start + count] for half in (a, b))
        normed.append(norm_heads(lo, hi, weight.float(), c.eps))
    rest = (c.heads + c.kv_heads) * c.half
    lower, upper = ([half.reshape(-1) for half in pair] for pair in zip(*normed))
    return torch.cat([*lower, a[rest:]]), torch.cat([*upper, b[rest:]])


def row_sums(matrix: Tensor, row: Tensor) -> Tensor:
    """[N, L] with [L]: [N] in float32.

    On a GPU a row is held as a power of two, and what is left over of it idles. So a row that is a few times one, as that of
    Llama's MLP, is added up of as many parts first: each thread then reads from all of them at once.
    """
    parts = parts_of(row.shape[0]) if on_a_gpu(row) else 1
    pairs = zip(matrix.chunk(parts, -1), row.chunk(parts))
    products = [part.float() * piece.float() for part, piece in pairs]
    return functools.reduce(torch.add, products).sum(-1)


def on_a_gpu(tensor: Tensor) -> bool:
    return str(tensor.device.type) == "cuda"


def parts_of(length: int) -> int:
    """The odd number of parts, each a power of two, that a row has; 1 where they would be many or short."""
    power = length & -length
    parts = length // power
    return parts if parts <= MOST_PARTS and power >= LEAST_PART else 1


def normed_product(x: Tensor, weight: Tensor | None, matrix: Tensor, eps: float) -> tuple[Tensor, ...]:
    """RMS norm of x [H], where there is one, then products with the parts of [n, N, H]: n times [N] in float32.

    The sum of squares is taken once for each row, in the loop that reads the matrix: it costs arithmetic that is free
    beside the reading, and saves a kernel.
    """
    wide = x.float()
    if weight is None:
        return tuple(row_sums(part, wide) for part in matrix.unbind(0))
    scaled = wide * weight.float()
    scale = torch.rsqrt(row_sums(wide.expand(matrix.shape[1], -1), wide) / x.shape[0] + eps)
    return tuple(row_sums(part, scaled) * scale for part in matrix.unbind(0))


def logits_of(x: Tensor, ends: Ends, config: Config, few: bool = False) -> Tensor:
    """Final norm and head: [H] or [B, H] to logits [1 or B, V] in float32; of `few` rows as sums."""
    if x.dim() == 1 or few:
        rows = x.view(-1, x.shape[-1]).unbind(0)
        logits = torch.stack([normed_product(row, ends.norm, ends.head[None], config.eps)[0] for row in rows])
    else:
        logits = F.linear(rms_norm(x, ends.norm, config.eps), ends.head).float()
    logits = logits if config.logits_divisor == 1 else logits / config.logits_divisor
    return capped(logits, config.logits_cap)


def choose(logits: Tensor, temperature: float, top_p: float, config: Config) -> Tensor:
    """The next ids [B]: greedy at temperature 0, else drawn from the smallest set of ids that holds `top_p`. The logits are those of
    this rank's share of the vocabulary, where the head is split."""
    if temperature == 0:
        return _best_of_ranks(logits, config) if config.head_split else _argmax(logits)
    if config.ranks > 1:
        return of_first_rank(_drawn(_whole_rows(logits, config), temperature, top_p))
    return _drawn(logits, temperature, top_p)


def _whole_rows(logits: Tensor, config: Config) -> Tensor:
    """[B, V] from the shares of all ranks."""
    return gathered(logits, config).transpose(0, 1).reshape(logits.shape[0], -1) if config.head_split else logits


def _best_of_ranks(logits: Tensor, config: Config) -> Tensor:
    """The argmax over all shares: each rank tells its best logit and where it is, which float32 holds exactly up to 2^24."""
    place = _argmax(logits)[:, None]
    told = torch.cat([logits.gather(-1, place), (place + config.rank * logits.shape[1]).float()], -1)
    values, places = gathered(told, config).unbind(-1)  # [ranks, B] each
    return places.gather(0, values.argmax(0, keepdim=True))[0].long()


def _drawn(logits: Tensor, temperature: float, top_p: float) -> Tensor:
    share, ids = (logits / temperature).softmax(-1).sort(-1, descending=True)
    share = share.masked_fill(share.cumsum(-1) - share > top_p, 0.0)
    # The largest of p / Exp(1) is a draw from p; multinomial would check its input on the host.
    drawn = (share / torch.empty_like(share).exponential_(1)).argmax(-1, keepdim=True)
    return ids.gather(-1, drawn)[:, 0]


def _argmax(logits: Tensor) -> Tensor:
    """First index of the largest logit [B], in two rounds: one row alone would keep one multiprocessor busy."""
    b, vocab = logits.shape
    parts = next((n for n in (256, 250, 128, 125, 64, 32, 16) if vocab % n == 0), 1)
    best, place = logits.view(b, parts, -1).max(-1)
    part = best.argmax(-1, keepdim=True)
    return (part * (vocab // parts) + place.gather(-1, part))[:, 0]
