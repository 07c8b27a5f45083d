"""Whatever happens to machines, cluster and command: every run comes back once, or is told; never two where one belongs."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from a_cluster import ACluster, bundle_of, machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trtbench.fleet.auditing import Auditors, Judged, judged
from trtbench.fleet.cluster import Job
from trtbench.fleet.cluster import State as Seen
from trtbench.fleet.conducting import Conductor
from trtbench.fleet.outcome import Outcome
from trtbench.fleet.plan import Plan
from trtbench.fleet.state import State
from trtbench.fleet.wanted import Kind, Wanted

EVENTS = ("nothing", "kill", "join", "silence", "die", "die before a submission", "die after a submission", "forget")


class Dies(BaseException):
    """The command is killed."""


@functools.cache
def outcome(folder: Path) -> Outcome:
    """A real one, which stands for all."""
    run = Wanted(kind="a", model="demo", precision="float16", repeat=1, settings={})
    path = folder / "a.bundle"
    path.write_bytes(bundle_of(json.dumps({"model": run.model, "settings": {}})))
    result = judged(path, run).outcome
    assert result is not None
    return result


class Trusting(Auditors):
    def __init__(self, known: Outcome) -> None:
        super().__init__(1)
        self.known, self.begun = known, list[str]()

    def begin(self, path: Path, wanted: Wanted) -> None:
        self.begun.append(wanted.id)

    def done(self, wait: bool = False) -> Iterator[tuple[str, Judged]]:
        begun, self.begun = self.begun, []
        for run in begun:
            yield run, Judged(msgspec.structs.replace(self.known, run=run), "", run)


class Watched(ACluster):
    """Knows how often each run ended well, and that no machine has more than it has room for."""

    def __init__(self, cards: int) -> None:
        super().__init__(
            [machine(name, cards=cards) for name in "abc"], takes=3, made=lambda run, n: b"%d %s" % (n, run.encode())
        )
        self.ended: Counter[str] = Counter()
        self.dies = ""

    def look(self, seconds: float = 0.0) -> None:
        for one in self.alive:
            here = [self.jobs[name] for name, state in self.states.items() if state == Seen("running", one.id)]
            assert sum(job.cards for job in here) <= one.cards
        super().look()

    def _end(self, name: str, place: str) -> None:
        super()._end(name, place)
        self.ended[json.loads(self.jobs[name].run)["id"]] += 1

    def submit(self, job: Job) -> None:
        run = json.loads(job.run)["id"]
        going = [
            other
            for other, state in self.states.items()
            if state.phase in ("waiting", "running")
            and json.loads(self.jobs[other].run)["id"] == run
            and other != job.id
        ]
        assert not going, f"{job.id} is submitted while {going} may still end"
        dies, self.dies = self.dies, ""
        if dies.endswith("before a submission"):
            raise Dies
        super().submit(job)
        if dies:
            raise Dies


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=st.lists(st.sampled_from(EVENTS), max_size=40),
    cards=st.sampled_from([1, 2]),
    take=st.sampled_from([None, 1]),
    runs=st.integers(min_value=1, max_value=6),
)
def test_nothing_is_lost_and_nothing_is_made_twice(
    tmp_path_factory: pytest.TempPathFactory, events: list[str], cards: int, take: int | None, runs: int
) -> None:
    folder = tmp_path_factory.mktemp("chaos")
    plan = Plan(
        name="chaos",
        models=["demo"],
        precisions=["float16"],
        kinds={"any": Kind(cards=take)},
        repeats=runs,
        retries=1000,
    )
    cluster, now, ahead = Watched(cards), [0.0], list(events)
    lost = 0

    def sleep(seconds: float) -> None:
        nonlocal lost
        now[0] += seconds
        cluster.look()
        event = ahead.pop(0) if ahead else "nothing"
        if event == "kill" and len(cluster.alive) > 1:
            cluster.kill(cluster.alive[0].id)
        elif event == "join":
            cluster.alive.append(machine(f"n{now[0]:.0f}", cards=cards))
        elif event == "silence":
            cluster.silent = 2
        elif event == "forget":  # the logs of a machine that is gone since its job ended
            lost += len(cluster.logs)
            cluster.logs.clear()
        elif event == "die":
            raise Dies
        elif event.startswith("die"):
            cluster.dies = event

    known = outcome(tmp_path_factory.getbasetemp())
    resume = False
    while True:
        state = State(folder, plan.wanted())
        try:
            with state.writing("chaos", resume), Trusting(known) as auditors:
                Conductor(plan, state, cluster, auditors, lambda line: None, lambda: now[0], sleep).run()
            break
        except Dies:
            resume = state.begun
            cluster.silent = 0

    assert {course.ran.status for course in state.courses.values()} == {"back"}
    assert all(state.bundle(run).is_file() for run in state.courses)
    # One that ended well is made again only where its log was gone before it was brought back.
    assert sum(cluster.ended.values()) - len(state.courses) <= lost
    again = State(folder, plan.wanted())
    again.read()
    assert again.courses == state.courses
