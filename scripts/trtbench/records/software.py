"""What was installed where a trial ran, and where two trials of a lane differ in that: who opens a run and who audits it ask the
same, so that no run is gone on with that would be void for it."""

from __future__ import annotations

from collections.abc import Mapping

from trtbench.records.trial import Environment
from trtbench.settings.lanes import LANES

RUNS_OWN = "run's Python"  # where no environment of the lane's own is named; a word of a sentence
ABSENT = "-"

Difference = tuple[str, str, str]  # a name and its two values


def differences(one: Environment, other: Environment, lane: str) -> list[Difference]:
    """Where it ran, its Python and packages. A list names what this program looks for, which other versions of it need not do: where
    the commits differ, a package that only one of both lists counts if it is the lane's own."""
    installed = _installed(one), _installed(other)
    found = changes(*installed)
    if one.git_commit == other.git_commit:
        return found
    row = LANES[lane]
    counts = (installed[0].keys() & installed[1].keys()) | {row.distribution, *row.distributions.values()}
    return [difference for difference in found if difference[0] in counts]


def changes(one: Mapping[str, str], other: Mapping[str, str]) -> list[Difference]:
    """What is not the same, where it ran before what is in it."""
    names = {name for name, _ in set(one.items()) ^ set(other.items())}
    ordered = sorted(names, key=lambda name: (name != "environment", name != "Python", name))
    return [(name, one.get(name, ABSENT), other.get(name, ABSENT)) for name in ordered]


def _installed(environment: Environment) -> dict[str, str]:
    return {**environment.libraries, "Python": environment.python, "environment": environment.venv or RUNS_OWN}
