"""The images built and every profile run for real: private engine, stand-in base images, unmodified files."""

from __future__ import annotations

import ipaddress
import json
import re
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clone import CPU, GPU, IMAGES, SHORT, Clone
from opening_proxy import HOST, OpeningProxy

from documents import as_shown
from hub_server import COMMIT, Hub

pytestmark = pytest.mark.docker

MakeClone = Callable[[int], Clone]
# What a manual user types, as the README has it.
TYPED = """
set -e
bash scripts/build_engine.sh
bash scripts/bench_pytorch.sh
bash scripts/bench_trt.sh
python3 scripts/compare.py
ls data/models
"""
# The step before any benchmark: the model's folder, fetched.
RESOLVE = """
import sys
sys.path.insert(0, "scripts")
import pathlib
from trtbench import errors
from trtbench.model import finding
from trtbench.settings import reading
errors.run_main(lambda: print(finding.resolve(reading.resolve({}, file=pathlib.Path("none"))[0])) or 0)
"""
NOWHERE = {**GPU, "LANES": "", "MODEL_NAME": "/nowhere"}
WHO = "id -u; id -g; grep -E '^(Cap|NoNew)' /proc/self/status; touch data/made data/results/made"


def verdict(clone: Clone) -> dict[str, object]:
    report: dict[str, object] = json.loads((clone.results / "benchmark_comparison_report.json").read_text())
    assert (clone.results / "benchmark_comparison.png").read_bytes().startswith(b"\x89PNG")
    return report


def layers(clone: Clone) -> list[str]:
    """The layers of each of our images. Compose writes its project into the image's labels, so ids differ by clone."""
    form = "{{json .RootFS.Layers}}"
    return clone.run("docker", "image", "inspect", "--format", form, *IMAGES).stdout.splitlines()


def test_an_engine_leaves_nothing_behind(client: dict[str, str], engine_script: str) -> None:
    """First, and in this file, because engines share the bridge docker0: none but this one may be running."""
    inside = 'id=$(docker network create left); ls -d "/sys/class/net/br-${id:0:12}"; echo "${DOCKER_HOST#unix://}"'
    done = subprocess.run(
        ["bash", engine_script, "run", "--", "bash", "-c", inside], env=client, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    bridge, socket = map(Path, done.stdout.split())
    assert bridge.name.startswith("br-") and not bridge.exists()
    assert not socket.parent.exists()
    assert subprocess.run(["pgrep", "-f", str(socket.parent)], capture_output=True).returncode == 1


def test_the_second_build_takes_seconds(new_clone: MakeClone) -> None:
    clone = new_clone(0)
    before = layers(clone)
    assert len(before) == len(IMAGES) and all(line.startswith('["sha256:') for line in before)
    began = time.monotonic()
    words = ["--profile", "auto", "--profile", "compare-only", "--profile", "cpu"]
    done = clone.run("docker", "compose", *words, "build")
    assert done.returncode == 0, done.stdout
    assert time.monotonic() - began < 20
    assert layers(clone) == before


def test_the_image_keeps_its_packages_and_gets_what_it_lacks(images: dict[str, str], new_clone: MakeClone) -> None:
    ask = "import importlib.metadata as m, json; print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))"
    found = []
    for image in ("nvcr.io/nvidia/tensorrt-llm/release:1.2.1", "trtbench"):
        done = subprocess.run(
            ["docker", "run", "--rm", "--entrypoint", "python3", image, "-c", ask],
            env=images,
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(json.loads(done.stdout))
    base, ours = found
    assert (base["transformers"], base["numpy"]) == ("4.57.3", "1.26.4")
    bleu = ("colorama", "lxml", "portalocker", "sacrebleu", "tabulate")
    added = {name: ours[name] for name in ("accelerate", "gguf", "msgspec", *bleu)}
    assert ours == base | added and not set(added) & set(base)


def labels(clone: Clone, image: str) -> dict[str, str]:
    done = clone.run("docker", "image", "inspect", "--format", "{{json .Config.Labels}}", image)
    found: dict[str, str] = json.loads(done.stdout)
    return {name.removeprefix("org.opencontainers.image."): value for name, value in found.items()}


def test_images_say_what_they_are(new_clone: MakeClone) -> None:
    """Compose by itself knows no revision, and says so; up.sh asks git, and hands no password on."""
    clone = new_clone(0)
    for image in IMAGES:
        said = labels(clone, image)
        assert said["licenses"] == "MIT" and ":" in said["base.name"]
        assert re.fullmatch(r"\d+\.\d+\.\d+", said["version"])
        assert (said["source"], said["revision"]) == ("unknown", "unknown")
    clone.run("git", "remote", "set-url", "origin", "https://me:secret@git.example/a/b.git")
    revision = clone.run("git", "rev-parse", "HEAD").stdout.strip()
    changed = clone.run("git", "status", "--porcelain", "--untracked-files=no").stdout != ""
    layers_before = layers(clone)
    done = clone.run("bash", "scripts/up.sh", "compare-only")
    assert done.returncode == 2 and "holds no run" in done.stdout, done.stdout
    said = labels(clone, "trtbench-compare")
    assert said["source"] == "https://git.example/a/b.git"
    assert said["revision"] == revision + ("-dirty" if changed else "")
    assert layers(clone) == layers_before, "a new revision makes nothing anew"


def test_a_clone_that_hides_its_files_from_others_is_enough(new_clone: MakeClone) -> None:
    """The images too were built from one (clone.py), so that all tests here run in them."""
    clone = new_clone(1000)
    for path in ("docker/entrypoint.sh", "docker/missing.py", "requirements/image.lock", "scripts/lib.sh", "scripts"):
        assert stat.S_IMODE((clone.root / path).stat().st_mode) & 0o077 == 0, path
    for service, profile in (("tensorrt-llm-benchmark", "manual"), ("benchmark-cpu", "cpu")):
        command = ("docker", "compose", "--profile", profile, "run", "--rm", "-T", service, "id", "-u")
        done = clone.run(*command)
        assert (done.returncode, done.stdout.split()[-1]) == (0, "1000"), done.stdout


def test_a_card_that_only_a_group_may_open(images: dict[str, str], new_clone: MakeClone, open_folder: Path) -> None:
    """Device files as a host's driver makes them (NVreg_DeviceFileMode); here each is another /dev/null."""
    clone = new_clone(1000)
    devices = []
    for name, mode, group in (("0", 0o660, 4242), ("ctl", 0o660, 4243), ("-modeset", 0o666, 4244), ("1", 0o660, 0)):
        file = open_folder / f"nvidia{name}"
        subprocess.run(["mknod", str(file), "c", "1", "3"], check=True)
        file.chmod(mode)
        subprocess.run(["chgrp", str(group), str(file)], check=True)
        devices += ["--device", f"{file}:/dev/nvidia{name}"]
    privileges = ["--cap-drop", "ALL", *(w for c in ("CHOWN", "SETGID", "SETPCAP", "SETUID") for w in ("--cap-add", c))]
    words = ["docker", "run", "--rm", *privileges, *devices, "-v", f"{clone.data}:/workspace/data", "trtbench"]
    script = "id -G; for name in 0 ctl -modeset 1; do cat /dev/nvidia$name && echo opened $name; done"
    done = clone.run(*words, "bash", "-c", script)
    assert "\n1000 4242 4243\n" in done.stdout, done.stdout
    assert re.findall("opened (.*)", done.stdout) == ["0", "ctl", "-modeset"], done.stdout


@pytest.mark.parametrize(
    ("data", "scripts", "expected"), [(1000, 1000, 1000), (1001, 1001, 1001), (0, 0, 0), (0, 1001, 1001)]
)
def test_the_owner_of_data_runs_the_command(new_clone: MakeClone, data: int, scripts: int, expected: int) -> None:
    clone = new_clone(scripts)
    subprocess.run(["chown", "-R", f"{data}:{data}", str(clone.data)], check=True)
    # What root left there by sudo, or in NVIDIA's image as it comes; a folder that is closed to others hides it from the entrypoint.
    for folder in (clone.data, clone.data / "cache"):
        folder.chmod(0o755)
    (clone.data / "cache" / "left").write_text("")
    done = clone.shell(WHO)
    assert done.returncode == 0, done.stdout
    assert f"\n{expected}\n{expected}\n" in done.stdout
    status = dict(line.split(":\t") for line in done.stdout.splitlines() if ":\t" in line)
    assert status.pop("NoNewPrivs") == "1"
    assert {name: int(value, 16) for name, value in status.items()} == dict.fromkeys(status, 0)
    assert len(status) == 5
    assert clone.owners() == {expected}


def test_nvidias_environment_is_kept_and_scripts_are_read_only(new_clone: MakeClone) -> None:
    clone = new_clone(1001)
    done = clone.shell("env; touch scripts/x", HF_TOKEN="hf_secret")
    assert done.returncode == 1 and "Read-only file system" in done.stdout
    lines = done.stdout.splitlines()
    assert lines.index("== stand-in of TensorRT-LLM Release ==") < lines.index("NVIDIA_ENTRYPOINT_RAN=1")
    assert any(line.startswith("LD_LIBRARY_PATH=/usr/local/tensorrt/lib") for line in lines)
    assert "HF_TOKEN=hf_secret" in lines and "HOME=/tmp/home" in lines


def test_the_line_of_the_readme_builds_measures_and_compares(new_clone: MakeClone) -> None:
    """Typed as it stands there: it builds the image and takes its own lanes. What is set makes it short, and does without a
    hub and a GPU. As uid 1001, in a clone whose data/ belongs to root, as Docker makes it."""
    clone = new_clone(1001)
    subprocess.run(["chown", "-R", "0:0", str(clone.data)], check=True)
    subprocess.run(["chmod", "-R", "go+rX", str(clone.data)], check=True)
    subprocess.run(["chown", "1001:1001", str(clone.results)], check=True)
    assert clone.run("docker", "image", "rm", "--force", "trtbench").returncode == 0
    done = as_shown(clone.run, "docker compose --profile auto up benchmark-full", **{**SHORT, "PRECISION": "float16"})
    assert "exited with code 0" in done.stdout, done.stdout
    assert "SIMULATED" in done.stdout
    assert verdict(clone)["simulated"] is True
    trials = [json.loads(path.read_text()) for path in clone.results.glob("runs/*/trials/*.json")]
    lanes = {trial["lane"] for trial in trials if trial["failure"] is None}
    assert lanes >= {"pytorch-eager", "tensorrt-engine", "tensorrt-pytorch"}, done.stdout
    assert clone.owners() == {1001}


def test_auto_under_the_old_compose(new_clone: MakeClone) -> None:
    clone = new_clone(1000)
    done = clone.run(
        "docker-compose",
        "--profile",
        "auto",
        "up",
        "--no-build",
        "--exit-code-from",
        "benchmark-full",
        "benchmark-full",
        **GPU,
    )
    assert done.returncode == 0, done.stdout
    assert verdict(clone)["simulated"] is True
    assert clone.owners() == {1000}


def test_the_steps_one_by_one(new_clone: MakeClone) -> None:
    """As uid 1000: first each fails as it must, then each does its part."""
    clone = new_clone(1000)
    missing = clone.up("compare-only")
    assert missing.returncode == 2 and "holds no run" in missing.stdout, missing.stdout
    no_engine = clone.up("tensorrt-only", **GPU)
    assert no_engine.returncode == 2, no_engine.stdout
    for done in (
        as_shown(clone.run, "bash scripts/up.sh build-only", **GPU),
        as_shown(clone.run, "bash scripts/up.sh pytorch-only", **GPU),
        as_shown(clone.run, "bash scripts/up.sh tensorrt-only", **GPU),
        as_shown(clone.run, "bash scripts/up.sh compare-only", **GPU),
    ):
        assert done.returncode == 0, done.stdout
    assert verdict(clone)["simulated"] is True
    assert clone.owners() == {1000}


def test_the_manual_shell_runs_what_is_typed(new_clone: MakeClone) -> None:
    clone = new_clone(0)
    shell = as_shown(clone.run, "docker compose --profile manual run --rm tensorrt-llm-benchmark bash")
    assert shell.returncode == 0, shell.stdout  # nobody types anything, so it ends
    done = clone.shell(TYPED, **GPU)
    assert done.returncode == 0, done.stdout
    assert "synthetic-demo" in done.stdout.splitlines()[-1]
    assert verdict(clone)["simulated"] is True


def test_vllm_has_an_image_of_its_own_and_refuses_a_machine_without_a_gpu(new_clone: MakeClone) -> None:
    """The stand-in of vLLM has no figures to give; that its step starts in its own image is what can be seen here."""
    clone = new_clone(1000)
    done = as_shown(clone.run, "bash scripts/up.sh vllm-only", **{**SHORT, "LANES": ""})
    assert done.returncode == 2 and "Traceback" not in done.stdout, done.stdout
    # That vLLM is there is seen by what is missing: the card alone.
    assert "error: no lane of the family vllm can run here on cpu: vllm runs on cuda.\n" in done.stdout, done.stdout
    assert not list(clone.results.glob("runs/*"))
    ask = (
        "run",
        "--rm",
        "-T",
        "benchmark-vllm",
        "python3",
        "-c",
        "import vllm; print(vllm.__version__, vllm.__file__)",
    )
    done = clone.run("docker", "compose", "--profile", "vllm-only", *ask)
    assert done.stdout.split()[-2:] == ["0.24.0+standin", "/opt/vllm/vllm.py"], done.stdout


def test_the_cpu_image_has_a_compiler(new_clone: MakeClone) -> None:
    """What apt brought into it, as whoever runs it finds it: torch.compile writes C++ and asks openssl for checksums."""
    script = "echo 'int main() { return 0; }' | g++ -x c++ - -o /tmp/made && /tmp/made && openssl version"
    words = ("docker", "compose", "--profile", "cpu", "run", "--rm", "-T", "benchmark-cpu", "bash", "-c", script)
    done = new_clone(1001).run(*words)
    assert done.returncode == 0 and "OpenSSL" in done.stdout, done.stdout


@pytest.fixture
def proxy(new_clone: MakeClone, tiny_model: Path, open_folder: Path) -> Iterator[OpeningProxy]:
    """A hub on loopback, and before it a proxy that containers reach."""
    form = "{{(index .IPAM.Config 0).Subnet}}"
    subnet = new_clone(0).run("docker", "network", "inspect", "bridge", "--format", form).stdout.strip()
    address = str(ipaddress.ip_network(subnet)[1])  # this machine, as containers see it
    hub = Hub({path.name: path.read_bytes() for path in tiny_model.iterdir()})
    made = OpeningProxy(address, hub.url, open_folder)
    yield made
    made.close()
    hub.close()


@pytest.mark.parametrize(
    ("service", "profile", "name"),
    [("tensorrt-llm-benchmark", "manual", "HTTPS_PROXY"), ("benchmark-cpu", "cpu", "https_proxy")],
)
def test_a_model_comes_through_a_proxy_that_opens_tls(
    new_clone: MakeClone, proxy: OpeningProxy, service: str, profile: str, name: str
) -> None:
    """Both images, because their transformers bring two libraries for HTTP."""
    clone = new_clone(1000)
    model = {"MODEL_NAME": "org/tiny", "HF_ENDPOINT": f"https://{HOST}", "HF_HUB_ETAG_TIMEOUT": "2"}
    files = clone.env["COMPOSE_FILE"]
    words = ("docker", "compose", "--profile", profile, "run", "--rm", "-T", service, "python3", "-c", RESOLVE)
    for settings, why in (({}, "cannot be reached"), ({name: proxy.url}, "certificate verify failed")):
        done = clone.run(*words, **model, **settings)
        assert done.returncode == 2 and why in done.stdout, done.stdout
        assert "Traceback" not in done.stdout and "HTTPS_PROXY" in done.stdout
    trusted = {"COMPOSE_FILE": f"{files}:docker/compose.ca.yml", "SSL_CERT_FILE": str(proxy.certificate)}
    proxy.opened.clear()
    done = clone.run(*words, **model, **{name: proxy.url}, **trusted)
    assert done.returncode == 0 and done.stdout.strip().endswith(f"/snapshots/{COMMIT}"), done.stdout
    assert set(proxy.opened) == {f"{HOST}:443"}
    assert clone.owners() == {1000}


def test_the_cpu_lanes_need_no_gpu(new_clone: MakeClone) -> None:
    clone = new_clone(1001)
    done = as_shown(clone.run, "bash scripts/up.sh cpu", **CPU)
    assert done.returncode == 0, done.stdout
    assert verdict(clone)["simulated"] is False
    assert (clone.results / "onnxruntime_benchmark.json").is_file()
    assert clone.owners() == {1001}


@pytest.mark.parametrize("profile", ["build-only", "pytorch-only", "tensorrt-only", "vllm-only", "cpu"])
def test_a_step_that_fails_says_so_with_its_status(new_clone: MakeClone, profile: str) -> None:
    done = new_clone(1000).up(profile, **NOWHERE)
    assert done.returncode == 2, done.stdout
    assert "error: " in done.stdout and "Traceback" not in done.stdout


def test_all_of_it_fails_with_its_status_too(new_clone: MakeClone) -> None:
    done = as_shown(new_clone(1000).run, "bash scripts/up.sh auto", **NOWHERE)
    assert done.returncode == 2, done.stdout
    assert "error: " in done.stdout and "Traceback" not in done.stdout


def test_the_engine_is_asked_for_its_runtimes_as_the_setup_shows(new_clone: MakeClone) -> None:
    done = as_shown(new_clone(1000).run, "docker info --format '{{json .Runtimes}}'")
    assert done.returncode == 0 and "runc" in json.loads(done.stdout), done.stdout


def test_plain_up_hides_a_failure(new_clone: MakeClone) -> None:
    """Why scripts/up.sh exists. When this fails, Compose has changed and the README may be shorter."""
    clone = new_clone(1000)
    for compose in (["docker", "compose"], ["docker-compose"]):
        done = clone.run(*compose, "--profile", "compare-only", "up", "--no-build", "compare-results")
        assert done.returncode == 0 and "exited with code 2" in done.stdout, done.stdout


def test_steps_and_what_is_typed_into_a_shell_wait_for_each_other(new_clone: MakeClone) -> None:
    clone = new_clone(1000)
    shell = ["docker", "compose", "--profile", "manual", "run", "--rm", "-T", "tensorrt-llm-benchmark", "bash"]
    open_shell = subprocess.Popen(
        clone.words(*shell),
        cwd=clone.root,
        env={**clone.env, **GPU, "LANES": "pytorch-eager"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert open_shell.stdin is not None

    def wait_for(pattern: str) -> None:
        deadline = time.monotonic() + 60
        while not any(clone.data.glob(pattern)):
            assert open_shell.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)

    def step() -> tuple[str, bool]:
        """What a step says that cannot run, and whether a trial's record was there when it had ended."""
        done = clone.up("build-only", **{**GPU, "MODEL_NAME": "/nowhere"})
        assert done.returncode == 2, done.stdout
        return done.stdout, any(clone.results.glob("runs/*/trials/*.json"))

    open_shell.stdin.write("touch data/open\n")
    open_shell.stdin.flush()
    wait_for("open")
    said, _ = step()
    assert "another step has the device" not in said, "an idle shell is in nobody's way"
    open_shell.stdin.write("bash scripts/bench_pytorch.sh; touch data/done\n")
    open_shell.stdin.flush()
    wait_for("results/runs/*")
    said, measured = step()
    assert "another step has the device" in said and measured, said
    wait_for("done")
    said, _ = step()
    assert "another step has the device" not in said, "the shell has let go of it"
    open_shell.communicate(timeout=60)


def test_a_build_that_was_killed_goes_on_where_it_was(new_clone: MakeClone) -> None:
    clone = new_clone(1000)
    command = ["bash", "scripts/up.sh", "--no-build", "build-only"]
    clone.killed_when("build-engine", command, lambda: any(clone.data.glob("checkpoints/[!.]*/checkpoint.json")), **GPU)
    assert not any(clone.data.glob("engines/*/engine.json"))
    done = clone.run(*command, **GPU)
    assert done.returncode == 0, done.stdout
    assert "checkpoint" in done.stdout and "is there" in done.stdout and "converting" not in done.stdout
    assert clone.owners() == {1000}


def test_a_benchmark_that_was_killed_goes_on_where_it_was(new_clone: MakeClone) -> None:
    clone = new_clone(1000)
    settings = {**GPU, "LANES": "pytorch-eager", "TRIALS": "2"}
    command = ["bash", "scripts/up.sh", "--no-build", "pytorch-only"]
    trials = "runs/*/trials/*.json"
    clone.killed_when("benchmark-pytorch", command, lambda: any(clone.results.glob(trials)), **settings)
    before = {path: path.read_bytes() for path in clone.results.glob(trials)}
    assert len(before) == 1
    done = clone.run(*command, **settings)
    assert done.returncode == 0, done.stdout
    assert "going on with it" in done.stdout
    after = {path: path.read_bytes() for path in clone.results.glob(trials)}
    assert len(after) == 2 and before.items() <= after.items()
    again = clone.run(*command, **settings)
    assert again.returncode == 0 and "going on with it" not in again.stdout
