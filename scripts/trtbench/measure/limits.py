"""How long a phase of a trial may take before its process counts as hung: far longer than any machine that computes needs.

A first call may compile, so it has an hour, and a second for each token that goes through the model besides. From then on calls
are known: each may take ten times as long as the slowest before. Converting, building and loading have no limit here: what they
take hangs on the disk and the model (engines that spawn processes have ENGINE_START_LIMIT for their start).
"""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.settings.cells import Cell

FIRST = 3600.0  # seconds of a call that may compile
TOKEN = 1.0  # seconds besides for each token of its batch
STEADY = 600.0  # seconds of any number of calls whose time is known
SLOWER = 10.0  # times as long as the slowest call so far may each of them take
# STEADY and SLOWER of what comes when the record is whole: nothing but itself is lost, and the audit counts its time.
EXTRA = (120.0, 3.0)
CLOSE = 60.0  # seconds of giving back what a lane holds, and of the end of its process


def first_call(cell: Cell) -> float:
    """Seconds of a call of a shape that the lane has not been called with."""
    return FIRST + TOKEN * cell.batch * (cell.prompt_length + cell.new_tokens)


def calls(number: int, before: Sequence[int]) -> float:
    """Seconds of so many calls more; `before` are nanoseconds of calls of their kind."""
    return STEADY + SLOWER * number * max(before) / 1e9


def extra_call(before: Sequence[int]) -> float:
    """Seconds of one call more once nothing else can be lost."""
    return EXTRA[0] + EXTRA[1] * max(before) / 1e9
