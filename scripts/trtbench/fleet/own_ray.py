"""A Ray of our own on this machine alone, for as long as a fleet runs: for several cards, and without `ray start`. It is on
loopback, and takes questions with a token only: whoever may ask Ray may run anything.

It runs in a process beside this one, which ends when this one does, however that ends: Ray's threads, its handlers of signals and
its memory are none of ours, and Ctrl-C here does not end what runs there."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from trtbench.errors import UserError, reason_of
from trtbench.fleet.ray_jobs import RayJobs, need_ray
from trtbench.machine.child import environment
from trtbench.records.files import shown

SECONDS = 120  # for Ray to start, and to end
STORE = 100 * 2**20  # bytes of Ray's object store, which nothing of ours uses; it takes no less than 75 MiB
_WANTED = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # A run that needs most of the memory is measured, and not ended for it.
    "RAY_memory_monitor_refresh_ms": "0",
    # A run that is stopped gets the time to end what it started.
    "RAY_JOB_STOP_WAIT_TIME_S": "30",
}


@contextlib.contextmanager
def local_cluster(cards: int | None = None, cpus: int | None = None) -> Iterator[RayJobs]:
    """A new cluster of this machine; a Ray that runs here already is neither joined nor ended.
    Ray counts the machine's cards and processors unless they are given. Raises UserError where it does not start."""
    need_ray()
    given = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    # A token of its own: without one, Ray makes one in the user's home that all later ones ask for.
    token = secrets.token_hex(32)
    wanted = {**_WANTED, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-B", "-m", "trtbench.fleet.own_ray", json.dumps([cards, cpus])],
            env={**given, **wanted, "PYTHONPATH": environment()["PYTHONPATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            start_new_session=True,
        )
        assert process.stdin is not None and process.stdout is not None
        try:
            address = process.stdout.readline().decode("ascii", "replace").strip()
            if not address:
                status = process.wait(SECONDS)
                said.seek(0)
                reason = reason_of(said.read().decode("utf-8", "replace"), status)
                raise UserError(f"Ray does not start on this machine: {shown(reason)}.")
            yield RayJobs(f"http://{address}", token)
        finally:
            process.stdin.close()  # on which it ends its Ray, and itself
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


@contextlib.contextmanager
def _short_folder() -> Iterator[str]:
    """A folder for Ray's logs and sockets: the name of a socket has 107 characters at most, of which Ray takes most. Ray lets
    everybody write into it, so it lies in one that is this user's alone."""
    with tempfile.TemporaryDirectory(prefix="fleet-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield f"{folder}/ray"


def main() -> int:
    """Start Ray, say the address of its dashboard, and end it when nobody holds the other end of standard input any more."""
    cards, cpus = json.loads(sys.argv[1])
    saying = os.dup(1)
    os.dup2(2, 1)  # whatever Ray itself says is not the address
    with _short_folder() as folder:
        context = _started(folder, cards, cpus)
        with os.fdopen(saying, "w") as out, contextlib.suppress(BrokenPipeError):
            out.write(f"{context.dashboard_url}\n")
        with contextlib.suppress(KeyboardInterrupt):
            sys.stdin.buffer.read()
        import ray

        ray.shutdown()
    return 0


def _started(folder: str, cards: int | None, cpus: int | None) -> Any:
    import ray
    from ray._private.parameter import RayParams

    # Whatever port is free, which ray.init has no argument for: where another Ray has the usual one, this one would take no job.
    RayParams.__init__ = functools.partialmethod(RayParams.__init__, dashboard_agent_listen_port=0)
    return ray.init(
        address="local",  # a new one, whatever else is here
        num_cpus=cpus,
        num_gpus=cards,
        include_dashboard=True,
        dashboard_host="127.0.0.1",
        log_to_driver=False,
        logging_level="error",
        object_store_memory=STORE,
        _temp_dir=folder,
    )


if __name__ == "__main__":
    from trtbench.errors import run_main

    run_main(main)
