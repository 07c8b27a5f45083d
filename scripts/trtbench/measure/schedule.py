"""Which trial when: rounds in which every entrant runs once, in a seeded order that no entrant profits from."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Sequence

from trtbench.settings.choosing import Entrant

MAX_ENUMERATED = 6  # 720 orders; beyond that a sample of as many is looked at


def rounds(entrants: Sequence[Entrant], seed: int) -> Iterator[list[Entrant]]:
    """Yield rounds without end. Each order is drawn from those that so far repeat the fewest neighbours (who ran
    right before whom, across rounds too) and places in the round; which one of them, the seed decides."""
    draw = random.Random(seed)
    neighbours: Counter[tuple[Entrant, Entrant]] = Counter()
    places: Counter[tuple[Entrant, int]] = Counter()
    last_entrant: Entrant | None = None
    while True:
        cheapest: list[tuple[Entrant, ...]] = []
        lowest_cost = None
        for order in _orders(entrants, draw):
            pairs = list(zip(order, order[1:])) if last_entrant is None else list(zip((last_entrant, *order), order))
            cost = sum((neighbours[pair] + 1) ** 2 - neighbours[pair] ** 2 for pair in pairs) + sum(
                (places[e, i] + 1) ** 2 - places[e, i] ** 2 for i, e in enumerate(order)
            )
            if lowest_cost is None or cost < lowest_cost:
                cheapest, lowest_cost = [order], cost
            elif cost == lowest_cost:
                cheapest.append(order)
        chosen = draw.choice(cheapest)
        neighbours.update(zip(chosen, chosen[1:]) if last_entrant is None else zip((last_entrant, *chosen), chosen))
        places.update((e, i) for i, e in enumerate(chosen))
        last_entrant = chosen[-1]
        yield list(chosen)


def _orders(entrants: Sequence[Entrant], draw: random.Random) -> list[tuple[Entrant, ...]]:
    if len(entrants) <= MAX_ENUMERATED:
        return list(itertools.permutations(entrants))
    return [tuple(draw.sample(list(entrants), len(entrants))) for _ in range(720)]
