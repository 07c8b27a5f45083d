"""`bash scripts/bench_local.sh` as a stranger types it, on the trained model of its default: downloaded, converted, run, judged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trtbench.settings.knobs import ROOT

SHORT = {
    "LANES": "pytorch-eager",
    "TRIALS": "1",
    "NUM_ITERATIONS": "2",
    "WARMUP_LIMIT": "2",
    "QUIET": "warn",
    "TRY_SETTINGS": "0",
}


@pytest.mark.slow
def test_the_default_model_is_a_trained_one_and_every_file_says_where_its_weights_come_from(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", str(ROOT / "scripts" / "bench_local.sh")],
        env={
            **os.environ,
            **SHORT,
            "DATA_DIR": str(tmp_path),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "TRTBENCH_IMAGE": "tests",  # the interpreter on PATH in place of an environment of its own
        },
        capture_output=True,
        text=True,
        timeout=400,
    )
    if "pip could not download" in done.stderr and os.environ.get("CI") != "true":
        pytest.skip(f"no package index here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    results = tmp_path / "results"
    report = json.loads((results / "benchmark_comparison_report.json").read_text())
    model, (cell,) = report["model"], report["cells"]
    assert (model["name"], model["dequantised"], model["synthetic"]) == ("smollm2", "Q4_1", False)
    assert model["parameters"] == 134_515_008
    (figures,) = cell["figures"]
    # Random weights give a perplexity of hundreds; wrongly read ones of a trained model, too.
    assert figures["near"] == 1.0 and figures["perplexity"] < 8
    assert "DEQUANTISED" in done.stdout
    for name in ("benchmark_comparison.html", "benchmark_comparison_report.json", "pytorch_benchmark.json"):
        assert "Q4_1" in (results / name).read_text(encoding="utf-8"), name
