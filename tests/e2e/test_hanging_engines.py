"""Engines that hang or break beside the timed passes and at their end, on the stand-in, through the benchmark's own command:
the figures stay, the run ends, and nothing of it is left."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from standin.kit import HERE
from standin.product import Product

pytestmark = pytest.mark.slow


@pytest.fixture
def product(built: Product, tmp_path: Path) -> Product:
    return built.copied(tmp_path / "data")


def bench(product: Product, failures: str, **limits: float) -> tuple[int, str]:
    """One trial with these failures, and with these limits in its process."""
    (product.data.parent / "sitecustomize.py").write_text(
        "\n".join(
            [
                "from trtbench.measure import limits",
                *(f"limits.{name} = {value}" for name, value in limits.items()),
            ]
        )
    )
    began = time.monotonic()
    path = os.pathsep.join([str(HERE / "python"), str(product.data.parent)])
    done = product.bench(STANDIN_FAIL=failures, STANDIN_FAIL_CALL="4", STANDIN_LINGER="60", PYTHONPATH=path)
    assert time.monotonic() - began < 240
    left = [p for p in psutil.process_iter(["environ"]) if belongs(p, product)]
    assert left == []
    return done.returncode, done.stdout


def belongs(process: psutil.Process, product: Product) -> bool:
    environ = process.info["environ"] or {}
    return environ.get("DATA_DIR") == str(product.data) and process.pid != os.getpid()


def has_figures(trial: dict[str, Any]) -> bool:
    (record,) = trial["cells"]
    return trial["failure"] is None and bool(record["e2e"]["times"]) and bool(record["ttft"]["times"])


def test_an_engine_that_dies_over_its_own_times_and_then_hangs_in_its_shutdown(product: Product) -> None:
    status, said = bench(product, "crash-metrics,hang-shutdown", CLOSE=3.0)
    assert status == 0, said
    (trial,) = product.trials()
    assert has_figures(trial) and trial["statement"]["runtime"] == "TensorRT engine"
    assert trial["cells"][0]["engine_metrics"] is None and trial["cells"][0]["memory"]["peak_rss"]
    assert {one["kind"]: one["reason"] for one in trial["left_out"]} == {
        "engine_metrics": "RequestError: the executor's worker has died",
        "close": "shutting down took longer than 3 s and was ended",
    }
    assert "trial 1 goes without the engine's own times: RequestError: the executor's worker has died" in said
    assert "trial 1 goes without an orderly end: shutting down took longer than 3 s" in said


def test_an_interpreter_that_hangs_at_its_end_is_not_waited_for(product: Product) -> None:
    """MPI_Finalize, for one: the record is there, and the process ends without it."""
    status, said = bench(product, "raise-metrics,hang-exit", CLOSE=200.0)
    assert status == 0, said
    (trial,) = product.trials()
    assert has_figures(trial)
    (only,) = trial["left_out"]
    assert only["kind"] == "engine_metrics"
    assert only["reason"] == "RuntimeError: performance metrics are not available in this executor"


def test_a_generation_that_hangs_is_ended_with_its_phase(product: Product) -> None:
    """The fourth: the first is cold, one warms up, one is timed, and this one stands before the first tokens."""
    status, said = bench(product, "hang-run", FIRST=4.0, TOKEN=0.1, STEADY=3.0, SLOWER=2.0)
    assert status == 2, said
    (trial,) = product.trials()
    assert trial["failure"]["phase"] == "first token" and trial["cells"] == []
    assert "it hung: first token had no end after" in said
