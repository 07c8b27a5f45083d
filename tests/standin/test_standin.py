"""The stand-in's Python side against the contract: names, defaults, traps, and ids that are the model's own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from standin.kit import CONTRACT, HERE, Workshop, answer, drive, environment, run_tool

CLASSES = [name for name, entry in CONTRACT["python"].items() if entry["kind"] in ("llm", "pydantic", "dataclass")]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a probe finds."""
    found: dict[str, object] = answer(drive("describe", cwd=tmp_path_factory.mktemp("describe")))
    return found


@pytest.mark.parametrize("name", CLASSES)
def test_classes_have_exactly_the_contracts_fields_and_defaults(name: str, described: dict[str, object]) -> None:
    rows = CONTRACT["python"][name]["fields"]
    expected = {field: None if row["default"] == "factory" else row["default"] for field, row in rows.items()}
    assert described[name] == expected


def test_versions_signature_and_mark(described: dict[str, object]) -> None:
    assert described["version"] == CONTRACT["release"]["tensorrt_llm"]
    assert described["tensorrt"] == CONTRACT["release"]["tensorrt"]
    assert described["positional"] == CONTRACT["python"]["tensorrt_llm._tensorrt_engine.LLM"]["positional"]
    assert str(described["simulated"]).startswith("stand-in")
    assert described["graphs"] == 128


@pytest.mark.parametrize("family", ["llama", "gpt2", "opt"])
def test_ids_are_the_models_own(family: str, workshop: Workshop) -> None:
    found = workshop.ids(family)
    assert found["engine"] == found["transformers"]
    assert [len(ids) for ids in found["engine"]] == [20, 20]


def test_bfloat16_ids_are_the_models_own(workshop: Workshop) -> None:
    found = workshop.ids(precision="bfloat16")
    assert found["engine"] == found["transformers"]


@pytest.mark.parametrize("precision", ["int8", "int4", "int4_awq", "fp8"])
def test_every_quantised_precision_runs(precision: str, workshop: Workshop, tmp_path: Path) -> None:
    more = {"STANDIN_SM": "8.9"} if precision == "fp8" else {}
    ids = answer(drive("start", workshop.engine("llama", precision), cwd=tmp_path, **more))
    assert len(ids) == 20


def test_lengths_defaults_and_end_of_sequence(workshop: Workshop, tmp_path: Path) -> None:
    found = answer(drive("lengths", workshop.engine("llama"), workshop.model("llama"), cwd=tmp_path))
    ids, reason, text = found["exact"]
    assert (len(ids), reason, text) == (20, "length", ""), "detokenize=False leaves the text empty"
    assert found["default_max_tokens"] == 32
    assert found["default"] == 32
    assert found["bare"][0] <= 32 and found["bare"][2], "text in, text out, 32 new tokens at most"
    kept = ids[: ids.index(ids[2])]
    assert found["ended"] == [kept, "stop"], "the end token itself is not in the engine's output"
    assert [token for step in found["steps"] for token in step] == ids
    assert [len(step) for step in found["steps"]] == [1] * 20


def test_block_reuse_and_the_pool(workshop: Workshop, tmp_path: Path) -> None:
    done = drive("kv_cache", workshop.engine("llama"), cwd=tmp_path, STANDIN_GPU_MEMORY_MB="64")
    found = answer(done)
    assert found["default"]["reused"] == [1, 1], "on unless switched off: the repeated prompt is not all computed again"
    assert found["rounded"]["reused"] == found["tight"]["reused"] == [0, 0]
    assert found["rounded"]["ids"] == found["default"]["ids"] == found["tight"]["ids"]
    # Two sequences of 48 tokens take two blocks of 32 each: room for 96 tokens is room for one of them.
    assert (found["tight"]["together"], found["rounded"]["together"]) == (False, True)
    assert all(found[name]["ordered"] for name in found)
    pools = [
        int(line.rsplit("(", 1)[1].rstrip(").")) for line in done.stdout.splitlines() if "paged KV cache (" in line
    ]
    assert pools[1:] == [96, 128]
    weights = (workshop.engine("llama") / "rank0.engine").stat().st_size
    assert pools[0] == pytest.approx(0.9 * (64 * 2**20 - weights) / (2 * 2 * 16 * 2 * 2), rel=0.01)


def test_refusals(workshop: Workshop, tmp_path: Path) -> None:
    done = drive("refusals", workshop.engine("llama"), workshop.model("llama"), workshop.model("opt"), cwd=tmp_path)
    found = answer(done)
    expected = {
        "unknown": ("ValueError", "_TrtLLM got invalid argument: no_such_argument"),
        "torch argument on the engine": ("ValueError", "_TrtLLM got invalid argument: cuda_graph_config"),
        "engine argument on torch": ("ValueError", "specific to TensorRT backend"),
        "unknown on torch": ("ValueError", "LLM got invalid argument: no_such_argument"),
        "engine folder on torch": ("RuntimeError", "Executor worker returned error"),
        "opt on torch": ("RuntimeError", "Executor worker returned error"),
        "kv field": ("ValidationError", "Extra inputs are not permitted"),
        "kv type": ("ValidationError", "max_tokens"),
        "kv range": ("ValidationError", "free_gpu_memory_fraction"),
        "kv dtype": ("AssertionError", "KvCacheConfig.dtype is not supported"),
        "graph sizes": ("ValueError", "Please don't set both cuda_graph_config.batch_sizes"),
        "graph sizes of that maximum": ("ValueError", "Please don't set both cuda_graph_config.batch_sizes"),
        "sampling field": ("TypeError", "max_new_tokens"),
        "sampling positional": ("TypeError", "positional"),
        "batch above the engine's": ("RuntimeError", "Executor worker returned error"),
        "too long": ("ValueError", "should not exceed max_seq_len (64)"),
        "no end id": ("ValueError", "tokenizer is required to reset end_id"),
        "text without tokenizer": ("ValueError", "tokenizer is required"),
        "not implemented": ("NotImplementedError", "use_beam_search"),
        "prompt above max_num_tokens": ("RequestError", "exceeds maximum input length (16)"),
    }
    assert set(found) == set(expected)
    for name, (kind, message) in expected.items():
        assert found[name][0] == kind, (name, found[name])
        assert message in found[name][1], (name, found[name])
    assert "Unknown architecture for AutoModelForCausalLM: OPTForCausalLM" in found["opt on torch"][2]
    assert "must not exceed engine max batch size (4)" in found["batch above the engine's"][2]
    assert "Runtime configured max num tokens (8192) is larger than model max num tokens (128)" in done.stdout


def test_over_two_gpus_every_ranks_file_is_needed_and_the_ids_are_the_same(workshop: Workshop, tmp_path: Path) -> None:
    checkpoint, engine, two = tmp_path / "checkpoint", tmp_path / "engine", {"STANDIN_GPU": "2"}
    words = ["--model_dir", workshop.model("llama"), "--output_dir", checkpoint, "--dtype", "float16", "--tp_size", 2]
    assert run_tool("convert-llama", *words, cwd=tmp_path, **two).returncode == 0
    sizes = [(checkpoint / f"rank{rank}.safetensors").stat().st_size for rank in range(2)]
    whole = (workshop.checkpoint("llama") / "rank0.safetensors").stat().st_size
    assert max(sizes) < 0.6 * whole < sum(sizes) < 1.2 * whole
    words = ["--checkpoint_dir", checkpoint, "--output_dir", engine, "--max_batch_size", 4, "--max_seq_len", 64]
    assert run_tool("trtllm-build", *words, "--workers", 2, cwd=tmp_path, **two).returncode == 0
    assert sorted(path.name for path in engine.iterdir()) == ["config.json", "rank0.engine", "rank1.engine"]
    mapping = json.loads((engine / "config.json").read_text())["pretrained_config"]["mapping"]
    assert (mapping["world_size"], mapping["tp_size"]) == (2, 2)
    more = {**two, "TLLM_WORKER_USE_SINGLE_PROCESS": "1"}
    found = answer(drive("ranks", engine, workshop.model("llama"), cwd=tmp_path, **more))
    assert found["engine"] == workshop.ids()["engine"] and found["engine ranks"] == 2
    assert found["worker"] == "GenerationExecutorProxy", "the variable is for one GPU"
    assert found["another number"][:2] == ["ValueError", "tp_size 4 is not consistent with the engine's tp_size 2"]
    for refused in ("one GPU", "one GPU, torch"):
        assert found[refused][:2] == ["RuntimeError", "Only 1 GPUs are available, but 2 are required."]
    assert "rank1.engine" in found["one file"][1]


def stating(model: Path, folder: Path, dtype: str | None) -> Path:
    """A copy of a model whose config.json states this data type, or none."""
    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text())
    config = {name: value for name, value in config.items() if name not in ("dtype", "torch_dtype")}
    (folder / "config.json").write_text(json.dumps(config | ({"torch_dtype": dtype} if dtype else {})))
    return folder


def test_the_pytorch_runtime_gives_the_same_ids(workshop: Workshop, tmp_path: Path) -> None:
    found = answer(drive("torch_runtime", stating(workshop.model("llama"), tmp_path / "m", "float16"), cwd=tmp_path))
    assert found["ids"] == workshop.ids()["transformers"]
    assert (found["executor"], found["dtype"]) == ("GenerationExecutorProxy", None), "another process does not tell"


@pytest.mark.parametrize("stated", ["float16", "bfloat16", None])
def test_the_pytorch_runtime_computes_in_what_the_folder_says(
    workshop: Workshop, tmp_path: Path, stated: str | None
) -> None:
    model = stating(workshop.model("llama"), tmp_path / "m", stated)
    found = answer(drive("torch_runtime", model, "float16", cwd=tmp_path, TLLM_WORKER_USE_SINGLE_PROCESS="1"))
    assert found["dtype"] == f"torch.{stated or 'bfloat16'}", "whatever dtype it is asked for"
    assert (found["ids"] == workshop.ids()["transformers"]) == (stated == "float16")
    assert (found["executor"], found["children"]) == ("GenerationExecutorWorker", 0)


def test_under_open_mpi_5_the_engine_runs_in_the_calling_process(workshop: Workshop, tmp_path: Path) -> None:
    model = stating(workshop.model("llama"), tmp_path / "m", "float16")
    more = {"STANDIN_OPEN_MPI": "5.0.10rc2", "TLLM_WORKER_USE_SINGLE_PROCESS": "1"}
    assert answer(drive("torch_runtime", model, cwd=tmp_path, **more))["ids"] == workshop.ids()["transformers"]


def test_the_worker_is_another_process_and_ends_with_shutdown(workshop: Workshop, tmp_path: Path) -> None:
    found = answer(drive("process", workshop.engine("llama"), cwd=tmp_path))
    assert found["own"] != found["worker"]
    assert (found["alive"], found["after"], found["left"]) == (True, False, 0)


def test_a_script_without_a_main_guard_fails(workshop: Workshop, tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from tensorrt_llm._tensorrt_engine import LLM\n"
        f"LLM(model={str(workshop.engine('llama'))!r}, skip_tokenizer_init=True)\n"
    )
    done = subprocess.run([sys.executable, str(script)], env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert "Executor worker died during initialization" in done.stderr


def test_a_killed_parent_leaves_an_orphan_for_a_while(workshop: Workshop, tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, str(HERE / "drive.py"), "wait_to_be_killed", str(workshop.engine("llama"))],
        cwd=tmp_path,
        env=environment(STANDIN_LINGER="3"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert parent.stdout is not None
    worker = next(int(line) for line in parent.stdout if line.strip().isdigit())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert _running(worker), "a real MPI worker outlives its killed parent"
    deadline = time.monotonic() + 20
    while _running(worker) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not _running(worker)


def _running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_an_engine_is_bound_to_gpu_tensorrt_and_its_bytes(workshop: Workshop, tmp_path: Path) -> None:
    engine = workshop.engine("llama")
    other_gpu = drive("start", engine, cwd=tmp_path, STANDIN_SM="8.9")
    assert other_gpu.returncode == 1
    assert "incompatible device, expecting compute 8.9 got compute 8.6, please rebuild" in other_gpu.stdout
    other_tensorrt = drive("start", engine, cwd=tmp_path, STANDIN_TENSORRT="10.15.0.1")
    assert other_tensorrt.returncode == 1
    assert "Version tag does not match" in other_tensorrt.stdout
    damaged = drive("start", workshop.engine("llama", STANDIN_FAIL="corrupt-engine"), cwd=tmp_path)
    assert damaged.returncode == 1
    assert "Failed to deserialize cuda engine" in damaged.stdout


@pytest.mark.parametrize(
    ("failure", "status", "message"),
    [
        ("import-tensorrt", 1, "No module named 'tensorrt'"),
        ("import-libmpi", 1, "libmpi.so.40"),
        ("old-driver", 1, "driver on your system is too old"),
        ("mpi-spawn", 1, "could not spawn processes"),
        ("mpi-slots", 1, "All nodes which are allocated for this job are already filled"),
        ("mpi-opal", 1, "opal_init failed"),
        ("bad-compute", 1, "please rebuild"),
        ("version-mismatch", 1, "Version tag does not match"),
        ("oom-load", 1, "out of memory"),
        ("shm", 1, "Executor worker died during initialization"),
        ("no-kernel", 1, "no kernel image is available"),
        ("oom-run", 1, "CUDA out of memory"),
        ("crash-run", 1, "worker has died"),
    ],
)
def test_runtime_failures_on_demand(
    failure: str, status: int, message: str, workshop: Workshop, tmp_path: Path
) -> None:
    done = drive("start", workshop.engine("llama"), cwd=tmp_path, STANDIN_FAIL=failure)
    assert done.returncode == status
    assert message in done.stdout + done.stderr


@pytest.mark.parametrize("failure", ["short-output", "wrong-tokens"])
def test_wrong_output_on_demand(failure: str, workshop: Workshop, tmp_path: Path) -> None:
    right = workshop.ids()["engine"][0]
    wrong = answer(drive("start", workshop.engine("llama"), cwd=tmp_path, STANDIN_FAIL=failure))
    assert len(wrong) == (19 if failure == "short-output" else 20)
    assert (wrong == right[:19]) == (failure == "short-output")


@pytest.mark.parametrize("failure", ["hang-start", "hang-import"])
def test_hangs_on_demand(failure: str, workshop: Workshop, tmp_path: Path) -> None:
    started = subprocess.Popen(
        [sys.executable, str(HERE / "drive.py"), "start", str(workshop.engine("llama"))],
        cwd=tmp_path,
        env=environment(STANDIN_FAIL=failure, STANDIN_LINGER="0"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with pytest.raises(subprocess.TimeoutExpired):
        started.wait(4)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()


@pytest.mark.parametrize(
    ("tool", "failure", "status", "message"),
    [
        ("convert-llama", "oom-convert", 1, "CUDA out of memory"),
        ("convert-llama", "transformers-mismatch", 1, "`rope_scaling` must be a dictionary with two fields"),
        ("convert-llama", "no-weights", 0, "Total time of converting checkpoints"),
        ("quantize", "calib-network", 1, "on the Hub"),
        ("trtllm-build", "oom-build", 1, "OutOfMemory"),
        ("trtllm-build", "killed-build", -signal.SIGKILL, ""),
        ("trtllm-build", "old-driver", 1, "too old"),
    ],
)
def test_tool_failures_on_demand(
    tool: str, failure: str, status: int, message: str, workshop: Workshop, tmp_path: Path
) -> None:
    source = (
        ["--checkpoint_dir", workshop.checkpoint("llama")]
        if tool == "trtllm-build"
        else ["--model_dir", workshop.model("llama")]
    )
    extra = ["--qformat", "fp8", *workshop.calibration()] if tool == "quantize" else []
    done = run_tool(tool, *source, "--output_dir", "out", *extra, cwd=tmp_path, STANDIN_FAIL=failure)
    assert done.returncode == status, done.stderr
    assert message in done.stdout + done.stderr
    assert not list((tmp_path / "out").glob("rank0.*")) if (tmp_path / "out").exists() else True


def test_an_unknown_failure_name_is_refused(tmp_path: Path) -> None:
    done = drive("describe", cwd=tmp_path, STANDIN_FAIL="oom")
    assert done.returncode == 1
    assert "unknown failure oom" in done.stderr


def test_a_release_without_the_engine_backend(workshop: Workshop, tmp_path: Path) -> None:
    done = drive("start", workshop.engine("llama"), cwd=tmp_path, STANDIN_VERSION="1.3.0rc29")
    assert done.returncode == 1
    assert "No module named 'tensorrt_llm._tensorrt_engine'" in done.stderr
    ids = answer(drive("torch_runtime", workshop.model("llama"), cwd=tmp_path, STANDIN_VERSION="1.3.0rc29"))
    assert [len(row) for row in ids["ids"]] == [20, 20]


def test_the_contract_is_sound() -> None:
    """Flags that the precisions and architectures name exist in the tool that they go to."""
    tools = CONTRACT["tools"]
    for row in CONTRACT["architectures"].values():
        assert set(row.get("extra", [])[::2]) <= set(tools[row["tool"]]["flags"])
    for row in CONTRACT["precisions"].values():
        flags = {word for word in row["flags"] if word.startswith("--")}
        wanted = ["quantize"] if row["via"] == "quantize" else ["convert-llama", "convert-gpt", "convert-opt"]
        for tool in wanted:
            assert all(tools[tool]["flags"][flag].get("used") for flag in flags)
    build = tools["trtllm-build"]["flags"]
    assert all(build[flag].get("used") for flag in CONTRACT["build_flags"])
    assert not set(build) & set(tools["trtllm-build"]["removed"])
    assert json.dumps(CONTRACT).count('"evidence"') >= 12
