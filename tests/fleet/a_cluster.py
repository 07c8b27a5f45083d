"""A cluster that is none, for tests of what goes on around it: machines with room, jobs that take their time in looks, and whatever
may happen to them. It refuses what no cluster may be asked for."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence

import factory
from liars import Story
from trtbench.comparison import bundle
from trtbench.fleet.cluster import Job, Machine, State, Unreachable
from trtbench.fleet.flight import NODE
from trtbench.fleet.on_machine import bundle_lines
from trtbench.settings.reading import parse

MODEL = "TinyLlama/TinyLlama-1.1B-Chat-v1.0"  # of the records that bundles are made of


_numbers = itertools.count(1)


def machine(name: str, cards: int = 0, cpus: int = 4, **resources: float) -> Machine:
    return Machine(name, cards, cpus, {"CPU": float(cpus), "GPU": float(cards), **resources}, {NODE: name})


def bundle_of(run: str, seed: int = 1) -> bytes:
    """A whole bundle of what a job was asked for; another for each `seed`."""
    asked = json.loads(run)
    story = Story(rounds=3, iterations=3, new=32, seed=seed).tell()
    for name, text in asked["settings"].items():
        value = parse(name, text)
        story.run.settings[name] = list(value) if isinstance(value, tuple) else value
    story.run.settings["MODEL_NAME"] = asked["model"]
    story.seal()
    return bundle.make(story.run, story.trials, story.judged, story.workload, [])


class ACluster:
    """`takes` looks is how long a job runs. `troubles` are asked before a running job ends: a phase other than `ended` is how it
    ends instead."""

    def __init__(
        self,
        machines: Sequence[Machine],
        takes: int = 2,
        made: Callable[[str, int], bytes] = bundle_of,
        troubles: Callable[[Job, str], State | None] = lambda job, machine: None,
    ) -> None:
        self.alive = list(machines)
        self.takes, self.made, self.troubles = takes, made, troubles
        self.jobs: dict[str, Job] = {}
        self.states: dict[str, State] = {}
        self.left: dict[str, int] = {}
        self.logs: dict[str, str] = {}
        self.placed: list[tuple[str, str]] = []  # jobs and their machines, in order
        self.stopped: list[str] = []
        self.silent = 0  # so many calls are not answered
        self.most_waiting = 0

    def _answer(self) -> None:
        if self.silent > 0:
            self.silent -= 1
            raise Unreachable("the cluster does not answer")

    def machines(self) -> Sequence[Machine]:
        self._answer()
        return list(self.alive)

    def submit(self, job: Job) -> None:
        self._answer()
        assert job.cards > 0 or job.cpus > 0, "it would share a machine with anybody"
        if job.id not in self.jobs:
            self.jobs[job.id], self.states[job.id] = job, State("waiting")
        self._place()
        self.most_waiting = max(self.most_waiting, sum(state.phase == "waiting" for state in self.states.values()))

    def state(self, job_id: str) -> State:
        self._answer()
        return self.states.get(job_id, State("unknown"))

    def log(self, job_id: str) -> str:
        self._answer()
        return self.logs.get(job_id, "")

    def stop(self, job_id: str) -> None:
        self._answer()
        self.stopped.append(job_id)
        self.states[job_id] = State("stopped", self.states[job_id].machine)

    def look(self, seconds: float = 0.0) -> None:
        """What happens between two looks."""
        for name, state in list(self.states.items()):
            if state.phase == "running":
                self.left[name] -= 1
                if self.left[name] <= 0:
                    self._end(name, state.machine)
        self._place()

    def kill(self, name: str) -> None:
        """A machine is gone, and what ran on it."""
        self.alive = [machine for machine in self.alive if machine.id != name]
        for job, state in self.states.items():
            if state == State("running", name):
                self.states[job] = State("lost", name, "the job's supervisor died")

    def _end(self, name: str, machine: str) -> None:
        trouble = self.troubles(self.jobs[name], machine)
        self.states[name] = trouble or State("ended", machine)
        if trouble is None:
            data = self.made(self.jobs[name].run, next(_numbers))
            self.logs[name] = "\n".join(["some words", *bundle_lines(data, f"{hash(machine) % 2**64:016x}", "")])

    def _place(self) -> None:
        for name, state in list(self.states.items()):
            if state.phase == "waiting":
                machine = next((m for m in self.alive if self._has_room(m, self.jobs[name])), None)
                if machine is not None:
                    self.states[name] = State("running", machine.id)
                    self.left[name] = self.takes
                    self.placed.append((name, machine.id))

    def _has_room(self, machine: Machine, job: Job) -> bool:
        here = [self.jobs[name] for name, state in self.states.items() if state == State("running", machine.id)]
        avoided = job.labels.get(NODE, "!in()").removeprefix("!in(").removesuffix(")").split(",")
        return (
            all(machine.resources.get(name, 0) >= share for name, share in job.resources.items())
            and machine.id not in avoided
            and sum(other.cards for other in here) + job.cards <= machine.cards
            and sum(other.cpus for other in here) + job.cpus <= machine.cpus
        )


__all__ = ["MODEL", "ACluster", "bundle_of", "factory", "machine"]
