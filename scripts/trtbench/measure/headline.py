"""The lane of the headline, fixed before the run; what can be told of it, and of lanes left out, before minutes are spent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from trtbench.errors import UserError
from trtbench.figures.base import may_be_base
from trtbench.settings import lanes
from trtbench.settings.choosing import Entrant, check_headline, one_card_only
from trtbench.settings.knobs import QUANTISED, Settings, show
from trtbench.settings.lanes import LANES
from trtbench.settings.sealed import headline_of


def headline(
    settings: Settings, names: Sequence[str], entrants: Sequence[Entrant], device: str, whole: bool
) -> str | None:
    """HEADLINE, else tensorrt-engine, else tensorrt-rtx, else the first lane not of PyTorch. `names` are the lanes that run,
    `entrants` those with the precisions in which they do; `whole`: no other step brings further lanes to the run. Raises
    UserError for a lane that can have no headline: one that may be the base, and in a whole run one that does not run."""
    declared = settings.headline
    able = [name for name in LANES if not one_card_only(name, settings.tp_size)]
    others = [name for name in names if name in able and not LANES[name].baseline]
    if not declared:
        return headline_of("", names, settings.tp_size)
    check_headline(declared)
    possible = others if whole and others else [name for name in able if not LANES[name].baseline]
    if LANES[declared].baseline:
        raise UserError(
            f"HEADLINE={declared!r} is a PyTorch lane that may be the base, which the headline is against; "
            f"name one that is not: {', '.join(possible)}."
        )
    if reason := one_card_only(declared, settings.tp_size):
        to_name = f"name one that splits it, {' or '.join(possible)}" if others or not whole else "leave it empty"
        raise UserError(f"HEADLINE={declared!r} is left out: {reason}; {to_name}, or set TP_SIZE=1.")
    if not whole:
        return declared
    if declared not in names:
        why = _why_not(declared, device)
        here = f"name one of them, {' or '.join(others)}" if others else "none of them can be it, so leave it empty"
        raise UserError(
            f"HEADLINE={declared!r} is not among the lanes of this run, {', '.join(names)}{why}; "
            f"{here}{'' if why else ', or add the lane to LANES'}."
        )
    if not any(e.lane == declared for e in entrants):
        raise UserError(
            f"HEADLINE={declared!r} does not run PRECISION={show('PRECISION', settings.precision)} on {device}; "
            f"it runs {', '.join(LANES[declared].precisions[device])}."
        )
    return declared


def _why_not(name: str, device: str) -> str:
    """Why the lane can't run here, for a sentence; nothing where it can."""
    reasons = [] if device in lanes.devices(name) else [f"runs on {' and '.join(lanes.devices(name))}"]
    absent = lanes.missing(name, device)
    reasons += [absent] if absent else []
    return f" ({name} {' and '.join(reasons)})" if reasons else ""


def notes(
    entrants: Sequence[Entrant], reasons: Mapping[Entrant, str], whole: bool, capability: str | None = None
) -> Iterator[str]:
    """What a person wants to know before the first trial: which lanes run in fewer precisions than asked for, what speaks against
    one on a card of this compute capability, and that nothing will be compared. A PyTorch lane is not missed in a quantised
    precision: there its full one is what others stand beside."""
    for entrant, reason in reasons.items():
        if not (LANES[entrant.lane].baseline and entrant.precision in QUANTISED):
            yield f"{entrant} is left out: {reason}."
    for name in dict.fromkeys(entrant.lane for entrant in entrants):
        if doubt := lanes.doubtful(name, capability):
            yield f"{name} may not run or be slow here: {doubt}."
    if whole and len(entrants) > 1 and not any(may_be_base((e.lane, e.precision), e.precision) for e in entrants):
        yield (
            "no PyTorch lane is among the lanes of this run: they are measured, and none is compared with another; "
            "add a PyTorch lane to LANES for speed-ups."
        )
