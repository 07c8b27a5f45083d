"""What is said of the machine, and what others use of it meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from trtbench.machine import host, processes
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
