"""The way of a fleet: submit as many runs as there is room for, watch them, bring back what they made, have it audited.

Where a run goes is Ray's to say. What is decided here is only how many jobs wait in Ray at a time (it gives up on one that found
no machine for a quarter of an hour), which of them comes next, and that a repeat goes to a machine that did not have it yet.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence

import msgspec

from trtbench import __version__
from trtbench.errors import UserError
from trtbench.fleet import handed_back, room
from trtbench.fleet.auditing import Auditors
from trtbench.fleet.cluster import Cluster, Job, Machine, Unreachable
from trtbench.fleet.cluster import State as Seen
from trtbench.fleet.plan import Plan
from trtbench.fleet.room import Take
from trtbench.fleet.state import Audited, Back, Course, Ended, Event, Placing, State
from trtbench.fleet.wanted import Kind, Wanted
from trtbench.records.files import shown, write_whole

LOOK = 5.0  # seconds between two looks at the jobs
PATIENCE = 60.0  # seconds that a job waits for a machine before another may be submitted beside it
SILENCE = 15 * 60.0  # seconds in which a cluster may not answer, or has no machine of a kind, before it is given up on
STOPPING = 60.0  # seconds that stopped jobs get
NODE = "ray.io/node-id"  # the label that Ray gives each machine

WORDS = {
    "lost": "was lost with its machine",
    "unplaced": "found no machine with room",
    "failed": "failed",
    "refused": "is refused",
    "stopped": "was stopped",
}

Group = tuple[str, str, str]  # kind, model, precision: the repeats of one run


@dataclasses.dataclass
class Flight:
    """A job in the cluster, and since when it is as it is. `submitted` is False where this process can't know that it is."""

    job: Job
    course: Course
    since: float
    submitted: bool = False
    phase: str = "waiting"
    node: str = ""


class Conductor:
    """One process's share of a fleet. `tell` gets a line for whatever happens."""

    def __init__(
        self,
        plan: Plan,
        state: State,
        cluster: Cluster,
        auditors: Auditors,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._plan, self._state, self._cluster, self._auditors = plan, state, cluster, auditors
        self._tell, self._clock, self._sleep = tell, clock, sleep
        self._queues: dict[str, deque[Course]] = {kind: deque() for kind in plan.kinds}
        self._flying: dict[str, Flight] = {}
        self._losses = {
            run: course.losses for run, course in state.courses.items()
        }  # those of earlier calls are forgiven
        self._nodes: dict[Group, set[str]] = defaultdict(set)
        self._bundles = {course.bundle: run for run, course in state.courses.items() if course.bundle}
        self._back = sum(course.how == "back" for course in state.courses.values())
        self._without: dict[str, float] = {}  # kinds of which there is no machine, since when

    def run(self) -> None:
        """Make all runs that are missing. Raises UserError where that can't go on; what was done is kept."""
        self._sort_out()
        checked, silent_since = False, None
        while True:
            try:
                if not checked:
                    self._check_kinds()
                    checked = True
                self._state.add(self._audited())
                self._watch()
                self._place()
                silent_since = None
            except Unreachable as error:
                silent_since = silent_since or self._clock()
                if self._clock() - silent_since > SILENCE:
                    raise UserError(f"{error}; jobs that run go on, and --resume finds them again.") from None
                self._tell(f"{error}; trying again")
            if not self._flying and not any(self._queues.values()):
                self._state.add(self._audited(wait=True))
                return
            self._sleep(LOOK)

    def stop(self) -> None:
        """Have the jobs in the cluster end; --resume makes their runs."""
        flights = list(self._flying.values())
        self._tell(f"stopping {len(flights)} jobs")
        until = self._clock() + STOPPING
        try:
            for flight in flights:
                self._cluster.stop(flight.job.id)
            while self._flying and self._clock() < until:
                self._watch(stopping=True)
                self._sleep(1.0)
        except Unreachable as error:
            self._tell(f"{error}; its jobs go on, and --resume finds them again")
        self._state.add(self._audited(wait=True))

    # What was done before

    def _sort_out(self) -> None:
        """Put every run where it belongs: audited, in the cluster, or to be made."""
        for run, course in self._state.courses.items():
            if course.how == "back" and not self._whole(run, course):
                reason = "its bundle is not what came back: the file is gone or was changed"
                self._state.add([Ended(run=run, job="", how="refused", reason=reason, node=course.node)])
                self._tell(f"{run} {WORDS['refused']}: {reason}")
            if course.node:
                self._nodes[_group(course.wanted)].add(course.node)
            if course.job:
                self._flying[run] = Flight(self._job(course, course.job, None, []), course, self._clock())
            elif course.how == "back":
                if course.outcome is None:
                    self._auditors.begin(self._state.bundle(run), course.wanted)
            else:
                self._queues[course.wanted.kind].append(course)

    def _whole(self, run: str, course: Course) -> bool:
        try:
            return hashlib.sha256(self._state.bundle(run).read_bytes()).hexdigest() == course.bundle
        except OSError:
            return False

    def _check_kinds(self) -> None:
        """Raises UserError for a kind with runs to make and no machine, unless the plan says that some will come."""
        machines = self._cluster.machines()
        for name, queue in self._queues.items():
            if queue:
                self._take(name, machines)

    def _take(self, name: str, machines: Sequence[Machine]) -> tuple[Take, list[Machine]]:
        kind = self._plan.kinds[name]
        fitting = room.fitting(kind, machines)
        take = room.taken(name, kind, fitting)
        if not fitting and not kind.machines:
            raise UserError(room.none_fits(name, kind, machines))
        if take is None:
            raise UserError(
                f"kinds.{name}: there is no machine of it yet, so say how many cards a run takes for itself (cards), or on machines "
                "without any how many processors (cards: 0 and cpus)."
            )
        split = int(self._plan.settings.get("TP_SIZE", 1))
        if take.cards and split > take.cards:
            raise UserError(f"kinds.{name}.cards={take.cards} is less than the TP_SIZE={split} of the plan's settings.")
        return take, fitting

    # What comes next

    def _place(self) -> None:
        machines = self._cluster.machines() if any(self._queues.values()) else []
        flights: list[Flight] = []
        for name, queue in self._queues.items():
            if queue:
                flights += self._next(name, queue, machines)
        self._state.add(Placing(run=flight.course.wanted.id, job=flight.job.id) for flight in flights)
        for flight in flights:
            self._flying[flight.course.wanted.id] = flight
        for flight in flights:
            self._submit(flight)

    def _submit(self, flight: Flight) -> None:
        self._cluster.submit(flight.job)
        flight.submitted = True
        self._tell(f"submitted {flight.course.wanted.id}")

    def _next(self, name: str, queue: deque[Course], machines: Sequence[Machine]) -> list[Flight]:
        """New jobs for a kind, as many as there is room for."""
        try:
            take, fitting = self._take(name, machines)
        except UserError as error:
            self._wait_for_machines(name, queue, error)
            return []
        self._without.pop(name, None)
        now = self._clock()
        most = max(room.slots(take, fitting), self._plan.kinds[name].machines)
        flying = [flight for flight in self._flying.values() if flight.course.wanted.kind == name]
        patient = [flight for flight in flying if flight.phase == "waiting" and now - flight.since > PATIENCE]
        free = min(most - len(flying) + len(patient), 2 * most - len(flying))
        # Where machines have room for several runs, repeats come one after another: which machine the last one got has to be known.
        roomy = room.slots(take, fitting) > len(fitting)
        unplaced = {_group(flight.course.wanted) for flight in flying if roomy and flight.phase == "waiting"}
        ids = {machine.id for machine in fitting}
        flights, passed = [], []
        for course in self._taken_from(queue, free, len(flying)):
            group = _group(course.wanted)
            if group in unplaced:
                passed.append(course)
                continue
            if roomy:
                unplaced.add(group)
            had = self._nodes[group] & ids
            avoided = sorted(had) if had < ids else []
            flights.append(Flight(self._job(course, self._state.next_job(course), take, avoided), course, now))
            if len(flights) == free:
                break
        queue.extendleft(reversed(passed))
        return flights

    @staticmethod
    def _taken_from(queue: deque[Course], free: int, flying: int) -> Iterator[Course]:
        """Courses taken out of the queue, no more than could be of use: each that flies holds back one at most."""
        for _ in range(min(len(queue), free + flying) if free > 0 else 0):
            yield queue.popleft()

    def _wait_for_machines(self, name: str, queue: deque[Course], error: UserError) -> None:
        since = self._without.setdefault(name, self._clock())
        if self._clock() - since <= SILENCE or any(f.course.wanted.kind == name for f in self._flying.values()):
            return
        self._tell(f"{error} Its {len(queue)} runs are left")
        for course in queue:
            course.reason = str(error)
        queue.clear()

    def _job(self, course: Course, job: str, take: Take | None, avoided: Sequence[str]) -> Job:
        wanted, kind = course.wanted, self._plan.kinds[course.wanted.kind]
        labels = {**kind.labels, **({NODE: f"!in({','.join(avoided)})"} if avoided else {})}
        cards, cpus = take or (0, 0)
        # A machine hands a finished run back again and does not measure it; one that was refused is to be measured anew.
        fleet = self._state.fleet + (f"-{course.refusals}" if course.refusals else "")
        return Job(job, message(wanted, kind, fleet), cards, cpus, room.named(kind), labels)

    # What became of it

    def _watch(self, stopping: bool = False) -> None:
        """Look at every job, and bring back what is done. What was seen is kept, also where the cluster falls silent meanwhile."""
        events: list[Event] = []
        try:
            for run, flight in list(self._flying.items()):
                seen = self._cluster.state(flight.job.id)
                if seen.machine:
                    flight.node = seen.machine
                    self._nodes[_group(flight.course.wanted)].add(seen.machine)
                if seen.phase in ("waiting", "running"):
                    flight.submitted = True
                    if seen.phase != flight.phase:
                        flight.phase, flight.since = seen.phase, self._clock()
                    continue
                event = self._ending(run, flight, seen)
                if event is not None:
                    events.append(event)
                    del self._flying[run]
        finally:
            self._state.add(events)
            for event in events:
                self._follow(event, stopping)

    def _ending(self, run: str, flight: Flight, seen: Seen) -> Event | None:
        """The event of a job that is over; None where it has to be submitted again under its own name."""
        job, how, reason = flight.job.id, seen.phase, seen.reason
        if how == "unknown":
            # One that an earlier call numbered, and whose submission it did not live to see.
            how = "lost" if flight.submitted else "unplaced"
            reason = "the cluster does not know its job"
        elif how == "ended":
            log = self._cluster.log(job)
            if log.strip():
                try:
                    return self._bring_back(run, flight, log)
                except UserError as error:
                    how, reason = "refused", str(error)
            else:
                how, reason = "lost", "its machine was gone before the bundle was brought back"
        elif how == "failed":
            reason = handed_back.reason(self._cluster.log(job)) or reason
        return Ended(run=run, job=job, how=how, reason=shown(reason), node=flight.node)

    def _bring_back(self, run: str, flight: Flight, log: str) -> Event:
        back = handed_back.handed_back(log)
        digest = hashlib.sha256(back.bundle).hexdigest()
        other = self._bundles.setdefault(digest, run)
        if other != run:
            raise UserError(f"what came back is the bundle of {other}, byte by byte.")
        write_whole(self._state.bundle(run), back.bundle)
        return Back(run=run, job=flight.job.id, bundle=digest, machine=back.machine, card=back.card, node=flight.node)

    def _follow(self, event: Event, stopping: bool) -> None:
        """What comes of an event that is in the journal."""
        if isinstance(event, Back):
            self._back += 1
            self._tell(f"{event.run} is back ({self._back} of {len(self._state.courses)})")
            self._auditors.begin(self._state.bundle(event.run), self._state.courses[event.run].wanted)
        elif isinstance(event, Ended):
            course = self._state.courses[event.run]
            queue = self._queues[course.wanted.kind]
            again = event.how == "unplaced" or (
                event.how == "lost" and course.losses - self._losses[event.run] <= self._plan.retries
            )
            self._tell(
                f"{event.run} {WORDS[event.how]}{f': {event.reason}' if event.reason else ''}{'; again' if again else ''}"
            )
            if again and not stopping:
                queue.append(course) if event.how == "unplaced" else queue.appendleft(course)

    def _audited(self, wait: bool = False) -> Iterator[Event]:
        for run, judged in self._auditors.done(wait):
            course = self._state.courses[run]
            if judged.outcome is None:
                self._tell(f"{run} {WORDS['refused']}: {judged.refusal}")
                yield Ended(run=run, job=course.job, how="refused", reason=judged.refusal, node=course.node)
            else:
                yield Audited(
                    run=run,
                    bundle=course.bundle,
                    program=__version__,
                    outcome=msgspec.Raw(msgspec.json.encode(judged.outcome)),
                )


def _group(wanted: Wanted) -> Group:
    return wanted.kind, wanted.model, wanted.precision


def message(wanted: Wanted, kind: Kind, fleet: str) -> str:
    """What the machine is told of the run, as trtbench.fleet.on_machine reads it."""
    return json.dumps(
        {
            "id": wanted.id,
            "model": wanted.model,
            "precision": wanted.precision,
            "settings": wanted.settings,
            "docker": kind.docker,
            "fleet": fleet,
        }
    )
