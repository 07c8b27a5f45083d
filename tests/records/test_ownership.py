"""What root wrote into somebody's clone is given to its owner: by the commands when they end, by the entrypoint when it begins."""

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
from trtbench.errors import user_name
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
        (folder / "runs").mkdir()
        (folder / "file").write_text("")
    os.chown(theirs, 4321, 4321)
    run(clone, "-m", "trtbench.engine", DATA_DIR=str(elsewhere), RESULTS_DIR=str(theirs))
    assert (owners(elsewhere), owners(theirs / "runs")) == ({0}, {4321})
    assert (theirs / "file").stat().st_uid == 0, "nothing that this program makes"


def left_alone(clone: Path, data_dir: str, folder: Path) -> str:
    """What is said after a command of root's whose DATA_DIR is a folder that stays root's, with all that is in it."""
    (folder / "cache" / "in").mkdir(parents=True, exist_ok=True)
    (folder / "mine").write_text("")
    before = owners(folder / "cache") | {(folder / "mine").stat().st_uid, folder.stat().st_uid}
    done = run(clone, "-m", "trtbench.engine", DATA_DIR=data_dir)
    assert owners(folder / "cache") | {(folder / "mine").stat().st_uid, folder.stat().st_uid} == before
    (line,) = [line for line in done.stderr.splitlines() if "chown" in line]
    return line


def test_a_folder_that_data_is_a_link_to_stays_its_owners(clone: Path) -> None:
    big = clone.parent / "big"
    big.mkdir()
    shutil.rmtree(clone / "data")
    (clone / "data").symlink_to(big)
    name = user_name(OWNER)
    assert left_alone(clone, "data", big) == (
        f"{big} belongs to root and is not in this clone, so what root wrote there stays root's; sudo chown -R {name} {big}/cache gives "
        f"it to {name}."
    )


def test_a_sibling_of_the_clone_is_not_in_it(clone: Path) -> None:
    sibling = clone.parent / "sib"
    sibling.mkdir()
    assert left_alone(clone, "../sib", sibling).startswith(f"{sibling} belongs to root ")


def test_a_home_is_nobodys_data(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All that is root's in it stays so; in any other folder of theirs only what this program makes is given."""
    theirs = clone.parent / "theirs"
    for name in ("cache/in", "results/runs/in", "results/other", "else"):
        (theirs / name).mkdir(parents=True)
    (theirs / "cache" / "tool").write_text("")
    (theirs / "cache" / "tool").chmod(0o4755)
    (theirs / "cache" / "here").write_text("")
    os.link(theirs / "cache" / "here", theirs / "second name")
    (theirs / "engines").symlink_to(theirs / "else")
    (theirs / "else" / "file").write_text("")
    os.chown(theirs, OWNER, OWNER)
    entry = pwd.getpwuid(OWNER)
    with monkeypatch.context() as home:
        home.setattr(pwd, "getpwall", lambda: [])
        home.setattr(pwd, "getpwuid", lambda uid: pwd.struct_passwd((*entry[:5], str(theirs), entry[6])))
        ownership._hand_over([theirs])
    assert {path.lstat().st_uid for path in theirs.rglob("*")} == {0}
    assert f"{theirs}/cache {theirs}/results gives it to" in capsys.readouterr().err
    ownership._hand_over([theirs])
    given = {str(path.relative_to(theirs)) for path in theirs.rglob("*") if path.lstat().st_uid == OWNER}
    assert given == {"cache", "cache/in", "results", "results/runs", "results/runs/in", "engines"}, (
        "engines: the link itself"
    )
    assert capsys.readouterr().err == ""
    assert (theirs / "cache" / "tool").stat().st_mode & 0o7777 == 0o4755


def test_a_second_name_elsewhere_is_spared_by_all_three(clone: Path) -> None:
    """By the commands, by the entrypoint and by what makes an environment."""
    secret = clone.parent / "secret"
    secret.write_text("")
    for name in ("data/cache", ".venv"):
        (clone / name).mkdir(parents=True)
        os.link(secret, clone / name / "second")
    run(clone, "-m", "trtbench.engine")
    shell = f'. scripts/lib.sh; give_to_owner "{clone}/.venv"'
    subprocess.run(["bash", "-c", shell, "lib"], cwd=clone, check=True)
    subprocess.run(["bash", "docker/entrypoint.sh", "true"], cwd=clone, env={"PATH": os.environ["PATH"]}, check=True)
    assert (
        secret.stat().st_uid == 0
        and (clone / ".venv").stat().st_uid == (clone / "data" / "cache").stat().st_uid == OWNER
    )


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


@pytest.mark.parametrize("foreign", ["lost+found", "mine"])
def test_the_entrypoint_leaves_a_mounted_folder_of_roots(clone: Path, foreign: str) -> None:
    """As where ./data is a link, which Docker follows: what it holds tells it from a data/ that Docker has made."""
    (clone / "data" / foreign).mkdir()
    done = subprocess.run(
        ["bash", "docker/entrypoint.sh", "true"],
        cwd=clone,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "it belongs to user 0; on the host, sudo chown" in done.stderr
    assert owners(clone / "data") == {0}


FOUR = "+chown,+setgid,+setpcap,+setuid"  # what docker-compose.yml leaves the entrypoint


@pytest.mark.parametrize("data", [OWNER, 0], ids=["the owner's", "root's"])
def test_the_entrypoint_gives_what_root_left_to_whom_it_becomes(clone: Path, data: int) -> None:
    (clone / "data" / "cache" / "closed").mkdir(mode=0o700, parents=True)
    (clone / "data" / "cache" / "closed" / "file").write_text("")
    os.chown(clone / "data", data, data)
    entrypoint = ["bash", "docker/entrypoint.sh", "sh", "-c", "id -u; touch data/new data/cache/closed/new"]
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
    assert done.stderr == (
        f"error: user {OWNER} may not write {clone}/data; it belongs to user 0; on the host, sudo chown {OWNER} DATA gives it, DATA "
        "being that folder there.\n"
    )
