"""Whether model and KV cache fit into a card's memory, and what would have to be true where they don't.

What a decode step reads comes from the card's memory or over its link to what lies outside. The memory holds so many bytes,
so that whatever a step reads beyond them crosses the link in every step: a second ceiling. All of it is a lower bound: the
marketed gigabytes count as 2^30 bytes and are all there is to fill, the last-level cache holds other bytes than the memory,
and of a mixture only the experts that one token takes are read. It holds for a card that computes the whole model: layers that
the host's own processor computes are bound by the memory of the host, which nobody knows here.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from trtbench.machine import cards
from trtbench.model.shape import ModelShape
from trtbench.referee import roofline

LINK = cards.PCIE * 1e9  # of a card that is not in the table


@dataclass(frozen=True)
class Fit:
    """Bytes that the weights of a whole model and the KV cache of all sequences take at least at the end of a generation, and
    what the machine, of so many `cards`, holds."""

    weights: float
    cache: float
    held: float
    cards: int = 1

    @property
    def needed(self) -> float:
        return self.weights + self.cache

    @property
    def whole(self) -> bool:
        return self.needed <= self.held

    @property
    def outside(self) -> float:
        """Bytes that do not fit."""
        return max(0.0, self.needed - self.held)

    @property
    def machines(self) -> int:
        """How many such cards hold it at least."""
        return math.ceil(self.cards * self.needed / self.held)


def machine_of(card: cards.Card) -> roofline.Machine:
    """All that bounds a card of the table."""
    return roofline.Machine(card.bandwidth, card.gate_peak, card.cache, card.memory, card.host_gbs * 1e9)


def together(machine: roofline.Machine, cards: int) -> roofline.Machine:
    """What several of these cards do at most, together."""
    return dataclasses.replace(
        machine,
        bandwidth=machine.bandwidth * cards,
        peak=machine.peak and machine.peak * cards,
        cache=machine.cache * cards,
        memory=machine.memory and machine.memory * cards,
        link=machine.link and machine.link * cards,
        cards=machine.cards * cards,
    )


def fit(
    shape: ModelShape, precision: roofline.Precision, machine: roofline.Machine, batch: int, prompt: int, tokens: int
) -> Fit | None:
    """What a generation of `tokens` new ids a sequence (0 if unknown) takes; None where the machine's memory is not known.

    The last new id is not read again, so nothing is kept of it.
    """
    if machine.memory is None:
        return None
    kept = prompt + max(tokens - 1, 0)
    weights = shape.parameters * precision.weight_bits / 8
    return Fit(weights, roofline.kv_bytes(shape, precision, batch, kept), machine.memory, machine.cards)


def link_seconds(floor: roofline.Floor, passes: int, machine: roofline.Machine) -> float:
    """Nominal seconds that the link needs at least for what `passes` passes read beyond what the machine holds; 0 where
    either is not known."""
    if machine.memory is None or machine.link is None:
        return 0.0
    return max(0.0, floor.traffic - passes * (machine.memory + machine.cache)) / machine.link


def refutes(floor: roofline.Floor, passes: int, machine: roofline.Machine, seconds: float) -> bool:
    """Whether a time (s) is too short for the link."""
    return seconds < link_seconds(floor, passes, machine) / roofline.NOMINAL_TOLERANCE


def precisions_that_fit(
    shape: ModelShape, machine: roofline.Machine, batch: int, prompt: int, tokens: int
) -> tuple[str, ...]:
    """Those of the most bits in which the whole fits; none where it doesn't in any."""
    fitting = [
        precision
        for precision in roofline.PRECISIONS.values()
        if (found := fit(shape, precision, machine, batch, prompt, tokens)) and found.whole
    ]
    most = max((precision.weight_bits for precision in fitting), default=0.0)
    return tuple(precision.name for precision in fitting if precision.weight_bits == most)


def sentences(
    shape: ModelShape, precision: roofline.Precision, machine: roofline.Machine, batch: int, prompt: int, tokens: int
) -> list[str]:
    """How model and cache stand to the card's memory, and what would have to be true if they don't fit; nothing where the
    memory is not known."""
    found = fit(shape, precision, machine, batch, prompt, tokens)
    if found is None:
        return []
    parts = f" ({_gb(found.weights)}) and KV cache ({_gb(found.cache)})" if found.cache else ""
    taken = f"Weights{parts} take at least {_gb(found.needed)} in {precision.name}"
    holds = "the card holds" if found.cards == 1 else f"the {found.cards:,} cards hold"
    held = f"{holds} {_gb(found.held)} ({found.held / 2**30:,.4g} GiB)"
    if found.whole:
        return [f"{taken}; {held}."]
    steps = max(tokens - 1, 1)
    decode = roofline.decode_floor(shape, precision, machine, batch, prompt, steps)
    crossing = link_seconds(decode, steps, machine)
    limit = "which rules out no more than the card's own memory does"
    if crossing > decode.seconds:
        limit = f"which allows at most {batch * steps / crossing:,.2f} tokens/s at batch {batch}"
    ways = [" or ".join(names)] if (names := precisions_that_fit(shape, machine, batch, prompt, tokens)) else []
    ways += [f"at least {found.machines} such cards", "layers that the host's own processor computes"]
    return [
        f"{taken}, and {held}: {_gb(found.outside)} of it lies outside.",
        f"What a step reads of that comes over a link of {(machine.link or 0.0) / 1e9:,.0f} GB/s at most, {limit}.",
        f"Otherwise it takes {', or '.join(ways)}.",
    ]


def _gb(count: float) -> str:
    return f"{count / 1e9:,.2f} GB"
