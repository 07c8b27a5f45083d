"""A Ray of our own for the time of a fleet: it takes a job beside another Ray, and is gone when whoever started it is."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from lacking import lacking
from ray_cluster import PYTHON
from trtbench.settings.knobs import ROOT

pytestmark = [pytest.mark.alone, pytest.mark.slow]

STARTS = """
import sys, time
from trtbench.fleet.cluster import Job
from trtbench.fleet.own_ray import local_cluster
with local_cluster(cpus=1) as cluster:
    cluster.submit(Job("job", "{}", 0, 1, {}, {}))
    while (state := cluster.state("job")).phase in ("waiting", "running"):
        time.sleep(0.2)
    print(cluster.url, state.phase, len(cluster.machines()), flush=True)
    sys.stdin.read()
"""
AGENT = 52365  # the port that Ray's own default has for what takes jobs, once on a machine


def its_processes(parent: int) -> list[psutil.Process]:
    return psutil.Process(parent).children(recursive=True)


@pytest.mark.parametrize("end", ["well", "killed"])
def test_it_takes_jobs_beside_another_and_ends_with_who_started_it(tmp_path: Path, end: str) -> None:
    if not PYTHON.is_file():
        lacking(f"{PYTHON.parents[1].name} is not there; bash scripts/fleet.sh --install makes it")
    home = tmp_path / "home"
    home.mkdir()
    with contextlib.ExitStack() as others:
        with contextlib.suppress(OSError):  # another Ray has it then
            others.enter_context(socket.create_server(("", AGENT)))
        process = subprocess.Popen(
            [str(PYTHON), "-B", "-c", STARTS],
            env={**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "HOME": str(home), "RAY_ADDRESS": "127.0.0.1:1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None and process.stdout is not None
        url, *told = process.stdout.readline().split()
        # The job says that {} is no run: it was taken, placed and came to its end.
        assert told == ["failed", "1"] and url.startswith("http://127.0.0.1:")
        started = its_processes(process.pid)
        raylet = next(part for part in started if "raylet" in part.name())
        folder = Path(re.findall(r"/tmp/fleet-[^/]+", " ".join(raylet.cmdline()))[0])
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, "Ray lets everybody write into its own"
        if end == "killed":
            process.send_signal(signal.SIGKILL)
        process.stdin.close()
        assert process.wait(60) == (-signal.SIGKILL if end == "killed" else 0)
        process.stdout.close()
    deadline = time.monotonic() + 30
    while folder.exists() or any(part.is_running() and part.status() != psutil.STATUS_ZOMBIE for part in started):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert not list(home.rglob("auth_token")), "what later Rays of this user would ask for"
