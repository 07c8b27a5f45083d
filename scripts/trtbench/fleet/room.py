"""Which machines a kind fits, what a run takes of one, and for how many runs there is room. Placing them is Ray's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trtbench.errors import UserError
from trtbench.fleet.cluster import Machine
from trtbench.fleet.wanted import Kind
from trtbench.records.files import shown

SHARE = 0.001  # of a resource that only says what a machine is, as Ray asks for a type of card


class Take(NamedTuple):
    """What a run takes of a machine for itself."""

    cards: int
    cpus: int


def named(kind: Kind) -> dict[str, float]:
    """The resources by which Ray finds machines of the kind."""
    names = [f"accelerator_type:{kind.accelerator}"] if kind.accelerator else []
    return dict.fromkeys([*names, kind.resource] if kind.resource else names, SHARE)


def fitting(kind: Kind, machines: Sequence[Machine]) -> list[Machine]:
    """The machines of the kind, whether they have room now or not."""
    return [
        machine
        for machine in machines
        if all(machine.resources.get(name, 0.0) >= share for name, share in named(kind).items())
        and all(machine.labels.get(label) == value for label, value in kind.labels.items())
        and machine.cards >= (kind.cards or 0)
        and machine.cpus >= (kind.cpus or 0)
    ]


def taken(name: str, kind: Kind, machines: Sequence[Machine]) -> Take | None:
    """What a run of the kind takes: what the plan says, else all that such a machine has, so that a run has no neighbour there.
    None where there is no machine yet that could say it. Raises UserError where the machines differ in it."""
    if kind.cards:
        return Take(kind.cards, 0)
    if kind.cards == 0 and kind.cpus is not None:
        return Take(0, kind.cpus)
    if not machines:
        return None
    cards = sorted({machine.cards for machine in machines})
    if kind.cards is None and kind.cpus is None:
        if len(cards) > 1:
            raise UserError(
                f"kinds.{name}.cards is not given, and its machines have {' and '.join(map(str, cards))} cards: say how many a "
                "run takes for itself, or make a kind of each."
            )
        if cards[0]:
            # Its processors too, or a run of another kind that wants those alone would have room beside it.
            return Take(cards[0], min(machine.cpus for machine in machines))
    if kind.cpus is not None:
        return Take(0, kind.cpus)
    least, most = min(machine.cpus for machine in machines), max(machine.cpus for machine in machines)
    if least < 1 or 2 * least <= most:
        raise UserError(
            f"kinds.{name}.cpus is not given, and its machines have {least} to {most} processors for Ray: say how many a run takes "
            "for itself, or make a kind of each."
        )
    return Take(0, least)


def slots(take: Take, machines: Sequence[Machine]) -> int:
    """How many runs have room at one time on machines that fit."""

    def on(machine: Machine) -> int:
        by_cards = [machine.cards // take.cards] if take.cards else []
        return min([*by_cards, *([machine.cpus // take.cpus] if take.cpus else [])])

    return sum(map(on, machines))


def asked(name: str, kind: Kind, machines: Sequence[Machine], split: int) -> tuple[Take, list[Machine]]:
    """What a run of the kind takes, whose model is split over so many cards, and the machines that fit. Raises UserError where none
    does, unless some are to come, and where nobody can say what it takes."""
    fits = fitting(kind, machines)
    take = taken(name, kind, fits)
    if not fits and not kind.machines:
        raise UserError(none_fits(name, kind, machines))
    if take is None:
        raise UserError(
            f"kinds.{name}: there is no machine of it yet, so say how many cards a run takes for itself (cards), or on machines "
            "without any how many processors (cards: 0 and cpus)."
        )
    if take.cards and split > take.cards:
        raise UserError(f"kinds.{name}.cards={take.cards} is less than the TP_SIZE={split} of the plan's settings.")
    return take, fits


def none_fits(name: str, kind: Kind, machines: Sequence[Machine]) -> str:
    """The sentence for a kind of which the cluster has no machine."""
    wants = [f"the resource {resource}" for resource in named(kind)]
    wants += [f"the label {label}={value}" for label, value in kind.labels.items()]
    wants += [f"{kind.cards} cards" if kind.cards > 1 else "1 card"] if kind.cards else []
    wants += [f"{kind.cpus} processors" if kind.cpus > 1 else "1 processor"] if kind.cpus else []
    has = sorted({_said(machine.resources) for machine in machines})
    return f"kinds.{name}: no machine of the cluster has {', '.join(wants)}; " + (
        f"there are machines with {'; with '.join(has)}." if has else "there is no machine at all."
    )


def _said(resources: Mapping[str, float]) -> str:
    """The resources that may say what a machine is, without Ray's own."""
    own = ("node:", "memory", "object_store_memory")
    return shown(
        ", ".join(f"{name} {count:g}" for name, count in sorted(resources.items()) if not name.startswith(own))
        or "nothing"
    )
