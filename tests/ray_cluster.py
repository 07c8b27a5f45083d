"""A cluster of Ray on loopback for tests, each machine of it processes of its own, and trtbench.fleet.ray_jobs asked about it. It is
run by .venv-fleet's Python, which has Ray; `Asked` talks to it from the tests' own.

On standard input a line of JSON for each question, a name and its arguments; on standard output one for each answer.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv-fleet" / "bin" / "python"
TOKEN = "of-a-test"
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": TOKEN,
    "RAY_memory_monitor_refresh_ms": "0",
    # A machine that is killed is missed after 5 s, where the default is 15; one that is only slow is not.
    "RAY_health_check_period_ms": "1000",
}


class Asked:
    """The process with `machines` machines of one processor each (0: no cluster, but what is asked of `address`)."""

    def __init__(self, machines: int, address: str = "", **settings: str) -> None:
        # Of its own, or the user's Ray would be taken for this one; and short, or names of sockets would be too long.
        self.folder = tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True)
        given = {"RAY_TMPDIR": self.folder.name, "PYTHONPATH": str(ROOT / "scripts"), **settings}
        self.process = subprocess.Popen(
            [str(PYTHON), "-B", __file__, str(machines), address],
            env={**os.environ, **SETTINGS, **given},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url: str = self.answer()

    def __call__(self, name: str, *arguments: Any) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([name, *arguments]) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"it ended with status {self.process.wait()}"
        return json.loads(line)

    def end(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(60)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.folder.cleanup()


def main() -> None:
    machines, address = int(sys.argv[1]), sys.argv[2]
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Ray says is no answer

    def answer(value: Any) -> None:
        out.write(json.dumps(value) + "\n")
        out.flush()

    from ray.cluster_utils import Cluster

    from trtbench.errors import UserError
    from trtbench.fleet.cluster import Job, Unreachable
    from trtbench.fleet.ray_jobs import RayJobs

    cluster, nodes = None, {}
    if machines:
        # No object store to speak of: nothing of ours is in it.
        common: dict[str, Any] = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": 80 * 2**20}
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]  # the usual one may be that of the user's own Ray
        head = {**common, "include_dashboard": True, "dashboard_host": "127.0.0.1", "dashboard_port": port}
        head["dashboard_agent_listen_port"] = 0
        cluster = Cluster(initialize_head=True, head_node_args=head)
        added = [cluster.add_node(**common, labels={"rack": f"r{index}"}) for index in range(1, machines)]
        nodes = {node.node_id: node for node in added}
        address = f"http://{cluster.webui_url}"
    answer(address)

    jobs: Any = None
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            if name == "connect":
                jobs = RayJobs(*arguments)
                answer(jobs.url)
            elif name == "kill":
                cluster.remove_node(nodes[arguments[0]], allow_graceful=False)
                answer(None)
            elif name == "submit":
                answer(jobs.submit(Job(*arguments)))
            else:
                answer(getattr(jobs, name)(*arguments))
        except (UserError, Unreachable) as error:
            answer({"error": type(error).__name__, "says": str(error)})
    if cluster is not None:
        cluster.shutdown()


if __name__ == "__main__":
    main()
