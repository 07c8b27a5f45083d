"""What is asked of Ray, and nothing else of it: which machines there are, to place a job, how it is, what it said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

# What a job can be at: `waiting` for a machine that has room, `running`, `ended` well (its log has the bundle), `failed` (the run
# itself, by its exit status), `lost` with its machine, `unplaced` (no machine had room in the time that Ray gives it), `stopped`
# by somebody, `unknown` to this cluster.
PHASES = ("waiting", "running", "ended", "failed", "lost", "unplaced", "stopped", "unknown")


class Machine(NamedTuple):
    """A machine of the cluster that is alive: how many `cards` and processors (`cpus`) Ray counts on it, all its `resources` by
    name, and its `labels`."""

    id: str
    cards: int
    cpus: int
    resources: Mapping[str, float]
    labels: Mapping[str, str]


class Job(NamedTuple):
    """A whole run for Ray to place on one machine. `run` is the JSON that trtbench.fleet.on_machine reads there. What it takes of
    the machine is `cards`, `cpus` and `resources`; `labels` are Ray's label selectors."""

    id: str
    run: str
    cards: int
    cpus: int
    resources: Mapping[str, float]
    labels: Mapping[str, str]


class State(NamedTuple):
    """How a job is: one of PHASES, the `machine` that it is or was on (empty: none yet), and in words why, where it did not end
    well."""

    phase: str
    machine: str = ""
    reason: str = ""


class Cluster(Protocol):
    """A cluster of Ray. Every call raises `Unreachable` where it does not answer."""

    def machines(self) -> Sequence[Machine]:
        """Those that are alive now."""

    def submit(self, job: Job) -> None:
        """Have it placed. A job of that id which is there already is left as it is."""

    def state(self, job_id: str) -> State:
        """How a job is."""

    def log(self, job_id: str) -> str:
        """All that a job said; empty where it is lost with its machine."""

    def stop(self, job_id: str) -> None:
        """Have a job end, if it has not; its run ends as on Ctrl-C."""


class Unreachable(Exception):
    """The cluster does not answer; the text says what was tried and why it failed."""
