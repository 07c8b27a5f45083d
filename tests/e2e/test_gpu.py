"""The command on a GPU that is a recording: telemetry in the records, memory that runs out, a card that is lost."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from command import TOY, Bench
from tape import FOLDER, H200, answers
from trtbench.engine import known_failures
from trtbench.records import run_folder
from trtbench.records.trial import Trial
from trtbench.settings import environments
from trtbench.settings.knobs import ROOT

pytestmark = pytest.mark.usefixtures("toys")
PATHS = os.pathsep.join(map(str, (TOY, ROOT / "scripts", FOLDER)))


@pytest.fixture
def card(bench: Bench, tmp_path: Path) -> Bench:
    """Short runs on the recorded H200, without its counter of energy: a pass for that takes five seconds."""
    tape = tmp_path / "tape.json"
    tape.write_text(json.dumps({"answers": answers(TotalEnergyConsumption=None)}))
    bench.settings.update(
        DEVICE="cuda",
        TOY_DEVICES="cpu,cuda",
        PRECISION="float32",
        PYTHONPATH=PATHS,
        NVML_TAPE=str(tape),
        TOY_LOST=str(tmp_path / "second"),
        TOY_FAULT="CUDA error: unspecified launch failure",
    )
    return bench


def trials(bench: Bench) -> list[Trial]:
    return run_folder.trials(bench.results, run_folder.listed(bench.results)[-1])


def test_records_and_report_hold_what_the_card_told(card: Bench) -> None:
    done = card("--compare", NVML_TAPE=str(H200), TOY_SECONDS="0.3", LANES="toy-torch,toy-fast")
    assert done.returncode in (0, 3), done.stderr
    found = trials(card)
    for trial in found:
        assert trial.telemetry is not None
        (gpu,) = trial.telemetry.gpus or []
        assert (gpu.name, gpu.memory_bus_width, gpu.power_cap) == ("NVIDIA H200", 6016, 700)
        assert gpu.samples > 0
        assert gpu.sm_clock is not None and len(gpu.sm_clock) == gpu.samples
        assert trial.telemetry.problems == []
        (record,) = trial.cells
        assert record.e2e is not None and record.e2e.began is not None and record.e2e.ended is not None
        assert sum(record.e2e.times) <= record.e2e.ended - record.e2e.began
        # Five seconds for each cell, in the first trial of a lane only.
        assert (record.energy is not None) is (trial.index == 1)
        if record.energy is not None:
            assert record.energy.ended - record.energy.began >= 5e9
            assert record.energy.tokens % 8 == 0
            assert record.energy.watts is not None and 0 < record.energy.watts < 130
    assert found[0].environment.gpus == ["NVIDIA H200"]
    assert (found[0].environment.driver, found[0].environment.cuda) == ("580.159.04", "13.0")
    assert "ENERGY (joules per new token of the whole card)" in done.stdout
    assert "J per new token" in (card.results / "benchmark_comparison.html").read_text(encoding="utf-8")


def test_a_cell_that_does_not_fit_fails_alone_with_its_figures(card: Bench) -> None:
    done = card("--compare", LANES="toy-torch,toy-crowded", BATCH_SIZES="1,2", TRIALS="1")
    assert done.returncode in (0, 3), done.stderr
    crowded = next(t for t in trials(card) if t.lane == "toy-crowded")
    assert crowded.failure is None
    fits, hole = crowded.cells
    assert fits.e2e is not None and hole.e2e is None
    assert hole.hole == (
        "out of memory with batch 2 and 16 + 8 tokens (20.00 GiB more were asked for, 3.50 GiB of the GPU's 24.00 GiB were "
        "free); lower BATCH_SIZES, PROMPT_LENGTHS or NEW_TOKENS"
    )
    said = " ".join(done.stdout.split())
    assert "Toy Crowded: not measured: out of memory with batch 2" in said


@pytest.mark.parametrize(
    ("fault", "nvml_says_lost"),
    [
        ("CUDA error: unspecified launch failure", True),
        ("CUDA error: an engine's own words", True),
        ("CUDA error: uncorrectable ECC error encountered", False),
        ("NVRM: GPU 0000:01:00.0: GPU has fallen off the bus", False),
    ],
)
def test_a_lost_card_ends_the_run_and_what_is_finished_is_kept(
    card: Bench, tmp_path: Path, fault: str, nvml_says_lost: bool
) -> None:
    lost = {"NVML_LOST": str(tmp_path / "lost")} if nvml_says_lost else {}
    done = card(LANES="toy-torch,toy-fault", TRIALS="5", TOY_FAULT=fault, **lost)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    error = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(error) == 1 and error[0].startswith(f"error: {known_failures.LOST_GPU.reason}")
    assert "has finished is kept" in error[0] and "--resume" in error[0]
    kept = trials(card)
    finished = [t for t in kept if t.failure is None]
    assert {t.lane for t in finished} == {"toy-torch", "toy-fault"}
    assert kept[-1].failure is not None and kept[-1].lane == "toy-fault", "nothing was started on the lost card"
    assert (card.results / "toytorch_benchmark.json").is_file()


def test_the_run_goes_on_from_there(card: Bench, tmp_path: Path) -> None:
    lost = tmp_path / "lost"
    assert card(LANES="toy-torch,toy-fault", TRIALS="3", NVML_LOST=str(lost)).returncode == 2
    before = card.trials()
    lost.unlink()
    (tmp_path / "second").unlink()  # the next trial of the lane is sound again, the one after it is not
    done = card("--resume", LANES="toy-torch,toy-fault", TRIALS="2")
    assert done.returncode == 0, done.stderr
    assert card.trials().items() >= before.items()
    finished = [(t.lane, t.index) for t in trials(card) if t.failure is None]
    assert sorted(finished) == [("toy-fault", 1), ("toy-fault", 2), ("toy-torch", 1), ("toy-torch", 2)]


def test_a_fault_on_a_sound_card_fails_one_trial_and_the_run_goes_on(card: Bench) -> None:
    done: subprocess.CompletedProcess[str] = card(LANES="toy-torch,toy-fault", TRIALS="2")
    assert done.returncode == 0, done.stderr
    assert "the GPU stopped this process after a fault in its work" in done.stderr
    assert [t.failure is None for t in trials(card) if t.lane == "toy-torch"] == [True, True]
    assert sorted(t.failure is None for t in trials(card) if t.lane == "toy-fault") == [False, True]


def test_nvml_failing_in_the_middle_is_told_and_the_figures_stand(card: Bench) -> None:
    done = card("--compare", NVML_BREAK="4:10", TOY_SECONDS="0.3", TRIALS="1")
    assert done.returncode in (0, 3), done.stderr
    for trial in trials(card):
        assert trial.failure is None and trial.telemetry is not None
        assert trial.telemetry.problems == ["NVML stopped answering: the driver did not answer in time"]
    assert "NVML stopped answering" in " ".join(done.stdout.split())


@pytest.mark.skipif(environments.here().release("torch") is None, reason="torch is not installed")
def test_a_torch_that_cannot_use_the_card_is_told_before_anything_is_measured(card: Bench) -> None:
    """The build for processors, as the environment of the tests has it, beside a card that NVML shows."""
    done = card(LANES="pytorch-eager,toy-torch", NVML_TAPE=str(H200))
    assert done.returncode == 2
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "is a build without CUDA. pytorch-eager would fail: install a torch that fits" in error
    assert "Traceback" not in done.stderr and not (card.results / "runs").exists()
