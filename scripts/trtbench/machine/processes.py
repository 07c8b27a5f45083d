"""This process and its descendants: their memory and CPU time, what others use meanwhile, and an end with the parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

import psutil


def swap_used() -> int:
    """Bytes of swap in use on this machine."""
    return int(psutil.swap_memory().used)


def die_with_parent(parent: int | None) -> None:
    """Have the kernel end this process when its parent dies, also by SIGKILL (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if parent is not None and os.getppid() != parent:
            os._exit(137)  # it was gone before the call


def tree() -> list[psutil.Process]:
    """This process and all its descendants that still live."""
    this = psutil.Process()
    return [this, *this.children(recursive=True)]


def tree_rss() -> int:
    """Resident set of this process and its descendants, bytes. Pages that they share count once for each."""
    total = 0
    for process in tree():
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


class ForeignCpu:
    """CPU seconds that others used between two looks: all busy time less that of this process tree.

    The kernel counts in steps of 10 ms per core; time stolen by a hypervisor counts as used by others.
    """

    def __init__(self) -> None:
        self.mark()

    def mark(self) -> None:
        """Start the interval."""
        self._busy, self._own = self._look()

    def seconds(self) -> float:
        """CPU seconds used by others since the mark, never below zero."""
        busy, own = self._look()
        return round(max(0.0, (busy - self._busy) - (own - self._own)), 3)

    @staticmethod
    def _look() -> tuple[float, float]:
        times = psutil.cpu_times()
        busy = (
            sum(times)
            - times.idle
            - getattr(times, "iowait", 0.0)
            - getattr(times, "guest", 0.0)
            - getattr(times, "guest_nice", 0.0)
        )
        own = 0.0
        for process in tree():
            try:
                times_used = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            own += times_used.user + times_used.system
        return busy, own
