"""The images built and every profile run for real: private engine, stand-in base images, unmodified files."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from clone import CPU, GPU, IMAGES, Clone

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
    added = {name: ours[name] for name in ("accelerate", "gguf", "msgspec")}
    assert ours == base | added and not set(added) & set(base)


def test_images_say_what_they_are(images: dict[str, str]) -> None:
    form = "{{json .Config.Labels}}"
    for image in IMAGES:
        done = subprocess.run(
            ["docker", "image", "inspect", "--format", form, image],
            env=images,
            capture_output=True,
            text=True,
            check=True,
        )
        labels = json.loads(done.stdout)
        assert labels["org.opencontainers.image.licenses"] == "MIT"
        assert ":" in labels["org.opencontainers.image.base.name"]


@pytest.mark.parametrize(
    ("data", "scripts", "expected"), [(1000, 1000, 1000), (1001, 1001, 1001), (0, 0, 0), (0, 1001, 1001)]
)
def test_the_owner_of_data_runs_the_command(new_clone: MakeClone, data: int, scripts: int, expected: int) -> None:
    clone = new_clone(scripts)
    subprocess.run(["chown", "-R", f"{data}:{data}", str(clone.data)], check=True)
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


def test_auto_builds_measures_and_compares(new_clone: MakeClone) -> None:
    """As uid 1001, in a clone whose data/ belongs to root, as Docker makes it."""
    clone = new_clone(1001)
    subprocess.run(["chown", "-R", "0:0", str(clone.data)], check=True)
    subprocess.run(["chown", "1001:1001", str(clone.data / "results")], check=True)
    done = clone.up("auto", **GPU)
    assert done.returncode == 0, done.stdout
    assert "SIMULATED" in done.stdout
    assert verdict(clone)["simulated"] is True
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
    for profile in ("build-only", "pytorch-only", "tensorrt-only", "compare-only"):
        done = clone.up(profile, **GPU)
        assert done.returncode == 0, done.stdout
    assert verdict(clone)["simulated"] is True
    assert clone.owners() == {1000}


def test_the_manual_shell_runs_what_is_typed(new_clone: MakeClone) -> None:
    clone = new_clone(0)
    done = clone.shell(TYPED, **GPU)
    assert done.returncode == 0, done.stdout
    assert "synthetic-demo" in done.stdout.splitlines()[-1]
    assert verdict(clone)["simulated"] is True


def test_the_cpu_lanes_need_no_gpu(new_clone: MakeClone) -> None:
    clone = new_clone(1001)
    done = clone.up("cpu", **CPU)
    assert done.returncode == 0, done.stdout
    assert verdict(clone)["simulated"] is False
    assert (clone.results / "onnxruntime_benchmark.json").is_file()
    assert clone.owners() == {1001}


@pytest.mark.parametrize("profile", ["auto", "build-only", "pytorch-only", "tensorrt-only", "vllm-only", "cpu"])
def test_a_step_that_fails_says_so_with_its_status(new_clone: MakeClone, profile: str) -> None:
    clone = new_clone(1000)
    done = clone.up(profile, **{**GPU, "LANES": "", "MODEL_NAME": "/nowhere"})
    assert done.returncode == 2, done.stdout
    assert "error: " in done.stdout and "Traceback" not in done.stdout


def test_plain_up_hides_a_failure(new_clone: MakeClone) -> None:
    """Why scripts/up.sh exists. When this fails, Compose has changed and the README may be shorter."""
    clone = new_clone(1000)
    for compose in (["docker", "compose"], ["docker-compose"]):
        done = clone.run(*compose, "--profile", "compare-only", "up", "--no-build", "compare-results")
        assert done.returncode == 0 and "exited with code 2" in done.stdout, done.stdout


def test_steps_wait_for_whoever_has_the_device(new_clone: MakeClone) -> None:
    clone = new_clone(1000)
    hold = ["docker", "compose", "--profile", "build-only", "run", "--rm", "-T", "build-engine"]
    first = subprocess.Popen(
        clone.words(*hold, "bash", "-c", "touch data/one; sleep 4; date +%s%N >data/end"),
        cwd=clone.root,
        env=clone.env,
        stdin=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not (clone.data / "one").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    second = clone.run(*hold[:3], "pytorch-only", *hold[4:7], "benchmark-pytorch", "bash", "-c", "date +%s%N")
    assert first.wait(timeout=60) == 0
    assert second.returncode == 0 and "another step has the device" in second.stdout
    assert int(second.stdout.split()[-1]) > int((clone.data / "end").read_text())


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
