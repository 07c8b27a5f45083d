"""NVIDIA's image as it comes: an interpreter with TensorRT-LLM, without what the image lacks, and no variable of ours.

The interpreter is a virtual environment that finds torch, transformers and the rest as links, and the stand-in beside them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from lacking import lacking
from once import made_once, session_folder
from standin.kit import HERE as STANDIN
from standin.product import Product
from trtbench.settings.knobs import ROOT

LANES = "pytorch-eager,tensorrt-engine"
# What the image lacks here. Their wheels are small; that the others may lack too is docker/missing.py's own matter.
LACKING = ("msgspec", "jinja2", "psutil")
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": "/dev/null", "PIP_EXTRA_INDEX_URL": ""}


def made_image(folder: Path) -> None:
    """The interpreter at folder/bin/python3, with pip, and with .venv's packages and the stand-in by a .pth file."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    links = folder / "dist-packages"
    links.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.lower().startswith((*LACKING, "pip", "_virtualenv", "distutils-precedence", "__pycache__")):
            (links / entry.name).symlink_to(entry)
    site = next(folder.glob("lib/python3*/site-packages"))
    (site / "image.pth").write_text(f"{links}\n{STANDIN / 'python'}\n")


class BareImage:
    """A clone in such an image, with settings for one small cell and none of this project's own variables."""

    def __init__(self, interpreter: Path, clone: Path, product: Product) -> None:
        self.python = str(interpreter / "bin" / "python3")
        self.clone, self.product = clone, product
        for name in ("docker", "requirements", "scripts"):
            shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
        ours = ("TRTBENCH_", "STANDIN_", "PYTHON", "OMPI_", "VIRTUAL_ENV")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(ours)},
            **product.settings,
            "LANES": LANES,
            "PATH": os.pathsep.join([str(interpreter / "bin"), str(STANDIN / "bin"), "/usr/bin", "/bin"]),
            "STANDIN_LINGER": "2",
        }

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env={**self.environment, **more},
            cwd=self.clone,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )

    def added(self) -> list[Path]:
        return sorted(self.product.data.glob("cache/packages-*"))


def need_index(tmp_path: Path) -> None:
    wheel = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(tmp_path / "wheel"), "msgspec"]
    if (index := subprocess.run(wheel, capture_output=True, text=True)).returncode != 0:
        lacking(f"pip reaches no index here: {index.stderr[-300:]}")


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = session_folder(tmp_path_factory, "bare-image")
    with made_once(folder / "bin") as wanted:
        if wanted:
            made_image(folder)
    return folder


@pytest.fixture
def image(interpreter: Path, tiny_model: Path, tmp_path: Path) -> BareImage:
    (tmp_path / "clone").mkdir()
    return BareImage(interpreter, tmp_path / "clone", Product(tiny_model, tmp_path / "data"))


@pytest.mark.slow
def test_one_script_runs_all_and_adds_what_lacks_beside_the_image(image: BareImage, tmp_path: Path) -> None:
    constraint = tmp_path / "constraint.txt"
    constraint.write_text("msgspec==0.1.0\n")  # as NVIDIA's image holds packages
    had = sorted(str(path) for path in Path(image.python).parents[1].rglob("*") if "__pycache__" not in path.parts)
    need_index(tmp_path)
    done = image.run("bash", "scripts/run_all.sh", PIP_CONSTRAINT=str(constraint))
    assert done.returncode == 0, done.stdout
    assert {trial["lane"] for trial in image.product.trials()} == set(LANES.split(","))
    assert all(trial["failure"] is None for trial in image.product.trials())
    [folder] = image.added()
    assert {path.name for path in folder.iterdir()} >= set(LACKING)
    assert not list(folder.glob("numpy*")) and not list(folder.glob("torch*")), "what the image has is not added again"
    assert not (image.clone / ".venv").exists()
    now = sorted(str(path) for path in Path(image.python).parents[1].rglob("*") if "__pycache__" not in path.parts)
    assert now == had, "nothing is written into the image's Python"

    # Once it is there no network is needed, for the steps nor for the comparison by hand.
    again = image.run("bash", "scripts/bench_pytorch.sh", "--help", **OFFLINE)
    assert again.returncode == 0 and "adding" not in again.stdout, again.stdout
    venv = image.clone / ".venv" / "bin"  # the host's, which is nothing in here
    venv.mkdir(parents=True)
    (venv / "python").write_text("#!/bin/sh\nexit 3\n")
    (venv / "python").chmod(0o755)
    compared = image.run("python3", "scripts/compare.py", **OFFLINE)
    assert compared.returncode == 0 and "SIMULATED" in compared.stdout, compared.stdout
    assert image.added() == [folder]


@pytest.mark.slow
def test_the_projects_image_is_built_with_the_same(image: BareImage, tmp_path: Path) -> None:
    """As docker/Dockerfile calls it: for every Python of the image, and at the end of its path too."""
    made_image(tmp_path / "image")
    python, folder = str(tmp_path / "image" / "bin" / "python3"), tmp_path / "packages"
    words = (python, "docker/missing.py", "requirements/image.lock", str(folder))
    failed = image.run(*words, **OFFLINE)
    assert failed.returncode == 1 and "pip could not install" in failed.stdout and "Traceback" not in failed.stdout
    need_index(tmp_path)
    done = image.run(*words)
    assert done.returncode == 0, done.stdout
    assert re.fullmatch(r"added Jinja2 \S+, msgspec \S+, psutil \S+", done.stdout.splitlines()[-1], re.IGNORECASE)
    path = image.run(python, "-c", "import msgspec, sys; print(sys.path[-1])").stdout
    assert path == f"{folder}\n"


@pytest.mark.slow
def test_without_an_index_it_says_what_lacks_and_leaves_nothing(image: BareImage) -> None:
    done = image.run("bash", "scripts/run_all.sh", **OFFLINE)
    assert done.returncode == 2, done.stdout
    [sentence] = [line for line in done.stdout.splitlines() if line.startswith("error:")]
    assert all(f"{name}==" in sentence for name in LACKING) and "HTTPS_PROXY" in sentence
    assert "Traceback" not in done.stdout and "contourpy" not in sentence
    assert list(image.product.data.glob("cache/*")) == []
    compared = image.run("python3", "scripts/compare.py", **OFFLINE)
    assert compared.returncode == 2 and "pip could not install" in compared.stdout, compared.stdout


@pytest.mark.slow
def test_a_container_with_scripts_alone_is_told_what_else_it_needs(image: BareImage) -> None:
    shutil.rmtree(image.clone / "requirements")
    done = image.run("bash", "scripts/run_all.sh")
    assert done.returncode == 2
    assert (
        done.stdout
        == f"error: {image.clone}/requirements/image.lock is not there; give the container the whole clone, not scripts/ alone.\n"
    )


def asked(image: BareImage, words: str, **more: str) -> str:
    """What a bash that has sourced lib.sh prints, with `package_in` printing what would be started."""
    started = 'package_in() { echo "$@"; env; exit; }; make_environment() { :; }; '
    done = image.run("bash", "-c", f". scripts/lib.sh; {started} {words}", "bash", **more)
    return done.stdout


@pytest.mark.slow
def test_who_gets_which_python(image: BareImage, interpreter: Path) -> None:
    # An image that lacks nothing: the folder's packages are found by PYTHONPATH, as any installed ones.
    complete = {"PYTHONPATH": sysconfig.get_path("purelib")}
    own = f"{image.clone}/.venv/bin/python"
    started = asked(image, "package bench --new-run", **complete).splitlines()
    assert started[0] == f"{image.python} bench --new-run"
    assert "TRTBENCH_PACKAGES=" in started and image.added() == []
    root = [line for line in started if line.startswith("OMPI_ALLOW_RUN_AS_ROOT")]
    assert len(root) == (2 if os.getuid() == 0 else 0), "Open MPI refuses root unless told twice"
    estimate, local, *_ = asked(image, "local_package bench --local", **complete).splitlines()
    assert estimate.startswith("this takes ") and local == f"{own} bench --local"
    project = asked(image, "package bench", TRTBENCH_IMAGE="1")
    assert project.startswith(f"{image.python} bench\n") and "TRTBENCH_PACKAGES" not in project


@pytest.mark.slow
def test_a_user_without_a_home_gets_one(image: BareImage) -> None:
    del image.environment["HOME"]
    started = asked(image, "package bench", PYTHONPATH=sysconfig.get_path("purelib")).splitlines()
    [home] = [line.removeprefix("HOME=") for line in started if line.startswith("HOME=")]
    assert os.access(home, os.W_OK) and not list(Path(home).iterdir())
    Path(home).rmdir()


def test_a_folder_of_that_name_is_not_tensorrt_llm(tmp_path: Path) -> None:
    """The examples of TensorRT-LLM lie in /app/tensorrt_llm, and /app may be the working folder."""
    (tmp_path / "tensorrt_llm").mkdir()
    words = f'. "{ROOT}/scripts/lib.sh"; has_tensorrt "{sys.executable}" && echo yes || echo no'
    for path, answer in (("", "no"), (str(tmp_path), "no"), (str(STANDIN / "python"), "yes")):
        env = {**os.environ, "PYTHONPATH": path}
        done = subprocess.run(["bash", "-c", words], cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
        assert done.stdout == f"{answer}\n", path


def test_what_was_added_takes_nobodys_place(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('the wrong numpy')\n")
    (tmp_path / "only_here.py").write_text("")
    words = "import trtbench, sys, numpy, only_here; print(sys.path[-1], sys.path.count(sys.path[-1]))"
    env = {**os.environ, "TRTBENCH_PACKAGES": str(tmp_path), "PYTHONPATH": str(ROOT / "scripts")}
    done = subprocess.run([sys.executable, "-c", words], env=env, capture_output=True, text=True)
    assert done.stdout == f"{tmp_path} 1\n", done.stderr
