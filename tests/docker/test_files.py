"""The compose file, the Dockerfiles and the two scripts that start them, read without an engine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lacking import lacking
from trtbench import __version__
from trtbench.doctor.__main__ import PROFILES
from trtbench.settings.knobs import ALIASES, NETWORK_NAMES, ROOT, ROWS

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
GPU_SERVICES = {
    "benchmark-full",
    "build-engine",
    "benchmark-pytorch",
    "benchmark-tensorrt",
    "benchmark-vllm",
    "tensorrt-llm-benchmark",
}
MEASURING = GPU_SERVICES | {"benchmark-cpu"}
# What this machine has in a place of its own, and the container in another.
ELSEWHERE = {"DATA_DIR", "RESULTS_DIR", "GPU_INDEX"}
PROXIES = {f"TRTBENCH_GIVEN_{name}" for name in NETWORK_NAMES if name.lower().endswith("_proxy")}


def test_every_setting_reaches_every_service_that_runs_lanes() -> None:
    wanted = {name for name, row in ROWS.items() if not row.secret} - ELSEWHERE | set(ALIASES)
    for service in GPU_SERVICES | {"benchmark-cpu"}:
        assert wanted <= set(SERVICES[service]["environment"]), service
        assert not ELSEWHERE & set(SERVICES[service]["environment"]), service


def test_the_token_goes_only_where_a_model_is_downloaded() -> None:
    holders = {name for name, service in SERVICES.items() if "HF_TOKEN" in service["environment"]}
    assert holders == set(SERVICES) - {"benchmark-tensorrt", "compare-results"}
    assert {name for name, service in SERVICES.items() if set(service["environment"]) >= PROXIES} == holders
    assert len(PROXIES) == 6
    assert "NGC_API_KEY" not in (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def test_each_service_has_one_profile_and_only_those_of_the_gpu_ask_for_one() -> None:
    assert {name: service["profiles"] for name, service in SERVICES.items()} == {
        "benchmark-full": ["auto"],
        "build-engine": ["build-only"],
        "benchmark-pytorch": ["pytorch-only"],
        "benchmark-tensorrt": ["tensorrt-only"],
        "benchmark-vllm": ["vllm-only"],
        "tensorrt-llm-benchmark": ["manual"],
        "compare-results": ["compare-only"],
        "benchmark-cpu": ["cpu"],
    }
    assert {name for name, service in SERVICES.items() if "deploy" in service} == GPU_SERVICES


def test_what_is_compiled_for_the_card_outlives_the_container() -> None:
    """Wherever an environment variable of ours says where: a container's own home goes with it."""
    for service in GPU_SERVICES:
        caches = {
            name: value
            for name, value in SERVICES[service]["environment"].items()
            if name.endswith(("_CACHE_DIR", "_CACHE_PATH", "_WORKSPACE_BASE", "_EXTENSIONS_DIR"))
        }
        assert len(caches) == 5
        assert all(value.startswith("/workspace/data/cache") for value in caches.values()), caches


def test_the_labels_say_the_version_of_the_package() -> None:
    for name in ("Dockerfile", "Dockerfile.cpu"):
        text = (ROOT / "docker" / name).read_text(encoding="utf-8")
        versions = set(re.findall(r'image\.version="(.*?)"', text))
        assert versions == {__version__}, name


def test_whoever_measures_takes_the_lock() -> None:
    assert {n for n, s in SERVICES.items() if "TRTBENCH_EXCLUSIVE" in s["environment"]} == MEASURING


def test_every_service_gives_up_its_privileges() -> None:
    for name, service in SERVICES.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "./scripts:/workspace/scripts:ro" in service["volumes"], name
    compare = SERVICES["compare-results"]
    assert compare["read_only"] is True and compare["network_mode"] == "none"


@pytest.mark.parametrize("more", [(), ("tight",), ("ca",), ("tight", "ca")])
@pytest.mark.docker
def test_both_generations_of_compose_take_the_files(client: dict[str, str], more: tuple[str, ...]) -> None:
    files = ["docker-compose.yml", *(f"docker/compose.{name}.yml" for name in more)]
    words = [word for file in files for word in ("-f", str(ROOT / file))]
    env = {**client, "SSL_CERT_FILE": "/here/ca.pem"}
    for compose in (["docker-compose"], ["docker", "compose"]):
        done = subprocess.run([*compose, *words, "config", "-q"], env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def services(client: dict[str, str], compose: list[str], *more: str, **settings: str) -> dict[str, Any]:
    """All services as this Compose understands them, with further files of docker/ and in this environment."""
    files = [ROOT / "docker-compose.yml", *(ROOT / "docker" / f"compose.{name}.yml" for name in more)]
    words = [word for file in files for word in ("-f", str(file))]
    words += [word for service in SERVICES.values() for word in ("--profile", service["profiles"][0])]
    done = subprocess.run(
        [*compose, *words, "config"], env={**client, **settings}, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    return found


BOTH = (["docker-compose"], ["docker", "compose"])


@pytest.mark.docker
@pytest.mark.parametrize("compose", BOTH, ids=" ".join)
def test_the_card_is_chosen_by_its_number(client: dict[str, str], compose: list[str]) -> None:
    for settings, card in (({}, "0"), ({"GPU_INDEX": ""}, "0"), ({"GPU_INDEX": "1"}, "1")):
        for name, service in services(client, compose, **settings).items():
            if name in GPU_SERVICES:
                (device,) = service["deploy"]["resources"]["reservations"]["devices"]
                assert device["device_ids"] == [card] and "count" not in device
            # In the container it is number 0, whatever it is outside.
            assert not {"GPU_INDEX", "CUDA_VISIBLE_DEVICES"} & set(service["environment"]), name


@pytest.mark.docker
def test_several_cards_are_all_that_there_are_and_chosen_in_the_container(client: dict[str, str]) -> None:
    compose = ["docker", "compose"]
    plain = services(client, compose, TP_SIZE="2")
    for settings, index, limit in (({}, "", 8 * 2**30), ({"GPU_INDEX": "1", "SHM_SIZE": "16gb"}, "1", 16 * 2**30)):
        found = services(client, compose, "cards", TP_SIZE="2", **settings)
        assert {name for name in found if found[name] != plain[name]} == GPU_SERVICES
        for name in GPU_SERVICES:
            (device,) = found[name]["deploy"]["resources"]["reservations"]["devices"]
            assert device == {"capabilities": ["gpu"], "driver": "nvidia", "count": -1}
            assert int(found[name]["shm_size"]) == limit
            environment = found[name]["environment"]
            assert (environment["GPU_INDEX"], environment["TP_SIZE"]) == (index, "2")
            assert environment["NCCL_NVLS_ENABLE"] == "0"
    assert (
        services(client, compose, "cards", NCCL_NVLS_ENABLE="1")["build-engine"]["environment"]["NCCL_NVLS_ENABLE"]
        == "1"
    )
    tight = services(client, compose, "cards", "tight", TP_SIZE="2")
    assert int(tight["benchmark-full"]["shm_size"]) == 1200 * 2**20
    assert not any(service.get("deploy") for service in services(client, compose, "cards", "no-gpu").values())


@pytest.mark.docker
@pytest.mark.parametrize("compose", BOTH, ids=" ".join)
def test_certificates_go_where_a_model_is_downloaded(client: dict[str, str], compose: list[str]) -> None:
    place = "/etc/trtbench-ca.pem"
    for name, service in services(client, compose, "ca", SSL_CERT_FILE="/here/ca.pem").items():
        mounted = place in str(service["volumes"])
        assert mounted == ("HF_TOKEN" in service["environment"]), name
        for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            assert service["environment"].get(variable) == (place if mounted else None)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        services(client, compose, "ca")
    assert "must name a file with certificates" in refused.value.stderr


@pytest.mark.docker
def test_vllm_is_the_official_image_pinned_and_runs_its_own_script(client: dict[str, str]) -> None:
    for compose in (["docker-compose"], ["docker", "compose"]):
        words = [*compose, "-f", str(ROOT / "docker-compose.yml"), "--profile", "vllm-only", "config"]
        done = subprocess.run(words, env=client, capture_output=True, text=True, check=True)
        service = yaml.safe_load(done.stdout)["services"]["benchmark-vllm"]
        assert re.fullmatch(r"vllm/vllm-openai:v\d+\.\d+\.\d+", service["build"]["args"]["BASE_IMAGE"])
        assert service["command"] == ["bash", "scripts/bench_vllm.sh", "--pick-up"]
        # One name for two bases would let one profile run in the other's image.
        assert service["image"] not in {s["image"] for name, s in SERVICES.items() if name != "benchmark-vllm"}
    assert (ROOT / "scripts" / "bench_vllm.sh").is_file()


@pytest.mark.docker
def test_the_override_takes_the_gpu_away_and_nothing_else(client: dict[str, str]) -> None:
    plain = services(client, ["docker", "compose"])
    without = services(client, ["docker", "compose"], "no-gpu")
    assert {name for name, service in plain.items() if service.get("deploy")} == GPU_SERVICES
    for service in plain.values():
        service.pop("deploy", None)
    assert without == plain


def test_hadolint_has_nothing_to_say() -> None:
    tool = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if tool is None:
        lacking("hadolint is not installed (requirements/test.lock)")
    files = [str(ROOT / "docker" / name) for name in ("Dockerfile", "Dockerfile.cpu")]
    done = subprocess.run([tool, *files], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_context_is_what_the_dockerfiles_copy() -> None:
    copied = set()
    for name in ("Dockerfile", "Dockerfile.cpu"):
        for line in (ROOT / "docker" / name).read_text(encoding="utf-8").splitlines():
            if line.startswith("COPY ") and "--from" not in line:
                copied |= set(line.split()[1:-1])
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert all((ROOT / path).is_file() for path in copied)


def test_both_ways_of_up_have_the_same_flags_statuses_and_profiles() -> None:
    shell = (ROOT / "scripts" / "up.sh").read_text(encoding="utf-8")
    power = (ROOT / "scripts" / "up.ps1").read_text(encoding="utf-8").replace("\r\n", "\n")
    usage = re.search(r"<<'TEXT'\n(.*?)\nTEXT", shell, re.DOTALL)
    same = re.search(r"\$USAGE = @'\n(.*?)\n'@", power, re.DOTALL)
    assert usage and same and usage[1] == same[1]
    table = dict(re.findall(r"^  ([a-z-]+) +([a-z]+-[a-z]+) ", usage[1], re.MULTILINE))
    assert table == dict(re.findall(r"^  ([a-z-]+)\) service=\"?([a-z-]+)", shell, re.MULTILINE))
    assert table == dict(re.findall(r"^    '([a-z-]+)' \{ \$service = '([a-z-]+)'", power, re.MULTILINE))
    assert table == {s["profiles"][0]: n for n, s in SERVICES.items() if n != "tensorrt-llm-benchmark"}

    def sentences(text: str) -> set[str]:
        """What is said and the exit status beside it, in one notation."""
        plain = text.replace("$service", "SERVICE").replace("$profileName", "PROFILE").replace("$profile", "PROFILE")
        found = re.findall(r"(?:refuse|Stop-WithError) [\"']([^\"']+)[\"'] (\d)", plain)
        return {f"{sentence} {status}" for sentence, status in found}

    assert sentences(shell) == sentences(power)
    assert len(sentences(shell)) == 7


def test_both_ways_of_up_tell_the_doctors_estimate_of_the_same_profiles() -> None:
    shell = (ROOT / "scripts" / "up.sh").read_text(encoding="utf-8")
    power = (ROOT / "scripts" / "up.ps1").read_text(encoding="utf-8")
    assert 'scripts/doctor.sh --estimate "$profile"' in shell
    assert "-m trtbench.doctor --estimate $profileName" in power
    assert {s["profiles"][0] for s in SERVICES.values()} - {"manual"} == set(PROFILES)


def test_up_ps1_is_powershell() -> None:
    language = pytest.importorskip("tree_sitter_powershell")
    tree_sitter = pytest.importorskip("tree_sitter")
    parser = tree_sitter.Parser(tree_sitter.Language(language.language()))
    assert not parser.parse((ROOT / "scripts" / "up.ps1").read_bytes()).root_node.has_error
