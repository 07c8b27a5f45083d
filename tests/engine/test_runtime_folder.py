"""The engine's folder as the runtime gets it: config.json a copy, the rest links, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from trtbench.engine import runtime_folder
from trtbench.engine.runtime_folder import PREFIX, RuntimeFolder, on_local_disk
from trtbench.settings.knobs import ROOT


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "engines" / "one"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "rank0.engine").write_bytes(b"engine")
    (folder / "engine.json").write_text("{}")
    return folder


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def test_config_json_is_a_copy_and_the_engine_a_link(engine: Path, temporary: Path) -> None:
    folder = RuntimeFolder(engine)
    assert folder.path.parent == temporary and folder.path.name.startswith(PREFIX)
    assert not (folder.path / "config.json").is_symlink() and (folder.path / "config.json").read_text() == "{}"
    assert (folder.path / "rank0.engine").is_symlink() and (folder.path / "rank0.engine").read_bytes() == b"engine"
    folder.remove()
    folder.remove()
    assert list(temporary.iterdir()) == [] and (engine / "rank0.engine").is_file(), (
        "what a link means is not taken away"
    )


def test_a_relative_engine_folder_is_linked_by_its_whole_path(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(engine.parent)
    with on_local_disk(Path("one")) as folder:
        monkeypatch.chdir("/")
        assert (folder / "rank0.engine").read_bytes() == b"engine"


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="needs a second file system")
def test_an_engine_on_another_file_system_is_read_through_the_link(engine: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        moved = Path(other) / "one"
        subprocess.run(["cp", "-r", str(engine), str(moved)], check=True)
        if moved.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
            pytest.skip("the temporary folder is in /dev/shm")
        with on_local_disk(moved) as folder:
            assert (folder / "rank0.engine").read_bytes() == b"engine"


def test_where_none_can_be_made_the_engines_own_is_used(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_folder.tempfile, "mkdtemp", lambda **_: (_ for _ in ()).throw(OSError(28, "full")))
    with on_local_disk(engine) as folder:
        assert folder == engine


HOLD = """
import sys, time
from pathlib import Path
from trtbench.engine.runtime_folder import RuntimeFolder
folder = RuntimeFolder(Path(sys.argv[1]))
print(folder.path, flush=True)
{end}
"""


def start(engine: Path, end: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    return subprocess.Popen(
        [sys.executable, "-c", HOLD.format(end=end), str(engine)],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.mark.parametrize("end", ["", "raise RuntimeError('the lane failed')", "sys.exit(3)"])
def test_a_process_that_ends_leaves_none(end: str, engine: Path, temporary: Path) -> None:
    child = start(engine, end)
    child.communicate(timeout=60)
    assert list(temporary.iterdir()) == []


def test_one_of_a_killed_process_is_taken_away_by_the_next_and_one_in_use_is_not(engine: Path, temporary: Path) -> None:
    killed, living = start(engine, "time.sleep(600)"), start(engine, "time.sleep(600)")
    try:
        left, held = (Path(child.stdout.readline().strip()) for child in (killed, living) if child.stdout)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert left.is_dir()
        (temporary / f"{PREFIX}being-made").mkdir()
        with on_local_disk(engine):
            assert not left.exists()
            assert (held / "config.json").is_file()
            assert (temporary / f"{PREFIX}being-made").is_dir()
        assert (engine / "rank0.engine").is_file()
    finally:
        living.kill()
        living.wait()
