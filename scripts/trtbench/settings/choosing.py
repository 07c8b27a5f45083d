"""Which lanes run, in which precisions: from the settings and from what is installed here."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from trtbench.errors import UserError
from trtbench.settings import lanes
from trtbench.settings.knobs import Settings, show
from trtbench.settings.sealed import precisions_of


@dataclasses.dataclass(frozen=True, order=True)
class Entrant:
    """A lane with a precision: what is loaded once in a trial."""

    lane: str
    precision: str

    def __str__(self) -> str:
        return f"{self.lane} {self.precision}"


def chosen_lanes(settings: Settings, device: str, family: str | None, capability: str | None = None) -> list[str]:
    """The lanes to run, in the user's order. Names that do not exist or cannot run here are a UserError. `capability`: the card's
    compute capability, where the driver tells it."""
    check_names(settings, device, family, capability)
    if settings.lanes == ("auto",):
        names = [name for name in lanes.LANES if _runs(name, device, capability)]
    else:
        names = list(settings.lanes)
    if family is not None:
        names = [name for name in names if lanes.LANES[name].family == family]
        if not names:
            names = [
                name for name, row in lanes.LANES.items() if row.family == family and _runs(name, device, capability)
            ]
    for name in names:
        absent = lanes.missing(name, device)
        # A lane that is left out anyway (entrants_of) needs nothing installed.
        if absent and not one_card_only(name, settings.tp_size):
            raise UserError(f"the lane {name} {absent}; {lanes.remedy(name, device)}, or leave the lane out of LANES.")
    if not names and family is not None:
        raise UserError(none_of(family, device, capability))
    if not names:
        raise UserError(
            f"no lane can run here on {device}: "
            + "; ".join(f"{name} {absent}" for name in lanes.LANES if (absent := lanes.missing(name, device)))
            + "."
        )
    return names


def check_names(settings: Settings, device: str, family: str | None, capability: str | None) -> None:
    """Raises UserError where LANES names what is no lane, or one (of the family, where there is one) that can't run on this device
    or this card."""
    if settings.lanes == ("auto",):
        return
    for name in settings.lanes:
        if name not in lanes.LANES:
            raise UserError(
                f"LANES={show('LANES', settings.lanes)!r} names {name!r}, which is no lane; there are {', '.join(lanes.LANES)}."
            )
    for name in settings.lanes:
        row = lanes.LANES[name]
        if family not in (None, row.family):
            continue
        if device not in lanes.devices(name):
            reason = f" ({row.bound})" if row.bound else ""
            raise UserError(
                f"the lane {name} runs on {' and '.join(row.devices)}{reason}, and DEVICE is {device}; leave it out of LANES."
            )
        if reason := lanes.unable(name, capability):
            raise UserError(f"the lane {name} can't run on this card: {reason}; leave it out of LANES.")


def check_headline(declared: str) -> None:
    """Raises UserError where HEADLINE names no lane."""
    if declared and declared not in lanes.LANES:
        raise UserError(f"HEADLINE={declared!r} is no lane; there are {', '.join(lanes.LANES)}.")


def _runs(name: str, device: str, capability: str | None) -> bool:
    """Whether LANES=auto takes the lane: it can run here, as far as can be told before it does, and nothing speaks against it."""
    card = lanes.unable(name, capability) or lanes.doubtful(name, capability)
    return device in lanes.devices(name) and not card and lanes.missing(name, device) is None


def none_of(family: str, device: str, capability: str | None) -> str:
    """Why no lane of the family can run here, lane by lane, and what to use instead."""
    reasons, remedies = [], []
    for name, row in lanes.LANES.items():
        if row.family != family:
            continue
        lacks = []
        if device not in lanes.devices(name):
            lacks.append(f"runs on {' and '.join(row.devices)}" + (f" ({row.bound})" if row.bound else ""))
        elif reason := lanes.unable(name, capability):
            lacks.append(f"can't run on this card: {reason}")
        # Of a lane of processors it doesn't matter what it lacks: on one it would be another environment's matter.
        absent = lanes.missing(name, device) if device == "cpu" or device in lanes.devices(name) else None
        if absent:
            lacks.append(absent)
            remedies.append(lanes.remedy(name, device))
        reasons.append(f"{name} {' and '.join(lacks)}")
    if device == "cuda" and not remedies:
        remedies.append("--cpu (DEVICE=cpu) runs them on the processor")
    what_to_do = list(dict.fromkeys(remedies))
    return f"no lane of the family {family} can run here on {device}: {'; '.join([*reasons, *what_to_do])}."


def one_card_only(name: str, tp_size: int) -> str:
    """Why the lane can't run over so many cards, as a sentence without its full stop; empty where it can."""
    if tp_size == 1 or lanes.LANES[name].over_cards:
        return ""
    return f"{name} runs a model on one card, and TP_SIZE is {tp_size}"


def entrants_of(names: Sequence[str], settings: Settings, device: str) -> tuple[list[Entrant], dict[Entrant, str]]:
    """Lanes with the precisions they run, and the reason for each that was asked for and does not exist.

    `auto` is the device's own default (precisions_of).
    """
    entrants: list[Entrant] = []
    absent: dict[Entrant, str] = {}
    for name in names:
        row = lanes.LANES[name]
        supported = row.precisions[device]
        if reason := one_card_only(name, settings.tp_size):
            absent |= {Entrant(name, precision): reason for precision in precisions_of(row, settings.precision, device)}
            continue
        requested = [lanes.DEFAULT_PRECISION[device]] if settings.precision == ("auto",) else list(settings.precision)
        entrants += [Entrant(name, precision) for precision in precisions_of(row, settings.precision, device)]
        absent |= {
            Entrant(name, precision): f"{name} does not run {precision} on {device} (it runs {', '.join(supported)})"
            for precision in requested
            if precision not in supported
        }
    if not entrants and all(one_card_only(name, settings.tp_size) for name in names):
        able = ", ".join(name for name, row in lanes.LANES.items() if row.over_cards and device in lanes.devices(name))
        raise UserError(
            f"TP_SIZE={settings.tp_size}: no chosen lane splits a model over cards; {able} do, or set TP_SIZE=1."
        )
    if not entrants:
        raise UserError(
            f"PRECISION={show('PRECISION', settings.precision)!r}: no chosen lane runs it on {device}; "
            + "; ".join(f"{name} runs {', '.join(lanes.LANES[name].precisions[device])}" for name in names)
            + "."
        )
    return entrants, absent
