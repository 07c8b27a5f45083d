"""A virtual environment that this user can't make or use: whose it is and what helps, in place of a guess."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lacking import lacking
from trtbench.settings.knobs import ROOT

# Any user that every system knows by name: daemon.
USER = 1
NAME = pwd.getpwuid(USER).pw_name
# In the place of a Python: new enough, with or without venv, and its environments hold a Python that says nothing.
PYTHON = """#!/bin/bash
case "$*" in
  *'import ensurepip'*) [ -z "${NO_VENV:-}" ] ;;
  '-m venv '*) [ -z "${FULL:-}" ] || { echo 'No space left on device' >&2; exit 1; }; mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
esac
"""


@pytest.fixture
def clone() -> Iterator[Path]:
    if os.geteuid() != 0:
        lacking("only root can write somebody else's files")
    home = Path(tempfile.mkdtemp(prefix="trtbench-"))
    home.chmod(0o755)
    clone = home / "clone"
    (clone / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "lib.sh", clone / "scripts")
    (clone / "python").write_text(PYTHON)
    (clone / "python").chmod(0o755)
    (clone / "lock").write_text("")
    subprocess.run(["chown", "-R", f"{USER}:{USER}", str(clone)], check=True)
    yield clone
    shutil.rmtree(home)


def make(clone: Path, user: int = USER, **settings: str) -> tuple[int, str]:
    """Have `user` make the clone's environment: the status, and what was said last."""
    script = f". {clone}/scripts/lib.sh; make_environment {clone}/.venv {clone}/lock"
    words = ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups", "--", "bash", "-c", script, "lib"]
    env = {"PATH": os.environ["PATH"], "TRTBENCH_PYTHON": f"{clone}/python", "TORCH_CPU_INDEX": "", **settings}
    done = subprocess.run(words, cwd=clone, env=env, capture_output=True, text=True)
    return done.returncode, done.stderr.strip().splitlines()[-1] if done.stderr.strip() else ""


@pytest.mark.parametrize("mode", [0o700, 0o755], ids=["closed", "not writable"])
def test_an_environment_of_roots_is_named_with_its_owner(clone: Path, mode: int) -> None:
    (clone / ".venv").mkdir()
    (clone / ".venv").chmod(mode)
    status, said = make(clone)
    place = f"{clone}/.venv"
    assert status == 2
    assert said == (
        f"error: {place} belongs to root, and {NAME} may not write it; it is yours after: sudo chown -R {NAME} '{place}'"
    )


def test_a_clone_of_roots_is_named_with_its_owner(clone: Path) -> None:
    os.chown(clone, 0, 0)
    status, said = make(clone)
    assert status == 2 and said.startswith(f"error: {clone} belongs to root, and {NAME} may not write it;")


def test_a_folder_that_is_ones_own_and_closed_is_no_matter_of_owners(clone: Path) -> None:
    (clone / ".venv").mkdir(mode=0o500)
    os.chown(clone / ".venv", USER, USER)
    status, said = make(clone)
    assert status == 2 and "though it is yours" in said and "sudo" not in said


def test_an_environment_whose_python_is_gone_is_to_be_removed(clone: Path) -> None:
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "python").symlink_to("/usr/bin/python3.gone")
    subprocess.run(["chown", "-hR", str(USER), str(clone / ".venv")], check=True)
    status, said = make(clone)
    assert status == 2 and "(/usr/bin/python3.gone): remove the folder" in said


def test_only_a_python_without_venv_is_told_to_have_it_installed(clone: Path) -> None:
    status, said = make(clone, NO_VENV="1")
    assert status == 2 and "install its venv module" in said
    status, said = make(clone, FULL="1")
    assert status == 2 and "the lines above say why" in said and "install" not in said
    assert make(clone)[0] == 0


def test_what_root_makes_in_somebodys_clone_is_theirs(clone: Path) -> None:
    assert make(clone, 0)[0] == 0
    made = {path.lstat().st_uid for path in (clone / ".venv", *(clone / ".venv").rglob("*"))}
    assert made == {USER}
    assert make(clone) == (0, ""), "the owner goes on with it"
