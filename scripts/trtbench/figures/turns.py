"""Whether the lanes of a run took turns: told by the places and rounds of its trials, not by what they say of themselves."""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.figures.base import Key
from trtbench.records.trial import Trial


def out_of_turn(trials: Sequence[Trial]) -> set[Key]:
    """The lanes that did not take turns with the others: those that say so of a trial, and those that ran a round after
    another lane had begun a later one. Trials that are run again come later by nature and tell nothing."""
    apart = {(t.lane, t.precision) for t in trials if not t.interleaved}
    latest: dict[Key, int] = {}  # round begun by each of the two lanes that are farthest
    for trial in sorted(trials, key=lambda t: t.position):
        if trial.attempt > 1 or trial.round is None or not trial.interleaved:
            continue
        key = trial.lane, trial.precision
        if any(begun > trial.round for lane, begun in latest.items() if lane != key):
            apart.add(key)
        latest[key] = max(trial.round, latest.get(key, 0))
        if len(latest) > 2:
            del latest[min(latest, key=lambda lane: latest[lane])]
    return apart
