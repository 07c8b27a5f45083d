"""The machine: what it is, how busy others keep it, what a process tree holds."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import psutil

from trtbench import __version__
from trtbench.records.identity import machine_name
from trtbench.records.telemetry import Card
from trtbench.records.trial import Environment
from trtbench.settings.environments import Interpreter, here
from trtbench.settings.knobs import ROOT

_LIBRARIES = (
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-genai",
    "onnxruntime-genai-cuda",
    "onnxruntime-ep-nv-tensorrt-rtx",
    "openvino",
    "openvino-genai",
    "tensorrt",
    "tensorrt_llm",
    "vllm",
    "triton",
    "nvidia-ml-py",
    "msgspec",
)


def environment(
    gpus: list[str] | None = None,
    driver: str | None = None,
    cuda: str | None = None,
    cards: list[Card] | None = None,
    interpreter: Interpreter | None = None,
) -> Environment:
    """Describe this machine and its software; `gpus` are the names of those in use, `cards` what they are, `interpreter` the
    Python that a lane runs with, where it isn't that of this process."""
    python = interpreter or here()
    cpu, cores, memory = cpu_model(), os.cpu_count() or 1, psutil.virtual_memory().total
    return Environment(
        machine=machine_name(cpu, cores, memory, gpus),
        cpu_model=cpu,
        cores=cores,
        physical_cores=psutil.cpu_count(logical=False),
        memory=memory,
        governor=_first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        os=_os_name(),
        kernel=platform.release(),
        python=python.version,
        libraries=libraries(python),
        git_commit=git_commit(),
        container=container(),
        gpus=gpus,
        driver=driver,
        cuda=cuda,
        last_level_cache=last_level_cache(),
        cards=cards,
        venv=python.name or None,
        program=__version__,
    )


def cpu_model() -> str:
    """The processor's own name, as the kernel tells it."""
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    if sys.platform == "darwin":
        return subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        ).stdout.strip()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Physical cores among the CPUs that this process may use: more threads than that rarely help arithmetic."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    siblings = {_read(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list") or str(cpu) for cpu in allowed}
    quota = processor_quota()
    return max(1, len(siblings) if quota is None else min(len(siblings), int(quota)))


def processor_quota(system: Path = Path("/")) -> float | None:
    """Processors' worth of time that the control groups of this process allow (docker --cpus, Kubernetes limits, systemd's
    CPUQuota), the tightest of all levels; None without a limit. More threads than that are stopped together, time and again.

    Source: the kernel's cgroup-v2.rst (cpu.max) and sched-bwc.rst (cpu.cfs_quota_us, of version 1)."""
    quotas: list[float] = []
    for line in _read(str(system / "proc/self/cgroup")).splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = system / "sys/fs/cgroup" / controllers
        # A container may see its own group as the root, whatever the path says: so all levels, those that are there.
        for group in (mount / path.lstrip("/"), *(mount / path.lstrip("/")).parents):
            limit = _read(str(group / "cpu.max")).split()
            limit = limit or [_read(str(group / f"cpu.cfs_{part}_us")) for part in ("quota", "period")]
            if len(limit) == 2 and all(part.isdigit() for part in limit) and int(limit[1]):
                quotas.append(int(limit[0]) / int(limit[1]))
            if group == mount:
                break
    return min(quotas, default=None)


def last_level_cache() -> int | None:
    """Bytes of the CPU's last-level cache, all of its parts together; None where the kernel does not tell."""
    bytes_by_sharers: dict[str, int] = {}
    for cpu in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cache"):
        last_level = max(cpu.glob("index[0-9]*"), key=lambda index: _read(f"{index}/level"), default=None)
        size = _read(f"{last_level}/size").removesuffix("K") if last_level else ""
        if size.isdigit():
            bytes_by_sharers[_read(f"{last_level}/shared_cpu_list")] = int(size) * 1024
    return sum(bytes_by_sharers.values()) or None


def libraries(interpreter: Interpreter | None = None) -> dict[str, str]:
    """Installed versions of what can bear on a figure, of this Python or of another one."""
    python = interpreter or here()
    versions = {name: python.release(name) for name in _LIBRARIES}
    return {name: version for name, version in versions.items() if version is not None}


def git_commit() -> str | None:
    """The commit of this checkout, with `+changes` when tracked files differ from it; None outside a checkout."""
    head = _git("rev-parse", "HEAD")
    if not head:
        return None
    return head + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*arguments: str) -> str:
    try:
        # safe.directory: inside a container the checkout often belongs to another user.
        completed = subprocess.run(
            ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return completed.stdout.strip() if completed.returncode == 0 else ""


def container() -> str | None:
    """Name of the container runtime this process is in, None on the bare machine."""
    if Path("/.dockerenv").exists():
        return "docker"
    if Path("/run/.containerenv").exists():
        return "podman"
    return None


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _first_line(path: str) -> str | None:
    text = _read(path)
    return text.splitlines()[0] if text else None
