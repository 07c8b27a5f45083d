"""Figures from outside: the old table is refused, honest ones are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trtbench.claims import main
from trtbench.errors import UserError
from trtbench.machine import cards
from trtbench.model.shape import TINYLLAMA
from trtbench.referee import claim_table, roofline
from trtbench.referee.audit.findings import FAIL, WARN
from trtbench.referee.claim_table import Row, check, parse, read
from trtbench.report.audit_text import sentence
from trtbench.report.language import ENGLISH

OLD = [
    {"name": "PyTorch", "batch": 1, "new_tokens": 200, "latency_ms": 627.9, "throughput": 864.4},
    {"name": "TensorRT", "batch": 1, "new_tokens": 200, "latency_ms": 260.3, "throughput": 2723.2},
]
FP16 = roofline.precision("fp16")


def machine(gpu: str) -> roofline.Machine:
    card = cards.fastest(gpu)
    return roofline.Machine(card.bandwidth, card.gate_peak, card.cache)


def said(findings: list[claim_table.Finding]) -> set[tuple[str, object]]:
    return {(f.code, f.figures.get("name")) for f in findings}


def test_the_old_table_is_refused_by_ceiling_and_by_rate() -> None:
    found = said(check(parse(OLD), TINYLLAMA, FP16, machine("RTX 4070")))
    assert found == {(code, name) for code in ("claims.ceiling", "claims.rate") for name in ("PyTorch", "TensorRT")}


def test_rate_alone_needs_no_card() -> None:
    assert said(check(parse(OLD))) == {("claims.rate", "PyTorch"), ("claims.rate", "TensorRT")}


def test_prompt_tokens_in_the_throughput_are_named() -> None:
    row = Row(name="x", batch=2, new_tokens=200, prompt=128, latency=1000.0, throughput=656.0)
    assert said(check([row])) == {("claims.prompt", "x")}


@pytest.mark.parametrize(
    ("batch", "latency", "rate"), [(1, 291.6, 686.0), (8, 363.0, 4408.0), (32, 408.0, 15686.0), (1, 291.6, 691.0)]
)
def test_measured_figures_of_an_h200_are_let_through(batch: int, latency: float, rate: float) -> None:
    row = Row(name="x", batch=batch, new_tokens=200, prompt=128, latency=latency, throughput=rate)
    assert [f.code for f in check([row], TINYLLAMA, FP16, machine("H200"))] == ["claims"]


def test_a_published_figure_above_the_roofline_is_refused() -> None:
    llama = TINYLLAMA.__class__("LlamaForCausalLM", 32, 4096, 32, 32, 128, 11008, 32000)
    row = Row(name="premAI", batch=1, new_tokens=512, throughput=206.59)
    found = check([row], llama, FP16, machine("A100-SXM4-80GB"))
    assert {(f.code, f.level) for f in found} == {("claims.ceiling", FAIL), ("claims.incomplete", WARN)}


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_zeros_and_worse_are_no_figures(value: float) -> None:
    row = Row(name="x", batch=1, new_tokens=200, latency=value, throughput=100.0)
    assert said(check([row], TINYLLAMA, FP16, machine("H200"))) == {("claims.nonsense", "x")}


def test_names_and_units_of_other_tools() -> None:
    rows = parse([{"backend": "vllm", "batch_size": "8", "output_len": "200", "latency_s": "0.345", "tok_s": "4637"}])
    assert rows == [Row(name="vllm", batch=8, new_tokens=200, latency=pytest.approx(345.0), throughput=4637.0)]


def test_json_and_csv_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"model": "x", "results": OLD}))
    head = ",".join(OLD[0])
    lines = [",".join(str(v) for v in row.values()) for row in OLD]
    (tmp_path / "a.csv").write_text("\n".join([head, *lines]))
    assert read(tmp_path / "a.json") == read(tmp_path / "a.csv") == parse(OLD)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("nonsense", "is not JSON"),
        ("[]", "No rows"),
        ('{"a": 1}', "lacks new_tokens"),
        ('[{"new_tokens": "many"}]', "is not a number"),
        ('[{"new_tokens": 0}]', "at least 1"),
    ],
)
def test_bad_input_gets_one_sentence(tmp_path: Path, content: str, match: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match=match):
        read(tmp_path / "a.json")


def test_status_and_words_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "old.json"
    file.write_text(json.dumps(OLD))
    assert main([str(file), "--model", "tinyllama", "--gpu", "RTX 4070"]) == 1
    assert "FAIL claims.ceiling - TensorRT: 11.19 times what 504.0 GB/s" in capsys.readouterr().out
    file.write_text(json.dumps([{"batch": 1, "new_tokens": 200, "latency": 1000, "throughput": 200}]))
    assert main([str(file)]) == 0
    with pytest.raises(UserError, match="go together"):
        main([str(file), "--gpu", "H200"])


def test_the_name_of_a_row_stays_as_it_was_written() -> None:
    row = Row(name="vllm, decode", batch=1, new_tokens=200, latency=0.0, throughput=100.0)
    assert [sentence(f, ENGLISH) for f in check([row])] == [
        "vllm, decode: a time of 0.0 ms or a rate of 100.0 tok/s is none."
    ]
