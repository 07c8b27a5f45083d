"""A run on its way: its job in the cluster, and what that is asked for."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from trtbench.fleet import room
from trtbench.fleet.cluster import Job
from trtbench.fleet.room import Take
from trtbench.fleet.state import Course
from trtbench.fleet.wanted import Kind, Wanted

NODE = "ray.io/node-id"  # the label that Ray gives each machine
Group = tuple[str, str, str]  # kind, model, precision: the repeats of one run


@dataclasses.dataclass
class Flight:
    """A job in the cluster, and since when it is as it is. `submitted` is False where this process can't know that it is."""

    job: Job
    course: Course
    since: float
    submitted: bool = False
    adopted: bool = False  # of an earlier call
    phase: str = "waiting"
    node: str = ""
    unread: float | None = None  # since when its log can't be had


def group_of(wanted: Wanted) -> Group:
    """The run of which this is a repeat."""
    return wanted.kind, wanted.model, wanted.precision


def job_of(course: Course, kind: Kind, name: str, fleet: str, take: Take, avoided: Sequence[str]) -> Job:
    """A run's job of this name: what it takes of a machine that fits and is none of those `avoided`."""
    labels = {**kind.labels, **({NODE: f"!in({','.join(avoided)})"} if avoided else {})}
    # A machine hands a finished run back again and does not measure it; one that was refused is to be measured anew.
    fleet += f"-{course.refusals}" if course.refusals else ""
    return Job(name, message(course.wanted, kind, fleet), take.cards, take.cpus, room.named(kind), labels)


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
