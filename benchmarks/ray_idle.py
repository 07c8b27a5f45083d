"""What Ray's own processes take of a machine's processors while a run of a fleet is measured there: they are its neighbours.

    PYTHONPATH=scripts .venv-fleet/bin/python benchmarks/ray_idle.py [SECONDS]

A head with its dashboard and one job that sleeps, and the same with a second node that has a job, for a minute each: CPU time of
all processes that were started, in percent of one core. Only their own time counts, so others may be on the machine.
benchmarks/ray_idle.json has the figures of docs/fleet.md.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import psutil

from trtbench.records.files import encode, write_whole

SETTLING = 20.0  # seconds after a start


def used(root: psutil.Process) -> float:
    """Seconds of CPU time of all that this process started and that is there."""
    total = 0.0
    for process in root.children(recursive=True):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


def share(root: psutil.Process, seconds: float) -> float:
    """Percent of one core over so many seconds."""
    time.sleep(SETTLING)
    before, begun = used(root), time.monotonic()
    time.sleep(seconds)
    return (used(root) - before) / (time.monotonic() - begun) * 100


def main(seconds: float) -> None:
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_MODE="disabled")
    import ray
    from ray.cluster_utils import Cluster
    from ray.job_submission import JobSubmissionClient

    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        os.environ["RAY_TMPDIR"] = folder
        node = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80 * 2**20}
        head = {**node, "include_dashboard": True, "dashboard_host": "127.0.0.1"}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        client = JobSubmissionClient(f"http://{cluster.webui_url}")
        root = psutil.Process()
        shares = {}
        for name in ("head", "both"):
            client.submit_job(entrypoint="sleep 1000", entrypoint_num_cpus=1)
            shares[name] = share(root, seconds)
            if name == "head":
                cluster.add_node(**node)
        cluster.shutdown()
    figures = {
        "ray": ray.__version__,
        "python": platform.python_version(),
        "seconds": seconds,
        "head_percent_of_a_core": round(shares["head"], 1),
        "other_percent_of_a_core": round(shares["both"] - shares["head"], 1),
    }
    print(figures)
    write_whole(Path(__file__).with_suffix(".json"), encode(figures))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
