"""Docker on this machine: client, daemon, Compose, GPUs in containers, room for the image.

Standard library only and Python 3.8 syntax, like `machine/checks.py`.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

from trtbench.engine import contract
from trtbench.machine.checks import Check, reason_in, run_program, version_in
from trtbench.machine.requirements import disk_check

IMAGE = str(contract.load()["release"]["image"])
IMAGE_GB = 60.0
IMAGE_PULL_GB = 80.0  # while it is pulled, compressed layers lie beside the unpacked ones


def docker_check() -> Check:
    """Is the Docker client there, and new enough for Compose files with GPUs?"""
    status, out, err = run_program("docker", "--version")
    if status is None:
        return Check(
            "docker",
            "fail",
            f"Docker can't be used: {err}." if shutil.which("docker") else "Docker is not installed, or not on PATH.",
            "install it: https://docs.docker.com/engine/install/ (WSL2: inside the distribution, or Docker Desktop)",
        )
    version, figures = out.strip().replace("Docker version ", ""), {"version": out.strip()}
    if "podman" in (out + err).lower():
        return Check(
            "docker", "warn", f"docker is Podman's stand-in ({version}); nobody has tried that here.", "", figures
        )
    if status != 0 or not version_in(out):
        return Check("docker", "fail", f"docker --version fails: {reason_in(err, out)}", "reinstall Docker", figures)
    if version_in(out) < (20, 10):
        return Check("docker", "warn", f"Docker {version} is old.", "update to 20.10 or newer", figures)
    return Check("docker", "ok", f"Docker {version}.", "", figures)


def _docker_info() -> tuple[dict[str, Any], str]:
    """What the daemon says of itself, or an empty dict and the reason."""
    _, out, err = run_program("docker", "info", "--format", "{{json .}}")
    try:
        info = json.loads(out)
    except ValueError:
        return {}, reason_in(err, out)
    if not isinstance(info, dict):
        return {}, reason_in(err, out)
    if info.get("ServerErrors") or not info.get("ServerVersion"):
        return {}, reason_in("\n".join(info.get("ServerErrors") or []), err)
    return info, ""


def daemon_check() -> Check:
    """Does the Docker daemon answer this user?"""
    name = "docker-daemon"
    if not shutil.which("docker"):
        return Check(name, "fail", "There is no Docker client to ask the daemon with.", "install Docker first")
    info, reason = _docker_info()
    if info:
        figures = {"version": info["ServerVersion"], "root": info.get("DockerRootDir", "")}
        return Check(name, "ok", f"The daemon answers (engine {info['ServerVersion']}).", "", figures)
    if "permission denied" in reason:
        return Check(
            name,
            "fail",
            "You may not use Docker: your user is not in the group docker.",
            'sudo usermod -aG docker "$USER", then log out and in again',
        )
    return Check(
        name,
        "fail",
        f"The Docker daemon does not answer ({reason}).",
        "sudo systemctl start docker; WSL2: start Docker Desktop, or sudo service docker start",
    )


def compose_check() -> Check:
    """Is there a Compose that knows profiles, GPU reservations and waiting for a finished service?"""
    too_old = ""
    for command, arguments in (
        ("docker compose", ("docker", "compose", "version", "--short")),
        ("docker-compose", ("docker-compose", "version", "--short")),
    ):
        status, out, _ = run_program(*arguments)
        version = version_in(out)
        if status != 0 or not version:
            continue
        if version >= (1, 29):
            figures = {"command": command, "version": out.strip()}
            return Check("compose", "ok", f"{command} {out.strip()}.", "", figures)
        too_old = f"{command} {out.strip()}"
    return Check(
        "compose",
        "fail",
        f"{too_old} is too old; Compose 2, or 1.29 and newer, is needed."
        if too_old
        else "Docker Compose is not installed.",
        "install the plugin: https://docs.docker.com/compose/install/linux/",
    )


def toolkit_check() -> Check:
    """Can Docker give a GPU to a container?"""
    name, test = "container-toolkit", "docker run --rm --gpus all ubuntu nvidia-smi"
    info, _ = _docker_info()
    if not info:
        return Check(name, "fail", "Docker can't be asked, because its daemon does not answer.", "see docker-daemon")
    devices = [str(device.get("ID", "")) for device in info.get("DiscoveredDevices") or [] if isinstance(device, dict)]
    if "nvidia" in (info.get("Runtimes") or {}):
        return Check(name, "ok", "Docker knows the runtime nvidia.", "", {"via": "runtime"})
    if any(device.startswith("nvidia.com/gpu") for device in devices):
        return Check(name, "ok", "Docker finds the GPU through a CDI specification.", "", {"via": "cdi"})
    if shutil.which("nvidia-container-runtime-hook"):
        return Check(
            name, "ok", "NVIDIA's container hook is installed; docker run --gpus uses it.", "", {"via": "hook"}
        )
    if "Docker Desktop" in str(info.get("OperatingSystem")):
        return Check(
            name, "warn", "Docker Desktop brings its own GPU support, which can't be seen from here.", f"try: {test}"
        )
    if shutil.which("nvidia-ctk"):
        return Check(
            name,
            "fail",
            "NVIDIA's container toolkit is installed, but Docker does not know it.",
            "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker",
        )
    return Check(
        name,
        "fail",
        "NVIDIA's container toolkit is not installed, so no container gets a GPU.",
        "NVIDIA_SETUP.md, step 5",
    )


def image_is_here(image: str) -> bool:
    """Has this machine pulled `image` already?"""
    return run_program("docker", "image", "inspect", "--format", "{{.Id}}", image)[0] == 0


def docker_disk_check(image: str = IMAGE) -> Check:
    """Is there room for the image where Docker keeps images?"""
    name = "docker-disk"
    info, _ = _docker_info()
    if not info:
        return Check(name, "fail", "Docker can't be asked where it keeps images.", "see docker-daemon")
    if image_is_here(image):
        return Check(name, "ok", f"{image} is already here; nothing has to be pulled.", "", {"image": "here"})
    root = Path(str(info.get("DockerRootDir") or "/var/lib/docker"))
    # With the containerd image store the layers are not below Docker's own folder.
    if any("io.containerd" in str(value) for row in info.get("DriverStatus") or [] for value in row):
        root = Path("/var/lib/containerd")
    if not root.exists():
        return Check(
            name,
            "warn",
            f"Docker keeps images in {root}, which can't be seen from here (Docker Desktop, or another machine).",
            f"the image takes about {IMAGE_GB:g} GB there; Docker Desktop: Settings, Resources, disk usage limit",
        )
    check = disk_check(root, IMAGE_GB, name)
    if check.level == "fail":
        todo = (
            f"the image takes about {IMAGE_GB:g} GB; docker system df shows what to prune, or move Docker's data-root"
        )
        return dataclasses.replace(check, todo=todo)
    if check.level == "ok" and check.figures["free_gb"] < IMAGE_PULL_GB:
        return dataclasses.replace(
            check, level="warn", todo=f"{IMAGE_PULL_GB:g} GB are safer while the image is pulled"
        )
    return check
