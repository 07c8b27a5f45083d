"""What is said of the machine, and what others use of it meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from trtbench.machine import host, processes
from trtbench.records.telemetry import CpuUse
from trtbench.settings.environments import Interpreter
from trtbench.settings.knobs import ROOT


def test_the_environment_is_described_without_invention() -> None:
    found = host.environment()
    assert found.cpu_model
    assert found.cores == os.cpu_count()
    assert found.memory == psutil.virtual_memory().total
    assert found.gpus is None
    assert found.driver is None
    assert found.libraries["msgspec"]
    assert "no-such-library" not in found.libraries


def test_the_machine_digest_is_stable_and_tells_gpus_apart() -> None:
    assert host.environment().machine == host.environment().machine
    machines = {host.environment(gpus=gpus).machine for gpus in (None, ["A"], ["B"], ["A", "A"])}
    assert len(machines) == 4


def test_threads_are_never_more_than_the_cpus_of_this_process() -> None:
    allowed = os.sched_getaffinity(0)
    assert 1 <= host.usable_cores() <= len(allowed)
    one = subprocess.run(
        [sys.executable, "-c", "from trtbench.machine import host; print(host.usable_cores())"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
        preexec_fn=lambda: os.sched_setaffinity(0, {min(allowed)}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert one.stdout == "1\n"


def test_the_commit_says_whether_tracked_files_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "ROOT", tmp_path)
    assert host.git_commit() is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    (tmp_path / "file").write_text("1")
    for command in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *command], check=True)
    clean = host.git_commit()
    assert clean is not None
    assert len(clean) == 40
    (tmp_path / "untracked").touch()
    assert host.git_commit() == clean
    (tmp_path / "file").write_text("2")
    assert host.git_commit() == clean + "+changes"


def test_memory_of_the_tree_counts_children() -> None:
    before = processes.tree_rss()
    hog = subprocess.Popen(
        [sys.executable, "-c", "x = bytearray(b'1') * 60_000_000; print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert hog.stdout is not None
    hog.stdout.readline()
    assert processes.tree_rss() - before > 55_000_000
    hog.communicate(b"\n")


def burn(seconds: float) -> str:
    return f"import time; end = time.process_time() + {seconds}\nwhile time.process_time() < end: pass"


def test_own_work_is_not_foreign() -> None:
    def busy() -> float:
        times = psutil.cpu_times()
        return sum(times) - times.idle - times.iowait - times.guest - times.guest_nice

    before, others = busy(), processes.ForeignCpu()
    exec(burn(0.5))
    foreign, everything = others.seconds(), busy() - before
    assert 0.0 <= foreign <= everything - 0.4  # 0.5 s were our own; the counters step by 10 ms a core


def test_foreign_work_is_seen() -> None:
    # Started by a process that then ends, so that it is nobody's child here.
    start = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {burn(0.6)!r}])"
    others = processes.ForeignCpu()
    subprocess.run([sys.executable, "-c", start], check=True)
    deadline = time.monotonic() + 20
    while others.seconds() < 0.4 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert others.seconds() >= 0.4


class Cpu(NamedTuple):
    """What the kernel counts for one CPU, in seconds."""

    user: float
    nice: float
    system: float
    steal: float
    idle: float = 0.0


def looks(monkeypatch: pytest.MonkeyPatch, *each: tuple[list[Cpu], float, dict[tuple[str, bytes], int]]) -> CpuUse:
    """What is made of two looks: at every CPU, at what is ours, at the kernel's threads (ticks)."""
    cpus, own, kernel = (iter(values) for values in zip(*each))
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: next(cpus))
    monkeypatch.setattr(processes, "_kernel_threads", lambda: next(kernel))
    use = processes.CpuClock(lambda: next(own)).use()
    assert use is not None
    return use


TICKS = os.sysconf("SC_CLK_TCK")
THREAD = ("7", b"1")


@pytest.mark.parametrize(
    ("kernel", "others"),
    [
        (({}, {}), 6.0),
        (({THREAD: 100 * TICKS}, {THREAD: 102 * TICKS}), 4.0),
        (({THREAD: 100 * TICKS}, {}), 6.0),  # it has ended: what it used before is not used now
        (({}, {("7", b"9"): TICKS}), 5.0),  # another one of the same number
    ],
)
def test_whose_the_cpu_was(
    monkeypatch: pytest.MonkeyPatch,
    kernel: tuple[dict[tuple[str, bytes], int], dict[tuple[str, bytes], int]],
    others: float,
) -> None:
    monkeypatch.setattr(processes, "CPUS", [0, 1])
    before, after = [Cpu(1, 1, 1, 1), Cpu(2, 0, 0, 0)], [Cpu(4, 2, 3, 1.5), Cpu(6, 0, 0, 0)]
    use = looks(monkeypatch, (before, 10.0, kernel[0]), (after, 14.0, kernel[1]))
    assert (use.others, use.stolen, use.cores) == (others, 0.5, 2)


def test_only_the_cpus_that_may_be_used_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "CPUS", [1])
    before, after = [Cpu(0, 0, 0, 0), Cpu(0, 0, 0, 0)], [Cpu(50, 0, 0, 50), Cpu(3, 0, 0, 0)]
    use = looks(monkeypatch, (before, 0.0, {THREAD: 0}), (after, 1.0, {THREAD: 9 * TICKS}))
    assert (use.others, use.stolen, use.cores) == (2.0, 0.0, 1)


@pytest.mark.parametrize("cpus", [[0, 2, 4, 6], [8, 9, 10, 11]])
def test_cpus_that_are_numbered_otherwise_are_all_looked_at(monkeypatch: pytest.MonkeyPatch, cpus: list[int]) -> None:
    """CPUs that are switched off, and containers whose CPUs are counted from zero."""
    monkeypatch.setattr(processes, "CPUS", cpus)
    use = looks(monkeypatch, ([Cpu(0, 0, 0, 0)] * 4, 0.0, {}), ([Cpu(1, 0, 0, 0)] * 4, 1.0, {}))
    assert (use.others, use.cores) == (3.0, 4)


def test_a_kernel_that_does_not_count_our_own_work_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "CPUS", [0])
    cpus, own = iter([[Cpu(0, 0, 0, 0)], [Cpu(0, 0, 0, 0)]]), iter([0.0, 9.0])
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: next(cpus))
    assert processes.CpuClock(lambda: next(own)).use() is None


def test_work_that_is_ours_and_was_not_counted_yet_takes_nothing_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "CPUS", [0])
    use = looks(monkeypatch, ([Cpu(0, 0, 0, 0)], 0.0, {}), ([Cpu(1, 0, 0, 0)], 1.02, {}))
    assert use.others == 0.0


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_a_process_dies_with_its_parent() -> None:
    child = (
        "import os, time; from trtbench.machine import processes; processes.die_with_parent(os.getppid()); "
        "print(os.getpid(), flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert psutil.pid_exists(pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_distribution_without_a_version_is_not_listed(tmp_path: Path) -> None:
    """A folder that an update which was cut off left."""
    for name, metadata in (("torch-2.9.0", "Name: torch\n"), ("msgspec-1.0", "Name: msgspec\nVersion: 1.0\n")):
        (tmp_path / f"{name}.dist-info").mkdir()
        (tmp_path / f"{name}.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\n{metadata}")
    assert host.libraries(Interpreter("", sys.executable, "3.12.0", (str(tmp_path),))) == {"msgspec": "1.0"}


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        pytest.param({"proc/self/cgroup": "0::/"}, None, id="no limit"),
        pytest.param({}, None, id="no control groups"),
        pytest.param({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"}, None, id="v2, unlimited"),
        pytest.param({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "200000 100000"}, 2.0, id="v2, a container"),
        pytest.param(
            {
                "proc/self/cgroup": "0::/user.slice/run.scope",
                "sys/fs/cgroup/user.slice/cpu.max": "150000 100000",
                "sys/fs/cgroup/user.slice/run.scope/cpu.max": "400000 100000",
            },
            1.5,
            id="v2, a parent is tighter",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "12:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n0::/",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "765000",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            7.65,
            id="v1, a container that sees its own group as the root",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            None,
            id="v1, unlimited",
        ),
    ],
)
def test_a_processor_quota_is_found_in_both_versions_of_control_groups(
    tmp_path: Path, files: dict[str, str], quota: float | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert host.processor_quota(tmp_path) == quota
