"""`compare.py --against`, `--fail-on-regression` and `--bundle` as a user types them: exit status, sentences, files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import factory
from command import environment
from trtbench.settings.knobs import ROOT

COMPARE = str(ROOT / "scripts" / "compare.py")
THEN = "20260101-000000"
EAGER = [241.0, 242.0, 240.0, 241.5, 240.5]
FAST = [100.0, 100.5, 99.5, 100.2, 99.8]


def compare(results: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**environment(), "PYTHONPATH": ""}
    command = [sys.executable, COMPARE, "--results-dir", str(results), "--no-chart", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """An earlier run, and a latest one in which ONNX Runtime takes a tenth longer. The audit of these records refuses
    nothing that would void a verdict."""
    home = tmp_path / "results"
    factory.store(home, factory.run(id=THEN), factory.trials({"pytorch-eager": EAGER, "onnxruntime": FAST}))
    slow = {"pytorch-eager": EAGER, "onnxruntime": [ms * 1.1 for ms in FAST]}
    factory.store(home, factory.run(), factory.trials(slow))
    return home


def test_a_run_against_an_earlier_one(results: Path) -> None:
    done = compare(results, "--against", THEN)
    assert done.returncode in (0, 3), done.stderr
    assert f"--- AGAINST RUN {THEN} ---" in done.stdout
    assert "0.91x" in done.stdout
    report = json.loads((results / "benchmark_comparison_report.json").read_bytes())
    assert report["history"]["run"] == THEN
    assert {c["lane"] for c in report["history"]["changes"]} == {"pytorch-eager", "onnxruntime"}


@pytest.mark.parametrize(("share", "status"), [("3%", 4), ("15%", 0)])
def test_the_gate_ends_with_status_4_only_beyond_the_share(results: Path, share: str, status: int) -> None:
    done = compare(results, "--against", THEN, "--fail-on-regression", share)
    assert done.returncode in {4: (4,), 0: (0, 3)}[status], done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("regression: ONNX Runtime" if status else "no lane is proven slower")


def test_a_bundle_goes_to_a_colleague_and_is_compared_there(results: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "mine.json.gz"
    done = compare(results, "--bundle", str(bundle))
    assert str(bundle) in done.stdout.splitlines()
    assert "token ids that the lanes returned" in done.stderr
    again = tmp_path / "again.json.gz"
    compare(results, "--bundle", str(again))
    assert bundle.read_bytes() == again.read_bytes()

    theirs = tmp_path / "colleague"
    other = factory.environment(cpu_model="Other")
    faster = factory.trials({"pytorch-eager": EAGER, "onnxruntime": FAST}, environment=other)
    factory.store(theirs, factory.run(id="20260601-000000", machine=other.machine), faster)
    done = compare(theirs, "--against", str(bundle), "--fail-on-regression", "3%")
    assert done.returncode in (0, 3), done.stderr
    assert "ANOTHER MACHINE" in done.stdout
    assert "CPU: Example CPU @ 2.00GHz then, Other now" in done.stdout
    assert done.stderr.splitlines()[-1].endswith("(on another machine)")


def test_a_folder_and_a_report_are_other_runs_too(results: Path, tmp_path: Path) -> None:
    folder = results / "runs" / THEN
    assert "a run's folder, audited again" in compare(results, "--against", str(folder)).stdout
    compare(results, "--run", THEN)
    report = folder / "benchmark_comparison_report.json"
    done = compare(results, "--against", str(report))
    assert "could not be audited again" in done.stdout
    assert "0.91x" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fail-on-regression", "3%"], "needs --against"),
        (["--against", THEN, "--fail-on-regression", "3"], "such as 3%"),
        (["--against", factory.RUN], "is the run itself"),
        (["--against", "nowhere"], f"neither a file or folder nor a run; other runs: {THEN}"),
        (["--against", "/dev/zero"], "not a regular file"),
        (["--against", COMPARE], "truncated or not JSON"),
        (["--bundle", COMPARE], "exists and is no bundle"),
        (["--bundle", "/proc/nowhere/b.gz"], "cannot be written"),
    ],
)
def test_bad_input_gets_one_sentence_and_status_2(results: Path, arguments: list[str], said: str) -> None:
    done = compare(results, *arguments)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr


def test_a_gate_between_nothing_in_common_is_an_error_and_not_a_pass(results: Path, tmp_path: Path) -> None:
    other = factory.store(tmp_path / "other", factory.run(id="20250101-000000"), factory.trials({"openvino": FAST}))
    done = compare(results, "--against", str(other), "--fail-on-regression", "3%")
    assert done.returncode == 2
    assert "cannot be checked" in done.stderr
