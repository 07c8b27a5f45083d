"""What a machine must have for TensorRT-LLM 1.2.1: GPU, driver, disk, shared memory, Python.

Shared by the doctor and the preflight of the engine build. Standard library only and Python 3.8 syntax, because the
doctor runs with the host's own Python before anything is installed. Every check returns a `Check` (or a list of them)
and never raises for what it finds; GB are 10^9 bytes, GiB 2^30.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from trtbench.errors import whose
from trtbench.machine.checks import Check, reason_in, run_program, version_in
from trtbench.machine.cuda_driver import driver_check

# What TensorRT-LLM 1.2.1 asks for: its kernels are built for these architectures. Its driver: cuda_driver.py.
MIN_COMPUTE_CAPABILITY = (8, 0)
BUILT_FOR = ((8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0))
# Cards sold as 8 GB report 8188 MiB, or some 7.5 GiB with error correction on; engines of 1 to 1.5 billion parameters have run
# on 6 GB. Below 4 GB even the default model's 2.2 GB leave no room for the workspace in which TensorRT builds.
ROOMY_GPU_MEMORY_MIB = 7600
MIN_GPU_MEMORY_MIB = 3800
SHARED_MEMORY_GB = 1.0
NO_DRIVER = "NVIDIA_SETUP.md, step 4; without a GPU: the CPU lanes"
# What helps, by words of nvidia-smi's first sentence.
NVIDIA_SMI_REMEDIES = {
    "version mismatch": "restart the machine, or unload and load the kernel's nvidia modules: the driver was updated, and the kernel "
    "still runs the one before",
    "gpu is lost": "restart the machine; docs/troubleshooting.md, The GPU is lost",
    "unable to determine the device handle": "restart the machine; docs/troubleshooting.md, The GPU is lost",
    "blocked by the operating system": "WSL2: update Windows and its NVIDIA driver, then wsl --shutdown; NVIDIA_SETUP.md, step 4",
}
MIN_PYTHON = (3, 10)
# ---- the GPU -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Gpu:
    """A row of nvidia-smi; memory in MiB, None where the driver does not say (unified memory)."""

    index: int
    name: str
    capability: tuple[int, int] | None
    driver: str
    total_mib: int | None
    free_mib: int | None

    @property
    def supported(self) -> bool:
        return self.capability is None or self.capability >= MIN_COMPUTE_CAPABILITY

    @property
    def large_enough(self) -> bool:
        return self.total_mib is None or self.total_mib >= MIN_GPU_MEMORY_MIB


def _nvidia_smi(*words: str) -> tuple[int | None, str, str]:
    """Run nvidia-smi, as `run_program` does."""
    # WSL2 keeps it where not every PATH (sudo's, a service's) leads.
    program = shutil.which("nvidia-smi") or shutil.which("nvidia-smi", path="/usr/lib/wsl/lib")
    return run_program(program, *words) if program else (None, "", "")


def query_gpus() -> tuple[list[Gpu], str]:
    """The GPUs that nvidia-smi lists in the driver's order, or an empty list and the reason."""
    fields = ["index", "name", "driver_version", "memory.total", "memory.free", "compute_cap"]
    while True:
        status, out, err = _nvidia_smi(f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits")
        if status != 0 and fields[-1] == "compute_cap" and "compute_cap" in out + err:
            fields.pop()  # drivers before 510 do not know the field
            continue
        break
    if status is None and not err:
        return [], "nvidia-smi is not here, so there is no driver, or this container was started without a GPU"
    if status != 0:
        return [], f"nvidia-smi fails: {reason_in(out, err)}"
    gpus = []
    for line in out.splitlines():
        row = dict(zip(fields, (cell.strip() for cell in line.split(","))))
        if len(row) == len(fields) and row["index"].isdigit():
            capability = version_in(row.get("compute_cap", ""))
            gpus.append(
                Gpu(
                    int(row["index"]),
                    row["name"],
                    (capability[0], capability[1]) if capability else None,
                    row["driver_version"],
                    _mib(row["memory.total"]),
                    _mib(row["memory.free"]),
                )
            )
    return gpus, "" if gpus else f"nvidia-smi lists no GPU ({reason_in(out, err)})"


def gpu_in_use(gpus: list[Gpu]) -> Gpu | None:
    """The one of these that CUDA calls number 0, or None where it shows none of them."""
    return next(iter(gpus_in_use(gpus)), None)


def gpus_in_use(gpus: list[Gpu]) -> list[Gpu]:
    """Those that CUDA shows, in its order: of CUDA_VISIBLE_DEVICES (numbers or beginnings of UUIDs) up to the first that is not
    there, else from GPU_INDEX on, else all."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        index = os.environ.get("GPU_INDEX") or None
        first = next((i for i, gpu in enumerate(gpus) if index in (None, str(gpu.index))), len(gpus))
        return gpus[first:]
    shown: list[Gpu] = []
    for named in (part.strip() for part in visible.split(",")):
        if named.startswith("MIG-"):  # a part of a card, which nvidia-smi lists elsewhere
            return gpus[:1]
        index = _index_of(named) if named.startswith("GPU-") else named
        gpu = next((gpu for gpu in gpus if index == str(gpu.index)), None)
        if gpu is None:
            break
        shown.append(gpu)
    return shown


def too_few(tp_size: int, seen: int, there: int) -> str:
    """The sentence for fewer cards than a model is to be split over."""
    here = f"this machine has {there}" if seen == there else f"{seen} of the {there} of this machine can be seen"
    chosen = [f"{name}={os.environ[name]}" for name in ("GPU_INDEX", "CUDA_VISIBLE_DEVICES") if os.environ.get(name)]
    by = f" ({', '.join(chosen)})" if chosen and seen != there else ""
    fewer = f"{seen} or less" if seen > 1 else str(seen)
    return f"TP_SIZE={tp_size} needs {tp_size} cards, and {here}{by}; set TP_SIZE to {fewer}."


def cards_check(gpus: list[Gpu], tp_size: int) -> list[Check]:
    """Are there as many cards as a model is to be split over, and are they alike? No check where it is not split."""
    if tp_size == 1 or not gpus:
        return []
    used = gpus_in_use(gpus)[:tp_size]
    figures = {"needed": tp_size, "used": [gpu.index for gpu in used]}
    if len(used) < tp_size:
        sentence, _, todo = too_few(tp_size, len(used), len(gpus)).rstrip(".").partition("; ")
        return [Check("cards", "fail", f"{sentence}.", todo, figures)]
    names = list(dict.fromkeys(gpu.name for gpu in used))
    if len(names) > 1:
        sentence = f"The cards differ ({', '.join(names)}): the slowest decides, and the one with the least memory."
        return [Check("cards", "warn", sentence, "choose cards of one kind with GPU_INDEX", figures)]
    return [Check("cards", "ok", f"TP_SIZE={tp_size}: {tp_size} cards, all {names[0]}.", "", figures)]


def _chooser() -> str:
    """The variable that chooses the card here."""
    only_cuda = "CUDA_VISIBLE_DEVICES" in os.environ and not os.environ.get("GPU_INDEX")
    return "CUDA_VISIBLE_DEVICES" if only_cuda else "GPU_INDEX"


def _index_of(uuid: str) -> str:
    """The number of the card whose UUID begins so; an empty text where none or several do."""
    status, out, _ = _nvidia_smi("--query-gpu=index,uuid", "--format=csv,noheader")
    rows = [[cell.strip() for cell in line.split(",")] for line in out.splitlines()] if status == 0 else []
    found = [row[0] for row in rows if len(row) == 2 and row[1].startswith(uuid)]
    return found[0] if len(found) == 1 else ""


def _mib(cell: str) -> int | None:
    return int(cell) if cell.isdigit() else None  # [N/A] where GPU and CPU share their memory


def gpu_checks(ask_driver: bool = True, tp_size: int = 1) -> list[Check]:
    """GPU, compute capability, driver and GPU memory of the GPU in use; one failed check without a GPU. With a `tp_size` above 1
    that of memory is about the card that has the least of those used, and one more is about their number and kind.

    `ask_driver`: programs run here, so the driver that they get is asked. On a host whose containers bring their own CUDA it
    would tell nothing of them.
    """
    gpus, reason = query_gpus()
    if not gpus:
        todo = next((remedy for words, remedy in NVIDIA_SMI_REMEDIES.items() if words in reason.lower()), NO_DRIVER)
        return [Check("gpu", "fail", f"No NVIDIA GPU: {reason.rstrip('.')}.", todo)]
    chosen = gpu_in_use(gpus)
    if chosen is None:
        name = _chooser()
        listed = ", ".join(str(gpu.index) for gpu in gpus)
        sentence = f"{name}={os.environ[name]!r} names no GPU of this machine; nvidia-smi lists {listed}."
        return [Check("gpu", "fail", sentence, "take one of these", {"count": len(gpus)})]
    figures = {"index": chosen.index, "name": chosen.name, "count": len(gpus)}
    better = next((gpu for gpu in gpus if gpu.supported and gpu.large_enough), chosen)
    if not (chosen.supported and chosen.large_enough) and better is not chosen:
        first = Check(
            "gpu",
            "warn",
            f"GPU {chosen.index} ({chosen.name}) can't run TensorRT-LLM 1.2.1, GPU {better.index} ({better.name}) can.",
            f"set {_chooser()}={better.index}",
            figures,
        )
    else:
        of_several = f", number {chosen.index} of {len(gpus)} (GPU_INDEX chooses)" if len(gpus) > 1 else ""
        first = Check("gpu", "ok", f"{chosen.name}{of_several}.", "", figures)
    driver = driver_check(chosen.name, chosen.driver, ask_driver)
    used = gpus_in_use(gpus)[:tp_size]
    least = min(used, key=lambda gpu: math.inf if gpu.total_mib is None else gpu.total_mib)
    return [first, _capability_check(chosen), driver, _memory_check(least), *cards_check(gpus, tp_size)]


def _capability_check(gpu: Gpu) -> Check:
    name = "compute-capability"
    if gpu.capability is None:
        return Check(
            name, "warn", f"The driver does not tell the compute capability of {gpu.name}.", "update the driver"
        )
    capability = f"{gpu.capability[0]}.{gpu.capability[1]}"
    figures = {"capability": capability, "needed": "8.0"}
    if not gpu.supported:
        return Check(
            name,
            "fail",
            f"{gpu.name} has compute capability {capability}; TensorRT-LLM 1.2.1 needs 8.0 or newer. "
            "RTX 20xx, GTX 16xx, T4, V100 and older are not supported by this release.",
            "use an RTX 30xx, A100 or newer; the PyTorch and CPU lanes still run",
            figures,
        )
    if gpu.capability not in BUILT_FOR:
        return Check(
            name,
            "warn",
            f"Compute capability {capability} is new enough, but this release is not built for it in particular.",
            "the engine build will tell",
            figures,
        )
    return Check(name, "ok", f"Compute capability {capability} (8.0 or newer is needed).", "", figures)


def _memory_check(gpu: Gpu) -> Check:
    name, figures = "gpu-memory", {"total_mib": gpu.total_mib, "free_mib": gpu.free_mib}
    if gpu.total_mib is None:
        return Check(name, "warn", f"{gpu.name} does not tell its memory; 8 GB are enough.", "", figures)
    total = f"{gpu.total_mib / 1024:.1f} GiB"
    if not gpu.large_enough:
        return Check(
            name, "fail", f"{gpu.name} has {total} of memory; at least 4 GB are needed.", "use a larger card", figures
        )
    if gpu.free_mib is not None and gpu.free_mib < min(ROOMY_GPU_MEMORY_MIB, gpu.total_mib) * 3 // 4:
        return Check(
            name,
            "warn",
            f"{gpu.free_mib / 1024:.1f} of {total} are free; other programs hold the rest and would disturb the timing.",
            "nvidia-smi lists them; close what you can",
            figures,
        )
    if gpu.total_mib < ROOMY_GPU_MEMORY_MIB:
        return Check(
            name,
            "warn",
            f"{gpu.name} has {total} of memory: enough for small models only (8 GB are enough for the default one).",
            "if memory runs out: a smaller MODEL_NAME, or PRECISION=int8 or int4",
            figures,
        )
    return Check(name, "ok", f"{total} of GPU memory (8 GB are enough for the default model).", "", figures)


# ---- disk and shared memory ----------------------------------------------------------------------------------------


def _free_and_total_gb(path: Path) -> tuple[float | None, float, str]:
    """Free space for this user and size of the file system that holds `path` or will, in GB; or None and the reason."""
    existing = path.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    status, out, err = run_program("df", "-Pk", str(existing))
    sizes = re.search(r"\s(\d+)\s+\d+\s+(-?\d+)\s+\d+%", out)
    if status != 0 or not sizes:
        return None, 0.0, reason_in(err, out)
    return int(sizes.group(2)) * 1024 / 1e9, int(sizes.group(1)) * 1024 / 1e9, ""


def disk_check(path: str | Path, need_gb: float, name: str = "disk") -> Check:
    """Are `need_gb` GB free where `path` is, or will be?"""
    free, _, reason = _free_and_total_gb(Path(path))
    if free is None:
        return Check(name, "warn", f"The free space at {path} can't be measured ({reason}).", "", {"need_gb": need_gb})
    figures = {"path": str(path), "free_gb": round(free, 1), "need_gb": need_gb}
    sentence = f"{free:.1f} GB free at {path}, {need_gb:g} GB needed."
    if free < need_gb:
        return Check(name, "fail", sentence, f"free some {need_gb - free:.0f} GB there, or use another disk", figures)
    return Check(name, "ok", sentence, "", figures)


def writable_check(check: Check, folders: Sequence[Path]) -> Check:
    """`check`, unless this user may not write one of these folders, or the one in which it would be made."""
    for folder in folders:
        place = folder.absolute()
        while not os.path.lexists(place) and place != place.parent:
            place = place.parent
        if place.is_dir() and not os.access(place, os.W_OK | os.X_OK):
            sentence = f"{folder} can't be written{whose(place)}."
            return Check(
                check.name, "fail", sentence, "see to its owner, or set DATA_DIR and RESULTS_DIR", check.figures
            )
    return check


def shared_memory_check(need_gb: float = SHARED_MEMORY_GB, path: str | Path = "/dev/shm") -> Check:
    """Is shared memory large enough for MPI and NCCL? A container has 64 MB unless told otherwise: a bus error later."""
    name = "shared-memory"
    if not Path(path).exists():
        return Check(name, "warn", f"There is no {path} here.", "", {"need_gb": need_gb})
    free, total, reason = _free_and_total_gb(Path(path))
    if free is None:
        return Check(name, "warn", f"Shared memory at {path} can't be measured ({reason}).", "", {"need_gb": need_gb})
    figures = {"free_gb": round(free, 3), "total_gb": round(total, 3), "need_gb": need_gb}
    sentence = f"{free:.2f} GB of shared memory free, {need_gb:g} GB needed."
    if free < need_gb:
        todo = "in a container: --shm-size=2g or --ipc=host (Compose: shm_size); else mount -o remount,size=2g /dev/shm"
        return Check(name, "fail", sentence, todo, figures)
    return Check(name, "ok", sentence, "", figures)


# ---- Python --------------------------------------------------------------------------------------------------------


def python_check(version: tuple[int, ...] | None = None) -> Check:
    """Is this Python new enough for the local mode, and can it make a virtual environment?"""
    running = tuple(version or sys.version_info[:3])
    running_text = ".".join(str(part) for part in running)
    figures = {"version": running_text, "executable": sys.executable}
    if running < MIN_PYTHON:
        todo = "install Python 3.10 or newer; not needed with Docker"
        return Check("python", "fail", f"Python {running_text} is too old for the local mode (3.10).", todo, figures)
    lacking = [module for module in ("venv", "ensurepip") if importlib.util.find_spec(module) is None]
    if lacking:
        todo = f"sudo apt-get install python{running[0]}.{running[1]}-venv"
        sentence = f"Python {running_text} can't make a virtual environment ({', '.join(lacking)} missing)."
        return Check("python", "fail", sentence, todo, figures)
    return Check("python", "ok", f"Python {running_text}.", "", figures)
