"""A card that is gone in the middle of a run: it ends, and what was finished is kept."""

from __future__ import annotations

from trtbench.engine import known_failures
from trtbench.errors import UserError
from trtbench.machine import nvml
from trtbench.records.trial import Failure


class GpuLost(UserError):
    """The card that the lanes run on is gone; what was finished is kept."""


def check(failure: Failure, cards: int, run: str) -> None:
    """Raises GpuLost when a trial failed because one of the cards in use is gone: no other lane would fare better."""
    if not cards:
        return
    said_so = failure.reason == known_failures.LOST_GPU.reason
    loss = nvml.lost(cards)
    if said_so or loss is not None:
        raise GpuLost(
            f"{known_failures.LOST_GPU.reason}{f' ({loss})' if loss else ''}; what run {run} has finished is kept: "
            f"{known_failures.LOST_GPU.remedy}."
        )
