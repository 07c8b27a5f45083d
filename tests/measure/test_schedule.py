"""The order of trials: fair rounds, the same for the same seed."""

from __future__ import annotations

import itertools
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from trtbench.measure.schedule import MAX_ENUMERATED, rounds
from trtbench.settings.choosing import Entrant

seeds = st.integers(0, 2**31 - 1)


def entrants(number: int) -> list[Entrant]:
    return [Entrant(f"lane{i}", "float32") for i in range(number)]


def take(number: int, seed: int, count: int) -> list[list[Entrant]]:
    return list(itertools.islice(rounds(entrants(number), seed), count))


@settings(deadline=None, max_examples=30)
@given(number=st.integers(1, MAX_ENUMERATED + 2), seed=seeds)
def test_every_round_holds_every_entrant_once(number: int, seed: int) -> None:
    for order in take(number, seed, 3):
        assert sorted(order) == entrants(number)


@settings(deadline=None, max_examples=30)
@given(number=st.integers(1, MAX_ENUMERATED + 1), seed=seeds)
def test_the_same_seed_gives_the_same_order(number: int, seed: int) -> None:
    assert take(number, seed, 4) == take(number, seed, 4)


def test_another_seed_gives_another_order() -> None:
    assert len({tuple(map(tuple, take(4, seed, 3))) for seed in range(20)}) > 10


@settings(deadline=None, max_examples=40)
@given(number=st.integers(2, 5), seed=seeds)
def test_no_entrant_always_follows_another(number: int, seed: int) -> None:
    count = 12
    orders = take(number, seed, count)
    sequence = [entrant for order in orders for entrant in order]
    pairs = Counter(zip(sequence, sequence[1:]))
    fair = len(sequence) / number / number
    assert max(pairs.values()) <= 2 * fair + 2
    for follower in entrants(number):
        before = {first for first, second in pairs if second == follower}
        assert len(before - {follower}) == number - 1


@settings(deadline=None, max_examples=40)
@given(number=st.integers(2, 5), seed=seeds)
def test_every_entrant_is_in_every_place_about_as_often(number: int, seed: int) -> None:
    count = 12
    orders = take(number, seed, count)
    for entrant in entrants(number):
        places = Counter(order.index(entrant) for order in orders)
        assert max(places.values()) - min(places[i] for i in range(number)) <= 3
