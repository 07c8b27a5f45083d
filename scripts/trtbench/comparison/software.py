"""What each lane ran in, and whether two lanes computed with the same torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from trtbench.comparison.result import Against, Comparison, Software
from trtbench.figures.base import Key
from trtbench.records.identity import release
from trtbench.records.trial import Environment, Statement, Trial
from trtbench.settings.lanes import LANES


def of_lanes(groups: Mapping[Key, Sequence[Trial]]) -> Iterator[Software]:
    """That of each lane's first trial that counts and says what it ran in; the audit holds the others to it."""
    for key, members in groups.items():
        trial = next((t for t in members if t.statement is not None), members[0])
        yield _software(key, trial.environment, trial.statement)


def by_lane(comparison: Comparison) -> dict[Key, Software]:
    """The same by lane and precision. The reports of earlier versions, whose lanes all ran in one environment, do not have it."""
    known = {(software.lane, software.precision): software for software in comparison.software}
    return known or {
        (stated.lane, stated.precision): _software(
            (stated.lane, stated.precision), comparison.environment, stated.statement
        )
        for stated in comparison.statements
    }


def torches(a: Against, software: Mapping[Key, Software]) -> list[tuple[str, str, str]]:
    """What `Against.torches` holds."""
    compared = [(a.lane, a.precision), *a.candidates]
    known = [(*key, torch) for key in compared if key in software and (torch := software[key].torch) is not None]
    if not known or known[0][:2] != compared[0]:
        return []
    return known if any(differ(known[0][2], torch) for *_, torch in known[1:]) else []


def differ(one: str, other: str) -> bool:
    """Whether two versions of torch are other releases or other builds (+cpu, +cu130). A package's version may not tell its
    build, which torch itself does: then that is no difference."""
    (public, _, build), (other_public, _, other_build) = one.partition("+"), other.partition("+")
    if (release(one) or public) != (release(other) or other_public):
        return True
    return bool(build and other_build) and build != other_build


def _software(key: Key, environment: Environment, statement: Statement | None) -> Software:
    torch = statement.versions.get("torch") if statement is not None else None
    if torch is None and key[0] in LANES and "torch" in LANES[key[0]].modules:
        torch = environment.libraries.get("torch")
    return Software(
        lane=key[0],
        precision=key[1],
        runtime=statement.runtime if statement is not None else None,
        runtime_version=statement.runtime_version if statement is not None else None,
        torch=torch,
        venv=environment.venv,
        python=environment.python,
        libraries=environment.libraries,
    )
