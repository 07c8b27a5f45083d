"""Files of root's in the way of another user: every command says whose they are and what helps, in one sentence."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import factory
from lacking import lacking
from trtbench.settings.knobs import ROOT

USER = 1  # daemon, on every system
NAME = pwd.getpwuid(USER).pw_name
AS_USER = ("setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups", "--")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    if os.geteuid() != 0:
        lacking("only root can become somebody else")
    folder = Path(tempfile.mkdtemp(prefix="trtbench-"))
    folder.chmod(0o755)
    shutil.copytree(ROOT / "scripts", folder / "clone" / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["chown", "-R", f"{USER}:{USER}", str(folder / "clone")], check=True)
    if subprocess.run([*AS_USER, sys.executable, "-c", "import msgspec"], capture_output=True).returncode != 0:
        lacking("this Python is closed to other users")
    yield folder / "clone"
    shutil.rmtree(folder)


@pytest.fixture
def clone(home: Path) -> Iterator[Path]:
    """The user's clone, with a run of root's in root's data/."""
    trials = factory.trials({"pytorch-eager": [241.0, 242.0, 240.0], "onnxruntime": [100.0, 100.5, 99.5]})
    factory.store(home / "data" / "results", factory.run(), trials)
    yield home
    shutil.rmtree(home / "data")
    (home / ".env").unlink(missing_ok=True)


def run(clone: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": "scripts", "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent", **settings}
    command = [*AS_USER, sys.executable, *words]
    return subprocess.run(command, cwd=clone, env=env, capture_output=True, text=True, timeout=120)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a command that was refused."""
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return sentence


def mended(place: Path) -> str:
    return f"{place} belongs to root, and you are {NAME}: sudo chown -R {NAME} {place}"


def test_the_benchmark_names_the_owner_of_results_and_data(clone: Path) -> None:
    bench = ("-m", "trtbench.bench", "--local", "--quick")
    assert mended(clone / "data" / "results") in refused(run(clone, *bench))
    (clone / "data" / "models").mkdir()
    theirs = clone / "data" / "mine"
    theirs.mkdir()
    os.chown(theirs, USER, USER)
    assert mended(clone / "data") in refused(run(clone, *bench, RESULTS_DIR=str(theirs), DATA_DIR="data/none"))


def test_a_place_outside_of_the_clone_is_not_asked_for(clone: Path) -> None:
    said = refused(run(clone, "-m", "trtbench.bench", "--local", "--quick", RESULTS_DIR="/trtbench-results"))
    assert "/ belongs to root" in said and "take one that is yours" in said and "chown" not in said


def test_the_comparison_names_the_owner_of_what_it_cannot_read_or_write(clone: Path) -> None:
    results = clone / "data" / "results"
    compare = ("scripts/compare.py", "--no-chart")
    assert mended(results) in refused(run(clone, *compare))
    (results / "runs").chmod(0o700)
    assert mended(results / "runs") in refused(run(clone, *compare))


def test_settings_that_cannot_be_read_are_named_with_their_owner(clone: Path) -> None:
    (clone / ".env").write_text("SEED=1\n")
    (clone / ".env").chmod(0o600)
    for command in (("-m", "trtbench.bench", "--local"), ("-m", "trtbench.doctor"), ("scripts/compare.py",)):
        assert mended(clone / ".env") in refused(run(clone, *command))


def test_the_doctor_tells_before_a_run_does(clone: Path) -> None:
    doctor = ("-m", "trtbench.doctor", "--for", "local")
    done = run(clone, *doctor, MODEL_NAME="demo")
    assert done.returncode == 1 and f"{clone}/data belongs to root" in done.stdout
    assert "Not ready for 'local': disk." in done.stdout
    os.chown(clone / "data", USER, USER)
    done = run(clone, *doctor, MODEL_NAME="demo")
    assert done.returncode == 1 and f"{clone}/data/results belongs to root" in done.stdout
    os.chown(clone / "data" / "results", USER, USER)
    assert "disk." not in run(clone, *doctor, MODEL_NAME="demo").stdout
