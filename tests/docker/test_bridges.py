"""The private engine cleans up behind itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


@pytest.mark.docker
def test_an_engine_leaves_nothing_behind(client: dict[str, str], engine_script: str) -> None:
    inside = 'id=$(docker network create left); ls -d "/sys/class/net/br-${id:0:12}"; echo "${DOCKER_HOST#unix://}"'
    done = subprocess.run(
        ["bash", engine_script, "run", "--", "bash", "-c", inside], env=client, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    bridge, socket = map(Path, done.stdout.split())
    assert bridge.name.startswith("br-") and not bridge.exists()
    assert not socket.parent.exists()
    assert subprocess.run(["pgrep", "-f", str(socket.parent)], capture_output=True).returncode == 1
