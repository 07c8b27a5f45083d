"""Fewest bytes and operations a generation can do with, and so the shortest time it can take on a machine.

The roofline of Williams, Waterman and Patterson (CACM 52-4, 2009): no faster than the bytes over the memory
bandwidth, and no faster than the operations over the peak; where several cards share every layer, no faster
than what each must send to the others over its link. Everything here is a lower bound on work, so what is
faster than `Floor.least_seconds` is false. It assumes one forward pass a token (no speculative decoding), dense
weights, and caches that sequences don't share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from trtbench.errors import UserError
from trtbench.model import kv_cache
from trtbench.model.config_packed import packed_bits as packed_bits
from trtbench.model.shape import ModelShape
from trtbench.settings.knobs import SHORT_PRECISIONS

NOMINAL_TOLERANCE = 1.02  # published bandwidths and peaks are rounded
# An element that one card sends another takes a byte at least: the fewest that engines here offer is FP8 (TensorRT-LLM's
# documentation of Low-Precision-AllReduce).
SENT_BYTES = 1


@dataclass(frozen=True)
class Precision:
    """How weights and KV cache are stored, in bits an element, and what the tensor cores gain by it.

    `weight_bits` includes scales where they weigh anything (int4_awq: one fp16 scale for 128 weights). Scales
    a channel or a tensor, the coarsest that exist for int8, int4 and fp8, add less than 0.1 % and are left
    out, so the bound stays low; so does counting a quantised model's head and norms as quantised. A lane that
    knows better passes a Precision of its own (`dataclasses.replace`).
    `peak_factor` is the fastest dense rate any NVIDIA card has for it, in units of the fp16 rate.
    """

    name: str
    weight_bits: float
    kv_bits: float
    peak_factor: float


PRECISIONS = {
    precision.name: precision
    for precision in (
        Precision("float32", 32, 32, 0.5),  # TF32
        Precision("float16", 16, 16, 1),
        Precision("bfloat16", 16, 16, 1),
        Precision("int8", 8, 8, 2),
        Precision("int4", 4, 8, 4),
        Precision("fp8", 8, 8, 2),
        Precision("int4_awq", 4.125, 8, 4),
    )
}


def precision(name: str) -> Precision:
    """Look a precision up by its name or a short one (fp32, fp16, bf16, awq), in any case; raises UserError."""
    stored = PRECISIONS.get(SHORT_PRECISIONS.get(name.lower(), name.lower()))
    if stored is None:
        raise UserError(f"precision={name!r} is not known; one of {', '.join(PRECISIONS)} is needed.")
    return stored


@dataclass(frozen=True)
class Machine:
    """What bounds a machine: memory bandwidth (bytes/s), dense fp16 peak (FLOP/s, None if unknown) and
    last-level cache (bytes). No floor here looks at `memory` (bytes) and `link` (bytes/s from outside it), None where they
    are not known: fits.py does. All of it is that of `cards` alike together, save `peer`: the bytes/s that one card can send to
    the others, in one direction, at most; None where nobody knows it, or that they share every layer."""

    bandwidth: float
    peak: float | None = None
    cache: float = 0.0
    memory: float | None = None
    link: float | None = None
    cards: int = 1
    peer: float | None = None


@dataclass(frozen=True)
class Floor:
    """The least work of one or more forward passes and the time it takes.

    `traffic` in bytes and `ops` in FLOP (a multiply-add is two). `seconds` is the nominal floor.
    `least_seconds`, what a gate compares with, is shorter: by the 2 % tolerance on nominal figures or by what
    the last-level cache may keep from one pass to the next, whichever is more. Not by both: refresh alone
    takes more of a DRAM's nominal bandwidth than the tolerance gives. It is 0 if everything fits into the
    cache and the peak is unknown. `bound` says what sets `seconds`: "bandwidth", "peak" or "link" (to the other
    cards). `in_cache`: everything fits, so that memory bounds nothing.
    """

    traffic: float
    ops: float
    seconds: float
    least_seconds: float
    bound: str
    in_cache: bool = False

    def __add__(self, other: Floor) -> Floor:
        """The floor of one after the other."""
        longer = self if self.seconds >= other.seconds else other
        return Floor(
            self.traffic + other.traffic,
            self.ops + other.ops,
            self.seconds + other.seconds,
            self.least_seconds + other.least_seconds,
            longer.bound,
            self.in_cache and other.in_cache,
        )

    def refutes(self, seconds: float) -> bool:
        """Whether a time (s) is too short to be true."""
        return seconds < self.least_seconds

    def highest_rate(self, tokens: int) -> float | None:
        """Most tokens a second that a gate lets pass: `tokens` in the least seconds; None where nothing bounds them."""
        return tokens / self.least_seconds if self.least_seconds > 0 else None


def weight_bytes(shape: ModelShape, precision: Precision) -> float:
    """Fewest bytes of weights one decode step reads, at any batch size."""
    return shape.parameters_read * precision.weight_bits / 8


def kv_bytes(shape: ModelShape, precision: Precision, batch: int, cached: int, steps: int = 1) -> float:
    """Bytes of keys and values that `steps` decode steps read, the first with `cached` positions before it in each
    sequence.

    What a layer keeps of a position (2 x kv_heads x head_dim values, or a latent) x bits/8 a position and sequence; the new
    position's own needs no read. A windowed layer attends to itself and at most `sliding_window - 1` positions before.
    """
    return batch * kv_cache.values_of(shape) * precision.kv_bits / 8 * _earlier(shape, cached, steps)


def sent_bytes(shape: ModelShape, machine: Machine, tokens: int) -> float:
    """Fewest bytes that each of several cards sends to the others in passes over `tokens` ids in all; 0 for one card.

    Where cards share every layer, each has a part of every sum at the end of attention and of an MLP, `hidden` elements a
    token (Shoeybi et al. 2019, arXiv 1909.08053). Its part must reach the others, so it sends every element once at least;
    2(p-1)/p times where no switch sums (Patarasuk and Yuan 2009), which for two cards is the same.
    """
    if machine.cards < 2:
        return 0.0
    return float(SENT_BYTES * shape.sums * shape.hidden * tokens)


def prefill_floor(shape: ModelShape, precision: Precision, machine: Machine, batch: int, prompt: int) -> Floor:
    """Floor of the pass that reads `prompt` (>= 1) ids a sequence and gives the first new token.

    Operations: 2 for each matrix element and id (Kaplan et al. 2020, arXiv 2001.08361), 4 x heads x head_dim
    for each pair of a position and one it attends to (scores and their product with V, causal), and the
    output head for the last position only.
    """
    pairs = _earlier(shape, 0, prompt) + shape.layers * prompt
    ops = batch * (
        2 * prompt * shape.layer_matrices(shape.active_experts)
        + 2 * shape.head_parameters
        + 2 * shape.pair_width * pairs
    )
    sent = sent_bytes(shape, machine, batch * prompt)
    return _floor(weight_bytes(shape, precision), ops, sent, 1, machine, precision)


def decode_floor(
    shape: ModelShape, precision: Precision, machine: Machine, batch: int, cached: int, steps: int = 1
) -> Floor:
    """Floor of `steps` (>= 0) decode steps of `batch` sequences, the first with `cached` positions before it.

    The KV cache grows by one position a step; the sums over it are in closed form. The larger of two sums is
    never more than the sum of the larger ones, so the bound stays low where a step changes from one side of
    the roofline to the other.
    """
    pairs = _earlier(shape, cached, steps) + shape.layers * steps
    ops = batch * (
        2 * steps * (shape.layer_matrices(shape.active_experts) + shape.head_parameters) + 2 * shape.pair_width * pairs
    )
    traffic = steps * weight_bytes(shape, precision) + kv_bytes(shape, precision, batch, cached, steps)
    return _floor(traffic, ops, sent_bytes(shape, machine, batch * steps), steps, machine, precision)


def generation_floor(
    shape: ModelShape, precision: Precision, machine: Machine, batch: int, prompt: int, new: int
) -> Floor:
    """Floor of a whole generation: the prefill, which gives the first of `new` (>= 1) ids, then a step for
    each of the others.

    A prompt of unknown length (0) counts as one id, the shortest there is.
    """
    prompt = max(prompt, 1)
    return prefill_floor(shape, precision, machine, batch, prompt) + decode_floor(
        shape, precision, machine, batch, prompt, new - 1
    )


def ceiling(floor: Floor, tokens: int) -> float:
    """Most output tokens a second, all sequences together, nominal: `tokens` in the floor's seconds."""
    return tokens / floor.seconds


def mbu(floor: Floor, seconds: float, bandwidth: float) -> float:
    """Memory bandwidth utilisation, a share: (bytes of weights and KV cache / seconds) / bandwidth (bytes/s).

    The definition is Databricks' ("LLM Inference Performance Engineering", 2023-10-12), with the input
    embedding left out. More than 1 means a cache at work or a false figure.
    """
    return floor.traffic / seconds / bandwidth


def mfu(floor: Floor, seconds: float, peak: float) -> float:
    """Model FLOPs utilisation, a share: (operations / seconds) / peak (FLOP/s).

    As in PaLM (arXiv 2204.02311), for the forward pass alone.
    """
    return floor.ops / seconds / peak


def _floor(traffic: float, ops: float, sent: float, passes: int, machine: Machine, precision: Precision) -> Floor:
    memory = traffic / machine.bandwidth
    compute = ops / (machine.peak * precision.peak_factor) if machine.peak else 0.0
    link = sent / machine.peer if machine.peer else 0.0  # while the card reads and computes: no sum of the three
    uncached = max(0.0, traffic - passes * machine.cache) / machine.bandwidth
    least = max(min(uncached, memory / NOMINAL_TOLERANCE), max(compute, link) / NOMINAL_TOLERANCE)
    seconds = max(memory, compute, link)
    bound = "bandwidth" if memory == seconds else "peak" if compute == seconds else "link"
    return Floor(traffic, ops, seconds, least, bound, uncached == 0)


def _earlier(shape: ModelShape, cached: int, steps: int) -> int:
    """Positions before their own that `steps` new ones attend to in all layers, the first with `cached` before it."""
    everything = _sum_of_minima(cached, steps, math.inf)
    if shape.sliding_window is None:
        return shape.layers * everything
    if shape.chunked:
        near = _sum_of_remainders(cached + steps, shape.sliding_window) - _sum_of_remainders(
            cached, shape.sliding_window
        )
    else:
        near = _sum_of_minima(cached, steps, shape.sliding_window - 1)
    return shape.windowed_layers * near + (shape.layers - shape.windowed_layers) * everything


def _sum_of_remainders(count: int, length: int) -> int:
    """Sum of n modulo `length` over the `count` whole numbers from 0 on: how far into its chunk each position is."""
    chunks, rest = divmod(count, length)
    return chunks * (length * (length - 1) // 2) + rest * (rest - 1) // 2


def _sum_of_minima(first: int, count: int, cap: float) -> int:
    """Sum of min(n, cap) over the `count` whole numbers from `first` on."""
    growing = count if cap == math.inf else min(count, max(0, int(cap) - first + 1))
    total = growing * first + growing * (growing - 1) // 2
    return total if growing == count else total + (count - growing) * int(cap)
