"""provenance, of the software: lanes may run in environments of their own, so between them versions differ by design. Within one
lane they may not: a mean over two releases of an engine is nobody's figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trtbench.figures.base import Key
from trtbench.records.software import RUNS_OWN, Difference, changes, differences
from trtbench.records.trial import Environment, Trial
from trtbench.referee.audit.context import Context, numbers
from trtbench.referee.audit.findings import Finding, found
from trtbench.settings.lanes import LANES


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
    installed = [(t, _installed_anew(key, members, t)) for t in members]
    stating = [t for t in members if t.statement is not None]
    stated = [(t, changes(_stated(stating[0]), _stated(t))) for t in stating]
    for compared in (installed, stated):
        differing = [(t, found_in) for t, found_in in compared if found_in]
        if differing:
            name, one, other = differing[0][1][0]
            trials = numbers([t for t, _ in differing])
            yield found("provenance.versions", key, name=name, one=one, other=other, trials=trials)
            return


def _installed_anew(key: Key, members: Sequence[Trial], trial: Trial) -> list[Difference]:
    """What differs from the lane's first trial, and from the first of the same version of this program, whose list is as long."""
    here = trial.environment
    alike = next(t.environment for t in members if t.environment.git_commit == here.git_commit)
    return differences(members[0].environment, here, key[0]) or differences(alike, here, key[0])


def _shared(context: Context) -> Iterator[Finding]:
    """Lanes of one Python list the same packages, unless something was installed after some of them ran. In a container the
    run's Python is the image's, and each lane may have one of its own."""
    first: dict[str | None, tuple[Key, Environment]] = {}
    for key, members in context.groups.items():
        environment = members[0].environment
        if environment.venv is None and environment.container is not None:
            continue
        other_key, of_first = first.setdefault(environment.venv, (key, environment))
        if differing := differences(of_first, environment, key[0]):
            name, one, other = differing[0]
            yield found(
                "provenance.shared",
                key,
                environment=environment.venv or RUNS_OWN,
                name=name,
                found=other,
                wanted=one,
                other_lane=other_key[0],
            )


def _stated(trial: Trial) -> dict[str, str]:
    statement = trial.statement
    if statement is None:
        return {}
    return {**statement.versions, statement.runtime: statement.runtime_version, "runtime": statement.runtime}
