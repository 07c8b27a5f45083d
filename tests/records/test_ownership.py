"""What root wrote into somebody's clone is given to its owner: by the commands when they end, by the entrypoint when it begins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import factory
from lacking import lacking
from trtbench.records import ownership
from trtbench.settings.knobs import ROOT, Settings

OWNER = 1  # daemon, whom every system knows: for another user the entrypoint writes a line into /etc/passwd


@pytest.fixture
def clone() -> Iterator[Path]:
    """A clone of another user's with a run in it, which root has written; in a folder that others may enter, as pytest's own are
    not."""
    if os.geteuid() != 0:
        lacking("only root can write somebody else's files")
    home = Path(tempfile.mkdtemp(prefix="trtbench-"))
    home.chmod(0o755)
    folder = home / "clone"
    for name in ("docker", "scripts"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["chown", "-R", f"{OWNER}:{OWNER}", str(folder)], check=True)
    trials = factory.trials({"pytorch-eager": [241.0, 242.0, 240.0], "onnxruntime": [100.0, 100.5, 99.5]})
    factory.store(folder / "data" / "results", factory.run(), trials)
    yield folder
    shutil.rmtree(home)


def owners(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in (folder, *folder.rglob("*"))}


def run(clone: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(clone / "scripts"), **settings}
    return subprocess.run([sys.executable, *words], cwd=clone, env=env, capture_output=True, text=True, timeout=120)


COMMANDS = {
    "compare": (("scripts/compare.py", "--no-chart"), (0, 3)),
    "bench": (("-m", "trtbench.bench", "--local", "--model-name", "./none"), (2,)),
    "engine": (("-m", "trtbench.engine"), (2,)),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_what_root_writes_belongs_to_the_clones_owner_in_the_end(clone: Path, command: str) -> None:
    (clone / "data" / "link").symlink_to("/etc/passwd")
    words, expected = COMMANDS[command]
    done = run(clone, *words)
    assert done.returncode in expected, done.stderr
    assert owners(clone) == {OWNER}, "also the sources' bytecode"
    assert Path("/etc/passwd").stat().st_uid == 0


def test_a_folder_elsewhere_that_is_roots_stays_so(clone: Path, tmp_path: Path) -> None:
    elsewhere, theirs = tmp_path / "elsewhere", tmp_path / "theirs"
    for folder in (elsewhere, theirs):
        folder.mkdir()
        (folder / "file").write_text("")
    os.chown(theirs, 4321, 4321)
    run(clone, "-m", "trtbench.engine", DATA_DIR=str(elsewhere), RESULTS_DIR=str(theirs))
    assert (owners(elsewhere), owners(theirs)) == ({0}, {4321})


def test_where_owners_cannot_be_changed_one_sentence_says_so(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on a read-only mount, or in a container without CAP_CHOWN."""
    os.chown(clone / "data", OWNER, OWNER)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)
    ownership._hand_over([clone / "data", clone / "none"])
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "Operation not permitted" in said and "sudo chown -R" in said


def test_who_is_not_root_or_has_a_clone_of_roots_gives_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rootless engine's root is the clone's owner; of an owner whom it doesn't know it sees 65534."""
    registered: list[object] = []
    monkeypatch.setattr(ownership.atexit, "register", lambda *words: registered.append(words))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    ownership.hand_over_at_exit(Settings(data_dir=str(tmp_path)))
    assert registered == []
    if os.getuid() == 0:
        (tmp_path / "file").write_text("")
        ownership._hand_over([tmp_path])
        assert owners(tmp_path) == {0}
        os.chown(tmp_path, ownership.NOBODY, ownership.NOBODY)
        ownership._hand_over([tmp_path])
        assert (tmp_path / "file").stat().st_uid == 0


FOUR = "+chown,+setgid,+setpcap,+setuid"  # what docker-compose.yml leaves the entrypoint


@pytest.mark.parametrize("data", [OWNER, 0], ids=["the owner's", "root's"])
def test_the_entrypoint_gives_what_root_left_to_whom_it_becomes(clone: Path, data: int) -> None:
    (clone / "data" / "closed").mkdir(mode=0o700)
    (clone / "data" / "closed" / "file").write_text("")
    os.chown(clone / "data", data, data)
    entrypoint = ["bash", "docker/entrypoint.sh", "sh", "-c", "id -u; touch data/new data/closed/new"]
    words = ["setpriv", f"--bounding-set=-all,{FOUR}", f"--inh-caps=-all,{FOUR}", "--", *entrypoint]
    env = {"PATH": os.environ["PATH"]}
    done = subprocess.run(words, cwd=clone, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{OWNER}\n"), done.stderr
    assert owners(clone) == {OWNER} and done.stderr == ""


def test_the_entrypoint_says_where_it_may_not_write_and_who_may(clone: Path) -> None:
    """No privilege to change owners, as on NFS or a read-only mount: nothing of that is told but what comes of it."""
    without = FOUR.replace("+chown,", "")
    words = ["setpriv", f"--bounding-set=-all,{without}", f"--inh-caps=-all,{without}", "--"]
    env = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [*words, "bash", "docker/entrypoint.sh", "id", "-u"], cwd=clone, env=env, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == f"error: user {OWNER} may not write {clone}/data; it belongs to user 0.\n"
