"""Hand-written Triton kernels for one decode step of a single sequence: five a layer, and two for the next id.

Weights and KV cache are laid out as `lanes.tuned.decoder` and `lanes.tuned.steps.Wide` say. Every kernel does three things in this
order: it loads what no kernel of this step writes (weights, older cache rows), it waits for the kernel before it, and
only then lets the next one start. So the memory bus has work while kernels change, and whatever a kernel reads before
it waits was finished at least two kernels ago. `PDL` (programmatic dependent launch) needs Hopper or later.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _handover(PDL: tl.constexpr):
    if PDL:
        tl.extra.cuda.gdc_wait()
        tl.extra.cuda.gdc_launch_dependents()


@triton.jit
def _normed(x, weight, k, H: tl.constexpr, eps):
    """RMS norm of x [H] in float32; `weight` is already loaded."""
    values = tl.load(x + k, mask=k < H, other=0.0).to(tl.float32)
    return values * weight * tl.rsqrt(tl.sum(values * values, 0) / H + eps)


@triton.jit
def two_products(first, second, values):
    return tl.sum(first.to(tl.float32) * values[None, :], 1), tl.sum(second.to(tl.float32) * values[None, :], 1)


@triton.jit
def qkv(
    x, norm, weight, bias, cos, sin, lo, hi, position, R, eps,
    H: tl.constexpr, K: tl.constexpr, ROWS: tl.constexpr, BIAS: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """Norm, QKV, rotation; writes row `position` of lo and hi [S, R]."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    k = tl.arange(0, K)
    inside = (row[:, None] < R) & (k[None, :] < H)
    at = weight + row[:, None] * H + k[None, :]
    w_lo = tl.load(at, mask=inside, other=0.0)
    w_hi = tl.load(at + R * H, mask=inside, other=0.0)
    scale = tl.load(norm + k, mask=k < H, other=0.0).to(tl.float32)
    _handover(PDL)
    a, b = two_products(w_lo, w_hi, _normed(x, scale, k, H, eps))
    fits = row < R
    if BIAS:
        a += tl.load(bias + row, mask=fits, other=0.0).to(tl.float32)
        b += tl.load(bias + R + row, mask=fits, other=0.0).to(tl.float32)
    where = tl.load(position) * R + row
    c = tl.load(cos + where, mask=fits, other=0.0)
    s = tl.load(sin + where, mask=fits, other=0.0)
    tl.store(lo + where, (a * c - b * s).to(lo.dtype.element_ty), mask=fits)
    tl.store(hi + where, (b * c + a * s).to(hi.dtype.element_ty), mask=fits)


@triton.jit
def attend(
    lo, hi, position, mixed, R, scale,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, D: tl.constexpr, HALF: tl.constexpr, SPAN: tl.constexpr,
    PDL: tl.constexpr,
):  # fmt: skip
    """One query head: softmax over all positions, SPAN at a time; writes its part of mixed [2, HEADS · D]."""
    head = tl.program_id(0)
    d = tl.arange(0, HALF)
    fits = d < D
    query = head * D + d
    key = (HEADS + head // (HEADS // KV_HEADS)) * D + d
    value = key + KV_HEADS * D
    newest = tl.load(position)
    s = tl.arange(0, SPAN)
    old = (s[:, None] < newest) & fits[None, :]
    k_lo = tl.load(lo + s[:, None] * R + key[None, :], mask=old, other=0.0)
    k_hi = tl.load(hi + s[:, None] * R + key[None, :], mask=old, other=0.0)
    v_lo = tl.load(lo + s[:, None] * R + value[None, :], mask=old, other=0.0)
    v_hi = tl.load(hi + s[:, None] * R + value[None, :], mask=old, other=0.0)
    _handover(PDL)
    here = newest * R
    q_lo = tl.load(lo + here + query, mask=fits, other=0.0).to(tl.float32) * scale
    q_hi = tl.load(hi + here + query, mask=fits, other=0.0).to(tl.float32) * scale
    new_k_lo = tl.load(lo + here + key, mask=fits, other=0.0).to(tl.float32)
    new_k_hi = tl.load(hi + here + key, mask=fits, other=0.0).to(tl.float32)
    highest = tl.sum(q_lo * new_k_lo + q_hi * new_k_hi, 0)
    total = 1.0
    out_lo = tl.load(lo + here + value, mask=fits, other=0.0).to(tl.float32)
    out_hi = tl.load(hi + here + value, mask=fits, other=0.0).to(tl.float32)
    for start in range(0, newest, SPAN):
        if start > 0:
            at = start + s
            old = (at[:, None] < newest) & fits[None, :]
            k_lo = tl.load(lo + at[:, None] * R + key[None, :], mask=old, other=0.0)
            k_hi = tl.load(hi + at[:, None] * R + key[None, :], mask=old, other=0.0)
            v_lo = tl.load(lo + at[:, None] * R + value[None, :], mask=old, other=0.0)
            v_hi = tl.load(hi + at[:, None] * R + value[None, :], mask=old, other=0.0)
        scores = tl.sum(k_lo.to(tl.float32) * q_lo[None, :] + k_hi.to(tl.float32) * q_hi[None, :], 1)
        scores = tl.where(start + s < newest, scores, float("-inf"))
        top = tl.maximum(highest, tl.max(scores, 0))
        kept = tl.exp(highest - top)
        power = tl.exp(scores - top)
        total = total * kept + tl.sum(power, 0)
        out_lo = out_lo * kept + tl.sum(power[:, None] * v_lo.to(tl.float32), 0)
        out_hi = out_hi * kept + tl.sum(power[:, None] * v_hi.to(tl.float32), 0)
        highest = top
    tl.store(mixed + query, (out_lo / total).to(mixed.dtype.element_ty), mask=fits)
    tl.store(mixed + HEADS * D + query, (out_hi / total).to(mixed.dtype.element_ty), mask=fits)


@triton.jit
def add_product(
    values, weight, residual, out, N,
    K: tl.constexpr, FIRST: tl.constexpr, SECOND: tl.constexpr, ROWS: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """out = residual + weight [N, K] · values. The row is held as two powers of two, FIRST and, unless 0, SECOND."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    fits = row < N
    k = tl.arange(0, FIRST)
    w = tl.load(weight + row[:, None] * K + k[None, :], mask=fits[:, None] & (k[None, :] < K), other=0.0)
    if SECOND > 0:
        l = FIRST + tl.arange(0, SECOND)  # noqa: E741
        rest = tl.load(weight + row[:, None] * K + l[None, :], mask=fits[:, None] & (l[None, :] < K), other=0.0)
    _handover(PDL)
    part = tl.load(values + k, mask=k < K, other=0.0).to(tl.float32)
    total = tl.sum(w.to(tl.float32) * part[None, :], 1)
    if SECOND > 0:
        part = tl.load(values + l, mask=l < K, other=0.0).to(tl.float32)
        total += tl.sum(rest.to(tl.float32) * part[None, :], 1)
    total += tl.load(residual + row, mask=fits, other=0.0).to(tl.float32)
    tl.store(out + row, total.to(out.dtype.element_ty), mask=fits)


@triton.jit
def gate_up(
    x, norm, weight, out, N, eps,
    H: tl.constexpr, K: tl.constexpr, ROWS: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """Norm, both products and SiLU: out [N] = silu(gate) · up, with weight [2, N, H]."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    k = tl.arange(0, K)
    inside = (row[:, None] < N) & (k[None, :] < H)
    at = weight + row[:, None] * H + k[None, :]
    w_gate = tl.load(at, mask=inside, other=0.0)
    w_up = tl.load(at + N * H, mask=inside, other=0.0)
    scale = tl.load(norm + k, mask=k < H, other=0.0).to(tl.float32)
    _handover(PDL)
    gate, up = two_products(w_gate, w_up, _normed(x, scale, k, H, eps))
    tl.store(out + row, (gate * tl.sigmoid(gate) * up).to(out.dtype.element_ty), mask=row < N)


@triton.jit
def head(
    x, norm, weight, best, index, V, eps,
    H: tl.constexpr, K: tl.constexpr, ROWS: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """Norm and head for ROWS ids; notes the largest logit of them and its id."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    k = tl.arange(0, K)
    w = tl.load(weight + row[:, None] * H + k[None, :], mask=(row[:, None] < V) & (k[None, :] < H), other=0.0)
    scale = tl.load(norm + k, mask=k < H, other=0.0).to(tl.float32)
    _handover(PDL)
    logits = tl.sum(w.to(tl.float32) * _normed(x, scale, k, H, eps)[None, :], 1)
    logits = tl.where(row < V, logits, float("-inf"))
    tl.store(best + tl.program_id(0), tl.max(logits, 0))
    tl.store(index + tl.program_id(0), tl.program_id(0) * ROWS + tl.argmax(logits, 0))


@triton.jit
def advance(
    best, index, embedding, position, output, x, parts, length,
    H: tl.constexpr, K: tl.constexpr, PARTS: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """One program: the id with the largest logit goes into `output`, its embedding into x, the position moves on."""
    n = tl.arange(0, PARTS)
    k = tl.arange(0, K)
    _handover(PDL)
    chosen = tl.load(index + tl.argmax(tl.load(best + n, mask=n < parts, other=float("-inf")), 0)).to(tl.int64)
    newest = tl.load(position)
    tl.store(output + newest - length + 1, chosen)
    tl.store(position, newest + 1)
    tl.store(x + k, tl.load(embedding + chosen * H + k, mask=k < H), mask=k < H)
