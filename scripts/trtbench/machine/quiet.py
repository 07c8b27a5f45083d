"""Is the machine quiet, and who keeps it from being so: looked at before a run spends minutes, and before a trial that was
disturbed is run again. Only between trials, when nothing of ours computes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import psutil

from trtbench.machine import disturbance, nvml, processes
from trtbench.records.run import Rules
from trtbench.records.telemetry import CpuUse

LOOK = 2.0  # seconds
GLANCE = 0.5  # seconds, where nothing is waited for
NAMED = 3  # processes at most in a sentence
WORTH_NAMING = 0.02  # of one core


class Noise(NamedTuple):
    """What others do: their `share` of all cores, and in words who does what, the most first."""

    share: float
    who: list[str]

    def __str__(self) -> str:
        return ", ".join(self.who) or f"others use {self.share:.1%} of the CPU"


class Look:
    """A look that begins now: what we do ourselves meanwhile is not counted."""

    def __init__(self) -> None:
        self._used = _used()
        self._cpu = processes.CpuClock(processes.tree_cpu)
        self._began = time.monotonic()

    def noise(self, rules: Rules, cards: int) -> Noise | None:
        """End the look, after LOOK seconds at the soonest (GLANCE, where the rules wait for nothing): None where others leave
        the machine alone, as far as the rules want it. `cards` are those that the run uses, 0 on a CPU."""
        least = LOOK if rules.quiet == "wait" else GLANCE
        time.sleep(max(0.0, least - (time.monotonic() - self._began)))
        use = self._cpu.use() or CpuUse(seconds=LOOK, cores=1, others=0.0, stolen=0.0)
        on_card = _on_cards(rules, cards) if cards else []
        if not disturbance.above(use, rules) and not on_card:
            return None
        busy = [f"{name} ({pid}) {share:.0%} of a core" for share, pid, name in _busiest(self._used, use.seconds)]
        if use.stolen > use.others:
            busy.insert(0, f"another virtual machine on this host {use.stolen / use.seconds:.0%} of a core")
        return Noise(use.share, [*on_card, *busy])


def wait(
    rules: Rules, cards: int, tell: Callable[[Noise], None], clock: Callable[[], float] = time.monotonic
) -> tuple[Noise | None, float]:
    """Wait until the machine is quiet, for at most `rules.wait` seconds: what is still going on (None: quiet), and the
    seconds that it took. `tell` is called once when there is something to wait for."""
    began = clock()
    told = False
    while True:
        still = Look().noise(rules, cards)
        waited = clock() - began
        if still is None or waited >= rules.wait:
            return still, waited
        if not told:
            tell(still)
            told = True


def _used() -> dict[tuple[int, float], float]:
    """CPU seconds of every process so far, by id and start."""
    used = {}
    for process in psutil.process_iter(["pid", "create_time", "cpu_times"]):
        times = process.info["cpu_times"]
        if times is not None:
            used[process.pid, process.info["create_time"]] = times.user + times.system
    return used


def _busiest(before: dict[tuple[int, float], float], seconds: float) -> list[tuple[float, int, str]]:
    """Share of one core, id and name of the processes that used most since `before`; ours are left out."""
    ours = {process.pid for process in processes.tree()}
    shares = [
        ((used - before.get(key, 0.0)) / seconds, key[0])
        for key, used in _used().items()
        if key[0] not in ours and key in before
    ]
    named = []
    for share, pid in sorted(shares, reverse=True)[:NAMED]:
        if share >= WORTH_NAMING:
            named.append((share, pid, _name(pid)))
    return named


def _name(pid: int) -> str:
    try:
        return str(psutil.Process(pid).name())
    except psutil.Error:
        return "a process"


def _on_cards(rules: Rules, cards: int) -> Sequence[str]:
    """What keeps the first so many visible cards from being quiet, in words."""
    try:
        with nvml.Session() as session:
            readings = [card.read() for card in session.cards[:cards]]
    except (nvml.Absent, nvml.Broken):
        return []
    return [
        words
        for place, reading in enumerate(readings, 1)
        for words in _on_card(reading, rules, "the GPU" if cards == 1 else f"GPU {place} of {cards}")
    ]


def _on_card(reading: nvml.Reading, rules: Rules, card: str) -> Sequence[str]:
    words = [f"{_name(pid)} ({pid}) computes on {card}" for pid in sorted(reading.computing or ())]
    if reading.utilisation is not None and reading.utilisation > rules.gpu_used:
        words.append(f"{card} is {reading.utilisation} % in use")
    reasons = disturbance.serious(nvml.names(reading.reasons)) if reading.reasons else []
    if reasons:
        words.append(f"{card} is throttled ({', '.join(reasons)})")
    return words
