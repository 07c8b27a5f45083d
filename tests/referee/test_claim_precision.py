"""Words for a precision: known ones at their bits, others at the fewest there are, and what is said of the cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trtbench.claims import main
from trtbench.referee import claim_precision, roofline
from trtbench.referee.claim_formats import table

SAMPLES = Path(__file__).parent / "claim_samples"
FP16 = roofline.precision("fp16")
LLAMA_8B = {
    **{"model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32},
    **{"num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256},
}


def written(tmp_path: Path, content: Any, name: str = "claims.json") -> str:
    (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    return str(tmp_path / name)


@pytest.mark.parametrize(
    ("words", "bits"),
    [
        ("torch.float16", 16), ("half", 16), ("BF16", 16), ("TF32", 32), ("FP8", 8), ("float8_e4m3fn", 8), ("fp4", 4),
        ("NVFP4", 4), ("mxfp4", 4), ("nf4", 4), ("uint4", 4), ("W4A16_AWQ", 4), ("w8a8", 8), ("int4_awq", 4.125), ("awq", 4.125),
        ("GPTQ", 2), ("gptq-4bit-128g", 4), ("bnb", 4), ("4-bit", 4), ("2.4bpw", 2.4), ("Q4_K_M", 4), ("Q2_K", 2), ("IQ2_XXS", 2),
        ("TQ1_0", 1), ("Q8_0", 8), ("QuantMode.INT4_WEIGHTS|PER_GROUP", 4), ("zorp", 1), ("129", 1), ("w99", 1), ("fp0", 1),
    ],
)  # fmt: skip
def test_bits_that_words_mean(words: str, bits: float) -> None:
    precision, unknown = claim_precision.of_row(words, (), FP16, said=False)
    assert precision.weight_bits == bits and (unknown == words) == (bits == 1 and words != "TQ1_0")
    assert precision.kv_bits == (bits if bits >= 16 else 8)


def test_what_says_nothing_is_taken_as_the_options_say() -> None:
    for words in (None, "", "auto", "AUTO", "None", "torch.auto"):
        assert claim_precision.of_row(words, (), FP16, said=False) == (FP16, None)
    assert claim_precision.of_row("zorp", (), FP16, said=True) == (FP16, None)
    assert claim_precision.of_row("int8", (), FP16, said=True)[0].weight_bits == 8  # the row's own word is known


def test_the_cache_is_as_the_row_says() -> None:
    for kept, bits in (
        (("f16", "f16"), 16),
        (("q8_0", "f16"), 8),
        (("q4_0", "q8_0"), 4),
        (("auto",), 16),
        (("half",), 16),
        (("fp8_e5m2",), 8),
        (("zorp",), 1),
    ):
        precision, _ = claim_precision.of_row("float16", kept, FP16, said=False)
        assert (precision.weight_bits, precision.kv_bits) == (16, bits)


@pytest.mark.parametrize("words", ["fp4", "auto", "zorp", "Q2_K", "IQ3_S", "GPTQ", "W4A16_AWQ", "NVFP4", "nf4"])
@pytest.mark.parametrize("options", [[], ["--precision", "fp16"]])
def test_no_word_switches_the_card_off(words: str, options: list[str], tmp_path: Path) -> None:
    """10,000 tokens/s of an 8 B model on a card of 1,008 GB/s are above the ceiling in one bit, too."""
    model = written(tmp_path, LLAMA_8B, "config.json")
    row = {"batch": 1, "new_tokens": 200, "latency_ms": 20, "tok_s": 10_000, "precision": words}
    claim = [written(tmp_path, [row]), "--model", model, "--gpu", "RTX 4090", *options]
    assert main(claim) == 1
    honest = written(tmp_path, [row | {"latency_ms": 4000, "tok_s": 50}], "honest.json")
    assert main([honest, *claim[1:]]) == 0


def test_a_word_that_is_not_known_is_said_and_what_the_user_says_stands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = written(tmp_path, LLAMA_8B, "config.json")
    row = {"batch": 1, "new_tokens": 200, "latency_ms": 1000, "tok_s": 200, "precision": "zorp"}
    claim = [written(tmp_path, [row]), "--model", model, "--gpu", "RTX 4090"]
    assert main(claim) == 0
    assert "WARN claims.incomplete - row 1: weights in 'zorp' are not known here" in capsys.readouterr().out
    assert main([*claim, "--precision", "fp16"]) == 1
    assert main([*claim, "--precision", "int4"]) == 0
    assert "zorp" not in capsys.readouterr().out


def test_tools_say_how_the_cache_is_stored(tmp_path: Path) -> None:
    rows = json.loads((SAMPLES / "llama_bench.json").read_text(encoding="utf-8"))
    read = table.read(Path(written(tmp_path, [each | {"type_k": "q8_0", "type_v": "q4_0"} for each in rows]))).rows
    assert {row.cache for row in read} == {("q8_0", "q4_0")}
    kinds = {
        "llama 8B Q2_K - Medium": "Q2_K",
        "llama 8B IQ1_S - 1.5625 bpw": "IQ1_S",
        "llama 7B TQ1_0 - 1.69 bpw ternary": "TQ1_0",
    }
    kinds |= {
        "gpt-oss 20B MXFP4 MoE": "MXFP4",
        "llama 8B all F32": "F32",
        "llama 7B": "llama 7B",
        "t5 3B (guessed)": "t5 3B (guessed)",
    }
    for model, kind in kinds.items():
        read = table.read(Path(written(tmp_path, [each | {"model_type": model} for each in rows]))).rows
        assert {row.precision for row in read} == {kind}
    report = json.loads((SAMPLES / "trtllm_bench.json").read_text(encoding="utf-8"))
    assert table.read(SAMPLES / "trtllm_bench.json").rows[0].cache == ()
    report["engine"]["kv_cache_dtype"] = "FP8"
    assert table.read(Path(written(tmp_path, report))).rows[0].cache == ("FP8",)
