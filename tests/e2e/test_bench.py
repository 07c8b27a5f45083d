"""The command from end to end: real lanes once, everything else with toy lanes."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import factory
from command import Bench
from trtbench.records import run_folder
from trtbench.records.trial import Sealed, Trial, write_trial

pytestmark = pytest.mark.usefixtures("toys")
PLANTED = {"HF_TOKEN": "hf_planted", "NGC_API_KEY": "nvapi_planted"}


def trials(bench: Bench) -> list[Trial]:
    return run_folder.trials(bench.results, run_folder.listed(bench.results)[-1])


# Two real lanes


@pytest.fixture(scope="module")
def real(tiny_model: Path, shared_data: Path) -> tuple[Bench, subprocess.CompletedProcess[str]]:
    """Both lanes, three trials each, compared; with secrets in the environment."""
    bench = Bench(tiny_model, shared_data)
    bench.settings.update(LANES="pytorch-eager,onnxruntime", TRIALS="3")
    return bench, bench("--compare", **PLANTED)


def test_the_whole_way_ends_with_a_report_and_its_files(real: tuple[Bench, subprocess.CompletedProcess[str]]) -> None:
    bench, done = real
    assert done.returncode in (0, 3), done.stderr  # 3: the audit voids a verdict, which a tiny model may deserve
    for part in ("PERFORMANCE REPORT", "LATENCY", "THROUGHPUT", "MEMORY", "Speedup: ", "PyTorch eager", "ONNX Runtime"):
        assert part in done.stdout
    names = {path.name for path in bench.results.iterdir() if path.is_file() and path.suffix in (".json", ".png")}
    assert names >= {
        "pytorch_benchmark.json",
        "onnxruntime_benchmark.json",
        "benchmark_comparison_report.json",
        "benchmark_comparison.png",
    }
    assert all(str(bench.results / name) in done.stdout for name in names)
    (run,) = bench.runs()
    assert {"run.json", "workload.json", "trials", "logs"} <= {path.name for path in run.iterdir()}
    assert [path.name for path in run.iterdir() if path.name.startswith(".")] == []


def test_three_interleaved_trials_of_each_lane(real: tuple[Bench, subprocess.CompletedProcess[str]]) -> None:
    found = trials(real[0])
    assert [t.position for t in found] == [1, 2, 3, 4, 5, 6]
    lanes = [t.lane for t in found]
    assert all({lanes[i], lanes[i + 1]} == {"pytorch-eager", "onnxruntime"} for i in (0, 2, 4))
    assert all(t.interleaved and t.failure is None for t in found)
    assert len({t.workload_digest for t in found}) == len({t.model.digest for t in found}) == 1


def test_each_trial_carries_what_the_run_had_fixed(real: tuple[Bench, subprocess.CompletedProcess[str]]) -> None:
    bench = real[0]
    run = run_folder.read(bench.results, run_folder.listed(bench.results)[-1])
    sealed = Sealed(headline="onnxruntime", lanes=["pytorch-eager", "onnxruntime"], candidates=run.candidates or [])
    assert (run.headline, run.candidates) == ("onnxruntime", [("pytorch-eager", "float32")])
    assert all(t.sealed == sealed and t.settings == run.settings for t in trials(bench))


def test_both_lanes_return_the_same_ids_for_the_same_prompts(
    real: tuple[Bench, subprocess.CompletedProcess[str]],
) -> None:
    said = set()
    for trial in trials(real[0]):
        (record,) = trial.cells
        assert record.e2e is not None
        assert record.ttft is not None
        assert all(len(row) == 8 for output in record.e2e.outputs for row in output)
        ids = tuple(tuple(record.e2e.outputs[i][0]) for i in record.e2e.output)
        said.add((ids, record.e2e.prompts_digest, record.ttft.prompts_digest))
    assert len(said) == 1


def test_the_view_says_what_the_records_say(real: tuple[Bench, subprocess.CompletedProcess[str]]) -> None:
    bench, _ = real
    report = json.loads((bench.results / "benchmark_comparison_report.json").read_bytes())
    figures = {f["lane"]: f for f in report["cells"][0]["figures"]}
    for lane in ("pytorch-eager", "onnxruntime"):
        means = [
            sum(c.e2e.times) / len(c.e2e.times) / 1e6 for t in trials(bench) if t.lane == lane for c in t.cells if c.e2e
        ]
        assert figures[lane]["latency_trials"] == pytest.approx(means)
        assert figures[lane]["throughput"] * figures[lane]["latency"] == pytest.approx(8 * 1000)
    ratio = figures["pytorch-eager"]["latency"] / figures["onnxruntime"]["latency"]
    assert report["cells"][0]["against"][0]["speedup"]["ratio"] == pytest.approx(ratio)
    png = (bench.results / "benchmark_comparison.png").read_bytes()
    assert struct.unpack(">I", png[16:20])[0] >= 1200


def test_conversion_is_apart_and_done_once(real: tuple[Bench, subprocess.CompletedProcess[str]]) -> None:
    converted = [t.cold for t in trials(real[0]) if t.lane == "onnxruntime"]
    assert all(cold.prepare and cold.prepare_cached for cold in converted)
    assert len({cold.prepare for cold in converted}) == 1


def test_secrets_are_in_no_file_and_no_output(real: tuple[Bench, subprocess.CompletedProcess[str]]) -> None:
    bench, done = real
    assert "planted" not in done.stdout + done.stderr
    files = [path for path in bench.data.rglob("*") if path.is_file()]
    assert len(files) > 15
    assert [path for path in files if b"planted" in path.read_bytes()] == []


# Steps one by one


def test_a_single_step_joins_the_current_run_and_is_marked(bench: Bench) -> None:
    assert bench("--family", "toytorch").returncode == 0
    assert bench("--family", "toyfast").returncode == 0
    assert len(bench.runs()) == 1
    assert bench.order() == ["toy-torch"] * 2 + ["toy-fast"] * 2
    assert [t.position for t in trials(bench)] == [1, 2, 3, 4]
    assert not any(t.interleaved for t in trials(bench))
    run = run_folder.read(bench.results, bench.runs()[0].name)
    assert (run.lanes, run.headline) == (["toy-torch", "toy-fast"], "toy-fast")
    assert (bench.results / "toytorch_benchmark.json").is_file()
    assert (bench.results / "toyfast_benchmark.json").is_file()


def test_a_step_takes_a_headline_that_a_later_step_brings(bench: Bench) -> None:
    assert bench("--family", "toytorch", HEADLINE="toy-fast").returncode == 0
    run_id = bench.runs()[0].name
    assert run_folder.read(bench.results, run_id).headline == "toy-fast"
    assert bench("--family", "toyfast", HEADLINE="toy-fast").returncode == 0
    run = run_folder.read(bench.results, run_id)
    assert (len(bench.runs()), run.lanes, run.headline) == (1, ["toy-torch", "toy-fast"], "toy-fast")


def test_a_run_without_a_lane_to_compare_with_says_so_before_its_trials(bench: Bench) -> None:
    done = bench(LANES="toy-fast,toy-choice", TRIALS="1")
    assert done.returncode == 0, done.stderr
    told = "no PyTorch lane is among the lanes of this run"
    assert done.stderr.index(told) < done.stderr.index("trial 1 of 2")


def test_the_same_step_again_adds_trials(bench: Bench) -> None:
    bench("--family", "toyfast", TRIALS="1")
    first = bench.trials()
    assert bench("--family", "toyfast", TRIALS="2").returncode == 0
    assert len(bench.runs()) == 1
    assert [t.index for t in trials(bench)] == [1, 2, 3]
    assert bench.trials().items() >= first.items()
    # Until something was installed where the lane runs.
    for trial in trials(bench):
        trial.environment.libraries["numpy"] = "1.0"
        write_trial(bench.runs()[0] / "trials" / run_folder.trial_name(trial), trial)
    done = bench("--resume", LANES="toy-fast")
    assert done.returncode == 2 and "cannot be resumed: for toy-fast, numpy was 1.0 and is " in done.stderr


def test_other_settings_start_a_new_run_and_the_older_one_stays(bench: Bench) -> None:
    bench("--family", "toytorch")
    older = bench.trials()
    assert bench("--family", "toyfast", NEW_TOKENS="4").returncode == 0
    assert len(bench.runs()) == 2
    assert bench.trials(0) == older
    assert bench.order(1) == ["toy-fast"] * 2
    # The view of the other run would be read as a figure beside the new one.
    assert not (bench.results / "toytorch_benchmark.json").exists()


def test_a_new_run_on_request(bench: Bench) -> None:
    bench("--family", "toytorch", TRIALS="1")
    assert bench("--family", "toyfast", "--new-run", TRIALS="1").returncode == 0
    assert len(bench.runs()) == 2


# Trials, precisions, time


def test_every_precision_is_an_entrant_and_what_a_lane_lacks_is_told(bench: Bench) -> None:
    done = bench(PRECISION="float32,bfloat16,int8", TRIALS="1")
    assert done.returncode == 0, done.stderr
    assert sorted((t.lane, t.precision) for t in trials(bench)) == [
        (lane, precision) for lane in ("toy-fast", "toy-torch") for precision in ("bfloat16", "float32")
    ]
    absent = run_folder.read(bench.results, bench.runs()[0].name).absent
    assert [(a.lane, a.precision) for a in absent] == [("toy-torch", "int8"), ("toy-fast", "int8")]


def test_a_run_stops_when_the_time_is_spent(bench: Bench) -> None:
    done = bench(TRIALS="auto", TIME_BUDGET="1")
    assert done.returncode == 0, done.stderr
    rounds = len(bench.trials()) / 2
    assert 1 <= rounds < 5
    stopped = run_folder.read(bench.results, bench.runs()[0].name).stopped
    assert stopped is not None
    assert stopped.startswith("TIME_BUDGET=1 s is spent")


def test_progress_is_told_in_plain_lines_and_not_at_all_when_quiet(bench: Bench) -> None:
    loud = bench(TRIALS="1")
    assert "trial 1 of 2  toy-" in loud.stderr
    assert "\x1b" not in loud.stderr
    quiet = bench("--no-progress", TRIALS="1")
    assert (quiet.stdout, quiet.stderr) == ("", "")


# What goes wrong


def test_two_runs_at_once_are_refused(bench: Bench) -> None:
    first = bench.start("--no-progress", LANES="toy-hangs")
    try:
        wait_for(lambda: (bench.results / ".lock").is_file() and (bench.results / ".lock").read_text() != "")
        second = bench()
        assert second.returncode == 2
        assert (
            f"another run (process {first.pid}) is using {bench.results}; wait for it, or set RESULTS_DIR"
            in second.stderr
        )
        assert len(bench.trials()) == 0
    finally:
        first.terminate()
        first.communicate(timeout=30)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_lanes_that_fail_are_kept_as_failed_and_the_rest_goes_on(bench: Bench) -> None:
    done = bench("--compare", LANES="toy-torch,toy-short,toy-raises,toy-killed,toy-unprepared,toy-fast")
    assert done.returncode in (0, 3), done.stderr
    by_lane: dict[str, list[Trial]] = {}
    for trial in trials(bench):
        by_lane.setdefault(trial.lane, []).append(trial)
    assert all(t.failure is None for lane in ("toy-torch", "toy-fast") for t in by_lane[lane])
    assert [len(by_lane[lane]) for lane in ("toy-torch", "toy-fast")] == [2, 2]
    for lane in ("toy-short", "toy-raises", "toy-killed"):
        assert len(by_lane[lane]) == 2
        assert all(t.failure is not None for t in by_lane[lane])
    assert "toy-unprepared" not in by_lane
    without = done.stdout[done.stdout.index("Without figures:") :]
    for part in ("got 1 row of 7", "the engine fell over", "SIGKILL", "the toy converter refuses this model"):
        assert part in " ".join(without.split())


def test_a_pytorch_lane_that_could_not_be_prepared_is_in_the_headline(bench: Bench) -> None:
    """Else the speed-up would be over a slower one, and nobody would see it."""
    done = bench("--compare", LANES="toy-torch,toy-torch-unprepared,toy-fast", HEADLINE="toy-fast", TRIALS="3")
    assert done.returncode in (0, 3), done.stderr
    headline = " ".join(done.stdout[: done.stdout.index("LATENCY")].split())
    missing = "Toy Torch Unprepared was asked for and could not run (the toy converter refuses this model)"
    assert f"{missing}, so the fastest PyTorch lane may be another" in headline


def test_a_run_in_which_every_lane_fails_ends_non_zero(bench: Bench) -> None:
    done = bench(LANES="toy-raises")
    assert done.returncode == 2
    assert "no trial was finished" in done.stderr
    unprepared = bench(LANES="toy-unprepared")
    assert unprepared.returncode == 2
    assert "no lane could be prepared: toy-unprepared: the toy converter refuses this model." in unprepared.stderr


def test_a_cell_that_does_not_fit_is_a_hole_and_the_lane_stays(bench: Bench) -> None:
    done = bench("--compare", LANES="toy-torch,toy-greedy", BATCH_SIZES="1,2", TRIALS="1")
    assert done.returncode in (0, 3), done.stderr
    assert "Toy Greedy: not measured: out of memory with batch 2" in " ".join(done.stdout.split())


def test_a_model_that_is_too_short_is_refused_before_any_trial(bench: Bench) -> None:
    done = bench(NEW_TOKENS="250")
    assert done.returncode == 2
    assert "make 266 tokens" in done.stderr
    assert "has 256 positions" in done.stderr


# A full disk


@pytest.mark.parametrize("kibibytes", [4, 40, 120])
def test_a_full_disk_is_told_and_old_results_stay(
    bench: Bench, small_disk: Callable[[int], Path], kibibytes: int
) -> None:
    disk = small_disk(kibibytes + 80)
    results = disk / "results"
    old = factory.store(results, factory.run(id="20250101-000000"), factory.trials({"pytorch-eager": [240.0]}))
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    fill(disk, kibibytes * 1024)
    done = bench(RESULTS_DIR=str(results), TRIALS="9")
    assert done.returncode == 2, done.stderr
    assert "the disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path: path.read_bytes() for path in old.rglob("*") if path.is_file()} == before
    # What was finished is whole.
    for run in run_folder.listed(results):
        run_folder.trials(results, run)


def fill(disk: Path, left: int) -> None:
    """Leave so many bytes free."""
    stat = os.statvfs(disk)
    (disk / "ballast").write_bytes(b"x" * max(0, stat.f_bavail * stat.f_frsize - left))


def test_an_unwritable_data_folder_is_told(bench: Bench) -> None:
    done = bench(DATA_DIR="/proc/nowhere")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert done.stderr.count("\n") <= 2
