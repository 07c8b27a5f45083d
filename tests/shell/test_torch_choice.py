"""Which torch an environment gets: the CPU build from PyTorch's index where that has it, and for the NGC image's versions what
stands in for it elsewhere, said aloud. The indices are served from here; wheels of a few bytes stand in for torch."""

from __future__ import annotations

import http.server
import os
import platform
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from trtbench.settings.knobs import ROOT

NGC, LOCAL = "2.10.0", "2.13.0"
HERE = f"cp{sys.version_info[0]}{sys.version_info[1]}"
LINUX = f"linux_{platform.machine()}"
UNTESTED = f"NOT TESTED: torch {NGC}"


def wheel(folder: Path, version: str, python: str = HERE, machine: str = LINUX) -> None:
    """A wheel of that name and version in an index's page of torch."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"torch-{version}.dist-info"
    file = folder / f"torch-{version}-{python}-{python}-{machine}.whl"
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("torch/__init__.py", "")
        packed.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
        tag = f"{python}-{python}-{machine}"
        packed.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n")
        packed.writestr(f"{info}/RECORD", "")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    return folder


class Machine:
    """A folder with the project's shell library, an empty environment, an index of CPU builds and the default one."""

    def __init__(self, folder: Path, empty: Path, address: str) -> None:
        self.folder, self.environment = folder, folder / ".venv-ngc"
        self.cpu, self.default = folder / "cpu" / "torch", folder / "default" / "torch"
        self.address = address
        shutil.copytree(empty, self.environment, symlinks=True)
        (folder / "requirements").mkdir()
        (folder / "requirements" / "ngc.lock").write_text("# nothing\n")
        (folder / "scripts").mkdir()
        shutil.copy(ROOT / "scripts" / "lib.sh", folder / "scripts")
        for page in (self.cpu, self.default):
            page.mkdir(parents=True)

    def shell(self, command: str, index: str | None = None) -> subprocess.CompletedProcess[str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "TORCH_"))}
        env |= {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_CACHE_DIR": "1",
            "PIP_INDEX_URL": f"{self.address}/default",
            "TORCH_CPU_INDEX": f"{self.address}/cpu" if index is None else index,
            "NO_PROXY": "127.0.0.1",
        }
        script = f". {self.folder}/scripts/lib.sh; {command}"
        done = subprocess.run(["bash", "-c", script, "lib"], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done

    def made(self, index: str | None = None) -> str:
        """Make it; returns what was said."""
        return self.shell(f"make_ngc_environment {self.environment}", index).stderr

    @property
    def torch(self) -> str:
        """The whole version of what is installed."""
        (info,) = self.environment.glob("lib/python*/site-packages/torch-*.dist-info")
        return info.name.removeprefix("torch-").removesuffix(".dist-info")

    @property
    def untested(self) -> str:
        return self.shell(f"untested_torch {self.environment}").stderr


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def machine(tmp_path: Path, empty: Path) -> Iterator[Machine]:
    class Here(Quiet):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path))  # type: ignore[arg-type]

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Here) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Machine(tmp_path, empty, f"http://127.0.0.1:{server.server_address[1]}")
        server.shutdown()


def test_the_image_s_torch_comes_from_the_index_of_cpu_builds(machine: Machine) -> None:
    wheel(machine.cpu, f"{NGC}+cpu")
    wheel(machine.cpu, f"{LOCAL}+cpu")
    wheel(machine.default, LOCAL)
    assert "in the place of" not in machine.made()
    assert machine.torch == f"{NGC}+cpu"
    assert machine.untested == ""


@pytest.mark.parametrize(
    "has",
    [(), ("cp39", LINUX), (HERE, "linux_riscv64"), (HERE, "win_amd64")],
    ids=["nothing", "another Python", "another machine", "another system"],
)
def test_where_the_index_lacks_it_the_other_version_is_tested_and_that_is_said(
    has: tuple[str, ...], machine: Machine
) -> None:
    if has:
        wheel(machine.cpu, f"{NGC}+cpu", *has)
    wheel(machine.cpu, f"{LOCAL}+cpu")
    wheel(machine.default, NGC)  # with CUDA in it: gigabytes, which nobody asked for
    wheel(machine.default, LOCAL)
    assert f".venv-ngc gets torch {LOCAL} in the place of {NGC}" in machine.made()
    assert machine.torch == f"{LOCAL}+cpu"
    assert machine.untested.startswith(f"{UNTESTED}, the NGC image's; .venv-ngc has {LOCAL}")


@pytest.mark.parametrize("index", ["http://127.0.0.1:9", ""], ids=["closed", "none"])
def test_where_the_index_does_not_answer_only_the_usual_version_comes_from_the_default_one(
    index: str, machine: Machine
) -> None:
    wheel(machine.cpu, f"{NGC}+cpu")
    wheel(machine.default, NGC)
    wheel(machine.default, LOCAL)
    said = machine.made(index)
    assert f".venv-ngc gets torch {LOCAL} in the place of {NGC}" in said
    assert "taking it from the default index" in said
    assert machine.torch == LOCAL
    assert machine.untested.startswith(UNTESTED)


def test_the_stamp_tells_which_torch_is_there_and_which_was_asked_for(machine: Machine) -> None:
    wheel(machine.cpu, f"{LOCAL}+cpu")
    machine.made()
    instead = (machine.environment / ".stamp").read_text()
    assert machine.made() == "", "made once"
    wheel(machine.cpu, f"{NGC}+cpu")
    assert machine.made() == "", "until somebody removes it"
    (machine.environment / ".stamp").unlink()
    machine.made()
    assert machine.torch == f"{NGC}+cpu"
    own = (machine.environment / ".stamp").read_text()
    assert own != instead
    # The same torch asked for by the usual environment is another thing again.
    lock = machine.folder / "requirements" / "ngc.lock"
    assert machine.shell(f"stamp {machine.environment} {lock}").stdout not in (own, instead)


STUB = """#!/bin/bash
# In the place of an environment's Python: knows its torch, and any other work of it goes well.
case "$*" in
  *metadata*) echo "$(cat "$(dirname "$0")/torch")" ;;
  -V) echo "Python 3" ;;
esac
"""


@pytest.mark.parametrize(("there", "status"), [(LOCAL, 0), (LOCAL, 1), (NGC, 0)])
def test_a_whole_run_of_the_tests_ends_with_what_was_not_tested(there: str, status: int, tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "requirements").mkdir()
    for name in ("local", "ngc", "test"):
        (tmp_path / "requirements" / f"{name}.lock").write_text("# nothing\n")
    for name in ("lib.sh", "test.sh"):
        shutil.copy(ROOT / "scripts" / name, tmp_path / "scripts")
    for name, thing in (("site.sh", "the site"), ("fleet.sh", "a fleet")):
        (tmp_path / "scripts" / name).write_text(f"echo {thing} can be made\n")
    for environment, torch in ((".venv", LOCAL), (".venv-ngc", there)):
        tools = tmp_path / environment / "bin"
        tools.mkdir(parents=True)
        (tools / "torch").write_text(f"{torch}\n")
        for tool in ("python", "ruff", "mypy", "lint-imports", "yamllint"):
            (tools / tool).write_text(STUB)
            (tools / tool).chmod(0o755)
    if status:
        python = tmp_path / ".venv-ngc" / "bin" / "python"
        python.write_text(STUB + 'case "$*" in *"-m ngc"*) echo "1 failed"; exit 1 ;; esac\n')
    # Both are made already; nothing is to be installed.
    stamps = (
        'cd "$ROOT"; stamp .venv requirements/local.lock >.venv/.stamp; stamp .venv requirements/*.lock >.venv/.stamp-test; '
        "TORCH_VERSION=$NGC_TORCH_VERSION; stamp .venv-ngc requirements/ngc.lock >.venv-ngc/.stamp"
    )
    # Without bats and shellcheck: this test is of the order of the words.
    (tmp_path / "bin").mkdir()
    for tool in ["bash", "basename", "cat", "cksum", "dirname", "env", "git", "grep", "mktemp", "rm", "sed"]:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    env = {**os.environ, "PATH": str(tmp_path / "bin"), "TORCH_CPU_INDEX": "http://127.0.0.1:9"}
    env.pop("CI", None)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["bash", "-c", f". scripts/lib.sh; {stamps}"], cwd=tmp_path, env=env, check=True)
    done = subprocess.run(["bash", "scripts/test.sh"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert f"numpy 1.26.4 and torch {there}" in done.stderr
    last = [line for line in done.stderr.splitlines() if not line.startswith("SKIPPED")][-1]
    assert last.startswith(UNTESTED) == (there != NGC)
