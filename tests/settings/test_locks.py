"""The locks of the environments for a card say the same where they must, and every file in them is held by a hash."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
CARD = ("cuda-torch", "cuda", "onnxruntime-cuda", "vllm")
OURS = CARD[:-1]  # vllm chooses its own versions


def pins(name: str) -> dict[str, set[str]]:
    """The versions of each package in a lock; more than one where Pythons differ."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([\w.-]+)==(\S+)", (REQUIREMENTS / f"{name}.lock").read_text(), re.MULTILINE):
        found.setdefault(package, set()).add(version)
    return found


@pytest.mark.parametrize("name", CARD)
def test_every_pin_has_a_hash(name: str) -> None:
    text = (REQUIREMENTS / f"{name}.lock").read_text()
    blocks = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(blocks) > 20
    for block in blocks:
        first, *rest = block.strip().splitlines()
        assert first.endswith(" \\") and rest, first
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in rest), first


@pytest.mark.parametrize("name", OURS)
def test_a_card_gets_the_versions_that_a_cpu_has(name: str) -> None:
    local = pins("local")
    here = pins(name)
    assert {
        package: versions for package, versions in here.items() if not versions <= local.get(package, versions)
    } == {}


def test_torch_for_a_card_is_the_version_that_the_cpu_has() -> None:
    asked = re.search(r"^TORCH_VERSION=(\S+)", (ROOT / "scripts" / "lib.sh").read_text(), re.MULTILINE)
    assert asked is not None
    assert pins("cuda-torch")["torch"] == {asked[1]}
    # The builder's torch is the CPU build, which no lock may take the place of.
    assert [name for name in CARD if "torch" in pins(name)] == ["cuda-torch", "vllm"]


def test_onnxruntime_has_the_cuda_libraries_that_torch_has() -> None:
    torch, engine = pins("cuda-torch"), pins("onnxruntime-cuda")
    libraries = {package for package in engine if package.startswith("nvidia-") and package != "nvidia-ml-py"}
    assert {"nvidia-cublas", "nvidia-cuda-runtime", "nvidia-cuda-nvrtc", "nvidia-cufft", "nvidia-curand"} <= libraries
    assert {package: engine[package] for package in libraries} == {package: torch[package] for package in libraries}


def test_only_the_build_for_cuda_is_there() -> None:
    """The other lies in the same folder, and lacks the library on which GenAI runs both lanes."""
    builds = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-genai", "onnxruntime-genai-cuda")
    there = pins("onnxruntime-cuda")
    assert [build for build in builds if build in there] == ["onnxruntime-gpu", "onnxruntime-genai-cuda"]
    assert {"onnxruntime-ep-nv-tensorrt-rtx", "onnxruntime-ep-nv-tensorrt-rtx-cu13"} <= set(there)


def test_vllm_brings_the_torch_that_the_pytorch_lanes_have() -> None:
    """Base and rival differ in the engine alone, and the headline has nothing to say of torches."""
    assert pins("vllm")["torch"] == pins("cuda-torch")["torch"]


@pytest.mark.parametrize("name", ["cuda", "onnxruntime-cuda", "vllm"])
def test_a_trial_finds_what_it_imports(name: str) -> None:
    assert {"msgspec", "psutil", "typing-extensions", "nvidia-ml-py"} <= set(pins(name))


def test_what_makes_the_site_is_in_no_lock_of_the_program() -> None:
    tools = {"sphinx", "myst-parser", "furo"}
    assert tools <= set(pins("site"))
    others = {path.stem for path in REQUIREMENTS.glob("*.lock")} - {"site"}
    assert {name for name in others if tools & set(pins(name))} == set()
