"""One run of a fleet and what became of it."""

from __future__ import annotations

import msgspec

from trtbench.fleet.outcome import Outcome
from trtbench.fleet.wanted import Wanted


class Ran(msgspec.Struct, kw_only=True, frozen=True):
    """A run that was wanted. `status`: back, failed (the run itself), refused (what came back is no bundle of that run), lost
    (with its machines, more often than the plan allows), stopped, or missing (not made yet). `reason` says why where it is not
    back. `machine` and `card` name where it was measured, as 16 hexadecimal digits; `attempts` counts the times that it was
    placed, `losses` those that ended with the machine."""

    wanted: Wanted
    status: str
    reason: str = ""
    machine: str = ""
    card: str = ""
    attempts: int = 0
    losses: int = 0
    outcome: Outcome | None = None
