"""Figures from outside: the old table is refused, honest ones are not, and a unit that nobody says is asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import trtbench
from trtbench.claims import main
from trtbench.errors import UserError
from trtbench.machine import cards
from trtbench.model.shape import TINYLLAMA
from trtbench.referee import roofline
from trtbench.referee.claim_formats import table
from trtbench.referee.claim_formats.row import Row
from trtbench.referee.claim_table import FAIL, TABLE, WARN, ClaimFinding, check
from trtbench.referee.claim_units import settled
from trtbench.settings.knobs import ROOT

SCRIPTS = Path(trtbench.__file__).resolve().parents[1]
OLD = [
    {"name": "PyTorch", "batch": 1, "new_tokens": 200, "latency_ms": 627.9, "throughput": 864.4},
    {"name": "TensorRT", "batch": 1, "new_tokens": 200, "latency_ms": 260.3, "throughput": 2723.2},
]
FP16 = roofline.precision("fp16")


def machine(gpu: str) -> roofline.Machine:
    card = cards.fastest(gpu)
    return roofline.Machine(card.bandwidth, card.gate_peak, card.cache)


def written(tmp_path: Path, content: Any) -> Path:
    file = tmp_path / "claims.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def rows(tmp_path: Path, content: Any, **options: str) -> list[Row]:
    return settled(table.read(written(tmp_path, content)).rows, **options)[0]


def said(findings: list[ClaimFinding]) -> set[tuple[str, str]]:
    return {(f.code, f.name) for f in findings}


def test_the_old_table_is_refused_by_the_ceiling(tmp_path: Path) -> None:
    found = check(rows(tmp_path, OLD), TINYLLAMA, FP16, machine("RTX 4070"))
    assert {f for f in said(found) if f[0] == "claims.ceiling"} == {
        ("claims.ceiling", "PyTorch"),
        ("claims.ceiling", "TensorRT"),
    }
    assert found[0].level == FAIL


def test_without_a_card_a_rate_above_the_time_may_leave_the_prompt_out(tmp_path: Path) -> None:
    found = check(rows(tmp_path, OLD))
    assert said(found) == {("claims.decode", "PyTorch"), ("claims.decode", "TensorRT")}
    assert "contradict each other unless the rate leaves the prompt out, which then took 397.7 ms" in found[0].sentence


@pytest.mark.parametrize(
    ("prompt", "latency", "rate", "gbs", "code", "words"),
    [
        (710, 4409.816, 50.379, 4078, "claims.decode", "the rate leaves the prompt out"),  # TensorRT-LLM #1410
        (None, 4409.816, 50.379, 4078, "claims.decode", "contradict each other unless"),
        (710, 3780.0, 51.6, 150, "claims.rate", "leaves 117.2 ms for it, which is too short"),
        (710, 4409.816, 42.0, 4078, "claims.rate", "where 190 are new"),  # fewer than were made
        (710, 4409.816, 204.1, 4078, "claims.prompt", "prompt and output together"),
        (710, 4409.816, 43.09, 4078, "claims", ""),
    ],
)
def test_a_rate_of_the_decode_steps_beside_the_whole_time(
    prompt: int | None, latency: float, rate: float, gbs: float, code: str, words: str
) -> None:
    llama = TINYLLAMA.__class__("LlamaForCausalLM", 40, 5120, 40, 40, 128, 13824, 32000)
    row = Row(name="x", batch=1, new_tokens=190, prompt=prompt, latency=latency, throughput=rate)
    findings = check([row], llama, FP16, roofline.Machine(gbs * 1e9))
    (finding,) = [f for f in findings if f.code != "claims.ceiling"]
    assert finding.code == code and words in finding.sentence, finding.sentence


def test_a_short_generation_by_its_steps_alone_is_no_contradiction() -> None:
    # Nine steps of 10 ms behind a prompt of 5 ms: 100 tokens/s x 95 ms is 9.5 of 10 tokens.
    row = Row(name="x", batch=1, new_tokens=10, prompt=8, latency=95.0, throughput=100.0)
    assert said(check([row], TINYLLAMA, FP16, machine("H100"))) == {("claims.decode", "x")}
    said_so = Row(name="x", batch=1, new_tokens=10, prompt=8, latency=95.0, throughput=100.0, rate_unit="decode")
    assert said(check([said_so], TINYLLAMA, FP16, machine("H100"))) == {("claims", "")}


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


def test_the_precision_of_a_row_is_the_one_it_says(tmp_path: Path) -> None:
    claim = {"batch": 1, "new_tokens": 200, "latency_ms": 500, "tok_s": 400}
    found = {}
    for stored in ("fp16", "int8", "Q3_K", "torch.float16"):
        found[stored] = [
            f.code for f in check(rows(tmp_path, [claim | {"dtype": stored}]), TINYLLAMA, FP16, machine("RTX 4070"))
        ]
    assert found["fp16"] == found["torch.float16"] == ["claims.ceiling", "claims.ceiling"]
    assert found["int8"] == found["Q3_K"] == ["claims"]


SECONDS = {"backend": "pytorch", "batch_size": 1, "prompt_tokens": 128, "output_tokens": 200}


@pytest.mark.parametrize(
    ("content", "unit"),
    [
        ([SECONDS | {"latency": 1.05, "tokens_per_second": 190.5}], "seconds"),
        ([SECONDS | {"latency": 1050, "tokens_per_second": 190.5}], "milliseconds"),
        ([SECONDS | {"latency": 1.05, "throughput": 190.5}], "seconds"),
        ([SECONDS | {"latency": 1.05, "tok_s": 190.5}, SECONDS | {"latency": 4.41, "tok_s": 50.4}], "seconds"),
        ([SECONDS | {"batch_size": 8, "e2e_latency": 2.0, "requests_per_second": 4.0}], "seconds"),
        ([SECONDS | {"mean_latency": 1.64, "throughput": 200.0}], "seconds"),  # with the prompt: 328 tokens
    ],
)
def test_a_unit_that_only_one_way_of_reading_fits_is_taken_and_said(
    content: Any, unit: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(written(tmp_path, content))])
    assert f"latency says no unit: taken as {unit}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("claim", "code"),
    [
        ({"latency": 4.41, "tok_s": 50.4}, "claims.unit"),  # neither gives 200 tokens: decode only, or wrong
        ({"latency": 0.5, "tok_s": 190.5}, "claims.rate"),  # too few tokens in either unit
        ({"latency": 0.5, "throughput": 190.5}, "claims.unit"),
        # A thousand tokens in 2 s, or one request in 2 ms.
        ({"output_tokens": 1000, "latency": 2.0, "throughput": 500}, "claims.unit"),
        ({"output_tokens": 1000, "latency": 2.0, "tok_s": 500}, "claims"),
        ({"output_tokens": 1000, "batch_size": 8, "latency": 2000, "throughput": 4.0}, "claims.unit"),
        ({"batch_size": 8, "latency_ms": 2000, "throughput": 4.0}, "claims.unit"),  # requests/s exactly
        ({"batch_size": 8, "latency_ms": 2000, "throughput": 4.2}, "claims.unit"),
        ({"batch_size": 8, "latency_ms": 2000, "throughput": 40.0}, "claims.rate"),
        ({"batch_size": 8, "latency_ms": 2000, "tok_s": 100.0}, "claims.unit"),  # of one sequence
        ({"batch_size": 8, "latency_ms": 2000, "throughput": 800.0}, "claims"),
        ({"batch_size": 8, "latency_ms": 2000, "requests_per_second": 4.0}, "claims"),
        ({"batch_size": 8, "latency_ms": 2000, "requests_per_second": 3.0}, "claims.rate"),
        ({"latency_s": 1.05, "tok_s": 190.5}, "claims"),
        ({"latency_ms": 1.05, "tok_s": 190.5}, "claims.rate"),  # the name says ms
        ({"latency_ms": 1640, "total_token_throughput": 200.0}, "claims"),
        ({"latency_ms": 1640, "total_token_throughput": 400.0}, "claims.rate"),
    ],
)
def test_a_unit_that_nothing_tells_is_asked_for_and_never_guessed(
    claim: dict[str, Any], code: str, tmp_path: Path
) -> None:
    assert [f.code for f in check(rows(tmp_path, [SECONDS | claim]))] == [code]


def test_the_user_says_a_unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim = SECONDS | {"latency": 4.41, "throughput": 50.4, "output_tokens": 190, "prompt_tokens": 710}
    file = str(written(tmp_path, [claim]))
    assert main([file, "--latency-unit", "s"]) == 0
    assert "taken as seconds, as --latency-unit says" in capsys.readouterr().out
    assert main([file, "--latency-unit", "ms"]) == 1
    requests = str(written(tmp_path, [SECONDS | {"batch_size": 8, "latency_ms": 2000, "throughput": 4.0}]))
    assert main([requests, "--throughput-unit", "requests"]) == 0
    assert main([requests, "--throughput-unit", "tokens"]) == 1
    with pytest.raises(UserError, match="of no use"):
        main([requests, "--latency-unit", "s"])


def test_a_time_without_unit_and_rate_is_refuted_only_in_seconds(tmp_path: Path) -> None:
    def codes(latency: float) -> list[str]:
        claim = rows(tmp_path, [{"batch": 1, "new_tokens": 200, "latency": latency}])
        return [f.code for f in check(claim, TINYLLAMA, FP16, machine("RTX 4070"))]

    assert codes(300) == ["claims.incomplete"]  # in ms it would be too short
    assert codes(0.3) == ["claims.ceiling", "claims.incomplete"]


def test_names_and_units_of_other_tools(tmp_path: Path) -> None:
    claim = [{"backend": "vllm", "batch_size": "8", "output_len": "200", "latency_s": "0.345", "tok_s": "4637"}]
    assert rows(tmp_path, claim) == [
        Row(name="vllm", batch=8, new_tokens=200, latency=pytest.approx(345.0), throughput=4637.0)
    ]


def test_json_and_csv_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"model": "x", "results": OLD}))
    head = ",".join(OLD[0])
    lines = [",".join(str(v) for v in row.values()) for row in OLD]
    (tmp_path / "a.csv").write_text("\n".join([head, *lines]))
    assert table.read(tmp_path / "a.json").rows == table.read(tmp_path / "a.csv").rows


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("nonsense", "is not JSON"),
        ("[]", "No rows"),
        ('{"a": 1}', "No rows .it names a.: nothing in it is named as a time or a rate"),
        ('[{"new_tokens": "many", "latency_ms": 5}]', "is not a number"),
        ('[{"new_tokens": 0, "latency_ms": 5}]', "at least 1"),
    ],
)
def test_bad_input_gets_one_sentence(tmp_path: Path, content: str, match: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError, match=match):
        table.read(tmp_path / "a.json")


def test_status_and_words_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(written(tmp_path, OLD))
    for card in (["--gpu", "RTX 4070"], ["--bandwidth-gbs", "504"]):
        for model in ("tinyllama", "TinyLlama/TinyLlama-1.1B-Chat-v1.0"):
            assert main([file, "--model", model, *card]) == 1
            assert "FAIL claims.ceiling - TensorRT: 11.19 times what 504.0 GB/s" in capsys.readouterr().out
    assert main([str(written(tmp_path, [{"batch": 1, "new_tokens": 200, "latency": 1000, "throughput": 200}]))]) == 0
    for half in (["--gpu", "H200"], ["--model", "tinyllama"], ["--bandwidth-gbs", "504"]):
        with pytest.raises(UserError, match="go together"):
            main([file, *half])


def test_the_name_of_a_row_is_shown_on_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim = {"name": "vllm,\ndecode\u202e", "batch": 1, "new_tokens": 200, "latency_ms": 100, "tok_s": 100}
    assert main([str(written(tmp_path, [claim]))]) == 1
    assert "FAIL claims.rate - vllm, decode\ufffd: 100.0 tok/s x 100.0 ms is 10" in capsys.readouterr().out


def test_the_document_lists_the_findings_and_the_tools() -> None:
    page = (ROOT / "docs" / "methodology.md").read_text(encoding="utf-8")
    lines = [f"| `{code}` | {level} | {when} |" for code, (level, when, _) in TABLE.items() if code != "claims"]
    assert [line for line in page.splitlines() if line.startswith("| `claims")] == lines
    assert [format.tool for format in table.FORMATS if f"`{format.tool}`" not in page and format.source] == []


# What is not of the standard library is refused, wherever it lies.
BLOCKED = """
import importlib.abc, runpy, sys

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top != "trtbench" and top not in sys.stdlib_module_names:
            raise ImportError(f"{name} is not to be had")

sys.meta_path.insert(0, Refuse())
runpy.run_module(sys.argv[1], run_name="__main__", alter_sys=True)
"""


def alone(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command run by this Python with nothing installed beside it."""
    code = f"import sys; sys.argv = ['x', {f'trtbench.{command}'!r}, *sys.argv[1:]]; exec({BLOCKED!r})"
    code = code.replace("runpy.run_module(sys.argv[1]", "runpy.run_module(sys.argv.pop(1)")
    return subprocess.run(
        [sys.executable, "-S", "-E", "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=SCRIPTS,
        env={"PATH": os.environ["PATH"]},
        timeout=60,
        check=False,
    )


def test_claims_and_possible_need_nothing_but_python(tmp_path: Path) -> None:
    card = ["--model", "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "--precision", "fp16", "--batch", "1", "--prompt", "0"]
    for place in (["--gpu", "RTX 4070"], ["--bandwidth-gbs", "504"]):
        done = alone("claims", str(written(tmp_path, OLD)), *card, *place)
        assert (done.returncode, done.stderr) == (1, ""), done.stderr
        assert "FAIL claims.ceiling" in done.stdout
        done = alone("possible", *card, *place, "--tokens", "200", "--latency-ms", "260.3")
        assert (done.returncode, done.stderr) == (1, ""), done.stderr
        assert "IMPOSSIBLE" in done.stdout
    bad = alone("claims", str(written(tmp_path, OLD)), "--gpu", "Voodoo 2", "--model", "tinyllama")
    assert bad.returncode == 2 and len(bad.stderr.splitlines()) == 1 and "--bandwidth-gbs" in bad.stderr
    samples = Path(__file__).parent / "claim_samples"
    assert alone("claims", str(samples / "llama_bench.csv")).returncode == 0
    for arguments in (["--tokkens", "5"], [str(tmp_path / "none.csv")], []):
        bad = alone("claims", *arguments)
        assert bad.returncode == 2 and bad.stdout == "" and len(bad.stderr.splitlines()) == 1


def test_a_file_whose_times_fit_in_both_units_is_asked_about(tmp_path: Path) -> None:
    mixed = [SECONDS | {"latency": 1.05, "tok_s": 190.5}, SECONDS | {"latency": 1050, "tok_s": 190.5}]
    assert [f.code for f in check(rows(tmp_path, mixed))] == ["claims.unit", "claims.unit"]


def test_a_request_among_others_is_held_against_one_alone() -> None:
    card = machine("RTX 4070")
    alone = roofline.generation_floor(TINYLLAMA, FP16, card, 1, 128, 200).seconds * 1e3
    row = Row(name="x", batch=64, at_most=True, new_tokens=200.0, prompt=128.0, latency=alone, throughput=200.0)
    assert [f.code for f in check([row], TINYLLAMA, FP16, card)] == ["claims"]
    fast = Row(name="x", batch=64, at_most=True, new_tokens=200.0, prompt=128.0, latency=alone / 2, throughput=200.0)
    assert [f.code for f in check([fast], TINYLLAMA, FP16, card)] == ["claims.ceiling"]
    # Without a card nothing of it was checked, and that is said.
    assert [f.code for f in check([row])] == ["claims.incomplete"]
