"""scripts/run_all.sh, what profile auto runs, on the stand-in: build, interleaved lanes, comparison."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from standin.product import SCRIPTS, Product

pytestmark = pytest.mark.slow
RUN_ALL = ("bash", str(SCRIPTS / "run_all.sh"))
LANES = "pytorch-eager,tensorrt-engine,tensorrt-pytorch"


@pytest.mark.ngc
def test_one_command_builds_measures_and_compares(tiny_model: Path, tmp_path: Path) -> None:
    product = Product(tiny_model, tmp_path / "data")
    done = product.run(*RUN_ALL, LANES=LANES, TRIALS="2")
    assert done.returncode == 0, done.stdout
    assert len(product.engines()) == 1
    trials = product.trials()
    assert all(trial["failure"] is None and trial["interleaved"] for trial in trials)
    order = [trial["lane"] for trial in trials]
    assert [sorted(order[i : i + 3]) for i in (0, 3)] == [sorted(LANES.split(","))] * 2, "rounds, not blocks"
    results = product.data / "results"
    report = json.loads((results / "benchmark_comparison_report.json").read_text())
    assert report["simulated"] is True and report["headline_lane"] == "tensorrt-engine"
    for name in ("pytorch_benchmark.json", "tensorrt_benchmark.json", "benchmark_comparison.png"):
        assert (results / name).is_file()
    assert "SIMULATED" in done.stdout


def test_a_failing_build_ends_it_before_anything_is_measured(tiny_model: Path, tmp_path: Path) -> None:
    product = Product(tiny_model, tmp_path / "data")
    done = product.run(*RUN_ALL, LANES=LANES, STANDIN_FAIL="oom-convert")
    assert done.returncode == 2
    assert "CUDA out of memory" in done.stdout
    assert product.trials() == []


def test_single_steps_join_one_run(built: Product, tmp_path: Path) -> None:
    product = built.copied(tmp_path / "data")
    product.settings["LANES"] = "auto"
    assert product.run("bash", str(SCRIPTS / "bench_pytorch.sh"), LANES="pytorch-eager").returncode == 0
    done = product.run("bash", str(SCRIPTS / "bench_trt.sh"))
    assert done.returncode == 0, done.stdout
    assert len(list(product.data.glob("results/runs/*"))) == 1
    assert {trial["lane"] for trial in product.trials()} == {"pytorch-eager", "tensorrt-engine", "tensorrt-pytorch"}
    view = json.loads((product.data / "results" / "tensorrt_benchmark.json").read_text())
    assert {f["lane"] for row in view["cells"] for f in row["figures"]} == {"tensorrt-engine", "tensorrt-pytorch"}
