"""What a run consists of: lanes, precisions and cells, from the settings and what this machine has."""

from __future__ import annotations

from collections.abc import Sequence

from trtbench import lanes
from trtbench.errors import UserError
from trtbench.records import Cell, Failure, Model
from trtbench.runs import Absent
from trtbench.schedule import Entrant
from trtbench.settings import QUANTISED, Settings, show


def chosen_lanes(settings: Settings, device: str, family: str | None) -> list[str]:
    """The lanes to run, in the user's order. Names that do not exist or cannot run here are a UserError."""
    if settings.lanes == ("auto",):
        names = [name for name in lanes.LANES if device in lanes.devices(name) and lanes.missing(name) is None]
    else:
        for name in settings.lanes:
            if name not in lanes.LANES:
                raise UserError(
                    f"LANES={show('LANES', settings.lanes)!r} names {name!r}, which is no lane; there are {', '.join(lanes.LANES)}."
                )
        names = list(settings.lanes)
    if family is not None:
        names = [name for name in names if lanes.LANES[name].family == family]
        if not names:
            names = [
                name
                for name, row in lanes.LANES.items()
                if row.family == family and device in lanes.devices(name) and lanes.missing(name) is None
            ]
    for name in names:
        absent = lanes.missing(name)
        if absent:
            raise UserError(f"the lane {name} {absent}; install it or leave the lane out of LANES.")
        if device not in lanes.devices(name):
            row = lanes.LANES[name]
            why = f" ({row.bound})" if row.bound else ""
            raise UserError(
                f"the lane {name} runs on {' and '.join(row.devices)}{why}, and DEVICE is {device}; leave it out of LANES."
            )
    if not names:
        what = f"of the family {family} " if family else ""
        raise UserError(
            f"no lane {what}can run here on {device}: "
            + "; ".join(f"{name} {lanes.missing(name)}" for name, row in lanes.LANES.items() if lanes.missing(name))
            + "."
        )
    return names


def entrants_of(names: Sequence[str], settings: Settings, device: str) -> tuple[list[Entrant], list[Absent]]:
    """Lanes with the precisions they run, and what was asked for and does not exist.

    `auto` is the device's own default. A PyTorch lane that knows none of the precisions asked for (quantised ones)
    runs the default, because there must be something to compare with.
    """
    entrants: list[Entrant] = []
    absent: list[Absent] = []
    for name in names:
        row = lanes.LANES[name]
        known = row.precisions[device]
        wanted = [lanes.DEFAULT_PRECISION[device]] if settings.precision == ("auto",) else list(settings.precision)
        runs_here = [precision for precision in wanted if precision in known]
        if row.baseline and not runs_here and all(precision in QUANTISED for precision in wanted):
            runs_here = [lanes.DEFAULT_PRECISION[device]]
        entrants += [Entrant(name, precision) for precision in runs_here]
        absent += [
            Absent(
                lane=name,
                precision=precision,
                failure=Failure(
                    phase="precision",
                    reason=f"{name} does not run {precision} on {device} (it runs {', '.join(known)})",
                ),
            )
            for precision in wanted
            if precision not in known
        ]
    if not entrants:
        raise UserError(
            f"PRECISION={show('PRECISION', settings.precision)!r}: no chosen lane runs it on {device}; "
            + "; ".join(f"{name} runs {', '.join(lanes.LANES[name].precisions[device])}" for name in names)
            + "."
        )
    return entrants, absent


def shapes(settings: Settings, precision: str) -> list[Cell]:
    """Every combination of batch size, prompt length and new tokens."""
    return [
        Cell(batch=b, prompt_length=p, new_tokens=n, precision=precision)
        for b in settings.batch_sizes
        for p in settings.prompt_lengths
        for n in settings.new_tokens
    ]


def check_lengths(settings: Settings, model: Model) -> None:
    """Refuse sequences longer than the model has positions."""
    limit = model.config.get("max_position_embeddings") or model.config.get("n_positions")
    longest = max(settings.prompt_lengths) + max(settings.new_tokens)
    if isinstance(limit, int) and longest > limit:
        raise UserError(
            f"PROMPT_LENGTHS={show('', settings.prompt_lengths)} and NEW_TOKENS={show('', settings.new_tokens)} make "
            f"{longest} tokens, but {model.name} has {limit} positions; lower one of them."
        )
