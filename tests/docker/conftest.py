"""A private Docker engine with stand-in base images and the project's own images in it.

TRTBENCH_DOCKER_HOST names an engine that was started by hand (engine.sh hold) and has them all: for work on these tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clone import GPU, Clone

from lacking import lacking
from trtbench.settings.knobs import ROOT

HERE = Path(__file__).resolve().parent
NGC = "nvcr.io/nvidia/tensorrt-llm/release:1.2.1"
SLIM = "python:3.11-slim"
VLLM = "vllm/vllm-openai:v0.32.0"


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter: pytest closes its own to them whenever a session of it starts."""
    folder = Path(tempfile.mkdtemp(prefix="trtbench-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def client(open_folder: Path) -> dict[str, str]:
    """The environment of a Docker client that any user here may run, with both generations of Compose."""
    home = open_folder / "client"
    home.mkdir()
    # /usr/bin first: a newer client elsewhere may lack BuildKit.
    env = {"PATH": f"/usr/bin:/usr/sbin:/bin:/sbin:{os.environ['PATH']}", "HOME": str(home), "DOCKER_CONFIG": str(home)}
    for tool in ("docker-compose", "dockerd", "setpriv", "flock"):
        if not shutil.which(tool, path=env["PATH"]):
            lacking(f"{tool} is not installed")
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker", "cli-plugins", "docker-compose")
    if own.is_file():
        (home / "cli-plugins").mkdir()
        shutil.copy(own, home / "cli-plugins")
    if subprocess.run(["docker", "compose", "version"], env=env, capture_output=True).returncode != 0:
        lacking("Compose 2 is not installed (.ci/docker.sh gets it)")
    return env


@pytest.fixture(scope="session")
def engine_script(client: dict[str, str]) -> str:
    """engine.sh, where it can start an engine."""
    script = str(HERE / "engine.sh")
    missing = subprocess.run(["bash", script, "missing"], env=client, capture_output=True, text=True)
    if missing.returncode != 0:
        lacking(missing.stdout.strip())
    return script


@pytest.fixture(scope="session")
def engine(client: dict[str, str], request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The client's environment with a running engine in it."""
    by_hand = os.environ.get("TRTBENCH_DOCKER_HOST")
    if by_hand:
        yield {**client, "DOCKER_HOST": by_hand}
        return
    script: str = request.getfixturevalue("engine_script")
    held = subprocess.Popen(
        ["bash", script, "hold"], env=client, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert held.stdin is not None and held.stdout is not None
    address = held.stdout.readline().strip()
    if not address:
        lacking("dockerd does not start here; its log stands above")
    socket = Path(address.removeprefix("unix://"))
    socket.parent.chmod(0o755)
    socket.chmod(0o666)
    yield {**client, "DOCKER_HOST": address}
    held.stdin.close()
    # Gigabytes are deleted, and others may be writing theirs.
    held.wait(timeout=300)


@pytest.fixture(scope="session")
def bases(engine: dict[str, str]) -> dict[str, str]:
    """All base images under their real names."""
    if os.environ.get("TRTBENCH_DOCKER_HOST"):
        return engine
    for tool in ("debootstrap", "git", "openssl"):
        if not shutil.which(tool, path=engine["PATH"]):
            lacking(f"{tool} is not installed")
    python = str(Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}"))
    venv = os.environ.get("TRTBENCH_NGC_VENV") or str(ROOT / ".venv-ngc")
    if "TRTBENCH_NGC_VENV" not in os.environ:
        make = '. scripts/lib.sh; make_ngc_environment "$ROOT/.venv-ngc"'
        subprocess.run(["bash", "-c", make], cwd=ROOT, check=True)
    script = str(HERE / "base_image.sh")
    env = {**os.environ, **engine}
    subprocess.run(["bash", script, "cpu", SLIM, python], env=env, check=True)
    # With the Python of that environment: NVIDIA's image has 3.12.
    subprocess.run(["bash", script, "ngc", NGC, f"{venv}/bin/python", venv], env=env, check=True)
    subprocess.run(["docker", "build", "--quiet", "--tag", VLLM, str(HERE / "../vllm")], env=env, check=True)
    return engine


@pytest.fixture(scope="session")
def images(bases: dict[str, str], open_folder: Path) -> dict[str, str]:
    """All images, built from the unmodified Dockerfiles by Compose 2."""
    if os.environ.get("TRTBENCH_DOCKER_HOST"):
        return bases
    clone = Clone(open_folder / "builder", os.getuid(), bases)
    profiles = [word for name in ("auto", "vllm-only", "compare-only", "cpu") for word in ("--profile", name)]
    done = clone.run("docker", "compose", *profiles, "build", timeout=900)
    assert done.returncode == 0, done.stdout
    return bases


@pytest.fixture(scope="session")
def probed(images: dict[str, str], open_folder: Path) -> Path:
    """What asking the image about the contract left behind, so that other clones need not ask again."""
    clone = Clone(open_folder / "probed", 0, images)
    done = clone.up("build-only", **GPU)
    assert done.returncode == 0, done.stdout
    return clone.data / "engines" / "contract_probe.json"


@pytest.fixture
def new_clone(
    images: dict[str, str], probed: Path, open_folder: Path, tmp_path: Path
) -> Iterator[Callable[[int], Clone]]:
    """Make clones that belong to a uid; their containers are taken away afterwards."""
    made: list[Clone] = []

    def make(uid: int) -> Clone:
        clone = Clone(open_folder / f"{tmp_path.name}{len(made)}", uid, images)
        copy = shutil.copy(probed, clone.data / "engines")
        os.chown(copy, uid, uid)
        made.append(clone)
        return clone

    yield make
    for clone in made:
        profiles = ("auto", "build-only", "pytorch-only", "tensorrt-only", "vllm-only", "compare-only", "manual", "cpu")
        words = [word for name in profiles for word in ("--profile", name)]
        clone.run("docker", "compose", *words, "down", "--timeout", "1")
