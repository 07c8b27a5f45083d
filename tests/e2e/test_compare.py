"""`python3 scripts/compare.py` on stored records: no engine, no run of its own, a report or one sentence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import factory
from command import environment
from trtbench.settings.knobs import ROOT

COMPARE = str(ROOT / "scripts" / "compare.py")
BOTH = {"pytorch-eager": [241.0, 242.0, 240.0], "onnxruntime": [100.0, 100.5, 99.5]}


def compare(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    # Without the toy lanes: what a user calls, with nothing on PYTHONPATH.
    env = {**environment(**settings), "PYTHONPATH": ""}
    return subprocess.run([sys.executable, COMPARE, *arguments], env=env, capture_output=True, text=True, timeout=120)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    factory.store(folder, factory.run(), factory.trials(BOTH))
    return folder


def test_it_prints_the_report_and_names_its_files(results: Path) -> None:
    done = compare("--results-dir", str(results))
    assert done.returncode in (0, 3), done.stderr  # 3: the audit finds something wrong with made-up records
    assert "Speedup: 2.41x" in done.stdout
    files = [line for line in done.stdout.splitlines() if line.startswith(str(results))]
    assert {Path(line).name for line in files} >= {
        "onnxruntime_benchmark.json",
        "pytorch_benchmark.json",
        "benchmark_comparison_report.json",
        "benchmark_comparison.png",
    }
    assert all(Path(line).is_file() for line in files)
    report = json.loads((results / "benchmark_comparison_report.json").read_bytes())
    assert (report["kind"], report["run"]) == ("comparison", factory.RUN)


def test_it_speaks_french(results: Path) -> None:
    assert "RAPPORT DE PERFORMANCE" in compare("--results-dir", str(results), REPORT_LANG="fr").stdout
    assert "RAPPORT DE PERFORMANCE" in compare("--results-dir", str(results), "--report-lang", "fr").stdout


def test_the_same_records_in_other_files_give_the_same_bytes(results: Path, tmp_path: Path) -> None:
    """The order in which the file system lists the records must not matter."""
    other = tmp_path / "other"
    shutil.copytree(results, other)
    trials = other / "runs" / factory.RUN / "trials"
    contents = {path: path.read_bytes() for path in sorted(trials.iterdir(), reverse=True)}
    shutil.rmtree(trials)
    trials.mkdir()
    for path, content in contents.items():
        path.write_bytes(content)
    texts = [compare("--results-dir", str(folder), "--no-chart").stdout for folder in (results, other)]
    assert texts[0].replace(str(results), "") == texts[1].replace(str(other), "")
    reports = [(folder / "benchmark_comparison_report.json").read_bytes() for folder in (results, other)]
    assert reports[0] == reports[1]


def test_a_single_lane_prints_its_figures_and_the_missing_lanes(tmp_path: Path) -> None:
    factory.store(tmp_path, factory.run(["onnxruntime"]), factory.trials({"onnxruntime": [100.0] * 3}))
    done = compare("--results-dir", str(tmp_path), "--no-chart")
    assert done.returncode in (0, 3), done.stderr
    assert "A single lane: nothing to compare with." in done.stdout
    assert "PyTorch eager (bash scripts/bench_pytorch.sh)" in done.stdout
    assert "Speedup" not in done.stdout
    assert not (tmp_path / "benchmark_comparison.png").exists()


def test_an_older_run_is_compared_in_its_own_folder(results: Path) -> None:
    factory.store(results, factory.run(id="20270101-000000"), factory.trials({"pytorch-eager": [100.0] * 3}))
    done = compare("--results-dir", str(results), "--run", factory.RUN, "--no-chart")
    assert "Speedup: 2.41x" in done.stdout
    assert (results / "runs" / factory.RUN / "benchmark_comparison_report.json").is_file()
    assert not (results / "benchmark_comparison_report.json").exists()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda r: shutil.rmtree(r), "holds no run; start one with: bash scripts/bench_local.sh"),
        (lambda r: shutil.rmtree(r / "runs" / factory.RUN / "trials"), "has no finished trial"),
        (
            lambda r: cut(next((r / "runs" / factory.RUN / "trials").glob("0003*"))),
            "0003-pytorch-eager-float32-t2-a1.json is",
        ),
        (lambda r: cut(r / "runs" / factory.RUN / "run.json"), "run.json is truncated or not JSON"),
    ],
)
def test_bad_input_gets_one_sentence_and_status_2(results: Path, spoil: object, said: str) -> None:
    assert callable(spoil)
    spoil(results)
    done = compare("--results-dir", str(results))
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


def test_a_wrong_flag_gets_one_sentence() -> None:
    done = compare("--reslts-dir", "x")
    assert done.returncode == 2
    assert done.stderr == "error: --reslts-dir is not known; did you mean --results-dir?\n"


def test_a_reader_that_goes_away_is_no_error(results: Path) -> None:
    command = f"{sys.executable} {COMPARE} --no-chart --results-dir {results} | head -1"
    done = subprocess.run(["bash", "-c", command], env=environment(PYTHONPATH=""), capture_output=True, text=True)
    assert done.stdout == "=" * 80 + "\n"
    assert done.stderr == ""


def modules(*arguments: str) -> set[str]:
    """Everything that compare.py imports on the way."""
    program = (
        "import runpy, sys\n"
        f"sys.argv = ['compare.py', *{list(arguments)!r}]\n"
        f"try: runpy.run_path({COMPARE!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print('MODULES', *sys.modules)"
    )
    env = {**environment(), "PYTHONPATH": ""}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("MODULES ")[2].split())


def test_help_imports_nothing_that_takes_time() -> None:
    loaded = modules("--help")
    assert "trtbench.compare" in loaded
    assert not loaded & {"numpy", "matplotlib", "jinja2", "msgspec", "psutil", "torch", "trtbench.records.trial"}


def test_comparing_imports_no_engine(results: Path) -> None:
    loaded = modules("--results-dir", str(results))
    assert "matplotlib" in loaded
    assert not loaded & {
        "torch",
        "transformers",
        "onnxruntime",
        "onnxruntime_genai",
        "openvino",
        "tensorrt_llm",
        "vllm",
    }
