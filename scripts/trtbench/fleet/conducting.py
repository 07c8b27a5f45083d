"""The way of a fleet: submit as many runs as there is room for, watch them, bring back what they made, have it audited.

Where a run goes is Ray's to say. What is decided here is only how many jobs wait in Ray at a time (it gives up on one that found
no machine for a quarter of an hour), which of them comes next, and that a repeat goes to a machine that did not have it yet.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence

import msgspec

from trtbench import __version__
from trtbench.errors import UserError
from trtbench.fleet import handed_back, room
from trtbench.fleet.auditing import Auditors
from trtbench.fleet.cluster import Cluster, Job, Machine, Unreachable
from trtbench.fleet.cluster import State as Seen
from trtbench.fleet.flight import Flight, Group, group_of, job_of
from trtbench.fleet.plan import Plan
from trtbench.fleet.room import Take
from trtbench.fleet.state import Audited, Back, Course, Ended, Event, Placing, State
from trtbench.records.files import shown, write_whole

LOOK = 5.0  # seconds between two looks at the jobs
PATIENCE = 60.0  # seconds that a job waits for a machine before another may be submitted beside it
SILENCE = 15 * 60.0  # seconds in which a cluster may not answer, or has no machine of a kind, before it is given up on
STOPPING = 60.0  # seconds that stopped jobs get
UNREAD = 5 * 60.0  # seconds in which the log of a job that is over may not be had
FAILURES = 3  # runs that fail on a machine in a row, after which others are kept from it
UNPLACED = 100  # times in a row that Ray finds no machine for a run, which takes it a quarter of an hour each time

WORDS = {
    "lost": "was lost with its machine",
    "unplaced": "found no machine with room",
    "failed": "failed",
    "refused": "is refused",
    "stopped": "was stopped",
}


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
        self._contents = {course.content: run for run, course in state.courses.items() if course.content}
        self._split = int(next(iter(state.courses.values())).wanted.settings.get("TP_SIZE", "1"))
        self._failing: Counter[str] = Counter()  # nodes, how many runs failed there in a row
        self._unplaced: Counter[str] = Counter()  # runs, how often in a row they found no machine
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
        unasked = 0
        for flight in flights:
            try:
                self._cluster.stop(flight.job.id)
            except Unreachable:
                unasked += 1
        while self._flying and self._clock() < until:
            with contextlib.suppress(Unreachable):
                self._watch(stopping=True)
            self._sleep(1.0)
        if unasked or self._flying:
            self._tell(f"{max(unasked, len(self._flying))} jobs may go on; --resume finds them again")
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
                self._nodes[group_of(course.wanted)].add(course.node)
            if course.job:
                job = self._job(course, course.job, Take(0, 0), [])
                self._flying[run] = Flight(job, course, self._clock(), adopted=True)
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
        return room.asked(name, self._plan.kinds[name], machines, self._split)

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
        of_kind = (flight for flight in self._flying.values() if flight.course.wanted.kind == name)
        flying = [flight for flight in of_kind if flight.unread is None]  # the others have left their machines
        patient = [flight for flight in flying if flight.phase == "waiting" and now - flight.since > PATIENCE]
        free = min(most - len(flying) + len(patient), 2 * most - len(flying))
        # Where machines have room for several runs, repeats come one after another: which machine the last one got has to be known.
        roomy = room.slots(take, fitting) > len(fitting)
        unplaced = {group_of(flight.course.wanted) for flight in flying if roomy and flight.phase == "waiting"}
        ids = {machine.id for machine in fitting}
        flights, passed = [], []
        for course in self._taken_from(queue, free, len(flying)):
            group = group_of(course.wanted)
            if group in unplaced:
                passed.append(course)
                continue
            if roomy:
                unplaced.add(group)
            avoided = self._avoided(group, ids)
            flights.append(Flight(self._job(course, self._state.next_job(course), take, avoided), course, now))
            if len(flights) == free:
                break
        queue.extendleft(reversed(passed))
        return flights

    def _avoided(self, group: Group, ids: set[str]) -> list[str]:
        """Machines that a run is kept from while there are others: those where several runs failed in a row, and those that had the
        run already."""
        broken = {node for node in ids if self._failing[node] >= FAILURES}
        broken = broken if broken < ids else set()
        had = self._nodes[group] & ids | broken
        return sorted(had if had < ids else broken)

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

    def _job(self, course: Course, name: str, take: Take, avoided: Sequence[str]) -> Job:
        return job_of(course, self._plan.kinds[course.wanted.kind], name, self._state.fleet, take, avoided)

    # What became of it

    def _watch(self, stopping: bool = False) -> None:
        """Look at every job, and bring back what is done. What was seen is kept, also where the cluster falls silent meanwhile."""
        events: list[Event] = []
        try:
            for run, flight in list(self._flying.items()):
                seen = self._cluster.state(flight.job.id)
                if seen.machine:
                    flight.node = seen.machine
                    self._nodes[group_of(flight.course.wanted)].add(seen.machine)
                if seen.phase in ("waiting", "running"):
                    flight.submitted = True
                    if seen.phase != flight.phase:
                        flight.phase, flight.since = seen.phase, self._clock()
                    continue
                event = self._ending(run, flight, seen, stopping)
                if event is not None:
                    events.append(event)
                    del self._flying[run]
        finally:
            self._state.add(events)
            for event in events:
                self._follow(event, stopping)

    def _ending(self, run: str, flight: Flight, seen: Seen, stopping: bool) -> Event | None:
        """The event of a job that is over; None where it is not after all, and is looked at again."""
        job, how, reason = flight.job.id, seen.phase, seen.reason
        if how == "unknown":
            if not flight.submitted and not stopping:
                return self._submitted_again(flight)
            how, reason = "lost", "the cluster does not know its job"
        elif how == "stopped" and flight.adopted and not stopping:
            how, reason = "unplaced", "an earlier call had it stopped"
        elif how in ("ended", "failed"):
            log = self._log(flight)
            if log is None:
                return None
            if how == "failed":
                reason = ": ".join(filter(None, [reason, handed_back.reason(log)]))
            elif log.strip():
                try:
                    return self._bring_back(run, flight, log)
                except UserError as error:
                    how, reason = "refused", str(error)
            else:
                how, reason = "lost", "its machine was gone before the bundle was brought back"
        return Ended(run=run, job=job, how=how, reason=shown(reason), node=flight.node)

    def _submitted_again(self, flight: Flight) -> Event | None:
        """A job that the cluster does not know, and whose submission nobody saw arrive: it may still, so it keeps its name."""
        wanted = flight.course.wanted
        try:
            take, _ = self._take(wanted.kind, self._cluster.machines())
        except UserError as error:
            return Ended(run=wanted.id, job=flight.job.id, how="unplaced", reason=str(error))
        flight.job = self._job(flight.course, flight.job.id, take, [])
        flight.since = self._clock()
        self._submit(flight)
        return None

    def _log(self, flight: Flight) -> str | None:
        """All that a job said; None where it can't be had now, though the cluster answers. After a while it counts as lost: no other
        run is to wait for it."""
        try:
            return self._cluster.log(flight.job.id)
        except Unreachable as error:
            flight.unread = self._clock() if flight.unread is None else flight.unread
            if self._clock() - flight.unread <= UNREAD:
                return None
            self._tell(f"{flight.course.wanted.id}: {error}")
            return ""

    def _bring_back(self, run: str, flight: Flight, log: str) -> Event:
        back = handed_back.handed_back(log)
        digest = hashlib.sha256(back.bundle).hexdigest()
        write_whole(self._state.bundle(run), back.bundle)
        return Back(run=run, job=flight.job.id, bundle=digest, machine=back.machine, card=back.card, node=flight.node)

    def _follow(self, event: Event, stopping: bool) -> None:
        """What comes of an event that is in the journal."""
        if isinstance(event, Back):
            self._back += 1
            self._failing[event.node] = 0
            self._tell(f"{event.run} is back ({self._back} of {len(self._state.courses)})")
            self._auditors.begin(self._state.bundle(event.run), self._state.courses[event.run].wanted)
        elif isinstance(event, Ended):
            course = self._state.courses[event.run]
            queue = self._queues[course.wanted.kind]
            self._failing[event.node] += event.how == "failed"
            self._unplaced[event.run] += event.how == "unplaced"
            again = (event.how == "unplaced" and self._unplaced[event.run] <= UNPLACED) or (
                event.how == "lost" and course.losses - self._losses[event.run] <= self._plan.retries
            )
            self._tell(
                f"{event.run} {WORDS[event.how]}{f': {event.reason}' if event.reason else ''}{'; again' if again else ''}"
            )
            if again and not stopping:
                queue.append(course) if event.how == "unplaced" else queue.appendleft(course)

    def _audited(self, wait: bool = False) -> Iterator[Event]:
        for run, judged in self._auditors.done(wait):
            course, refusal = self._state.courses[run], judged.refusal
            other = self._contents.setdefault(judged.content, run) if judged.outcome is not None else run
            if other != run:
                refusal = f"what came back is the bundle of {other}"
            if judged.outcome is None or refusal:
                self._tell(f"{run} {WORDS['refused']}: {refusal}")
                yield Ended(run=run, job=course.job, how="refused", reason=refusal, node=course.node)
            else:
                yield Audited(
                    run=run,
                    bundle=course.bundle,
                    content=judged.content,
                    program=__version__,
                    outcome=msgspec.Raw(msgspec.json.encode(judged.outcome)),
                )
