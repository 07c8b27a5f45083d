"""This process and its descendants: their memory and CPU time, what others use meanwhile, and an end with the parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil

from trtbench.records.telemetry import CpuUse

_KERNEL_THREAD = 0x00200000  # the flag PF_KTHREAD in /proc/PID/stat


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


BLIND = 1.2  # times the busy time that the kernel tells: what uses more ran where it does not look


class _Reading(NamedTuple):
    """The clocks at one moment: seconds, but for `kernel`: ticks of each of the kernel's threads by id and start."""

    time: float
    busy: float
    stolen: float
    own: float
    kernel: dict[tuple[str, bytes], int]


class CpuClock:
    """Who used the CPU since it was made: `own` gives the CPU seconds of what is ours, everybody else's are others'.

    Only the CPUs that this process may use are looked at. The kernel's threads count as nobody's, for they work for whoever
    asked them; so do interrupts."""

    def __init__(self, own: Callable[[], float]) -> None:
        self._own = own
        self._cpus = CPUS
        self._began = self._look()

    def use(self) -> CpuUse | None:
        """What was used until now; None where the kernel's figures do not cover our own use, so that they can't show that of
        others. It counts in steps of 10 ms a core, so a short time says little."""
        before, now = self._began, self._look()
        ticks = sum(used - before.kernel.get(thread, 0) for thread, used in now.kernel.items())
        kernel = ticks / os.sysconf("SC_CLK_TCK") if now.kernel else 0.0
        busy, own = now.busy - before.busy, now.own - before.own
        if own > BLIND * busy + 0.5:
            return None
        others = busy - own - kernel
        return CpuUse(
            seconds=round(now.time - before.time, 3),
            cores=len(self._cpus),
            others=round(max(0.0, others), 3),
            stolen=round(max(0.0, now.stolen - before.stolen), 3),
        )

    def _look(self) -> _Reading:
        of_each = psutil.cpu_times(percpu=True)
        times = [of_each[cpu] for cpu in self._cpus] if self._cpus[-1] < len(of_each) else of_each
        busy = sum(of.user + getattr(of, "nice", 0.0) + of.system for of in times)
        stolen = sum(getattr(of, "steal", 0.0) for of in times)
        # On some of the CPUs only, nobody can tell where the kernel's threads ran.
        kernel = _kernel_threads() if len(times) == len(of_each) else {}
        return _Reading(time.perf_counter(), busy, stolen, self._own(), kernel)


def _allowed_cpus() -> list[int]:
    """The numbers of the CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


# Taken before any engine is loaded: some of them bind the thread that loads them to one CPU.
CPUS = _allowed_cpus()


def tree_cpu() -> float:
    """CPU seconds of our process tree so far: of what lives and of what its members waited for. Under a guard
    (child_guard.py) it begins there, for the guard adopts what this process leaves; its parent only waits and looks at the
    GPU, and what that takes is ours too."""
    this = psutil.Process()
    guard = this.parent() if os.environ.get("TRTBENCH_PARENT") == str(os.getppid()) else None
    seconds = 0.0
    if guard is not None:
        with contextlib.suppress(psutil.Error):
            used = psutil.Process(guard.ppid()).cpu_times()
            seconds += used.user + used.system
    root = guard or this
    for process in [root, *root.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            used = process.cpu_times()
            seconds += used.user + used.system + used.children_user + used.children_system
    return seconds


def ended_cpu() -> float:
    """CPU seconds of this process and of all its descendants that have ended and were waited for."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _kernel_threads() -> dict[tuple[str, bytes], int]:
    """Ticks that each of the kernel's own threads has used, by its id and start; nothing where there are none to be seen."""
    if sys.platform != "linux":
        return {}
    used = {}
    for folder in os.listdir("/proc"):
        if not folder.isdigit():
            continue
        try:
            fields = Path("/proc", folder, "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[6]) & _KERNEL_THREAD:
            used[folder, fields[19]] = int(fields[11]) + int(fields[12])
    return used
