"""The virtual environments of the clone, one row each: where lanes run whose needs are in conflict, and finding what is there.

An engine pins its own torch, so a lane may have an environment of its own (`Row.environments` of settings/lanes.py): its trials
run with that environment's interpreter. scripts/lib.sh makes them from these rows (doctor/needed.py says which), and never
touches one for the sake of another. Standard library only and Python 3.8 syntax, because both run before anything is installed.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.machinery
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from trtbench.settings.knobs import ROOT

SECONDS = 30  # an interpreter gets to say what it is
STAMP = ".stamp"  # in a folder that scripts/lib.sh made: what it was made from; UNFINISHED until all of it is there
UNFINISHED = "unfinished"
QUESTION = "import json, platform, sys; print(json.dumps([platform.python_version(), [p for p in sys.path if p]]))"


@dataclasses.dataclass(frozen=True)
class Environment:
    """What an environment is made from, and what making it took where it was measured (benchmarks/environments.json): minutes on
    two cores, the packages' `download` and their `disk` in MB."""

    locks: tuple[str, ...]  # below requirements/, without .lock, in the order of installing
    torch: str = ""  # which build of torch is installed first: "cpu", "cuda"; empty where the locks hold it
    cuda: int = 0  # the CUDA version that the packages are built for, as cuDriverGetVersion writes it: 13000 is 13.0
    python: tuple[int, int] = (3, 10)  # the oldest that they are built for
    minutes: float = 0
    download: int = 0
    disk: int = 0


# By the folder's name below the clone.
ENVIRONMENTS: dict[str, Environment] = {
    ".venv": Environment(("local",), torch="cpu", minutes=1.5, download=397, disk=1721),
    ".venv-cuda": Environment(("cuda",), torch="cuda", cuda=13000, minutes=1.8, download=2819, disk=5379),
    ".venv-onnxruntime": Environment(
        ("onnxruntime-cuda",), torch="cpu", cuda=13000, python=(3, 11), minutes=1.6, download=1881, disk=3850
    ),
    ".venv-vllm": Environment(("vllm",), cuda=13000, python=(3, 11), minutes=3.7, download=3951, disk=9010),
}
MAIN = {
    "cpu": ".venv",
    "cuda": ".venv-cuda",
}  # that of the command itself, by device: workload, PyTorch lanes, judge, comparison


@dataclasses.dataclass(frozen=True)
class Interpreter:
    """A Python that lanes run with: its program, its version and where it looks for modules. `name` is the folder of its
    environment, empty for the Python of this process."""

    name: str
    program: str
    version: str
    path: tuple[str, ...]

    def has(self, module: str) -> bool:
        """Whether it finds a module. Nothing is imported: an engine takes its time, and below the top its parents would be, so
        there its files are looked for."""
        top, *below = module.split(".")
        if self.name:
            spec = importlib.machinery.PathFinder.find_spec(top, list(self.path))
        else:
            spec = importlib.util.find_spec(top)
        if spec is None or spec.origin is None:  # without an origin it is a mere folder of that name
            return False
        if not below:
            return True
        folders = [Path(folder).joinpath(*below) for folder in spec.submodule_search_locations or []]
        return any(folder.is_dir() or folder.with_suffix(".py").is_file() for folder in folders)

    def release(self, distribution: str) -> str | None:
        """The version of a distribution in it; None where it is not there, or an update was cut off."""
        for found in importlib.metadata.distributions(name=distribution, path=list(self.path)):
            try:
                if found.version:
                    return found.version
            except KeyError:
                continue
        return None


def here() -> Interpreter:
    """The Python of this process."""
    return Interpreter("", sys.executable, ".".join(map(str, sys.version_info[:3])), tuple(p for p in sys.path if p))


def may_be_made() -> bool:
    """Whether environments of the clone count here. Inside an image only the image does: what lies in a clone that is mounted
    there was made for another system."""
    return not os.environ.get("TRTBENCH_IMAGE") and not here().has("tensorrt_llm")


def own_python() -> bool:
    """Whether this Python is the one that the user named (TRTBENCH_PYTHON), and has a torch: it is taken as it is."""
    named = shutil.which(os.environ.get("TRTBENCH_PYTHON") or "")
    return named is not None and os.path.realpath(named) == os.path.realpath(sys.executable) and here().has("torch")


def ready(name: str) -> Interpreter | None:
    """The interpreter of an environment of the clone; None where it is not there, is half made, or does not run. One without our
    stamp is somebody's own, a link to an environment made elsewhere for instance, and taken as it is."""
    if not may_be_made():
        return None
    folder = ROOT / name
    try:
        if (folder / STAMP).read_text(encoding="utf-8").strip() == UNFINISHED:
            return None
    except OSError:
        pass
    return _asked(name, str(folder / "bin" / "python"))


@functools.lru_cache(maxsize=32)  # not `cache`: the doctor may run with Python 3.8
def _asked(name: str, program: str) -> Interpreter | None:
    if not os.access(program, os.X_OK):
        return None
    try:
        done = subprocess.run([program, "-c", QUESTION], capture_output=True, text=True, timeout=SECONDS, check=False)
        version, path = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return Interpreter(name, program, version, tuple(path))
