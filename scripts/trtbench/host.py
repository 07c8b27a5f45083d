"""The machine: what it is, how busy others keep it, what a process tree holds."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.metadata
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from trtbench.records import Environment
from trtbench.settings import ROOT

_LIBRARIES = (
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxruntime-genai",
    "openvino",
    "openvino-genai",
    "tensorrt",
    "tensorrt_llm",
    "vllm",
    "triton",
    "nvidia-ml-py",
    "msgspec",
)


def environment(gpus: list[str] | None = None, driver: str | None = None, cuda: str | None = None) -> Environment:
    """Describe this machine and its software; `gpus` are the names of those in use."""
    cpu, cores, memory = cpu_model(), os.cpu_count() or 1, psutil.virtual_memory().total
    machine = hashlib.sha256(repr((cpu, cores, round(memory / 2**30), sorted(gpus or []))).encode()).hexdigest()[:16]
    return Environment(
        machine=machine,
        cpu_model=cpu,
        cores=cores,
        physical_cores=psutil.cpu_count(logical=False),
        memory=memory,
        governor=_first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        os=_os_name(),
        kernel=platform.release(),
        python=platform.python_version(),
        libraries=libraries(),
        git_commit=git_commit(),
        container=container(),
        gpus=gpus,
        driver=driver,
        cuda=cuda,
        last_level_cache=last_level_cache(),
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
    limit = _first_line("/sys/fs/cgroup/cpu.max")
    quota = limit.split() if limit else []
    if len(quota) == 2 and quota[0].isdigit():
        return max(1, min(len(siblings), int(quota[0]) // int(quota[1])))
    return max(1, len(siblings))


def last_level_cache() -> int | None:
    """Bytes of the CPU's last-level cache, all of its parts together; None where the kernel does not tell."""
    parts: dict[str, int] = {}
    for cpu in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cache"):
        last = max(cpu.glob("index[0-9]*"), key=lambda index: _read(f"{index}/level"), default=None)
        size = _read(f"{last}/size").removesuffix("K") if last else ""
        if size.isdigit():
            parts[_read(f"{last}/shared_cpu_list")] = int(size) * 1024
    return sum(parts.values()) or None


def libraries() -> dict[str, str]:
    """Installed versions of what can bear on a figure."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """The commit of this checkout, with `+changes` when tracked files differ from it; None outside a checkout."""
    head = _git("rev-parse", "HEAD")
    if not head:
        return None
    return head + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")


def swap_used() -> int:
    """Bytes of swap in use on this machine."""
    return int(psutil.swap_memory().used)


def _git(*arguments: str) -> str:
    try:
        # safe.directory: inside a container the checkout often belongs to another user.
        done = subprocess.run(
            ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


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


def die_with_parent(parent: int | None) -> None:
    """Have the kernel end this process when its parent dies, also by SIGKILL (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if parent is not None and os.getppid() != parent:
            os._exit(137)  # it was gone before the call


def tree() -> list[psutil.Process]:
    """This process and all its descendants that still live."""
    me = psutil.Process()
    return [me, *me.children(recursive=True)]


def tree_rss() -> int:
    """Resident set of this process and its descendants, bytes. Pages that they share count once for each."""
    total = 0
    for process in tree():
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


class ForeignCpu:
    """CPU seconds that others used between two looks: all busy time less that of this process tree.

    The kernel counts in steps of 10 ms per core; time stolen by a hypervisor counts as foreign.
    """

    def __init__(self) -> None:
        self.mark()

    def mark(self) -> None:
        """Start the interval."""
        self._busy, self._own = self._look()

    def seconds(self) -> float:
        """CPU seconds used by others since the mark, never below zero."""
        busy, own = self._look()
        return round(max(0.0, (busy - self._busy) - (own - self._own)), 3)

    @staticmethod
    def _look() -> tuple[float, float]:
        times = psutil.cpu_times()
        busy = (
            sum(times)
            - times.idle
            - getattr(times, "iowait", 0.0)
            - getattr(times, "guest", 0.0)
            - getattr(times, "guest_nice", 0.0)
        )
        own = 0.0
        for process in tree():
            try:
                spent = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            own += spent.user + spent.system
        return busy, own
