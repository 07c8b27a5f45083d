"""Both TensorRT-LLM lanes on the stand-in, through the benchmark's own command."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

import factory
from once import made_once, session_folder
from standin.kit import HERE, Workshop, environment
from standin.product import SCRIPTS, Product
from trtbench.lanes.tensorrt.pytorch import PRECISIONS
from trtbench.measure import trial_process
from trtbench.measure.spec import Spec
from trtbench.records import run_folder
from trtbench.records.files import encode, write_whole
from trtbench.records.trial import Sampling
from trtbench.report import csv_table
from trtbench.settings.cells import Cell

pytestmark = pytest.mark.slow
WORDS = ["ash", "birch", "cedar", "dogwood", "elm", "fir", "gum", "hazel"]


@pytest.fixture
def product(built: Product, tmp_path: Path) -> Product:
    return built.copied(tmp_path / "data")


@pytest.fixture(scope="module")
def measured(built: Product, tmp_path_factory: pytest.TempPathFactory) -> tuple[Product, str]:
    """Three trials of PyTorch and of both runtimes, compared."""
    folder = session_folder(tmp_path_factory, "measured")
    product = Product(Path(built.settings["MODEL_NAME"]), folder / "data")
    with made_once(folder / "said.txt") as wanted:
        if wanted:
            shutil.copytree(built.data, product.data, symlinks=True)
            # Two sequences a call and eight prompts over and over: the fifth call, whose blocks are counted, has the
            # prompts of the first.
            prompts = folder / "prompts.txt"
            prompts.write_text(
                "\n\n".join(f"{word} is the first word of a prompt that comes again" for word in 3 * WORDS)
            )
            done = product.bench(
                "--compare",
                LANES="pytorch-eager,tensorrt-engine,tensorrt-pytorch",
                TRIALS="3",
                NUM_ITERATIONS="2",
                PROMPTS_FILE=str(prompts),
            )
            assert done.returncode == 0, done.stdout
            (folder / "said.txt").write_text(done.stdout)
    return product, (folder / "said.txt").read_text()


def test_every_lane_returns_exactly_what_transformers_returns(measured: tuple[Product, str]) -> None:
    outputs: dict[str, set[str]] = {}
    for trial in measured[0].trials():
        assert trial["failure"] is None
        record = trial["cells"][0]
        for part, length in (("e2e", 8), ("ttft", 1)):
            assert {len(row) for output in record[part]["outputs"] for row in output} == {length}
        outputs.setdefault(trial["lane"], set()).add(json.dumps(record["e2e"]["outputs"]))
    assert set(outputs) == {"pytorch-eager", "tensorrt-engine", "tensorrt-pytorch"}
    assert len({frozenset(found) for found in outputs.values()}) == 1


def test_statements_name_the_runtime_and_what_it_computes_in(measured: tuple[Product, str]) -> None:
    said = {trial["lane"]: trial["statement"] for trial in measured[0].trials()}
    engine, pytorch = said["tensorrt-engine"], said["tensorrt-pytorch"]
    assert (engine["runtime"], pytorch["runtime"]) == ("TensorRT engine", "TensorRT-LLM PyTorch")
    for statement in (engine, pytorch):
        assert statement["simulated"] is True
        assert statement["compute_precision"] == statement["weight_precision"] == "float16"
        assert statement["prefix_reuse"] is False
        assert "the engine in a process of its own" in statement["notes"]
        assert any("TRTLLM_ENABLE_PDL=0" in note and "does not have" in note for note in statement["notes"])
    assert engine["asked"] is None, "the engine's own config.json tells"
    assert pytorch["asked"] == ["compute_precision", "weight_precision", "kv_precision"]
    assert any("CUDA graphs for batch 1, 2, smaller batches padded" in note for note in pytorch["notes"])
    assert engine["versions"] == {"tensorrt_llm": "1.2.1", "tensorrt": "10.14.1.48"}
    assert any("multiple profiles on" in note for note in engine["notes"])
    assert any("overlap scheduler on, autotuner on" in note for note in pytorch["notes"])


def test_the_engines_own_times_and_the_kv_pool_are_kept(measured: tuple[Product, str]) -> None:
    for trial in measured[0].trials():
        record = trial["cells"][0]
        if trial["lane"] == "pytorch-eager":
            assert record["engine_metrics"] is None
            continue
        metrics = record["engine_metrics"]
        assert [len(metrics[name]) for name in ("queued", "ttft", "e2e")] == [2, 2, 2]
        assert all(0 < q <= t <= e for q, t, e in zip(metrics["queued"], metrics["ttft"], metrics["e2e"]))
        assert metrics["reused_blocks"] == 0, "no prompt may profit from an earlier call"
        # One block less and the second sequence would wait for the first: the one that pads keeps a block.
        assert max(metrics["queued"]) < min(metrics["ttft"])
        # 56 + 8 tokens are two blocks of 32 in the engine; one token more, for the overlap scheduler, makes it three.
        tokens = 2 * 64 if trial["lane"] == "tensorrt-engine" else 2 * 96 + 32
        assert record["memory"]["kv_pool"] == tokens * 256


def test_what_was_only_asked_for_is_marked_so_in_every_report(measured: tuple[Product, str]) -> None:
    product, said = measured
    words = " ".join(said.split())
    line = "TensorRT-LLM PyTorch: computes in float16, weights in float16, KV cache in float16"
    assert "ASKED FOR, AND NOT TOLD BY THE ENGINE" in words and line in words
    results = product.data / "results"
    page = (results / "benchmark_comparison.html").read_text(encoding="utf-8")
    assert "float16 (asked for)" in page and "float16 (demandé)" in page
    done = product.run(sys.executable, str(SCRIPTS / "compare.py"), "--no-chart", "--format", "csv")
    table = done.stdout[done.stdout.index(",".join(csv_table.HEAD)) :]
    (line,) = [row for row in csv.DictReader(io.StringIO(table)) if row["lane"] == "tensorrt-pytorch"]
    assert line["asked_for"] == "compute_precision weight_precision kv_precision"


def test_the_build_is_reported_apart_from_the_load(measured: tuple[Product, str]) -> None:
    trial = next(trial for trial in measured[0].trials() if trial["lane"] == "tensorrt-engine")
    (engine,) = measured[0].engines().values()
    assert trial["cold"]["prepare"] == round(engine["build_seconds"] * 1e9)
    assert trial["cold"]["prepare_cached"] is True and trial["cold"]["load"] > 0


def test_simulated_records_get_no_verdict(measured: tuple[Product, str]) -> None:
    product, said = measured
    assert "SIMULATED" in said
    report = json.loads((product.data / "results" / "benchmark_comparison_report.json").read_text())
    assert report["simulated"] is True
    against = [a for row in report["cells"] for a in row["against"]]
    assert {a["lane"] for a in against} == {"tensorrt-engine", "tensorrt-pytorch"}
    assert {(a["verdict"]["word"], a["verdict"]["reason"]) for a in against} == {("none", "simulated")}
    view = json.loads((product.data / "results" / "tensorrt_benchmark.json").read_text())
    assert view["simulated"] is True


def compare(product: Product) -> tuple[int, dict[str, Any]]:
    done = product.run("python", "-m", "trtbench.compare", "--no-chart")
    report = product.data / "results" / "benchmark_comparison_report.json"
    return done.returncode, json.loads(report.read_text())


@pytest.mark.parametrize("resealed", [False, True])
def test_simulated_records_cannot_lose_the_mark(measured: tuple[Product, str], tmp_path: Path, resealed: bool) -> None:
    """Whoever takes the mark out of a lane's statement, with or without a new checksum, still has it in the environment."""
    from trtbench.records.trial import read_trial, write_trial

    product = measured[0].copied(tmp_path / "data")
    for path in product.data.glob("results/runs/*/trials/*tensorrt*.json"):
        if resealed:
            trial = read_trial(path)
            assert trial.statement is not None
            trial.statement.simulated = False
            write_trial(path, trial)
        else:
            path.write_text(path.read_text().replace('"simulated": true', '"simulated": false'))
    _, report = compare(product)
    words = {a["verdict"]["word"] for row in report["cells"] for a in row["against"]}
    assert words == {"none"}
    assert report["simulated"] is True


def test_no_engine_yet_names_the_command_that_builds_it(built: Product, tiny_model: Path, tmp_path: Path) -> None:
    product = Product(tiny_model, tmp_path / "data")
    done = product.bench()
    assert done.returncode == 2, done.stdout
    assert "TensorRT engine not found: none in" in done.stdout
    command = done.stdout.split("build it: ")[1].splitlines()[0].rstrip(".")
    assert command.startswith("bash scripts/build_engine.sh --model-name ")
    root = Path(__file__).resolve().parents[2]
    made = product.run("bash", "-c", f"cd {root} && {command}")
    assert made.returncode == 0, made.stdout
    assert list(product.engines()) == list(built.engines()), "the very engine that the settings ask for"


def test_both_lanes_split_the_model_over_two_cards(built: Product, tmp_path: Path) -> None:
    product = built.copied(tmp_path / "data")  # whose engine is for one card
    settings = {"TP_SIZE": "2", "STANDIN_GPU": "2", "HEADLINE": ""}
    done = product.bench("--build", LANES="tensorrt-engine,tensorrt-pytorch", TRTLLM_BENCH="1", **settings)
    assert done.returncode == 0, done.stdout
    assert "for 2 cards" in done.stdout and "trtllm-bench latency is not run" in done.stdout
    (engine,) = [engine for engine in product.engines().values() if engine["inputs"]["tp_size"] == 2]
    assert "-tp2-" in engine["name"] and engine["built"]["tp_size"] == 2
    assert {"rank0.engine", "rank1.engine"} < set(engine["files"])
    checkpoint = next(product.data.glob("checkpoints/*-tp2-*"))
    assert engine["weights_bytes"] == sum(file.stat().st_size for file in checkpoint.glob("rank*.safetensors"))
    by_lane = {trial["lane"]: trial for trial in product.trials()}
    assert set(by_lane) == {"tensorrt-engine", "tensorrt-pytorch"}
    for trial in by_lane.values():
        assert trial["failure"] is None and trial["statement"]["tensor_parallel"] == 2
        assert "the engine in 2 processes, one for each card" in trial["statement"]["notes"]
        tokens = 2 * 64 if trial["lane"] == "tensorrt-engine" else 2 * 96 + 32
        assert trial["cells"][0]["memory"]["kv_pool"] == tokens * 256, "of both together: as much as on one card"
    outputs = [trial["cells"][0]["e2e"]["outputs"] for trial in by_lane.values()]
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"NEW_TOKENS": "9"}, "are for batch 2, 56 prompt tokens, 64 in all"),
        ({"PRECISION": "bfloat16"}, "those of this model are in float16"),
        ({"STANDIN_TENSORRT": "10.15.0.1"}, "built for TensorRT 10.14.1.48, and here is 10.15.0.1"),
        ({"STANDIN_SM": "8.9"}, "built for compute capability 8.6, and here is 8.9"),
    ],
)
def test_an_engine_for_something_else_is_not_used(built: Product, settings: dict[str, str], reason: str) -> None:
    done = built.bench("--new-run", RESULTS_DIR=str(built.data.parent / f"results-{next(iter(settings))}"), **settings)
    assert done.returncode == 2
    assert "TensorRT engine not found" in done.stdout and reason in done.stdout


def test_a_damaged_engine_is_found_before_it_is_timed(product: Product) -> None:
    (file,) = product.data.glob("engines/*/rank0.engine")
    data = bytearray(file.read_bytes())
    data[-40] ^= 1
    file.write_bytes(data)
    done = product.bench()
    assert done.returncode == 2
    assert "the TensorRT engine is damaged" in done.stdout and "--rebuild" in done.stdout
    assert product.trials() == []


def test_the_pytorch_runtime_says_that_it_does_not_know_opt(workshop: Workshop, tmp_path: Path) -> None:
    product = Product(workshop.model("opt"), tmp_path / "data")
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("\n\n".join(" ".join(f"w{3 + (7 * r + w) % 300}" for w in range(20)) for r in range(3)))
    done = product.bench(LANES="tensorrt-pytorch", PROMPTS_FILE=str(prompts))
    assert done.returncode == 2
    assert "TensorRT-LLM's own PyTorch runtime does not know OPTForCausalLM" in done.stdout


def test_a_newer_image_has_only_the_pytorch_runtime(product: Product) -> None:
    done = product.bench(LANES="tensorrt-engine,tensorrt-pytorch", STANDIN_VERSION="1.3.0rc22")
    assert done.returncode == 0, done.stdout
    assert "no longer runs TensorRT engines (1.3.0rc20 was the last that did)" in done.stdout
    assert [trial["lane"] for trial in product.trials()] == ["tensorrt-pytorch"]


PLACE = "TLLM_WORKER_USE_SINGLE_PROCESS"


def places(trials: list[dict[str, Any]]) -> set[str]:
    """Where the engines of these trials say that they ran."""
    return {note for trial in trials for note in trial["statement"]["notes"] if note.startswith("the engine ")}


def test_both_places_of_the_engine_are_tried_and_the_faster_one_is_timed(product: Product) -> None:
    alone = {"PYTHONPATH": os.pathsep.join([str(HERE / "python"), str(HERE.parent / "toy")]), "TOY_UNDISTURBED": "1"}
    done = product.bench("--compare", LANES="tensorrt-pytorch", TRY_SETTINGS="1", HEADLINE="", **alone)
    assert done.returncode == 0, done.stdout
    assert f"trying {PLACE}=0 and 1" in done.stdout
    run = json.loads(next(product.data.glob("results/runs/*/run.json")).read_text())
    assert {line["value"]: line["failure"] for line in run["tried"]} == {"0": None, "1": None}
    assert all(len(line["seconds"]) >= 3 for line in run["tried"])
    (taken,) = [line["value"] for line in run["tried"] if line["chosen"]]
    (trial,) = product.trials()
    assert trial["cells"][0]["setting"] == taken
    assert places([trial]) == {
        "the engine in the calling process" if taken == "1" else "the engine in a process of its own"
    }


def test_the_engine_in_the_calling_process_says_itself_what_it_computes_in(product: Product) -> None:
    done = product.bench("--compare", LANES="pytorch-eager,tensorrt-pytorch", **{PLACE: "1"})
    assert done.returncode == 0, done.stdout
    (eager, trial) = sorted(product.trials(), key=lambda trial: str(trial["lane"]))
    assert places([trial]) == {"the engine in the calling process"}
    assert (trial["statement"]["compute_precision"], trial["statement"]["asked"]) == ("float16", None)
    assert trial["cells"][0]["e2e"]["outputs"] == eager["cells"][0]["e2e"]["outputs"]
    assert "ASKED FOR" not in done.stdout


@pytest.mark.parametrize("lane", ["tensorrt-engine", "tensorrt-pytorch"])
def test_cells_that_take_different_places_run_each_in_its_own(
    product: Product, lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One trial, one process, two LLMs: TensorRT-LLM remembers the place of its first one unless it is told to forget, and the
    engine was built for all cells."""
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(PLACE, raising=False)
    digest = "0" * 64
    if lane == "tensorrt-engine":
        shutil.rmtree(product.data / "engines")
        assert product.build(BATCH_SIZES="1,2").returncode == 0
        ((_, engine),) = product.engines().items()
        digest = engine["inputs"]["model"]
    cells = [Cell(batch=batch, prompt_length=56, new_tokens=8, precision="float16") for batch in (1, 2)]
    workload = factory.a_workload(cells, Sampling())
    results = product.data / "results"
    path = run_folder.folder(results, factory.RUN) / "workload.json"
    write_whole(path, encode(workload))
    for chosen in (["1", "0"], ["0", "1"]):
        spec = Spec(
            run=factory.RUN, lane=lane, precision="float16", index=1, attempt=1, position=1, round=1,
            interleaved=True, device="cpu", threads=1, iterations=1, warmup_limit=1, cells=cells, chosen=chosen,
            sampling=workload.sampling, model_path=product.settings["MODEL_NAME"],
            model=msgspec.structs.replace(factory.model(), digest=digest), workload=str(path),
            workload_digest=workload.digest(), cache=str(product.data / "cache"), output="",
            environment=factory.environment(), settings=factory.settings(),
        )  # fmt: skip
        trial = trial_process.run_trial(results, spec, lambda phase: None)
        assert trial.failure is None and trial.statement is not None, trial.failure
        assert [(record.cell.batch, record.setting) for record in trial.cells] == [
            (1 + place, chosen[place]) for place in (0, 1)
        ]
        assert [record.engine_metrics is not None for record in trial.cells] == [False, True], "of the last value alone"
        said = [note for note in trial.statement.notes if note.startswith("the engine ")]
        names = {"0": "the engine in a process of its own", "1": "the engine in the calling process"}
        assert said == [names[value] for value in chosen]
        if lane == "tensorrt-pytorch":
            assert sorted(trial.statement.asked or []) == sorted(PRECISIONS), "in one of both places it does not tell"


def test_open_mpi_5_runs_the_engine_in_the_calling_process_without_being_told(product: Product) -> None:
    done = product.bench(LANES="tensorrt-engine,tensorrt-pytorch", TRY_SETTINGS="1", STANDIN_OPEN_MPI="5.0.10rc2")
    assert done.returncode == 0, done.stdout
    assert "trying" not in done.stdout, "there is nothing to choose"
    assert len(product.trials()) == 2
    assert places(product.trials()) == {"the engine in the calling process: Open MPI 5 cannot spawn another"}


@pytest.mark.parametrize("failure", ["hang-start", "hang-import"])
def test_a_start_that_hangs_is_ended_and_its_known_causes_are_named(product: Product, failure: str) -> None:
    began = time.monotonic()
    done = product.bench(STANDIN_FAIL=failure, ENGINE_START_LIMIT="12")
    assert time.monotonic() - began < 90

    assert done.returncode == 2
    assert all(trial["failure"]["phase"] == "load" for trial in product.trials())
    assert "did not start within ENGINE_START_LIMIT=12 seconds" in done.stdout
    assert "OMPI_MCA_btl_tcp_if_include=lo" in done.stdout and "--ipc=host" in done.stdout
    assert not [p for p in psutil.process_iter(["environ"]) if in_environment(p, product)]


def in_environment(process: psutil.Process, product: Product) -> bool:
    environ = process.info["environ"] or {}
    return environ.get("DATA_DIR") == str(product.data) and process.pid != os.getpid()


def test_a_benchmark_killed_with_sigkill_leaves_no_worker(product: Product) -> None:
    child = product.start("python", "-m", "trtbench.bench", NUM_ITERATIONS="5000", STANDIN_LINGER="120")
    try:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and not list(product.data.glob("results/runs/*/logs/0001*.log")):
            time.sleep(0.2)
        (log,) = product.data.glob("results/runs/*/logs/0001*.log")
        while time.monotonic() < deadline and "whole generation" not in log.read_text():
            time.sleep(0.2)
        below = psutil.Process(child.pid).children(recursive=True)
        assert len(below) >= 3, "guard, trial and worker"
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert psutil.wait_procs(below, timeout=15)[1] == []
    assert child.stdout is not None
    child.stdout.close()


@pytest.mark.parametrize("failure", ["short-output", "wrong-tokens"])
def test_wrong_output_does_not_count(product: Product, failure: str) -> None:
    lanes = "tensorrt-engine" if failure == "short-output" else "pytorch-eager,tensorrt-engine"
    done = product.bench("--compare", LANES=lanes, STANDIN_FAIL=failure)
    trials = [trial for trial in product.trials() if trial["lane"] == "tensorrt-engine"]
    assert trials
    if failure == "short-output":
        assert "asked for 2 x 8 new ids, got 2 rows of 7" in done.stdout
        assert all(trial["failure"] is not None for trial in trials)
    else:
        assert all(trial["failure"] is None for trial in trials)
        assert "parity" in done.stdout and "FAIL" in done.stdout


def test_trtllm_bench_stands_beside_and_may_fail(product: Product) -> None:
    product.settings["BATCH_SIZES"] = "1"
    assert product.build().returncode == 0
    done = product.bench(TRTLLM_BENCH="1")
    assert done.returncode == 0, done.stdout
    assert "trtllm-bench latency, float16, 56 + 8 tokens:" in done.stdout and "; ours " in done.stdout
    (report,) = product.data.glob("results/runs/*/trtllm-bench-float16-56+8.json")
    theirs = json.loads(report.read_text())
    assert theirs["request_info"]["avg_output_length"] == 8
    assert_shown(product, theirs)
    report.write_text(json.dumps({**theirs, "performance": {"avg_request_latency_ms": None}}))
    broken = product.run(sys.executable, str(SCRIPTS / "compare.py"), "--no-chart")
    assert broken.returncode == 0, broken.stdout
    assert f"trtllm-bench, float16: not shown, since {report.name} is not a valid" in " ".join(broken.stdout.split())
    assert "Traceback" not in broken.stdout and "trtllm-bench latency " not in broken.stdout
    failed = product.bench("--new-run", TRTLLM_BENCH="1", PATH=path_without_bench(product))
    assert failed.returncode == 0, failed.stdout
    assert "trtllm-bench latency is left out" in failed.stdout


def assert_shown(product: Product, theirs: dict[str, Any]) -> None:
    """The engine's own clock and NVIDIA's benchmark stand beside our figures in text, CSV, Markdown and page."""
    told = {
        kind: product.run(sys.executable, str(SCRIPTS / "compare.py"), "--no-chart", "--format", kind).stdout
        for kind in ("text", "csv", "markdown")
    }
    latency = theirs["performance"]["avg_request_latency_ms"]
    assert "BY OTHER CLOCKS" in told["text"] and "**By other clocks**" in told["markdown"]
    (line,) = [line for line in told["csv"].splitlines() if ",tensorrt-engine," in line]
    row = dict(zip(told["csv"].splitlines()[0].split(","), next(csv.reader([line])), strict=True))
    assert float(row["trtllm_bench_latency_ms"]) == pytest.approx(latency, rel=1e-6)
    metrics = [trial["cells"][0]["engine_metrics"] for trial in product.trials()]
    own = statistics.fmean(max(each["e2e"]) for each in metrics) / 1e6
    assert float(row["engine_latency_ms"]) == pytest.approx(own, rel=1e-6)
    assert row["engine_reused_kv_blocks"] == "0" and row["sm_clock_mhz"] == ""
    page = (product.data / "results" / "benchmark_comparison.html").read_text()
    assert "By other clocks" in page and "FORCE_MULTI_BLOCK_MODE" in page and "trtllm-bench latency" in page
    assert "The card during the timed calls" not in page + told["text"]  # no card, no empty heading


def path_without_bench(product: Product) -> str:
    """A PATH on which trtllm-bench fails as it does on an engine whose config.json lacks a key that it asks for."""
    folder = product.data.parent / "bin"
    folder.mkdir()
    tool = folder / "trtllm-bench"
    tool.write_text("#!/bin/sh\necho \"KeyError: 'auto_parallel_config'\" >&2\nexit 1\n")
    tool.chmod(0o755)
    return os.pathsep.join([str(folder), product.environment()["PATH"]])


def test_no_request_reads_the_engines_config_from_data_dir(product: Product, tmp_path: Path) -> None:
    reads = tmp_path / "reads.txt"
    done = product.bench(LANES="tensorrt-engine", STANDIN_READS=str(reads), TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stdout
    read = reads.read_text().splitlines()
    assert len(read) > 4, "once for each request, as the real one does"
    assert [path for path in read if Path(path).is_relative_to(product.data)] == []
    assert list(tmp_path.glob("trtbench-engine-*")) == [], "taken away when the lane is closed"
    assert "read from the temporary folder" in " ".join(product.trials()[0]["statement"]["notes"])
