"""What a fleet has done so far: a journal of events, one JSON line each, only ever added to.

An event is on the disk before what it announces is done (a job's number before the job is submitted), so that whatever ends the
program, nothing is lost and nothing is made twice. A last line that was cut off announces nothing that was done, and goes.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from trtbench import __version__
from trtbench.errors import UserError
from trtbench.fleet.outcome import Outcome
from trtbench.fleet.ran import Ran
from trtbench.fleet.wanted import Wanted
from trtbench.records import lock
from trtbench.records.files import Strict, plain_bytes, shown

JOURNAL = "state.jsonl"
BUNDLES = "bundles"
LARGEST = 2**31  # bytes of a journal


class Begun(Strict, tag="begun", tag_field="event"):
    """The first line. `fleet` is in the names of all jobs, so that two fleets of one name do not meet in one cluster."""

    fleet: str
    plan: str


class Placing(Strict, tag="placing", tag_field="event"):
    """The run is about to be submitted as job `job`."""

    run: str
    job: str


class Ended(Strict, tag="ended", tag_field="event"):
    """The job of the run ended without a bundle: `how` is lost, unplaced, failed, refused or stopped; `node` is Ray's name of the
    machine that it was on."""

    run: str
    job: str
    how: str
    reason: str = ""
    node: str = ""


class Back(Strict, tag="back", tag_field="event"):
    """The run's bundle is here, whole, with this SHA-256; measured on this machine and card, which Ray calls `node`."""

    run: str
    job: str
    bundle: str
    machine: str = ""
    card: str = ""
    node: str = ""


class Audited(Strict, tag="audited", tag_field="event"):
    """What the audit of this version of the program left of a bundle; kept so that ten thousand need no second one. `content` is the
    SHA-256 of the bundle unpacked."""

    run: str
    bundle: str
    content: str
    program: str
    outcome: msgspec.Raw


Event = Begun | Placing | Ended | Back | Audited


class Course(msgspec.Struct, kw_only=True):
    """How far one run is: `job` is the one it has in the cluster now, `how` how its last one ended. `placed` counts all jobs,
    `attempts` those that found a machine or still may, `losses` those that ended with it, `refusals` what came back and was none."""

    wanted: Wanted
    job: str = ""
    how: str = ""
    reason: str = ""
    placed: int = 0
    attempts: int = 0
    losses: int = 0
    refusals: int = 0
    node: str = ""
    machine: str = ""
    card: str = ""
    bundle: str = ""
    content: str = ""
    outcome: Outcome | None = None

    @property
    def ran(self) -> Ran:
        """As the table across machines takes it."""
        return Ran(
            wanted=self.wanted,
            status="back" if self.outcome is not None else self.how or "missing",
            reason=self.reason,
            machine=self.machine,
            card=self.card,
            attempts=self.attempts,
            losses=self.losses,
            outcome=self.outcome,
        )


class State:
    """The courses of all runs of a plan, by their ids, and the journal that they are made of. Without `writing` it only reads."""

    def __init__(self, folder: Path, wanted: Sequence[Wanted]) -> None:
        self.folder, self.fleet = folder, ""
        self.courses = {run.id: Course(wanted=run) for run in wanted}
        self._journal: BinaryIO | None = None
        assert len(self.courses) == len(wanted)

    @property
    def path(self) -> Path:
        return self.folder / JOURNAL

    @property
    def begun(self) -> bool:
        """Whether there is a journal with a first line; one that was cut off says nothing."""
        try:
            with self.path.open("rb") as file:
                return file.readline().endswith(b"\n")
        except FileNotFoundError:
            return False

    def bundle(self, run: str) -> Path:
        """Where the bundle of a run lies."""
        return self.folder / BUNDLES / f"{run}.json.gz"

    def read(self) -> None:
        """Take in the journal as it is. Raises UserError where it is not one, or is of another plan."""
        data = plain_bytes(self.path, LARGEST)
        decoder = msgspec.json.Decoder(Event)
        for number, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), 1):
            try:
                event = decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise UserError(f"{self.path}, line {number} is no event of a fleet: {shown(error)}.") from None
            if (number == 1) != isinstance(event, Begun):
                raise UserError(f"{self.path}, line {number}: the first line alone says which fleet this is.")
            self._take(event, number)

    def _take(self, event: Event, number: int) -> None:
        if isinstance(event, Begun):
            self.fleet = event.fleet
            return
        course = self.courses.get(event.run)
        if course is None:
            raise UserError(
                f"{self.path}, line {number} is about the run {shown(event.run)}, which the plan no longer has: put it back, or "
                "give the changed plan another name."
            )
        if isinstance(event, Placing):
            course.placed += 1
            course.job, course.how, course.reason, course.outcome = event.job, "", "", None
            course.attempts += 1
        elif isinstance(event, Ended):
            course.job, course.how, course.reason, course.node = "", event.how, event.reason, event.node
            course.outcome, course.content = None, ""
            course.losses += event.how == "lost"
            course.refusals += event.how == "refused"
            course.attempts -= event.how == "unplaced"
        elif isinstance(event, Back):
            course.job, course.how, course.reason, course.bundle = "", "back", "", event.bundle
            course.machine, course.card, course.node = event.machine, event.card, event.node
            course.outcome = None
        elif event.bundle == course.bundle and course.how == "back":
            course.content = event.content
            if event.program == __version__:
                # One of another build of this version may have other fields; then the bundle is audited again.
                with contextlib.suppress(msgspec.ValidationError):
                    course.outcome = msgspec.json.decode(event.outcome, type=Outcome)

    @contextlib.contextmanager
    def writing(self, plan: str, resume: bool) -> Iterator[None]:
        """Hold the fleet's folder, begin or go on with its journal, and let `add` write to it to the end of the block. Raises
        UserError where another process has it, where there is one already (`resume` False) or none yet (True)."""

        def busy(pid: str) -> None:
            raise UserError(
                f"{self.folder} is in use by another fleet command (process {pid}); wait for it, or stop it."
            )

        there = self.begun
        if resume and not there:
            raise UserError(f"--resume: {self.folder} holds no fleet; leave --resume out to begin one.")
        with lock.held(lock.opened(self.folder), busy):
            if there:
                self.read()
            if not resume and any(course.placed for course in self.courses.values()):
                raise UserError(
                    f"{self.folder} holds a fleet of this name: add --resume to go on with it, or give the plan another name."
                )
            with self.path.open("ab") as journal:
                _cut_torn_line(self.path)
                self._journal = journal
                try:
                    if not there:
                        self.fleet = secrets.token_hex(3)
                        self.add([Begun(fleet=self.fleet, plan=plan)])
                    yield
                finally:
                    self._journal = None

    def add(self, events: Iterable[Event]) -> None:
        """Write events, all on the disk when this returns, and take them in."""
        assert self._journal is not None
        events = list(events)
        if not events:
            return
        self._journal.write(b"".join(msgspec.json.encode(event) + b"\n" for event in events))
        self._journal.flush()
        os.fsync(self._journal.fileno())
        for event in events:
            self._take(event, 0)

    def next_job(self, course: Course) -> str:
        """The name of the run's next job in Ray: no two are the same."""
        return f"trtbench-{self.fleet}-{course.wanted.id}-{course.placed + 1}"


def _cut_torn_line(path: Path) -> None:
    whole = plain_bytes(path, LARGEST).rfind(b"\n") + 1
    os.truncate(path, whole)
