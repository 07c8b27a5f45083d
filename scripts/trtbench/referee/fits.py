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
from trtbench.referee.claim_said import Said, joined, said

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
) -> list[Said]:
    """How model and cache stand to the card's memory, and what would have to be true if they don't fit; nothing where the
    memory is not known."""
    found = fit(shape, precision, machine, batch, prompt, tokens)
    if found is None:
        return []
    needed = found.needed / 1e9
    taken = said("claim.taken", needed=needed, precision=precision.name)
    if found.cache:
        parts = {"weights": found.weights / 1e9, "cache": found.cache / 1e9}
        taken = said("claim.taken_cache", **parts, needed=needed, precision=precision.name)
    holds = {"held": found.held / 1e9, "gib": found.held / 2**30}
    held = said("claim.held", **holds)
    if found.cards != 1:
        held = said("claim.held_together", cards=found.cards, **holds)
    if found.whole:
        return [said("claim.fits", taken=taken, held=held)]
    steps = max(tokens - 1, 1)
    decode = roofline.decode_floor(shape, precision, machine, batch, prompt, steps)
    crossing = link_seconds(decode, steps, machine)
    limit = said("claim.link_idle")
    if crossing > decode.seconds:
        limit = said("claim.link_allows", rate=batch * steps / crossing, batch=batch)
    names = precisions_that_fit(shape, machine, batch, prompt, tokens)
    ways = [joined("claim.either", names)] if names else []
    ways += [said("claim.more_cards", cards=found.machines), said("claim.host")]
    return [
        said("claim.outside", taken=taken, held=held, outside=found.outside / 1e9),
        said("claim.link", gbs=(machine.link or 0.0) / 1e9, limit=limit),
        said("claim.ways", ways=joined("claim.or", ways)),
    ]
