"""Errors that people really meet: the stand-in fails that way, and the user reads our sentence and the remedy.

The same rows stand in docs/troubleshooting.md, in the words that the user sees.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from standin.product import Product
from trtbench.engine.known_failures import KILLED, SLOW_START, SLOW_START_OF_ANOTHER, SYMPTOMS

pytestmark = pytest.mark.slow
KNOWN = {symptom.name: symptom for symptom in (*SYMPTOMS, KILLED, SLOW_START)}


@pytest.fixture
def product(built: Product, tmp_path: Path) -> Product:
    return built.copied(tmp_path / "data")


@pytest.mark.parametrize(
    ("failure", "symptom", "settings"),
    [
        ("oom-convert", "out-of-memory", {"PRECISION": "bfloat16"}),
        ("oom-build", "out-of-memory", {"NEW_TOKENS": "9"}),
        ("killed-build", "killed", {"NEW_TOKENS": "9"}),
        ("old-driver", "old-driver", {"NEW_TOKENS": "9"}),
        ("transformers-mismatch", "other-transformers", {"PRECISION": "bfloat16"}),
        ("calib-network", "calibration", {"PRECISION": "int4_awq"}),
    ],
)
def test_a_failing_tool_gets_a_sentence_a_remedy_and_a_log(
    failure: str, symptom: str, settings: dict[str, str], product: Product
) -> None:
    done = product.build(STANDIN_FAIL=failure, **settings)
    assert done.returncode == 2
    error = done.stdout.splitlines()[-1]
    assert KNOWN[symptom].reason in error and KNOWN[symptom].remedy in error
    assert "Traceback" not in done.stdout
    assert Path(error.split("Its messages are in ")[1].rstrip(".")).is_file()
    assert len(product.engines()) == 1, "no half engine"


@pytest.mark.parametrize(("failure", "symptom"), [("import-tensorrt", "no-tensorrt"), ("import-libmpi", "no-libmpi")])
def test_a_broken_installation_is_told_by_the_probe(failure: str, symptom: str, product: Product) -> None:
    (product.data / "engines" / "contract_probe.json").unlink()
    done = product.build(STANDIN_FAIL=failure)
    assert done.returncode == 2
    assert KNOWN[symptom].reason in done.stdout and KNOWN[symptom].remedy in done.stdout


@pytest.mark.parametrize(
    ("failure", "symptom"),
    [
        ("import-tensorrt", "no-tensorrt"),
        ("import-libmpi", "no-libmpi"),
        ("old-driver", "old-driver"),
        ("mpi-spawn", "mpi-spawn"),
        ("mpi-slots", "mpi-slots"),
        ("mpi-opal", "mpi-init"),
        ("bad-compute", "other-gpu"),
        ("version-mismatch", "other-tensorrt"),
        ("oom-load", "out-of-memory"),
        ("shm", "worker-died"),
        ("no-kernel", "unsupported-gpu"),
        ("crash-run", "worker-died"),
    ],
)
def test_a_failing_lane_gets_a_sentence_and_a_remedy(failure: str, symptom: str, product: Product) -> None:
    done = product.bench(STANDIN_FAIL=failure)
    said = " ".join(done.stdout.split())
    assert KNOWN[symptom].reason in said and KNOWN[symptom].remedy in said
    assert "Traceback" not in done.stdout
    for trial in product.trials():
        assert trial["failure"]["reason"] == KNOWN[symptom].reason
        assert trial["cells"] == [], "no figure of a lane that failed"


def test_running_out_of_memory_in_a_cell_is_a_hole_with_what_to_lower(product: Product) -> None:
    product.bench(STANDIN_FAIL="oom-run")
    (trial,) = product.trials()[:1]
    assert trial["failure"]["reason"].startswith("out of memory with batch 2 and 56 + 8 tokens")
    assert "; lower BATCH_SIZES" in trial["failure"]["reason"]


def test_an_engine_that_came_out_damaged_is_never_timed(tiny_model: Path, tmp_path: Path) -> None:
    product = Product(tiny_model, tmp_path / "data")
    assert product.build(STANDIN_FAIL="corrupt-engine").returncode == 0, "the tool itself says that all is well"
    done = product.bench()
    assert KNOWN["damaged-engine"].reason in done.stdout and "--rebuild" in done.stdout
    assert all(trial["failure"] is not None for trial in product.trials())


def test_every_symptom_is_in_the_troubleshooting_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    text = " ".join(page.split())
    told = [*KNOWN.values(), SLOW_START_OF_ANOTHER]
    assert [symptom.name for symptom in told if symptom.reason not in text] == []
    titles = [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")]
    assert titles[:3] == ["CUDA out of memory", "TensorRT engine not found", "Docker can't access GPU"]
