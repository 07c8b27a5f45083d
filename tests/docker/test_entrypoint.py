"""What docker/entrypoint.sh makes of the environment, without a container."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ENTRYPOINT = Path(__file__).resolve().parents[2] / "docker" / "entrypoint.sh"


def seen(tmp_path: Path, **more: str) -> dict[str, str]:
    (tmp_path / "data").mkdir(exist_ok=True)
    done = subprocess.run(
        ["bash", str(ENTRYPOINT), "env", "-0"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "TRTBENCH_DROPPED": "1", **more},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if line)


def test_what_is_given_counts_and_what_is_not_leaves_dockers_own_proxies(tmp_path: Path) -> None:
    docker = {"HTTPS_PROXY": "http://docker:1", "https_proxy": "http://docker:1"}
    env = seen(tmp_path, TRTBENCH_GIVEN_HTTPS_PROXY="", TRTBENCH_GIVEN_https_proxy="", **docker)
    assert {name: env[name] for name in docker} == docker
    env = seen(tmp_path, TRTBENCH_GIVEN_HTTPS_PROXY="http://mine:2 a", TRTBENCH_GIVEN_TRTLLM_ENABLE_PDL="0", **docker)
    assert env["HTTPS_PROXY"] == "http://mine:2 a" and env["TRTLLM_ENABLE_PDL"] == "0"
    assert not [name for name in env if name.startswith("TRTBENCH_GIVEN_")]
    assert "TRTLLM_ENABLE_PDL" not in seen(tmp_path, TRTBENCH_GIVEN_TRTLLM_ENABLE_PDL="")
