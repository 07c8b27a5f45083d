"""The stand-in's command lines against the contract, and the traps that the real ones have."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from standin.kit import CONTRACT, HERE, Workshop, environment, run_tool

ARGPARSE = [name for name, entry in CONTRACT["tools"].items() if entry["kind"] == "argparse"]


def documented(text: str) -> dict[str, str]:
    """Every option of an argparse help page with its own lines."""
    body = text.split("-h, --help", 1)[1]
    parts = re.split(r"^  (?=-)", body, flags=re.MULTILINE)[1:]
    found = {}
    for part in parts:
        for flag in re.findall(r"(?<![\w-])--?[a-z][\w]*", part.split("stand-in for")[0]):
            found[flag] = " ".join(part.split())
    return found


@pytest.mark.parametrize("tool", ARGPARSE)
def test_help_lists_exactly_the_contracts_flags(tool: str, tmp_path: Path) -> None:
    done = run_tool(tool, "--help", cwd=tmp_path, COLUMNS="200")
    assert done.returncode == 0, done.stderr
    found = documented(done.stdout)
    flags = CONTRACT["tools"][tool]["flags"]
    assert set(found) == {name for flag, row in flags.items() for name in (flag, *row.get("aliases", []))}
    for flag, row in flags.items():
        if "choices" in row:
            assert "{" + ",".join(map(str, row["choices"])) in found[flag]
        if CONTRACT["tools"][tool]["help_formatter"] == "defaults" and row["default"] != "==SUPPRESS==":
            assert f"(default: {row['default']})" in found[flag]


@pytest.mark.parametrize("tool", ARGPARSE)
def test_an_unknown_flag_is_argparses_error(tool: str, tmp_path: Path) -> None:
    done = run_tool(tool, "--no_such_flag", "1", cwd=tmp_path)
    assert done.returncode == 2
    assert "error: unrecognized arguments: --no_such_flag" in done.stderr


@pytest.mark.parametrize("flag", CONTRACT["tools"]["trtllm-build"]["removed"])
def test_removed_build_flags_are_refused(flag: str, tmp_path: Path) -> None:
    done = run_tool("trtllm-build", flag, "8", cwd=tmp_path)
    assert done.returncode == 2
    assert flag in done.stderr


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("trtllm-build", ["--gemm_plugin", "on"]),
        ("trtllm-build", ["--max_batch_size", "many"]),
        ("trtllm-build", ["--kv_cache_type", "linear"]),
        ("convert-opt", ["--dtype", "auto"]),
        ("convert-opt", ["--log_level", "info"]),
        ("convert-gpt", ["--weight_only_precision", "int4_awq"]),
        ("convert-llama", ["--dtype", "fp16"]),
        ("quantize", ["--qformat", "int8"]),
    ],
)
def test_wrong_values_are_argparses_error(tool: str, words: list[str], tmp_path: Path) -> None:
    assert run_tool(tool, *words, cwd=tmp_path).returncode == 2


def test_llama_converter_without_a_model_exits_0_without_weights(tmp_path: Path) -> None:
    done = run_tool("convert-llama", "--output_dir", "out", cwd=tmp_path)
    assert done.returncode == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["config.json"]


@pytest.mark.parametrize(
    ("tool", "message"),
    [("convert-gpt", "No source model path specified!"), ("convert-opt", "Incorrect path_or_model_id")],
)
def test_the_other_converters_fail_without_a_model(tool: str, message: str, tmp_path: Path) -> None:
    done = run_tool(tool, "--output_dir", "out", cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr


def test_checkpoint_and_engine_have_the_real_files_keys_and_the_mark(workshop: Workshop) -> None:
    checkpoint, engine = workshop.checkpoint("llama"), workshop.engine("llama")
    assert sorted(path.name for path in checkpoint.iterdir()) == ["config.json", "rank0.safetensors"]
    assert sorted(path.name for path in engine.iterdir()) == ["config.json", "rank0.engine"]
    config = json.loads((engine / "config.json").read_text())
    expected = CONTRACT["engine_config"]
    assert set(config) == {*expected["top_level"], "simulated"}
    assert set(config["build_config"]) == {*expected["build_config"], "plugin_config"}
    assert set(expected["pretrained_config_keys"]) <= set(config["pretrained_config"])
    assert config["version"] == "1.2.1"
    assert config["build_config"]["plugin_config"]["gemm_plugin"] == "float16"
    assert config["build_config"]["plugin_config"]["multiple_profiles"] is True
    assert b"simulated" in (engine / "rank0.engine").read_bytes()[:100]


def test_sizes_are_corrected_as_the_builder_does(workshop: Workshop, tmp_path: Path) -> None:
    done = run_tool(
        "trtllm-build",
        "--checkpoint_dir",
        workshop.checkpoint("llama"),
        "--output_dir",
        "out",
        "--max_batch_size",
        2,
        "--max_seq_len",
        64,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    build = json.loads((tmp_path / "out" / "config.json").read_text())["build_config"]
    assert (build["max_num_tokens"], build["max_input_len"], build["kv_cache_type"]) == (128, 64, "PAGED")
    assert "max_num_tokens (8192) shouldn't be greater than max_seq_len * max_batch_size (128)" in done.stdout
    assert build["plugin_config"]["gemm_plugin"] is None, "off unless asked for"
    assert (tmp_path / "model.cache").is_file(), "the timing cache goes to the working directory by default"


def test_timing_cache_goes_where_told(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "cwd").mkdir()
    done = run_tool(
        "trtllm-build",
        "--checkpoint_dir",
        workshop.checkpoint("llama"),
        "--output_dir",
        "out",
        "--output_timing_cache",
        tmp_path / "timing",
        cwd=tmp_path / "cwd",
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "timing").is_file()
    assert not (tmp_path / "cwd" / "model.cache").exists()


def test_build_needs_weights_profiles_without_optimum_and_a_gpu(workshop: Workshop, tmp_path: Path) -> None:
    run_tool("convert-llama", "--output_dir", "empty", cwd=tmp_path)
    assert run_tool("trtllm-build", "--checkpoint_dir", "empty", cwd=tmp_path).returncode == 1
    checkpoint = workshop.checkpoint("llama")
    both = run_tool(
        "trtllm-build",
        "--checkpoint_dir",
        checkpoint,
        "--multiple_profiles",
        "enable",
        "--opt_num_tokens",
        8,
        cwd=tmp_path,
    )
    assert both.returncode == 1
    assert "multiple_profiles is enabled, while opt_num_tokens is set" in both.stderr
    assert run_tool("trtllm-build", "--checkpoint_dir", checkpoint, cwd=tmp_path, STANDIN_GPU="0").returncode == 1


def test_a_known_flag_without_effect_is_refused_not_ignored(workshop: Workshop, tmp_path: Path) -> None:
    done = run_tool(
        "trtllm-build", "--checkpoint_dir", workshop.checkpoint("llama"), "--weight_streaming", cwd=tmp_path
    )
    assert done.returncode == 1
    assert "the stand-in does not implement --weight_streaming" in done.stderr


def test_rope_theta_of_a_transformers_5_config_is_lost(workshop: Workshop, tmp_path: Path) -> None:
    """NVIDIA's script reads `rope_theta`; transformers 5 writes it inside `rope_parameters`."""
    model = tmp_path / "model"
    model.mkdir()
    source = workshop.model("llama")
    config = json.loads((source / "config.json").read_text())
    config.pop("rope_theta", None)
    config["rope_parameters"] = {"rope_theta": 500000.0, "rope_type": "default"}
    (model / "model.safetensors").symlink_to(source / "model.safetensors")
    for name, found in (("rope_parameters", 10000.0), ("rope_theta", 500000.0)):
        if name == "rope_theta":
            config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
        (model / "config.json").write_text(json.dumps(config))
        done = run_tool("convert-llama", "--model_dir", model, "--output_dir", name, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert json.loads((tmp_path / name / "config.json").read_text())["rotary_base"] == found


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        ("my_cnn_dailymail_set", "train.jsonl", "BuilderConfig '3.0.0' not found"),
        ("texts", "test.jsonl", 'Unknown split "train"'),
        ("texts", "notes.txt", "No (supported) data files"),
    ],
)
def test_traps_on_the_calibration_path(workshop: Workshop, tmp_path: Path, name: str, file: str, message: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / file).write_text('{"text": "w5 w6"}\n')
    done = run_tool(
        "quantize",
        "--model_dir",
        workshop.model("llama"),
        "--qformat",
        "fp8",
        "--calib_dataset",
        tmp_path / name,
        "--output_dir",
        "out",
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert not (tmp_path / "out" / "config.json").exists()


def test_fp8_is_refused_before_ada(workshop: Workshop, tmp_path: Path) -> None:
    done = run_tool(
        "trtllm-build", "--checkpoint_dir", workshop.checkpoint("llama", "fp8"), cwd=tmp_path, STANDIN_SM="8.6"
    )
    assert done.returncode == 1
    assert not (tmp_path / "engine_outputs" / "rank0.engine").exists()


def test_weights_are_really_quantised(workshop: Workshop) -> None:
    """Every stored weight comes back within half a step of the original."""
    code = """
import json, sys
import torch
from pathlib import Path
from safetensors.torch import load_file
from tensorrt_llm._standin import names, quant
original = load_file(Path(sys.argv[1]) / "rank0.safetensors")
report = {}
for precision, folder in zip(("int8", "int4", "int4_awq", "fp8"), sys.argv[2:]):
    algorithm = json.loads((Path(folder) / "config.json").read_text())["quantization"]["quant_algo"]
    stored = load_file(Path(folder) / "rank0.safetensors")
    plain = quant.dequantise(stored, algorithm, 128, torch.float32)
    worst = 0.0
    for prefix, _ in names.linear_prefixes("llama", 2):
        error = (plain[f"{prefix}.weight"] - original[f"{prefix}.weight"].float()).abs()
        if f"{prefix}.per_channel_scale" in stored:
            step = stored[f"{prefix}.per_channel_scale"].float().unsqueeze(1)
        elif algorithm == "FP8":
            step = original[f"{prefix}.weight"].float().abs().max() / 16
        else:
            step = stored[f"{prefix}.weights_scaling_factor"].float().repeat_interleave(128, dim=1)[:, :error.shape[1]]
        worst = max(worst, float((error / step).max()))
    size = (Path(folder) / "rank0.safetensors").stat().st_size
    report[precision] = [algorithm, worst, size, stored["transformer.layers.0.mlp.fc.weight"].dtype.itemsize]
print(json.dumps(report))
"""
    folders = [workshop.checkpoint("llama", precision) for precision in ("float16", "int8", "int4", "int4_awq", "fp8")]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, folders)], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert [report[name][0] for name in report] == ["W8A16", "W4A16", "W4A16_AWQ", "FP8"]
    # A whole step at the positive end of the range, which is one level short; the rest is rounding to float16.
    assert {name: worst for name, (_, worst, _, _) in report.items() if not 0.4 < worst <= 1.1} == {}
    assert report["int4"][2] < report["int8"][2] < (folders[0] / "rank0.safetensors").stat().st_size
    assert all(width == 1 for _, _, _, width in report.values())


def test_bench_help_options_and_refusals(workshop: Workshop, tmp_path: Path) -> None:
    entry = CONTRACT["tools"]["trtllm-bench"]
    for words, flags in (
        ([], entry["flags"]),
        (["-m", "some/name", "latency"], entry["subcommands"]["latency"]["flags"]),
    ):
        done = run_tool("trtllm-bench", *words, "--help", cwd=tmp_path)
        assert done.returncode == 0
        found = set(re.findall(r"^  (?:-\w, )?(--\w+)", done.stdout, flags=re.MULTILINE))
        assert found == {*flags, "--help"}
    unknown = run_tool("trtllm-bench", "-m", "some/name", "latency", "--no_such_option", "1", cwd=tmp_path)
    assert unknown.returncode == 2
    assert "Error: No such option: --no_such_option" in unknown.stderr
    (tmp_path / "data").write_text('{"task_id": 0, "input_ids": [5], "output_tokens": 2}\n')
    folder = run_tool(
        "trtllm-bench",
        "--model",
        workshop.model("llama"),
        "latency",
        "--backend",
        "tensorrt",
        "--dataset",
        "data",
        cwd=tmp_path,
    )
    assert folder.returncode == 1
    assert "please provide a model name" in folder.stderr


def test_bench_report_has_the_real_keys_and_counts(workshop: Workshop, tmp_path: Path) -> None:
    rows = [{"task_id": number, "input_ids": [5 + number] * 16, "output_tokens": 12} for number in range(3)]
    (tmp_path / "data").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run_tool(
        "trtllm-bench",
        "--model",
        "some/name",
        "--model_path",
        workshop.model("llama"),
        "latency",
        "--engine_dir",
        workshop.engine("llama"),
        "--backend",
        "tensorrt",
        "--dataset",
        "data",
        "--warmup",
        1,
        "--report_json",
        "report.json",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    entry = CONTRACT["tools"]["trtllm-bench"]
    for section, keys in entry["report_json"].items():
        assert report[section] is None if section == "machine" else set(report[section]) == set(keys), section
    assert set(report["streaming_metrics"]["ttft_percentiles"]) == set(entry["percentile_keys"])
    assert report["request_info"]["avg_output_length"] == 12
    assert report["request_info"]["num_requests"] == 3


def test_the_stand_in_is_reachable_through_pythonpath_only() -> None:
    clean = {name: value for name, value in environment().items() if name != "PYTHONPATH"}
    for module in ("tensorrt_llm", "tensorrt"):
        done = subprocess.run(
            [sys.executable, "-c", f"import {module}"],
            cwd=HERE.parents[1] / "scripts",
            env=clean,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert "ModuleNotFoundError" in done.stderr


def test_another_contract_makes_another_stand_in(tmp_path: Path) -> None:
    """How a test of the product's probe gets an image that differs."""
    changed = json.loads(json.dumps(CONTRACT))
    del changed["tools"]["trtllm-build"]["flags"]["--multiple_profiles"]
    (tmp_path / "contract.json").write_text(json.dumps(changed))
    done = run_tool("trtllm-build", "--help", cwd=tmp_path, STANDIN_CONTRACT=str(tmp_path / "contract.json"))
    assert done.returncode == 0
    assert "--multiple_profiles" not in done.stdout
