"""Every test is in one of the calls that scripts/test.sh makes, and in one only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from trtbench.settings.knobs import ROOT

# All collections in one process, where a test module is imported once.
COLLECT = """
import contextlib, io, json, sys
import pytest

class Names:
    def pytest_collection_finish(self, session):
        self.found = [item.nodeid for item in session.items]

collected = []
for arguments in json.load(sys.stdin):
    names, said = Names(), io.StringIO()
    with contextlib.redirect_stdout(said):
        status = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *arguments, "-n", "0"], plugins=[names])
    assert status == 0, said.getvalue()[-2000:]
    collected.append(names.found)
print(json.dumps(collected))
"""
# The engine's call as it was when nobody ran the tests of the NGC login.
NARROW = ("-m", "docker", "tests/docker")


def calls() -> dict[str, list[str]]:
    """The words of each call by its name."""
    done = subprocess.run(
        ["bash", "scripts/test.sh", "--selections"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = (line.split("\t") for line in done.stdout.splitlines())
    return {name: words for name, *words in lines}


CALLS = calls()
PYTEST = {name: words for name, words in CALLS.items() if words[1:3] == ["-m", "pytest"]}


def by_environment(name: str) -> str:
    """The folder of the environment whose Python makes a call."""
    return Path(PYTEST[name][0]).parts[0]


def left_out(everything: Iterable[str], selections: Iterable[Iterable[str]]) -> list[str]:
    """What no selection takes."""
    return sorted(set(everything).difference(*selections))


def taken_twice(selections: Iterable[Iterable[str]]) -> list[str]:
    """What more than one selection takes."""
    counts = Counter(name for selection in selections for name in set(selection))
    return sorted(name for name, count in counts.items() if count > 1)


def collect(wanted: dict[str, list[str]]) -> dict[str, list[str]]:
    """The node ids that pytest finds with each of these lists of arguments."""
    done = subprocess.run(
        [sys.executable, "-c", COLLECT],
        cwd=ROOT,
        # Without CI=true the slow tests of the stand-in are collected only where they are asked for.
        env={**os.environ, "CI": "true", "PYTHONDONTWRITEBYTECODE": "1"},
        input=json.dumps(list(wanted.values())),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(wanted, json.loads(done.stdout)))


def test_every_call_is_of_bats_or_of_pytest_in_an_environment_of_ours() -> None:
    assert {name: words[0] for name, words in CALLS.items() if name not in PYTEST} == {"shell": "bats"}
    assert {by_environment(name) for name in PYTEST} == {".venv", ".venv-ngc"}


def test_every_test_is_in_one_call_of_its_environment() -> None:
    """In one test, because the collection costs seconds and each worker would make its own."""
    found = collect(
        {name: words[3:] for name, words in PYTEST.items()}
        | {"everything": [], "marked ngc": ["-m", "ngc"], "narrow": list(NARROW)}
    )
    assert any(name.startswith("tests/test_selections.py::") for name in found["everything"])
    assert len(found["marked ngc"]) > 0
    for environment, whole in ((".venv", "everything"), (".venv-ngc", "marked ngc")):
        selections = [found[name] for name in PYTEST if by_environment(name) == environment]
        assert left_out(found[whole], selections) == []
        assert taken_twice(selections) == []

    missed = left_out(found["everything"], [found["plain"], found["alone"], found["narrow"]])
    assert missed == sorted(set(found["docker"]) - set(found["narrow"]))
    assert any(name.startswith("tests/shell/test_auth_registry.py::") for name in missed)


def test_what_is_left_out_or_taken_twice_is_named() -> None:
    everything = ["tests/a.py::one", "tests/a.py::two", "tests/new/b.py::three"]
    assert left_out(everything, [everything[:1], everything[1:2]]) == ["tests/new/b.py::three"]
    assert taken_twice([everything[:2], everything[1:]]) == ["tests/a.py::two"]
    assert left_out(everything, [everything]) == taken_twice([everything]) == []


def test_every_bats_file_is_in_the_call_of_bats() -> None:
    """One that git does not know yet is not run, and is told here."""
    here = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("tests/**/*.bats")}
    assert len(here) > 0
    assert {name for name in here if "node_modules" not in name} == set(CALLS["shell"][1:])
