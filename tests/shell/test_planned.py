"""Environments that a plan names, as scripts/lib.sh makes them: which torch, from where, what is optional, what is left alone. The
indices are served from here; wheels of a few bytes stand in for torch and an engine."""

from __future__ import annotations

import hashlib
import http.server
import os
import platform
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from documents import as_shown
from trtbench.settings.environments import UNFINISHED
from trtbench.settings.knobs import ROOT

BASE: str = getattr(
    sys, "_base_executable", sys.executable
)  # without a torch: a Python with one would be taken as it is
HERE = f"cp{sys.version_info[0]}{sys.version_info[1]}"
OWN = "was not made by this project, so nothing is installed into it"


def wheel(page: Path, name: str, version: str, tag: str = "py3-none-any") -> str:
    """A wheel in an index's page; returns its SHA-256."""
    page.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    file = page / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr(f"{name}/__init__.py", "")
        packed.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        packed.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n")
        packed.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(file.read_bytes()).hexdigest()


class Clone:
    """A clone with the project's shell library, PyTorch's index with a build for CUDA, and the default one with an engine."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.address = folder, address
        shutil.copytree(ROOT / "scripts", folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("requirements", "bin"):
            (folder / name).mkdir()
        card = folder / "bin" / "nvidia-smi"
        card.write_text("#!/bin/sh\necho '0, NVIDIA GeForce RTX 4090, 580.95.05, 24564, 24000, 8.9'\n")
        card.chmod(0o755)
        self.default = folder / "default"
        wheel(folder / "whl" / "cu126" / "torch", "torch", "2.13.0+cu126")
        wheel(folder / "whl" / "cpu" / "torch", "torch", "2.13.0+cpu", f"{HERE}-{HERE}-linux_{platform.machine()}")
        self.lock("engine", wheel(self.default / "engine", "engine", "1.0"))

    def script(self, words: str) -> tuple[int, str]:
        """A script of the clone on a machine with a card, as nvidia-smi tells it: its status and what it said."""
        return self.typed("bash", *f"scripts/{words}".split())

    def typed(self, *words: str) -> tuple[int, str]:
        return self(f"cd {self.folder} && PATH={self.folder}/bin:$PATH {shlex.join(words)}")

    def lock(self, name: str, digest: str) -> None:
        (self.folder / "requirements" / f"{name}.lock").write_text(f"engine==1.0 --hash=sha256:{digest}\n")

    def words(self, command: str) -> list[str]:
        """A command of the library, for a new process."""
        return ["bash", "-c", f". {self.folder}/scripts/lib.sh; {command}", "lib"]

    def environment(self) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "TORCH_"))}
        env = {name: value for name, value in env.items() if not name.startswith(("TRTBENCH_", "PYTHONPATH"))}
        return env | {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_CACHE_DIR": "1",
            "PIP_INDEX_URL": f"{self.address}/default",
            "TORCH_INDEX": f"{self.address}/whl",
            "NO_PROXY": "127.0.0.1",
            "TRTBENCH_PYTHON": BASE,
        }

    def __call__(self, command: str) -> tuple[int, str]:
        """A command of the library: its status and what it said."""
        done = subprocess.run(self.words(command), env=self.environment(), capture_output=True, text=True)
        return done.returncode, done.stderr

    def installed(self, environment: str) -> set[str]:
        found = (self.folder / environment).glob("lib/python*/site-packages/*.dist-info")
        return {path.name.removesuffix(".dist-info") for path in found} - {
            path.name.removesuffix(".dist-info") for path in found if path.name.startswith(("pip-", "setuptools-"))
        }

    def stamp(self, environment: str) -> str:
        return (self.folder / environment / ".stamp").read_text().strip()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    class Here(Quiet):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path))  # type: ignore[arg-type]

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Here) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Clone(tmp_path, f"http://127.0.0.1:{server.server_address[1]}")
        server.shutdown()


def test_torch_is_the_lock_s_or_a_build_of_pytorch_s_index(clone: Clone) -> None:
    assert clone("make_planned .venv-vllm - needed engine")[0] == 0
    assert "engine-1.0" in clone.installed(".venv-vllm")
    assert not any(name.startswith("torch") for name in clone.installed(".venv-vllm"))
    assert clone("make_planned .venv-cuda cu126 needed engine")[0] == 0
    assert {"engine-1.0", "torch-2.13.0+cu126"} <= clone.installed(".venv-cuda")
    status, said = clone("make_planned .venv-cuda cu126 needed engine; make_planned .venv-vllm - needed engine")
    assert (status, said) == (0, ""), "made once"
    assert UNFINISHED not in (clone.stamp(".venv-cuda"), clone.stamp(".venv-vllm"))


def test_a_wheel_that_is_not_the_lock_s_ends_it_and_half_an_environment_says_so(clone: Clone) -> None:
    clone.lock("engine", "0" * 64)
    status, said = clone("make_planned .venv-vllm - needed engine; echo went on")
    assert (
        status == 2
        and said.strip().splitlines()[-1] == "error: installing engine.lock failed; the lines above say why."
    )
    assert clone.stamp(".venv-vllm") == UNFINISHED
    assert "engine-1.0" not in clone.installed(".venv-vllm")
    # The run goes on without the lanes of an environment that nobody named.
    status, said = clone("make_planned .venv-vllm - optional engine; say went on")
    assert status == 0 and said.strip().splitlines()[-2:] == [
        ".venv-vllm could not be made; the run goes on without its lanes",
        "went on",
    ]
    clone.lock("engine", wheel(clone.default / "engine", "engine", "1.0"))
    assert clone("make_planned .venv-vllm - needed engine")[0] == 0, "it is mended by the next call"
    assert clone.stamp(".venv-vllm") != UNFINISHED and "engine-1.0" in clone.installed(".venv-vllm")


def test_nothing_is_installed_into_what_somebody_else_made(clone: Clone) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(clone.folder / ".venv-vllm")], check=True)
    status, said = clone("make_planned .venv-vllm - needed engine")
    assert status == 2 and OWN in said
    assert clone.installed(".venv-vllm") == set() and not (clone.folder / ".venv-vllm" / ".stamp").exists()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the packages of these lanes need Python 3.11")
def test_install_makes_what_the_step_s_lanes_run_in_and_stops(clone: Clone) -> None:
    digest = wheel(clone.default / "engine", "engine", "1.0")
    for name in ("vllm", "cuda-torch", "cuda", "onnxruntime-cuda"):
        clone.lock(name, digest)
    status, said = as_shown(clone.typed, "bash scripts/bench_vllm.sh --install")
    assert status == 0, said
    assert [path.name for path in sorted(clone.folder.glob(".venv*"))] == [".venv-vllm"]
    status, said = clone.script("bench_local.sh --install")
    assert status == 0, said
    made = [path.name for path in sorted(clone.folder.glob(".venv*"))]
    assert made == [".venv-cuda", ".venv-onnxruntime", ".venv-vllm"]
    assert "torch-2.13.0+cpu" in clone.installed(".venv-onnxruntime"), "the builder's"
    assert not (clone.folder / "data").exists(), "nothing was measured"
    # Made, and up to date: every start says first what it takes, and nothing is made again.
    assert clone.script("bench_vllm.sh --install") == (0, "")


def test_vllm_without_its_environment_names_both_ways(clone: Clone) -> None:
    status, said = clone.script("bench_vllm.sh")
    assert status == 2 and len(said.strip().splitlines()) == 1
    assert "bash scripts/bench_vllm.sh --install makes .venv-vllm for it, or vllm/vllm-openai:" in said
    assert not list(clone.folder.glob(".venv*"))


@pytest.mark.parametrize("need", ["optional", "needed"])
def test_ctrl_c_while_packages_come_ends_all_of_it(need: str, clone: Clone) -> None:
    """pip ends with 1, as on any failure; a run that goes on without an optional environment would go on."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = clone.environment() | {"PIP_INDEX_URL": f"http://127.0.0.1:{silent.getsockname()[1]}", "PIP_RETRIES": "0"}
        command = clone.words(f"make_planned .venv-vllm - {need} engine; say went on")
        with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True, start_new_session=True) as shell:
            silent.settimeout(60)
            silent.accept()  # pip asks, and waits for an answer
            os.killpg(shell.pid, signal.SIGINT)
            _, said = shell.communicate(timeout=60)
    assert shell.returncode == 130 and "went on" not in said, said
    assert clone.stamp(".venv-vllm") == UNFINISHED


def test_another_build_of_torch_takes_the_place_of_the_one_that_is_there(clone: Clone) -> None:
    """For pip, 2.13.0+cu126 is 2.13.0."""
    assert clone("make_planned .venv-cuda cu126 needed engine")[0] == 0
    wheel(clone.folder / "whl" / "cu130" / "torch", "torch", "2.13.0+cu130")
    assert clone("make_planned .venv-cuda cu130 needed engine")[0] == 0
    assert {name for name in clone.installed(".venv-cuda") if name.startswith("torch")} == {"torch-2.13.0+cu130"}
    # Another version of it, too.
    wheel(clone.folder / "whl" / "cu130" / "torch", "torch", "2.14.0+cu130")
    assert clone("TORCH_VERSION=2.14.0; make_planned .venv-cuda cu130 needed engine")[0] == 0
    assert {name for name in clone.installed(".venv-cuda") if name.startswith("torch")} == {"torch-2.14.0+cu130"}


def test_a_link_is_left_alone_though_what_it_leads_to_was_made_by_such_a_script(clone: Clone) -> None:
    assert clone("make_planned .venv-other - needed engine")[0] == 0
    stamp = clone.stamp(".venv-other")
    (clone.folder / ".venv-vllm").symlink_to(".venv-other")
    clone.lock("engine", "0" * 64)
    status, said = clone("make_planned .venv-vllm - needed engine")
    assert status == 2 and OWN in said and clone.stamp(".venv-other") == stamp


def test_without_a_network_an_environment_that_was_whole_stays_so(clone: Clone) -> None:
    """As after an update of the clone, on a machine that no index can be reached from."""
    assert clone("make_planned .venv-vllm - needed engine")[0] == 0
    stamp = clone.stamp(".venv-vllm")
    (clone.folder / "requirements" / "engine.lock").write_text(f"engine==2.0 --hash=sha256:{'0' * 64}\n")
    status, said = clone("make_planned .venv-vllm - optional engine; say went on")
    assert status == 0 and said.strip().splitlines()[-2:] == [
        ".venv-vllm could not be brought up to date; its lanes run in what is there",
        "went on",
    ]
    assert clone.stamp(".venv-vllm") == stamp and "engine-1.0" in clone.installed(".venv-vllm")
    status, said = clone("make_planned .venv-vllm - needed engine; say went on")
    assert status == 2 and "went on" not in said and clone.stamp(".venv-vllm") == stamp
