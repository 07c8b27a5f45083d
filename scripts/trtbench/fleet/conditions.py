"""Under which conditions runs were made: only those with the same can be ranked together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from trtbench.fleet.outcome import Outcome
from trtbench.fleet.result import Aside, Differs
from trtbench.settings.knobs import DEFAULTS, show

SHOWN = 12  # characters of a digest or a commit


class Group(NamedTuple):
    """The runs that the plan wants the same of, on every kind of machine."""

    model: str
    precision: str


class Conditions(NamedTuple):
    """What has to be the same: the weights, the prompts, this program, the settings."""

    model: str
    workload: str
    program: str
    commit: str
    settings: tuple[tuple[str, str], ...]


Variants = dict[Group, dict[Conditions, int]]


def of(outcome: Outcome) -> Conditions:
    """Those of a run."""
    return Conditions(
        outcome.model_digest,
        outcome.workload_digest,
        outcome.program,
        outcome.commit,
        tuple(sorted(outcome.settings.items())),
    )


def sorted_out(runs: Iterable[tuple[Group, str, Outcome]]) -> tuple[Variants, list[Aside]]:
    """The number of every condition in its group, 1 for that of most runs; and the runs with any other, which are told."""
    counts: dict[Group, Counter[Conditions]] = defaultdict(Counter)
    kinds: dict[tuple[Group, Conditions], set[str]] = defaultdict(set)
    for group, kind, outcome in runs:
        conditions = of(outcome)
        counts[group][conditions] += 1
        kinds[group, conditions].add(kind)
    variants: Variants = {}
    asides = []
    for group, counted in sorted(counts.items()):
        ordered = sorted(counted, key=lambda conditions: (-counted[conditions], conditions))
        variants[group] = {conditions: i for i, conditions in enumerate(ordered, 1)}
        for conditions in ordered[1:]:
            asides.append(
                Aside(
                    model=group.model,
                    precision=group.precision,
                    variant=variants[group][conditions],
                    runs=counted[conditions],
                    kinds=sorted(kinds[group, conditions]),
                    differs=_differs(conditions, ordered[0]),
                )
            )
    return variants, asides


def _differs(here: Conditions, there: Conditions) -> list[Differs]:
    """What is not the same in two of them."""
    differs = [
        Differs(name=name, here=getattr(here, name)[:SHOWN], there=getattr(there, name)[:SHOWN])
        for name in ("model", "workload", "program", "commit")
        if getattr(here, name) != getattr(there, name)
    ]
    ours, theirs = dict(here.settings), dict(there.settings)
    for name in sorted({*ours, *theirs}):
        default = show(name, DEFAULTS.get(name, ""))
        if ours.get(name, default) != theirs.get(name, default):
            differs.append(Differs(name=name, here=ours.get(name, default), there=theirs.get(name, default)))
    return differs
