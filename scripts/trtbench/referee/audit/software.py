"""provenance, of the software: lanes may run in environments of their own, so between them versions differ by design. Within one
lane they may not: a mean over two releases of an engine is nobody's figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from trtbench.figures.base import Key
from trtbench.records.trial import Environment, Trial
from trtbench.referee.audit.context import Context, numbers
from trtbench.referee.audit.findings import Finding, found
from trtbench.settings.lanes import LANES

RUNS_OWN = "run's Python"  # where no environment of the lane's own is named; a word of the sentence


def check(context: Context) -> Iterator[Finding]:
    for key, members in context.groups.items():
        yield from _changed(key, members)
        allowed = {None, *LANES[key[0]].environments.values()}
        elsewhere = [t for t in members if t.environment.venv not in allowed]
        if elsewhere:
            trials = numbers(elsewhere)
            yield found("provenance.environment", key, found=str(elsewhere[0].environment.venv), trials=trials)
    yield from _shared(context)


def _changed(key: Key, members: Sequence[Trial]) -> Iterator[Finding]:
    """What differs between trials of one lane: where it ran, what was installed there, what the engine says of itself."""
    installed = [(t, _installed(t.environment)) for t in members]
    stated = [(t, _stated(t)) for t in members if t.statement is not None]
    for versions in (installed, stated):
        differing = [(t, of_trial) for t, of_trial in versions if of_trial != versions[0][1]]
        if differing:
            name, one, other = _difference(versions[0][1], differing[0][1])
            trials = numbers([t for t, _ in differing])
            yield found("provenance.versions", key, name=name, one=one, other=other, trials=trials)
            return


def _shared(context: Context) -> Iterator[Finding]:
    """Lanes of one Python list the same packages, unless something was installed after some of them ran. In a container the
    run's Python is the image's, and each lane may have one of its own."""
    first: dict[str | None, tuple[Key, dict[str, str]]] = {}
    for key, members in context.groups.items():
        environment = members[0].environment
        if environment.venv is None and environment.container is not None:
            continue
        other_key, packages = first.setdefault(environment.venv, (key, _installed(environment)))
        if packages != _installed(environment):
            name, one, other = _difference(packages, _installed(environment))
            yield found(
                "provenance.shared",
                key,
                environment=environment.venv or RUNS_OWN,
                name=name,
                found=other,
                wanted=one,
                other_lane=other_key[0],
            )


def _installed(environment: Environment) -> dict[str, str]:
    return {**environment.libraries, "Python": environment.python, "environment": environment.venv or RUNS_OWN}


def _stated(trial: Trial) -> dict[str, str]:
    statement = trial.statement
    if statement is None:
        return {}
    return {**statement.versions, statement.runtime: statement.runtime_version, "runtime": statement.runtime}


def _difference(one: Mapping[str, str], other: Mapping[str, str]) -> tuple[str, str, str]:
    """The first thing that is not the same, where it ran before what is in it, and both of its values."""
    names = {name for name, _ in set(one.items()) ^ set(other.items())}
    name = min(names, key=lambda name: (name != "environment", name != "Python", name))
    return name, one.get(name, "-"), other.get(name, "-")
