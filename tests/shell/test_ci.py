""".ci/run on machines that stand-ins make up: what is there is taken, only what lacks is installed, and what can't be had is
named. No real apt-get, dpkg or Docker is asked: nothing else of this machine's is on PATH."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from trtbench.settings.knobs import ROOT

TOOLS = ("bash", "cat", "dirname", "env", "grep", "sed", "touch", "chmod")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# As GitHub's ubuntu-24.04 is: Docker's own packages, a browser that no package owns, no Compose 1.29.
RUNNER = ("google-chrome", "dockerd", "docker", "compose2", "g++", "ip", "node", "npm", "shellcheck")
HEADERS = ("libc6-dev", "python3-dev", "python3-venv")
# What a package brings here; the real ones do.
BRINGS = {
    "apache2-utils": "htpasswd",
    "docker.io": "dockerd docker",
    "iproute2": "ip",
    "nodejs": "node",
    "docker-compose": "docker-compose",
    "docker-compose-v2": "compose2",
}


class Machine:
    """A clone with .ci/ and a test.sh that only notes that it ran, on a machine with these commands and packages."""

    def __init__(self, box: Path, commands: tuple[str, ...], packages: tuple[str, ...] = HEADERS, uid: int = 0) -> None:
        self.box, self.uid = box, uid
        shutil.copytree(ROOT / ".ci", box / "clone" / ".ci")
        (box / "clone" / "scripts").mkdir()
        (box / "clone" / "scripts" / "test.sh").write_text('echo "tests as $(id -u), CI=$CI" >>"$BOX/log"\n')
        (box / "bin").mkdir()
        (box / "has").mkdir()
        (box / "os-release").write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")
        for tool in TOOLS:
            (box / "bin" / tool).symlink_to(shutil.which(tool) or "")
        self.stub("id", 'echo "${AS_ROOT:-$FAKE_UID}" | sed "s/^yes$/0/"')
        self.stub("sudo", 'echo sudo >>"$BOX/log"; shift; export AS_ROOT=yes; exec "$@"')
        self.stub("dpkg", 'test -e "$BOX/has/$2"')
        self.stub(
            "apt-get",
            'echo "apt-get $*" >>"$BOX/log"\n[ "$1" = install ] || exit 0\n'
            "for word; do case $word in install|-*) continue ;; esac\n"
            '  [ ! -e "$BOX/absent-$word" ] || { echo "E: Package $word has no installation candidate" >&2; exit 100; }\n'
            '  touch "$BOX/has/$word"\n'
            "  case $word in\n"
            + "".join(f'    {package}) names="{names}" ;;\n' for package, names in BRINGS.items())
            + "    *) names=$word ;;\n  esac\n"
            '  for name in $names; do [ -e "$BOX/bin/$name" ] || bash "$BOX/make" "$name"; done\ndone',
        )
        self.stub(
            "../make",
            "case $1 in\n"
            '  docker) body=\'[ "$1" != compose ] || { test -e "$BOX/bin/compose2" && echo "Docker Compose 2.38.2"; }\' ;;\n'
            '  docker-compose) body=\'cat "$BOX/compose1" 2>/dev/null || { test -e "$BOX/has/python3-setuptools" && echo 1.29.2; }\' ;;\n'
            "  *) body='echo \"$0 1.0\"' ;;\n"
            "esac\n"
            'printf "#!/usr/bin/env bash\\n%s\\n" "$body" >"$BOX/bin/$1"; chmod +x "$BOX/bin/$1"',
        )
        for command in commands:
            subprocess.run(["bash", str(box / "make"), command], env=self.environment(), check=True)
        for package in packages:
            (box / "has" / package).touch()

    def stub(self, name: str, body: str) -> None:
        path = self.box / "bin" / name
        path.write_text(f"#!/usr/bin/env bash\n{body}\n")
        path.chmod(0o755)

    def environment(self) -> dict[str, str]:
        box = self.box
        return {
            "PATH": str(box / "bin"),
            "BOX": str(box),
            "FAKE_UID": str(self.uid),
            "OS_RELEASE": str(box / "os-release"),
            "HOME": str(box),
        }

    def run(self) -> subprocess.CompletedProcess[str]:
        words = ["bash", str(self.box / "clone" / ".ci" / "run")]
        return subprocess.run(words, env=self.environment(), capture_output=True, text=True, timeout=60)

    def log(self) -> list[str]:
        return (self.box / "log").read_text().splitlines()

    def installed(self) -> list[str]:
        """The packages that were asked for, in order."""
        words = [line.split() for line in self.log() if line.startswith("apt-get install")]
        return [word for line in words for word in line[2:] if not word.startswith("-")]


def test_a_machine_with_all_of_it_installs_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, (*RUNNER, "htpasswd", "bats", "debootstrap", "docker-registry", "docker-compose"))
    (tmp_path / "compose1").write_text("1.29.2\n")
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert machine.log() == ["tests as 0, CI=true"]


@pytest.mark.parametrize("uid", [0, 1001])
def test_githubs_runner_keeps_its_browser_and_its_docker(tmp_path: Path, uid: int) -> None:
    machine = Machine(tmp_path, RUNNER, uid=uid)
    done = machine.run()
    assert done.returncode == 0, done.stderr
    # Under sudo the real /usr/sbin is looked into too.
    has_debootstrap = uid != 0 and shutil.which("debootstrap", path="/usr/sbin:/sbin") is not None
    assert machine.installed() == [
        "apache2-utils",
        "bats",
        *([] if has_debootstrap else ["debootstrap"]),
        "docker-registry",
        "docker-compose",
        "python3-setuptools",  # Python 3.12 has no distutils
    ]
    assert machine.log()[-1] == "tests as 0, CI=true"
    assert machine.log().count("sudo") == (1 if uid else 0)


@pytest.mark.parametrize("browser", BROWSERS)
def test_each_of_the_browsers_will_do(tmp_path: Path, browser: str) -> None:
    machine = Machine(tmp_path, (browser, *RUNNER[1:]))
    assert machine.run().returncode == 0
    assert "chromium" not in machine.installed()


def test_a_bare_debian_gets_all(tmp_path: Path) -> None:
    machine = Machine(tmp_path, (), packages=())
    (tmp_path / "compose1").write_text("1.29.2\n")
    (tmp_path / "bin" / "compose2").touch()  # where Debian has it is docker.sh's own matter
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert {"chromium", "docker.io", "docker-compose", "nodejs", "npm", *HEADERS} <= set(machine.installed())
    assert "chromium-driver" not in machine.installed()


def test_ubuntus_stub_of_a_browser_is_none(tmp_path: Path) -> None:
    machine = Machine(tmp_path, RUNNER[1:])
    machine.stub("chromium-browser", "echo 'requires the chromium snap to be installed' >&2; exit 1")
    (tmp_path / "absent-chromium").touch()
    done = machine.run()
    assert done.returncode != 0 and "chromium has no installation candidate" in done.stderr
    assert "tests as 0, CI=true" not in machine.log()


def test_what_was_installed_and_does_not_work_is_named(tmp_path: Path) -> None:
    machine = Machine(tmp_path, RUNNER[1:])
    machine.stub("chromium", "exit 1")
    done = machine.run()
    assert done.returncode == 1
    assert f"still none of {'|'.join(BROWSERS)} works here" in done.stderr


def test_both_generations_of_compose_or_a_sentence(tmp_path: Path) -> None:
    machine = Machine(tmp_path, tuple(name for name in RUNNER if name != "compose2"))
    assert machine.run().returncode == 0
    assert machine.installed()[-1] == "docker-compose-v2"

    (tmp_path / "newer").mkdir()
    machine = Machine(tmp_path / "newer", RUNNER)
    (tmp_path / "newer" / "compose1").write_text("2.40.0\n")  # as newer systems call their Compose 2
    done = machine.run()
    assert done.returncode == 1 and "no Compose 1.29 that runs" in done.stderr


def test_tests_and_ci_know_the_same_browsers() -> None:
    import browsing

    table = (ROOT / ".ci" / "packages.txt").read_text()
    assert browsing.NAMES == BROWSERS and f"{'|'.join(BROWSERS)} " in table


def test_actions_are_pinned_by_digest() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    uses = re.findall(r"uses: (.*)", text)
    assert len(uses) == 2
    for action in uses:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", action), action
