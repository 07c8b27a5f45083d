"""A clone of this repository that belongs to somebody, with Docker's client in it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from cloning import bring_changes
from trtbench.settings.knobs import ROOT

IMAGES = "trtbench", "trtbench-compare", "trtbench-cpu"
# One short trial of one generation: these tests are about containers, not about figures.
SHORT = {
    "MODEL_NAME": "demo",
    "TRIALS": "1",
    "QUIET": "warn",
    "TRY_SETTINGS": "0",
    "NUM_ITERATIONS": "1",
    "WARMUP_LIMIT": "1",
    "PROMPT_LENGTHS": "8",
    "NEW_TOKENS": "4",
}
# The stand-in of TensorRT-LLM computes on the CPU, whose own default precision no engine has.
GPU = {**SHORT, "LANES": "pytorch-eager,tensorrt-engine", "PRECISION": "float16"}
CPU = {**SHORT, "LANES": "pytorch-eager,onnxruntime"}


def may_lift_limits() -> bool:
    """Whether Docker may set an unlimited memlock here (CAP_SYS_RESOURCE)."""
    rows = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    return bool(int(rows["CapEff"], 16) >> 24 & 1)


def git_clone(root: Path) -> None:
    """What git has of this repository. A cautious umask hides all of it from others, as it does with many users."""
    subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(root)], check=True, umask=0o077)
    bring_changes(root)


class Clone:
    """A clone of this repository whose files belong to `uid`, and the Docker client as `uid` in it."""

    def __init__(self, root: Path, uid: int, env: dict[str, str]) -> None:
        self.root, self.uid = root, uid
        self.data, self.results = root / "data", root / "data" / "results"
        files = "docker-compose.yml" if may_lift_limits() else "docker-compose.yml:docker/compose.tight.yml"
        self.env = {**env, "COMPOSE_PROJECT_NAME": f"t{root.name}".lower().replace("_", ""), "COMPOSE_FILE": files}
        git_clone(root)
        # Docker's client writes beside its plugins.
        client = root.with_name(f"{root.name}-client")
        client.mkdir()
        (client / "cli-plugins").symlink_to(Path(env["DOCKER_CONFIG"], "cli-plugins"))
        self.env["DOCKER_CONFIG"] = self.env["HOME"] = str(client)
        subprocess.run(["chown", "-R", f"{uid}:{uid}", str(root), str(client)], check=True)

    def words(self, *command: str) -> list[str]:
        return ["setpriv", "--reuid", str(self.uid), "--regid", str(self.uid), "--clear-groups", "--", *command]

    def run(self, *command: str, timeout: float = 400, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command as the clone's owner; standard error goes with standard output."""
        return subprocess.run(
            self.words(*command),
            cwd=self.root,
            env={**self.env, **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )

    def up(self, profile: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """`scripts/up.sh PROFILE` on images that are there."""
        return self.run("bash", "scripts/up.sh", "--no-build", profile, **settings)

    def shell(self, script: str, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """The manual service, with a script in the place of a hand."""
        command = ("docker", "compose", "--profile", "manual", "run", "--rm", "-T", *options)
        return self.run(*command, "tensorrt-llm-benchmark", "bash", "-c", script, **settings)

    def owners(self) -> set[int]:
        """Who owns what is in data/."""
        return {path.lstat().st_uid for path in (self.data, *self.data.rglob("*"))}

    def container(self, service: str) -> str:
        """The id of the service's container, once it runs."""
        name = f"label=com.docker.compose.service={service}"
        project = f"label=com.docker.compose.project={self.env['COMPOSE_PROJECT_NAME']}"
        return self.run("docker", "ps", "--quiet", "--no-trunc", "--filter", name, "--filter", project).stdout.strip()

    def killed_when(self, service: str, command: list[str], due: Callable[[], bool], **settings: str) -> str:
        """Start a command, kill the service's container as soon as `due`, and return what was said."""
        started = subprocess.Popen(
            self.words(*command),
            cwd=self.root,
            env={**self.env, **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        deadline = time.monotonic() + 300
        while not due():
            assert started.poll() is None, started.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert self.run("docker", "kill", self.container(service)).returncode == 0
        said: str = started.communicate(timeout=60)[0]
        assert started.returncode == 137, said
        return said
