"""NVIDIA's images after 1.3.0rc20 build and run no engines: what starts there, what refuses, and what is advised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from standin.newer import newer_image
from standin.product import SCRIPTS, Product
from trtbench.engine.contract.probe import Probe
from trtbench.engine.known_failures import SYMPTOMS
from trtbench.records.files import read_as

pytestmark = pytest.mark.slow
NO_ENGINES = (
    "TensorRT-LLM 1.3.0rc27+simulated is here without trtllm-build: releases after 1.3.0rc20 build no TensorRT engines, so "
    "tensorrt-engine is left out and tensorrt-pytorch is the only TensorRT-LLM lane here. For engines use "
    "nvcr.io/nvidia/tensorrt-llm/release:1.2.1."
)
SPAWN = next(symptom for symptom in SYMPTOMS if symptom.name == "mpi-spawn")
# NVIDIA's image has no other engines than its own; the tests' environment has, and each would take its time.
ONLY_NVIDIAS = """
import importlib.machinery
import sys


class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in ("onnxruntime_genai", "openvino", "openvino_genai", "vllm", "tensorrt"):
            return None
        return super().find_spec(name, path, target)


sys.meta_path[:] = [Finder if entry is importlib.machinery.PathFinder else entry for entry in sys.meta_path]
"""


class InNewerImage(Product):
    """The product in such an image."""

    def __init__(self, model: Path, folder: Path) -> None:
        super().__init__(model, folder / "data")
        self.image = newer_image(folder / "image")
        (folder / "image" / "python" / "sitecustomize.py").write_text(ONLY_NVIDIAS)
        self.settings |= {"LANES": "auto", "EXAMPLES_DIR": self.image["EXAMPLES_DIR"]}

    def environment(self, **more: str) -> dict[str, str]:
        return super().environment(**{**self.image, **more})

    def probe(self) -> Probe:
        return read_as(Probe, self.data / "engines" / "contract_probe.json")


@pytest.fixture
def image(tiny_model: Path, tmp_path: Path) -> InNewerImage:
    return InNewerImage(tiny_model, tmp_path)


def said(done: Any) -> str:
    return " ".join(done.stdout.split())


def test_run_all_measures_the_lanes_that_there_are(image: InNewerImage) -> None:
    # Nothing is compiled: what PyTorch's lanes are is not looked at here, and compiling them takes minutes.
    settings = {
        "TLLM_WORKER_USE_SINGLE_PROCESS": "1",
        "TRTLLM_BENCH": "1",
        "BATCH_SIZES": "1",
        "TORCHDYNAMO_DISABLE": "1",
    }
    done = image.run("bash", str(SCRIPTS / "run_all.sh"), **settings)
    assert done.returncode == 0, done.stdout
    assert said(done).count(NO_ENGINES) == 1
    lanes = {trial["lane"] for trial in image.trials() if trial["failure"] is None}
    assert "tensorrt-pytorch" in lanes and "pytorch-eager" in lanes and "tensorrt-engine" not in lanes
    report = json.loads((image.data / "results" / "benchmark_comparison_report.json").read_text())
    assert report["headline_lane"] == "tensorrt-pytorch"
    assert "0 in what is used" in said(done) and "may not run" not in said(done)
    changed = {(d.where, d.what, d.name) for d in image.probe().differences}
    assert ("tensorrt_llm.LLM", "missing", "sampler_type") in changed
    assert ("tensorrt_llm.LLM", "new", "generation_config") in changed
    assert ("trtllm-build", "unusable", "is not here") in changed
    assert ("release", "version", "tensorrt_llm") in changed
    assert "trtllm-bench latency runs on TensorRT engines" in said(done)


def test_an_argument_of_the_pytorch_runtime_that_is_gone_is_told_and_refuses_nothing(
    image: InNewerImage, tmp_path: Path
) -> None:
    contract = json.loads((SCRIPTS / "trtbench" / "engine" / "contract" / "contract.json").read_text())
    del contract["python"]["tensorrt_llm.LLM"]["fields"]["enable_autotuner"]
    other = tmp_path / "contract.json"
    other.write_text(json.dumps(contract))
    done = image.bench(
        "--build",
        LANES="pytorch-eager,tensorrt-pytorch",
        STANDIN_CONTRACT=str(other),
        TLLM_WORKER_USE_SINGLE_PROCESS="1",
    )
    assert done.returncode == 0, done.stdout
    assert "tensorrt-pytorch may not run in TensorRT-LLM 1.3.0rc27: tensorrt_llm.LLM has no enable_autotuner" in said(
        done
    )
    assert {trial["lane"] for trial in image.trials() if trial["failure"] is None} == {"pytorch-eager"}


def test_building_an_engine_is_refused_and_what_changed_is_written_down(image: InNewerImage) -> None:
    done = image.run("bash", str(SCRIPTS / "build_engine.sh"))
    assert done.returncode == 2
    assert done.stdout.splitlines()[-1].endswith(NO_ENGINES) and "Traceback" not in done.stdout
    assert image.probe().tensorrt_llm == "1.3.0rc27"
    assert {d.where for d in image.probe().differences if d.what == "unusable"} >= {
        "trtllm-build",
        "convert-llama",
        "quantize",
    }


def test_the_engines_lane_is_refused_by_name(image: InNewerImage) -> None:
    done = image.run("bash", str(SCRIPTS / "run_all.sh"), LANES="pytorch-eager,tensorrt-engine,tensorrt-pytorch")
    assert done.returncode == 2
    assert (
        "the lane tensorrt-engine needs tensorrt_llm._tensorrt_engine, which the tensorrt_llm that is installed does not have; "
        "nvcr.io/nvidia/tensorrt-llm/release:1.2.1 has it: take BASE_IMAGE out of .env"
    ) in said(done)
    done = image.bench(LANES="auto", HEADLINE="tensorrt-engine")
    assert done.returncode == 2 and "name one of them, tensorrt-pytorch" in said(done)


def test_the_steps_of_tensorrt_run_its_pytorch_runtime_and_say_why(image: InNewerImage) -> None:
    done = image.run("bash", str(SCRIPTS / "bench_trt.sh"), TLLM_WORKER_USE_SINGLE_PROCESS="1")
    assert done.returncode == 0, done.stdout
    assert said(done).count(NO_ENGINES) == 1
    assert [trial["lane"] for trial in image.trials()] == ["tensorrt-pytorch"]


def test_a_worker_that_open_mpi_5_cannot_start_is_waited_for_no_longer_than_the_limit(image: InNewerImage) -> None:
    done = image.bench(LANES="tensorrt-pytorch", ENGINE_START_LIMIT="25", TLLM_WORKER_USE_SINGLE_PROCESS="0")
    assert done.returncode == 2
    (trial, *_) = image.trials()
    assert trial["failure"]["reason"] == (
        f"TensorRT-LLM did not start within ENGINE_START_LIMIT=25 seconds: {SPAWN.reason}"
    )
    assert SPAWN.remedy in said(done) and "TLLM_WORKER_USE_SINGLE_PROCESS=1" in said(done)
