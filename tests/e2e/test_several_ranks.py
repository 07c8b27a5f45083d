"""TP_SIZE=2 on a CPU from end to end: two processes over gloo for each PyTorch lane, and a report of their records. Its times say
nothing of cards; its ids do."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from command import TINY, TOY, Bench, python
from tiny_families import greedy, loaded
from trtbench.model import files
from trtbench.model.synthetic import write_synthetic
from trtbench.records import run_folder
from trtbench.records.trial import Trial
from trtbench.settings.knobs import ROOT

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.slow

# pytorch-compile, of which each rank compiles a whole decoder anew in each process, would take as long as all of this again: its
# static cache is split below, without the compiler.
SPLIT = ["pytorch-eager", "pytorch-tuned"]
ON_ONE = ["onnxruntime", "openvino"]
NEW = 4


@dataclasses.dataclass
class Ran:
    model: Path
    done: subprocess.CompletedProcess[str]
    report: dict[str, Any]
    trials: list[Trial]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One run for all tests."""
    folder = tmp_path_factory.mktemp("ranks")
    model = folder / "model"
    model.mkdir()
    write_synthetic(model, TINY, seed=3)
    bench = Bench(model, folder / "data")
    bench.settings.update(
        LANES=",".join([*SPLIT, *ON_ONE]), TP_SIZE="2", TRIALS="1", NUM_ITERATIONS="1", NEW_TOKENS=str(NEW), THREADS="2"
    )
    # Without the toy lanes, beside which nothing is judged; a pool of compiling processes costs more than it saves here.
    own = {"PYTHONPATH": str(ROOT / "scripts"), "TMPDIR": str(folder), "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "trtbench.bench", "--compare"],
        env={**os.environ, **bench.settings, **own},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(folder.glob("trtbench-ranks-*")) == []
    report = json.loads((bench.results / "benchmark_comparison_report.json").read_bytes())
    return Ran(model, done, report, run_folder.trials(bench.results, run_folder.listed(bench.results)[-1]))


def test_every_lane_that_can_be_split_ran_on_two_ranks(ran: Ran) -> None:
    assert {trial.lane for trial in ran.trials} == set(SPLIT)
    for trial in ran.trials:
        assert trial.failure is None and trial.statement is not None, trial.lane
        assert (trial.statement.tensor_parallel, trial.statement.threads) == (2, 2), trial.lane
        assert "tensor parallel, one process a rank, all-reduce over gloo" in trial.statement.notes


def test_the_ranks_hold_the_whole_model_between_them(ran: Ran) -> None:
    for trial in ran.trials:
        (record,) = trial.cells
        assert record.memory is not None and record.memory.weights is not None
        assert record.memory.weights >= 4 * files.parameters(ran.model), trial.lane
        # Embeddings and norms twice at most: no rank holds all of it.
        assert record.memory.weights < 2 * 4 * files.parameters(ran.model), trial.lane


def test_what_they_answer_is_what_the_whole_model_answers(ran: Ran) -> None:
    (cell,) = ran.report["cells"]
    assert {figures["lane"]: figures["near"] for figures in cell["figures"]} == dict.fromkeys(SPLIT, 1.0)
    assert [finding for finding in ran.report["findings"] if finding["level"] == "fail"] == []


def test_lanes_for_one_card_are_left_out_with_a_sentence(ran: Ran) -> None:
    for lane in ON_ONE:
        sentence = f"{lane} runs a model on one card, and TP_SIZE is 2"
        assert f"{lane} float32 is left out: {sentence}." in ran.done.stderr
        assert f"float32: {sentence}" in ran.done.stdout


def test_the_static_cache_of_transformers_is_split_too(tmp_path: Path) -> None:
    """The lane `pytorch-compile` without the compiler, whose part stands where its other tests are."""
    model = tmp_path / "model"
    model.mkdir()
    write_synthetic(model, TINY, seed=3)
    calls = ("prepare", "load", "begin", "generate")
    done = python(str(TOY / "drive_ranks.py"), "pytorch-compile", str(model), "60", *calls, TORCHDYNAMO_DISABLE="1")
    assert done.returncode == 0, done.stdout + done.stderr
    told = [json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith("TOLD ")]
    assert [one["value"] for one in told if one["call"] == "generate"] == [greedy(loaded(model), [[1, 2, 3]], NEW)]
