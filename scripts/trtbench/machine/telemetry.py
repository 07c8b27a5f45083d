"""The GPU seen from outside the measured process: a thread of the waiting parent looks at it five times a second.

`Watch.start` looks at the idle card before the trial's process exists, `Watch.stop` ends the looking, and `Watch.fill`
writes into the trial's record what belongs to its timed windows. Parent and child read the same clock (perf_counter_ns
is the system's monotonic clock), so readings are assigned by time. A driver that stops answering ends the looking and
becomes a problem in the record, which the audit tells.

What cannot be told from outside: in a container with a process table of its own NVML's process ids mean nothing. There a
process that was on the card before the trial, or is still there after it, counts as foreign; one that comes and goes
with the trial is taken for ours.
"""

from __future__ import annotations

import dataclasses
import statistics
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import psutil

from trtbench.machine import nvml
from trtbench.machine.nvml import Absent, Broken, Card, Facts, Reading
from trtbench.records.trial import CellRecord, Energy, Gpu, Pass, Telemetry, Trial

INTERVAL = 0.2  # seconds between two looks; benchmarks/telemetry_overhead.py shows what they cost
PATIENCE = 3.0  # seconds for a last answer; a lost card can hold a call for ever
GONE = 1.0  # seconds in which the driver forgets a process that has ended
KEPT = 500  # samples of one kind in a record at most; of more, evenly spaced ones stay
IDLE_PHASES = ("import",)  # the trial's process has not touched the card yet
Window = tuple[int, int]
T = TypeVar("T")


@dataclasses.dataclass
class _Seen:
    """All that was seen of one card."""

    card: Card
    facts: Facts
    readings: list[Reading]


class Watch:
    """Looks at the GPUs in use during one trial. Never raises for what NVML does."""

    def __init__(self, interval: float = INTERVAL) -> None:
        self.interval = interval
        self.problems: list[str] = []
        self._session: nvml.Session | None = None
        self._seen: list[_Seen] = []
        self._busy_from: int | None = None
        self._root: int | None = None
        self._ours: dict[int, bool | None] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def start(self) -> None:
        """Look at the idle card, then go on looking."""
        try:
            self._session = nvml.Session()
        except Absent as error:
            self.problems.append(str(error))
            return
        try:
            # A lane runs on the first GPU that it is shown.
            for card in self._session.cards[:1]:
                self._seen.append(_Seen(card, card.facts(), [card.read()]))
        except Broken as error:
            self.problems.append(f"NVML stopped answering: {error}")
            return
        self._thread.start()

    @property
    def counts_energy(self) -> bool:
        """Whether the cards have a counter of energy."""
        return bool(self._seen) and all(seen.readings[0].energy is not None for seen in self._seen)

    @property
    def looks(self) -> int:
        """How often the cards were looked at so far."""
        return sum(len(seen.readings) for seen in self._seen)

    def follow(self, pid: int) -> None:
        """Everything below this process is ours."""
        self._root = pid

    def phase(self, name: str) -> None:
        """The trial's process entered a phase."""
        if self._busy_from is None and name not in IDLE_PHASES:
            self._busy_from = time.perf_counter_ns()

    def stop(self) -> None:
        """End the looking, with a last look at who is still on the card."""
        self._done.set()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)
        if self._thread.is_alive():
            # It hangs in the driver: nothing may be asked or closed beside it.
            self.problems.append("NVML stopped answering: a call did not come back")
            return
        if self._session is not None:
            self._session.close()

    def _look_on(self) -> None:
        try:
            while not self._done.wait(self.interval):
                self._look()
            if any(self._ours.get(pid) is None for seen in self._seen for pid in seen.readings[-1].processes or {}):
                time.sleep(GONE)
            self._look()
        except Broken as error:
            self.problems.append(f"NVML stopped answering: {error}")

    def _look(self) -> None:
        for seen in self._seen:
            found = seen.card.read()
            seen.readings.append(found)
            for pid in found.processes or {}:
                if pid not in self._ours:
                    self._ours[pid] = self._is_ours(pid)

    def _is_ours(self, pid: int) -> bool | None:
        """Whether a process is below the trial's; None where this process table does not hold it. Asked once, while the
        process lives."""
        try:
            process = psutil.Process(pid)
            return self._root is not None and self._root in (pid, *(parent.pid for parent in process.parents()))
        except psutil.NoSuchProcess:
            return None

    def fill(self, trial: Trial, told: Telemetry) -> None:
        """Write what was seen into the trial and its telemetry. Windows are those of the passes in the record."""
        told.problems += self.problems
        if not self._seen:
            return
        windows = [(p.began, p.ended) for r in trial.cells for p in _passes(r) if p.began is not None and p.ended]
        told.gpus = [self._gpu(seen, windows) for seen in self._seen]
        for record in trial.cells:
            self._fill_memory(record)
            if record.energy is not None:
                record.energy = self._joules(record.energy, told.gpus)

    def _gpu(self, seen: _Seen, windows: Sequence[Window]) -> Gpu:
        facts, readings = seen.facts, seen.readings
        timed = [r for r in readings if any(began <= r.time <= ended for began, ended in windows)]
        first, last = readings[0], readings[-1]
        return Gpu(
            uuid=facts.uuid,
            name=facts.name,
            samples=len(timed),
            memory_total=facts.memory_total,
            memory_baseline=first.memory,
            memory_peak=max(_known(r.memory for r in readings), default=None),
            sm_clock=_thinned(r.sm_clock for r in timed),
            memory_clock=_thinned(r.memory_clock for r in timed),
            temperature=_thinned(r.temperature for r in timed),
            power=_thinned(r.power for r in timed),
            utilisation=_thinned(r.utilisation for r in timed),
            energy=round(last.energy - first.energy, 3)
            if first.energy is not None and last.energy is not None and last.energy >= first.energy
            else None,
            idle_power=self._idle(readings),
            power_cap=facts.power_cap,
            throttle_reasons=_reasons(timed),
            foreign_processes=self._foreign(readings, windows),
            memory_bus_width=facts.memory_bus_width,
            memory_clock_max=facts.memory_clock_max,
            sm_clock_max=facts.sm_clock_max,
        )

    def _idle(self, readings: Sequence[Reading]) -> float | None:
        """Median power before the trial's process touches the card; the first half is left out, in which the card cools
        down from the trial before. None where somebody else is on the card, which is not idle then."""
        idle = [r for r in readings if self._busy_from is None or r.time < self._busy_from]
        if any(r.processes for r in idle):
            return None
        powers = _known(r.power for r in idle[len(idle) // 2 :])
        return round(statistics.median(powers), 3) if powers else None

    def _strangers(self, readings: Sequence[Reading]) -> set[int]:
        """Ids of processes that are not the trial's."""
        there_before, there_after = readings[0].processes or {}, readings[-1].processes or {}
        found = {pid for pid, ours in self._ours.items() if ours is False}
        return found | {pid for pid in (*there_before, *there_after) if self._ours.get(pid) is not True}

    def _foreign(self, readings: Sequence[Reading], windows: Sequence[Window]) -> int | None:
        """How many other processes were on the card between the first and the last timed call."""
        if windows:
            began, ended = min(w[0] for w in windows), max(w[1] for w in windows)
            # One look before and one after: a short pass may fall between two.
            before = max((r.time for r in readings if r.time <= began), default=began)
            after = min((r.time for r in readings if r.time >= ended), default=ended)
            looked = [r for r in readings if before <= r.time <= after]
        else:
            looked = list(readings)
        if any(r.processes is None for r in looked):
            return None
        strangers = self._strangers(readings)
        return len(strangers & {pid for r in looked for pid in r.processes or {}})

    def _fill_memory(self, record: CellRecord) -> None:
        """Device memory in use while the cell's passes ran, of all cards together; absent where no look fell into them."""
        if record.memory is None or record.e2e is None or record.ttft is None:
            return
        began, ended = record.e2e.began, record.ttft.ended
        if began is None or ended is None:
            return
        peak: list[int | None] = []
        held: list[int | None] = []
        for seen in self._seen:
            within = [r for r in seen.readings if began <= r.time <= ended]
            peak.append(max(_known(r.memory for r in within), default=None))
            mine = [[size for pid, size in (r.processes or {}).items() if self._mine(pid, seen)] for r in within]
            held.append(max((sum(_known(sizes)) for sizes in mine if sizes and None not in sizes), default=None))
        record.memory.gpu_peak = _total(peak)
        record.memory.gpu_baseline = _total([seen.readings[0].memory for seen in self._seen])
        record.memory.gpu_processes = _total(held)

    def _mine(self, pid: int, seen: _Seen) -> bool:
        return pid not in self._strangers(seen.readings)

    def _joules(self, asked: Energy, gpus: Sequence[Gpu]) -> Energy:
        """Mean power over the looks inside the window, by the difference of the counter, so that its edges, which fall
        between two looks, do not matter."""
        watts = 0.0
        for seen in self._seen:
            within = [(r.time, r.energy) for r in seen.readings if asked.began <= r.time <= asked.ended]
            known = [(at, joules) for at, joules in within if joules is not None]
            if len(known) < 2 or known[-1][1] <= known[0][1]:
                return asked
            watts += (known[-1][1] - known[0][1]) / ((known[-1][0] - known[0][0]) / 1e9)
        asked.watts = round(watts, 3)
        idle = [gpu.idle_power for gpu in gpus]
        asked.idle_watts = round(sum(_known(idle)), 3) if None not in idle else None
        return asked


def _passes(record: CellRecord) -> Iterator[Pass]:
    yield from (part for part in (record.e2e, record.ttft) if part is not None)


def _known(values: Iterable[T | None]) -> list[T]:
    return [value for value in values if value is not None]


def _total(values: Sequence[int | None]) -> int | None:
    known = _known(values)
    return sum(known) if known and len(known) == len(values) else None


def _thinned(values: Iterable[T | None]) -> list[T] | None:
    known = _known(values)
    return known[:: -(-len(known) // KEPT)] if known else None


def _reasons(timed: Sequence[Reading]) -> list[str] | None:
    masks = _known(r.reasons for r in timed)
    if not masks:
        return None
    together = 0
    for mask in masks:
        together |= mask
    return nvml.names(together)
