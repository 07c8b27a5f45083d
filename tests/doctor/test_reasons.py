"""Programs that fail with more than one line: the doctor shows the one that says why, and what helps against that."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from trtbench.doctor import docker
from trtbench.machine import requirements
from trtbench.machine.checks import reason_in

MISMATCH = "Failed to initialize NVML: Driver/library version mismatch"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Puts a program on an empty PATH: its name, and what it says on standard output and error before it fails."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def put(name: str, out: str, err: str = "") -> None:
        for stream, text in (("out", out), ("err", err)):
            (tmp_path / f"{name}.{stream}").write_text(text)
        body = f"/bin/cat {tmp_path}/{name}.out\n/bin/cat {tmp_path}/{name}.err >&2\nexit 1\n"
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}")
        (tmp_path / name).chmod(0o755)

    return put


@pytest.mark.parametrize(
    ("said", "sentence", "todo"),
    [
        (f"{MISMATCH}\nNVML library version: 580.95\n", MISMATCH, "restart the machine, or unload"),
        (
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is "
            "installed and running.\n\n",
            "couldn't communicate with the NVIDIA driver",
            "NVIDIA_SETUP.md, step 4",
        ),
        (
            "Failed to initialize NVML: GPU access blocked by the operating system\nFailed to properly shut down NVML: GPU access "
            "blocked by the operating system\n",
            "initialize NVML: GPU access blocked",
            "wsl --shutdown",
        ),
        (
            "Unable to determine the device handle for GPU0000:01:00.0: GPU is lost.  Reboot the system to recover this GPU\n",
            "GPU is lost",
            "restart the machine",
        ),
        ("WARNING: the infoROM is corrupted\nNo devices were found\n", "No devices were found", "NVIDIA_SETUP.md"),
    ],
)
def test_nvidia_smi_says_why_and_the_doctor_what_helps(
    program: Callable[..., None], said: str, sentence: str, todo: str
) -> None:
    program("nvidia-smi", said)
    (check,) = requirements.gpu_checks()
    assert check.level == "fail" and sentence in check.sentence and todo in check.todo, check
    assert "NVML library version" not in check.sentence and ".." not in check.sentence


@pytest.mark.parametrize(
    ("out", "err", "sentence"),
    [
        (
            "",
            "WARNING: Error loading config file: /root/.docker/config.json\nERROR: Cannot connect to the Docker daemon at unix:///x.\n"
            "errors pretty printing info\n",
            "Cannot connect to the Docker daemon",
        ),
        (
            json.dumps({"ServerErrors": ["Cannot connect to the Docker daemon at unix:///x.", "more of it"]}),
            "errors pretty printing info\n",
            "Cannot connect to the Docker daemon",
        ),
        (
            "",
            "Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get http://x:\n"
            " dial unix /var/run/docker.sock: connect: no way in\n",
            "not in the group docker",
        ),
    ],
)
def test_the_docker_daemon_too(program: Callable[..., None], out: str, err: str, sentence: str) -> None:
    program("docker", out, err)
    check = docker.daemon_check()
    assert check.level == "fail" and sentence in check.sentence, check
    assert "pretty printing" not in check.sentence and "more of it" not in check.sentence


def test_a_program_that_names_no_failure_is_quoted_from_its_beginning() -> None:
    assert reason_in("", "it is Tuesday\nand raining\n") == "it is Tuesday"
    assert reason_in("warning: a\n", "") == "warning: a"
    assert reason_in("", " \n") == "nothing"
