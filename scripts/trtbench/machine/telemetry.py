"""The GPU seen from outside the measured process: a thread of the waiting parent looks at it five times a second.

`Watch.start` looks at the idle card before the trial's process exists, `Watch.stop` ends the looking, and `Watch.fill`
writes into the trial's record what belongs to its timed windows. Parent and child read the same clock (perf_counter_ns
is the system's monotonic clock), so readings are assigned by time. A driver that stops answering ends the looking and
becomes a problem in the record, which the audit tells.

What cannot be told from outside: in a container with a process table of its own NVML's process ids mean nothing. There a
process that was on the card before the trial, or is still there after it, counts as another's; one that comes and goes
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

from trtbench.errors import in_one_line
from trtbench.machine import nvml
from trtbench.machine.nvml import Absent, Broken, Card, Facts, Reading
from trtbench.records.telemetry import Gpu, Telemetry
from trtbench.records.trial import CellRecord, Energy, Pass, Trial

INTERVAL = 0.2  # seconds between two looks; benchmarks/telemetry_overhead.py shows what they cost
FORGETS = 2.0  # seconds in which it usually has
GONE = 5.0  # seconds at most in which the driver forgets a process that has ended
PATIENCE = 3.0  # seconds beyond that for a last answer; a lost card can hold a call for ever
KEPT = 500  # samples of one kind in a record at most; of more, evenly spaced ones stay
IDLE_PHASES = ("import",)  # the trial's process has not touched the card yet
FIRST_CALL = "warm-up"  # the phase in which the trial calls for the first time
FEW = 3  # looks before the first call: of fewer a clock that is just rising is no clock
Window = tuple[int, int]
T = TypeVar("T")


@dataclasses.dataclass
class _WatchedCard:
    """A card and all that was read from it, oldest first."""

    card: Card
    facts: Facts
    readings: list[Reading]


class Watch:
    """Looks at the GPUs in use during one trial. Never raises for what NVML does."""

    def __init__(self, interval: float = INTERVAL, cards: int = 1) -> None:
        self.interval, self.count = interval, cards
        self.problems: list[str] = []
        self._session: nvml.Session | None = None
        self._cards: list[_WatchedCard] = []
        self._busy_from: int | None = None
        self._called_from: int | None = None
        self._root: int | None = None
        self._below_trial: dict[int, bool | None] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Look at the idle card, then go on looking."""
        try:
            self._session = nvml.Session()
        except Absent as error:
            self.problems.append(str(error))
            return
        try:
            # A lane runs on the first GPUs that it is shown.
            for card in self._session.cards[: self.count]:
                self._cards.append(_WatchedCard(card, card.facts(), [_first_look(card)]))
        except Broken as error:
            self.problems.append(f"NVML stopped answering: {error}")
            return
        self._thread.start()

    @property
    def counts_energy(self) -> bool:
        """Whether the cards have a counter of energy."""
        return bool(self._cards) and all(watched.readings[0].energy is not None for watched in self._cards)

    @property
    def looks(self) -> int:
        """How often the cards were looked at so far."""
        return sum(len(watched.readings) for watched in self._cards)

    def follow(self, pid: int) -> None:
        """Everything below this process is ours."""
        self._root = pid

    def phase(self, name: str) -> None:
        """The trial's process entered a phase."""
        if self._busy_from is None and name not in IDLE_PHASES:
            self._busy_from = time.perf_counter_ns()
        if self._called_from is None and name == FIRST_CALL:
            self._called_from = time.perf_counter_ns()

    def stop(self) -> None:
        """End the looking, with a last look at who is still on the card."""
        self._done.set()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE + GONE)
        if self._thread.is_alive():
            # It hangs in the driver: nothing may be asked or closed beside it.
            self.problems.append("NVML stopped answering: a call did not come back")
            return
        if self._session is not None:
            self._session.close()

    def _watch(self) -> None:
        try:
            while not self._done.wait(self.interval):
                self._read_cards()
            # Whose a process is that this table does not hold shows in whether it goes with the trial.
            until = time.monotonic() + GONE
            self._read_cards()
            while self._stranger_there() and time.monotonic() < until:
                time.sleep(self.interval)
                self._read_cards()
        except Broken as error:
            self.problems.append(f"NVML stopped answering: {error}")
        except Exception as error:  # a thread would end without a word, and what it saw would look like all there was
            self.problems.append(f"looking at the GPU failed: {in_one_line(error)}")

    def _stranger_there(self) -> bool:
        """Whether a process is on a card that was not there before the trial and that this process table does not hold."""
        return any(
            self._below_trial.get(pid) is None and pid not in (watched.readings[0].processes or {})
            for watched in self._cards
            for pid in watched.readings[-1].processes or {}
        )

    def _read_cards(self) -> None:
        for watched in self._cards:
            reading = watched.card.read()
            watched.readings.append(reading)
            for pid in reading.processes or {}:
                if pid not in self._below_trial:
                    self._below_trial[pid] = self._is_below_trial(pid)

    def _is_below_trial(self, pid: int) -> bool | None:
        """Whether a process is below the trial's; None where this process table does not hold it. Asked once, while the
        process lives."""
        try:
            process = psutil.Process(pid)
            return self._root is not None and self._root in (pid, *(parent.pid for parent in process.parents()))
        except psutil.NoSuchProcess:
            return None

    def fill(self, trial: Trial, telemetry: Telemetry) -> None:
        """Write what was seen into the trial and its telemetry. Windows are those of the passes in the record."""
        telemetry.problems += self.problems
        if not self._cards:
            return
        windows = [(p.began, p.ended) for r in trial.cells for p in _passes(r) if p.began is not None and p.ended]
        telemetry.gpus = [self._gpu(watched, windows) for watched in self._cards]
        for record in trial.cells:
            self._fill_memory(record)
            if record.energy is not None:
                record.energy = self._with_power(record.energy, telemetry.gpus)

    def _gpu(self, watched: _WatchedCard, windows: Sequence[Window]) -> Gpu:
        facts, readings = watched.facts, watched.readings
        timed = [r for r in readings if any(began <= r.time <= ended for began, ended in windows)]
        first, last = readings[0], readings[-1]
        idle = [r for r in readings if self._busy_from is None or r.time < self._busy_from]
        # Idling clocks are low, and what loading does to the card is the lane's own.
        loading = [r for r in readings[len(idle) :] if self._called_from is None or r.time < self._called_from]
        used_idle = _present(r.utilisation for r in idle[len(idle) // 2 :])
        early_clocks = _present(r.sm_clock for r in loading)
        return Gpu(
            uuid=facts.uuid,
            name=facts.name,
            samples=len(timed),
            memory_total=facts.memory_total,
            memory_baseline=first.memory,
            memory_peak=max(_present(r.memory for r in readings), default=None),
            sm_clock=_thinned(r.sm_clock for r in timed),
            memory_clock=_thinned(r.memory_clock for r in timed),
            temperature=_thinned(r.temperature for r in timed),
            power=_thinned(r.power for r in timed),
            utilisation=_thinned(r.utilisation for r in timed),
            energy=round(last.energy - first.energy, 3)
            if first.energy is not None and last.energy is not None and last.energy >= first.energy
            else None,
            idle_power=_idle_power(idle),
            power_cap=facts.power_cap,
            throttle_reasons=_reasons(timed),
            foreign_processes=self._count_others(readings, windows),
            memory_bus_width=facts.memory_bus_width,
            memory_clock_max=facts.memory_clock_max,
            sm_clock_max=facts.sm_clock_max,
            foreign_compute=self._count_computing(readings),
            idle_utilisation=statistics.median(used_idle) if used_idle else None,
            idle_temperature=first.temperature,
            early_clock=max(early_clocks) if len(early_clocks) >= FEW else None,
            early_reasons=_reasons(idle),
            power_cap_default=facts.power_cap_default,
        )

    def _other_pids(self, readings: Sequence[Reading]) -> set[int]:
        """Ids of processes that are not the trial's."""
        before, after = readings[0].processes or {}, readings[-1].processes or {}
        others = {pid for pid, below in self._below_trial.items() if below is False}
        return others | {pid for pid in (*before, *after) if self._below_trial.get(pid) is not True}

    def _count_others(self, readings: Sequence[Reading], windows: Sequence[Window]) -> int | None:
        """How many other processes were on the card between the first and the last timed call."""
        if windows:
            began, ended = min(w[0] for w in windows), max(w[1] for w in windows)
            # One look before and one after: a short pass may fall between two.
            before = max((r.time for r in readings if r.time <= began), default=began)
            after = min((r.time for r in readings if r.time >= ended), default=ended)
            around = [r for r in readings if before <= r.time <= after]
        else:
            around = list(readings)
        if any(r.processes is None for r in around):
            return None
        others = self._other_pids(readings)
        return len(others & {pid for r in around for pid in r.processes or {}})

    def _count_computing(self, readings: Sequence[Reading]) -> int | None:
        """How many processes of others computed on the card between the first look and the last."""
        if any(r.computing is None for r in readings):
            return None
        return len(self._other_pids(readings) & {pid for r in readings for pid in r.computing or ()})

    def _fill_memory(self, record: CellRecord) -> None:
        """Device memory in use while the cell's passes ran, of all cards together; absent where no look fell into them."""
        if record.memory is None or record.e2e is None or record.ttft is None:
            return
        began, ended = record.e2e.began, record.ttft.ended
        if began is None or ended is None:
            return
        peaks: list[int | None] = []
        used_by_trial: list[int | None] = []
        for watched in self._cards:
            within = [r for r in watched.readings if began <= r.time <= ended]
            peaks.append(max(_present(r.memory for r in within), default=None))
            trial_sizes = [
                [size for pid, size in (r.processes or {}).items() if self._is_trials(pid, watched)] for r in within
            ]
            used_by_trial.append(
                max((sum(_present(sizes)) for sizes in trial_sizes if sizes and None not in sizes), default=None)
            )
        record.memory.gpu_peak = _total(peaks)
        record.memory.gpu_baseline = _total([watched.readings[0].memory for watched in self._cards])
        record.memory.gpu_processes = _total(used_by_trial)

    def _is_trials(self, pid: int, watched: _WatchedCard) -> bool:
        return pid not in self._other_pids(watched.readings)

    def _with_power(self, energy: Energy, gpus: Sequence[Gpu]) -> Energy:
        """Mean power over the looks inside the window, by the difference of the counter, so that its edges, which fall
        between two looks, do not matter."""
        watts = 0.0
        for watched in self._cards:
            within = [(r.time, r.energy) for r in watched.readings if energy.began <= r.time <= energy.ended]
            points = [(moment, joules) for moment, joules in within if joules is not None]
            if len(points) < 2 or points[-1][1] <= points[0][1]:
                return energy
            watts += (points[-1][1] - points[0][1]) / ((points[-1][0] - points[0][0]) / 1e9)
        energy.watts = round(watts, 3)
        idle = [gpu.idle_power for gpu in gpus]
        energy.idle_watts = round(sum(_present(idle)), 3) if None not in idle else None
        return energy


def _first_look(card: Card) -> Reading:
    """The idle card, once the driver has forgotten who was on it before and has ended."""
    until = time.monotonic() + FORGETS
    reading = card.read()
    while any(not psutil.pid_exists(pid) for pid in reading.processes or {}) and time.monotonic() < until:
        time.sleep(INTERVAL)
        reading = card.read()
    return reading


def _idle_power(idle: Sequence[Reading]) -> float | None:
    """Median power before the trial's process touches the card; the first half is left out, in which the card cools down from
    the trial before. None where somebody else is on the card, which is not idle then."""
    if any(r.processes for r in idle):
        return None
    powers = _present(r.power for r in idle[len(idle) // 2 :])
    return round(statistics.median(powers), 3) if powers else None


def _passes(record: CellRecord) -> Iterator[Pass]:
    yield from (part for part in (record.e2e, record.ttft) if part is not None)


def _present(values: Iterable[T | None]) -> list[T]:
    return [value for value in values if value is not None]


def _total(values: Sequence[int | None]) -> int | None:
    present = _present(values)
    return sum(present) if present and len(present) == len(values) else None


def _thinned(values: Iterable[T | None]) -> list[T] | None:
    present = _present(values)
    return present[:: -(-len(present) // KEPT)] if present else None


def _reasons(timed: Sequence[Reading]) -> list[str] | None:
    masks = _present(r.reasons for r in timed)
    if not masks:
        return None
    combined = 0
    for mask in masks:
        combined |= mask
    return nvml.names(combined)
