"""`python3 -m trtbench.possible` as a process: verdicts, exit status and sentences."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import trtbench

SCRIPTS = Path(trtbench.__file__).resolve().parents[1]


def run(*arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    return subprocess.run(
        [sys.executable, *options, "-m", "trtbench.possible", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )


def tinyllama(gpu: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run("--model", "tinyllama", "--gpu", gpu, *arguments)


@pytest.mark.parametrize(
    ("latency_ms", "rate", "product", "times_the_ceiling"),
    [("627.9", "864.4", "543", "3.55"), ("260.3", "2723.2", "709", "11.19")],
)
def test_the_old_table_is_refused_by_ceiling_and_by_rate(
    latency_ms: str, rate: str, product: str, times_the_ceiling: str
) -> None:
    by_time = tinyllama("RTX 4070", "--tokens", "200", "--latency-ms", latency_ms)
    assert by_time.returncode == 1
    assert "the time is shorter than" in by_time.stdout
    assert "at most 243.3 tokens/s" in by_time.stdout

    by_rate = tinyllama("RTX 4070", "--tokens-per-s", rate)
    assert by_rate.returncode == 1
    assert "the rate is above the ceiling" in by_rate.stdout

    both = tinyllama("RTX 4070", "--tokens", "200", "--latency-ms", latency_ms, "--tokens-per-s", rate)
    assert both.returncode == 1
    assert f"{times_the_ceiling} times the ceiling" in both.stdout
    assert f"Rate x time is {product} tokens where 200 were made" in both.stdout
    assert "prompt tokens were counted" in both.stdout
    assert "rate and time contradict each other" in both.stdout


@pytest.mark.parametrize(
    ("gpu", "rate", "status"),
    [
        ("RTX 4090", "450", 0),
        ("RTX 4090", "560", 1),
        ("H200", "1349", 0),
        ("NVIDIA H200", "2400", 1),
        ("RTX 4070", "244", 0),
        ("RTX 4070", "250", 1),
        ("H100", "1700", 0),
        ("H100 SXM", "1700", 1),
    ],
)
def test_rates_on_both_sides_of_the_ceiling(gpu: str, rate: str, status: int) -> None:
    done = tinyllama(gpu, "--tokens-per-s", rate)
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("IMPOSSIBLE" if status else "POSSIBLE")


def test_an_honest_measurement_passes_whole() -> None:
    done = tinyllama("H200", "--tokens", "200", "--prompt", "128", "--latency-ms", "306", "--tokens-per-s", "654")
    assert done.returncode == 0, done.stdout
    done = tinyllama(
        "H200",
        "--batch",
        "32",
        "--tokens",
        "200",
        "--prompt",
        "1024",
        "--latency-ms",
        "490",
        "--tokens-per-s",
        "13050",
    )
    assert done.returncode == 0, done.stdout


def test_prompt_tokens_counted_as_output_are_named() -> None:
    done = tinyllama("H200", "--tokens", "200", "--prompt", "128", "--latency-ms", "1000", "--tokens-per-s", "328")
    assert done.returncode == 1
    assert "prompt and output together" in done.stdout


def test_fewer_tokens_than_asked_for_contradict_too() -> None:
    done = tinyllama("H200", "--tokens", "200", "--latency-ms", "1000", "--tokens-per-s", "100")
    assert done.returncode == 1
    assert "fewer tokens came" in done.stdout


def test_a_lower_precision_explains_a_rate_that_fp16_cannot() -> None:
    assert tinyllama("RTX 4070", "--tokens-per-s", "400").returncode == 1
    assert tinyllama("RTX 4070", "--tokens-per-s", "400", "--precision", "int8").returncode == 0
    assert tinyllama("RTX 4070", "--tokens-per-s", "200", "--precision", "fp32").returncode == 1


def test_a_batch_shares_the_weights() -> None:
    assert tinyllama("H200", "--batch", "8", "--tokens-per-s", "5513").returncode == 0
    assert tinyllama("H200", "--batch", "1", "--tokens-per-s", "5513").returncode == 1


def test_a_prefill_above_the_peak_is_refused() -> None:
    done = tinyllama("T4", "--batch", "32", "--prompt", "2048", "--tokens", "1", "--latency-ms", "200")
    assert done.returncode == 1, done.stdout
    assert "the time is shorter than" in done.stdout


def test_a_model_that_fits_the_cache_is_not_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(
        json.dumps(
            {
                "model_type": "llama",
                "vocab_size": 4096,
                "hidden_size": 256,
                "intermediate_size": 688,
                "num_hidden_layers": 4,
                "num_attention_heads": 8,
                "num_key_value_heads": 2,
            }
        ),
        encoding="utf-8",
    )
    done = run("--model", str(tmp_path), "--gpu", "RTX 4090", "--tokens-per-s", "200000")
    assert done.returncode == 0, done.stdout
    assert "rules nothing out" in done.stdout
    bare = run("--model", str(tmp_path / "config.json"), "--bandwidth-gbs", "1008", "--tokens-per-s", "200000")
    assert bare.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "--model"),
        (["--model", "tinyllama", "--tokens-per-s", "5"], "--gpu"),
        (["--model", "tinyllama", "--gpu", "RTX 4070"], "--latency-ms"),
        (["--model", "tinyllama", "--gpu", "RTX 4070", "--latency-ms", "5"], "--tokens"),
        (
            ["--model", "tinyllama", "--gpu", "RTX 4070", "--bandwidth-gbs", "5", "--tokens-per-s", "5"],
            "exclude",
        ),
        (["--model", "tinyllama", "--gpu", "Voodoo 2", "--tokens-per-s", "5"], "Voodoo 2"),
        (["--model", "/nowhere/at/all", "--gpu", "RTX 4070", "--tokens-per-s", "5"], "/nowhere/at/all"),
        (["--model", "tinyllama", "--gpu", "T4", "--tokens-per-s", "nan"], "'nan'"),
        (["--model", "tinyllama", "--gpu", "T4", "--tokens-per-s", "-1"], "'-1'"),
        (["--model", "tinyllama", "--gpu", "T4", "--tokens", "5", "--latency-ms", "5e-324"], "'5e-324'"),
        (["--model", "tinyllama", "--gpu", "T4", "--tokens-per-s", "5", "--batch", "0"], "'0'"),
        (["--model", "tinyllama", "--gpu", "T4", "--tokens-per-s", "5", "--batch", "1.5"], "'1.5'"),
        (["--model", "tinyllama", "--gpu", "T4", "--tokens-per-s", "5", "--precision", "fp12"], "'fp12'"),
        (["--model", "tinyllama", "--gpu", "T4", "--tokens-per-s", "5", "--tokkens", "5"], "--tokkens"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(arguments: list[str], named: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert named in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_it_loads_nothing_heavy_and_starts_at_once() -> None:
    arguments = ("--model", "tinyllama", "--gpu", "RTX 4070", "--tokens-per-s", "200")
    imported = run(*arguments, options=("-X", "importtime"))
    assert imported.returncode == 0
    modules = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in imported.stderr.splitlines()}
    assert "trtbench" in modules
    assert not modules & {"torch", "numpy", "transformers", "msgspec", "socket", "ssl", "matplotlib"}

    def seconds(*command: str) -> float:
        """Of computing, not of waiting: a busy machine must not decide."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, *command],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    pairs = [(seconds("-m", "trtbench.possible", *arguments), seconds("-c", "pass")) for _ in range(5)]
    assert statistics.median(whole - bare for whole, bare in pairs) < 0.2


def thirteen(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Llama 2 13B on a card of 4,078 GB/s, 190 new tokens: TensorRT-LLM #1410."""
    config = {"model_type": "llama", "vocab_size": 32000, "hidden_size": 5120, "intermediate_size": 13824}
    config |= {"num_hidden_layers": 40, "num_attention_heads": 40, "num_key_value_heads": 40}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return run("--model", str(tmp_path), "--bandwidth-gbs", "4078", "--tokens", "190", *arguments)


def test_a_rate_that_leaves_the_prompt_out_does_not_contradict_the_whole_time(tmp_path: Path) -> None:
    done = thirteen(tmp_path, "--prompt", "710", "--latency-ms", "4409.816", "--tokens-per-s", "50.379")
    assert done.returncode == 0, done.stdout
    assert "the rate leaves the prompt out: the steps after the first token leave 658.3 ms" in done.stdout
    done = thirteen(tmp_path, "--latency-ms", "4409.816", "--tokens-per-s", "50.379")
    assert done.returncode == 0, done.stdout
    assert "contradict each other unless the rate leaves the prompt out, which then took 658.3 ms" in done.stdout


def test_what_such_a_rate_leaves_must_be_enough_for_the_prompt(tmp_path: Path) -> None:
    done = thirteen(tmp_path, "--prompt", "710", "--latency-ms", "4409.816", "--tokens-per-s", "42")
    assert done.returncode == 1
    assert "fewer tokens came" in done.stdout
    done = run(
        *("--model", "tinyllama", "--bandwidth-gbs", "20", "--prompt", "128", "--tokens", "20"),
        *("--latency-ms", "2300", "--tokens-per-s", "8.9"),
    )
    assert done.returncode == 0, done.stdout
    done = run(
        *("--model", "tinyllama", "--bandwidth-gbs", "20", "--prompt", "64", "--tokens", "20"),
        *("--latency-ms", "2180", "--tokens-per-s", "8.8"),
    )
    assert done.returncode == 1, done.stdout
    assert "would leave 20.9 ms of the 2,180.0 ms for the prompt, and its least is 103.5 ms" in done.stdout


def test_a_quantised_checkpoint_is_judged_at_the_bits_that_its_config_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An 8 B model in four bits reads 4 GB a step: 200 tokens/s are possible at 1,008 GB/s, and in float16 are not."""
    config = {
        **{"model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32},
        **{"num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256},
        "quantization_config": {"quant_method": "awq", "bits": 4},
    }
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    claim = ["--model", str(tmp_path), "--gpu", "RTX 4090", "--tokens-per-s", "200"]
    assert trtbench.possible.main(claim) == 0
    assert "in awq (4 bits)" in capsys.readouterr().out
    assert trtbench.possible.main([*claim, "--precision", "fp16"]) == 1


def test_the_cache_of_a_quantised_model_counts_as_quantised_too(tmp_path: Path) -> None:
    """64 sequences of 8,192 positions: 64 GiB of cache in 16 bits, 32 in 8, beside 4 GB of weights, at 1,008 GB/s."""
    config = {
        **{"model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32},
        **{"num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256},
        "quantization_config": {"quant_method": "awq", "bits": 4},
    }
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    claim = ["--model", str(tmp_path), "--bandwidth-gbs", "1008", "--batch", "64", "--prompt", "8192", "--tokens", "2"]
    assert trtbench.possible.main([*claim, "--tokens-per-s", "1400"]) == 0
    assert trtbench.possible.main([*claim, "--tokens-per-s", "1800"]) == 1


def test_a_folder_counts_before_a_built_in_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    claim = ["--gpu", "RTX 4090", "--tokens-per-s", "600", "--model"]
    for name in ("TinyLlama-1.1B-AWQ", "TinyLlama/TinyLlama-1.1B-Chat-v1.0"):
        assert trtbench.possible.main([*claim, name]) == 1  # TinyLlama's shape in float16
        folder = tmp_path / name
        folder.mkdir(parents=True)
        config = {
            **{"model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22},
            **{"num_attention_heads": 32, "num_key_value_heads": 4, "vocab_size": 32000},
            "quantization_config": {"quant_method": "awq", "bits": 4},
        }
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        assert trtbench.possible.main([*claim, name]) == 0
        assert "in awq (4 bits)" in capsys.readouterr().out


def test_a_config_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {
        **{"model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22},
        **{"num_attention_heads": 32, "num_key_value_heads": 4, "vocab_size": 32000},
    }
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    read: list[str] = []
    text = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda file, **how: read.append(file.name) or text(file, **how))
    assert trtbench.possible.main(["--model", str(tmp_path), "--gpu", "RTX 4090", "--tokens-per-s", "100"]) == 0
    assert read == ["config.json"]
