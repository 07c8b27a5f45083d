"""What each virtual environment costs to make: makes environments.json, from which the start tells minutes, download and disk.

    python benchmarks/environments.py FOLDER [NAME...]

Every environment named (or all) is made anew in FOLDER/NAME, one after the other; what stands in environments.json of others
stays. Its packages are fetched first and installed then, so that a machine with another network can tell what it would take:
`installing` seconds and the time for `download_mb`. Seconds are of the wall clock, MB are 10^6 bytes. `computing` are the
processor's seconds of both: where the clock says far more, others had the machine, and it is to be done again.
"""

from __future__ import annotations

import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
from trtbench.settings.environments import ENVIRONMENTS, Environment  # noqa: E402

OUT = Path(__file__).with_suffix(".json")


# By folder: what must be there to import then.
IMPORTS = {
    ".venv": ("torch", "transformers", "onnxruntime_genai", "openvino_genai"),
    ".venv-cuda": ("torch", "transformers", "triton"),
    ".venv-onnxruntime": ("torch", "transformers", "onnxruntime_genai", "onnx_ir", "onnxruntime_ep_nv_tensorrt_rtx"),
    ".venv-vllm": ("torch", "vllm"),
}


def torch_version() -> str:
    found = re.search(r"^TORCH_VERSION=(\S+)", (ROOT / "scripts" / "lib.sh").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def locks_of(row: Environment) -> tuple[str, ...]:
    """Those that are installed one after the other; on a card that takes PyPI's torch, that one's lock comes first."""
    return (*(["cuda-torch"] if row.torch == "cuda" else []), *row.locks)


def disk_bytes(folder: Path) -> int:
    """What a folder takes on the disk, a file of several names once."""
    files = {}
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            status = os.lstat(os.path.join(place, name))
            files[status.st_ino] = status.st_blocks * 512
    return sum(files.values())


def computing() -> float:
    """Processor seconds of all that was started and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(folder: Path, row: Environment) -> dict[str, Any]:
    """Make it in this folder, from nothing; what that took."""
    shutil.rmtree(folder, ignore_errors=True)
    before = computing()
    began = time.monotonic()
    venv.create(folder, with_pip=True, symlinks=True)
    made = time.monotonic() - began
    wanted = [[f"torch=={torch_version()}"]] if row.torch == "cpu" else []
    wanted += [["-r", str(ROOT / "requirements" / f"{lock}.lock")] for lock in locks_of(row)]
    python = str(folder / "bin/python")
    pip = [python, "-m", "pip", "--quiet", "--no-cache-dir", "--disable-pip-version-check"]
    # Only what was fetched is installed, whatever folders of wheels this machine's pip is told of.
    alone = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")} | {
        "PIP_CONFIG_FILE": os.devnull
    }
    fetching = installing = 0.0
    with tempfile.TemporaryDirectory(dir=folder.parent) as wheels:
        for what in wanted:
            began = time.monotonic()
            # A lock names all that is needed but torch, which is there by then.
            needs = ["--no-deps"] if what[0] == "-r" else []
            subprocess.run([*pip, "download", "--dest", wheels, *needs, *what], check=True)
            fetched = time.monotonic()
            subprocess.run([*pip, "install", "--no-index", "--find-links", wheels, *what], check=True, env=alone)
            fetching += fetched - began
            installing += time.monotonic() - fetched
        download = sum(file.stat().st_size for file in Path(wheels).iterdir())
    computed = computing() - before
    disk = disk_bytes(folder)
    print(
        f"{folder.name}: {fetching:.0f} s fetching, {made + installing:.0f} s installing, {download:,} and {disk:,} bytes",
        flush=True,
    )
    for module in IMPORTS[folder.name]:
        subprocess.run([python, "-c", f"import {module}"], check=True, stdout=subprocess.DEVNULL)
    listed = "import importlib.metadata as m; print(m.version('torch'), len({d.name for d in m.distributions()}))"
    torch, packages = subprocess.check_output([python, "-c", listed], text=True).split()
    return {
        "seconds": round(made + fetching + installing),
        "fetching": round(fetching),
        "installing": round(made + installing),
        "computing": round(computed),
        "download_mb": round(download / 1e6),
        "disk_mb": round(disk / 1e6),
        "packages": int(packages),
        "torch": torch,
        "python": platform.python_version(),
        "machine": f"{processor()}, {os.cpu_count()} cores, {platform.machine()}",
    }


def processor() -> str:
    found = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.processor()


def main(folder: str, *names: str) -> None:
    place = Path(folder).resolve()
    place.mkdir(parents=True, exist_ok=True)
    for name in names or ENVIRONMENTS:
        there = json.loads(OUT.read_text()) if OUT.exists() else {}
        there[name] = measured(place / name, ENVIRONMENTS[name])
        OUT.write_text(json.dumps({name: there[name] for name in ENVIRONMENTS if name in there}, indent=1) + "\n")
        print(name, there[name], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
