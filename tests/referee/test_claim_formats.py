"""Files as tools and people really write them: each is read for what it says, and a figure changed in it is told.

The samples are made by hand after what each tool writes; `claim_formats/table.py` names where that was looked up.
"""

from __future__ import annotations

import json
import math
import random
import re
from pathlib import Path
from typing import Any

import pytest

from trtbench.claims import main
from trtbench.errors import UserError
from trtbench.referee.claim_formats import layout, names, numbers, table
from trtbench.referee.claim_formats.row import Row
from trtbench.referee.claim_table import check
from trtbench.referee.claim_units import settled

SAMPLES = Path(__file__).parent / "claim_samples"
LLAMA_13B = {
    "model_type": "llama",
    "vocab_size": 32000,
    "hidden_size": 5120,
    "intermediate_size": 13824,
    "num_hidden_layers": 40,
    "num_attention_heads": 40,
    "num_key_value_heads": 40,
}


def sample(name: str) -> tuple[Row, ...]:
    return table.read(SAMPLES / name).rows


def written(tmp_path: Path, content: Any, name: str = "claims.json") -> Path:
    file = tmp_path / name
    text = content if isinstance(content, str) else json.dumps(content)
    file.write_text(text, encoding="utf-8", newline="")
    return file


def codes(file: Path, **options: str) -> list[str]:
    rows, _ = settled(table.read(file).rows, **options)
    return [finding.code for finding in check(rows)]


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("trtllm_benchmark.csv", "benchmark.py"),
        ("trtllm_benchmark.log", "benchmark.py"),
        ("gpt_session_benchmark.log", "benchmark.py"),
        ("trtllm_bench.json", "trtllm-bench"),
        ("vllm_serve.json", "serving benchmark"),
        ("sglang_serve.jsonl", "serving benchmark"),
        ("llama_bench.json", "llama-bench"),
        ("llama_bench.jsonl", "llama-bench"),
        ("llama_bench.csv", "llama-bench"),
        ("optimum_benchmark.json", "optimum-benchmark"),
        ("aiperf.json", "genai-perf"),
        ("own_report.json", "this program"),
    ],
)
def test_what_a_tool_wrote_is_read_and_nothing_is_wrong_with_it(
    name: str, tool: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = written(tmp_path, LLAMA_13B, "config.json")
    card = ["--gpu", "RTX 4090"] if name.startswith("llama") else ["--bandwidth-gbs", "6500"]
    assert main([str(SAMPLES / name), "--model", str(model), *card]) == 0
    said = capsys.readouterr().out
    assert tool in said.splitlines()[0]
    assert "Nothing found" in said, said


def test_the_figures_of_each_tool_mean_what_the_tool_means() -> None:
    first, second = sample("trtllm_benchmark.csv")
    assert (first.batch, first.prompt, first.new_tokens, first.latency, first.throughput) == (
        1,
        710,
        190,
        4409.816,
        43.09,
    )
    assert second.batch == 8 and second.decode == 4266.102 and [s.rate for s in second.sums] == [246.34, 354.422]
    assert sample("trtllm_benchmark.log")[0] == first
    (bench,) = sample("trtllm_bench.json")
    assert (bench.batch, bench.at_most, bench.prompt, bench.new_tokens) == (64, True, 128, 200)
    assert (bench.latency, bench.throughput, bench.cards, bench.precision) == (9990.1, 1234.46, 1, "float16")
    (serve,) = sample("vllm_serve.json")
    assert (serve.batch, serve.at_most, serve.prompt, serve.new_tokens, serve.latency) == (32, True, 128, 200, 8190.3)
    (offline,) = sample("vllm_throughput.json")
    assert (offline.throughput, offline.rate_unit, offline.new_tokens) == (5.0, "requests", None)
    (seconds,) = sample("vllm_latency.json")
    assert seconds.latency == 4950.0 and seconds.batch is None
    decode, both, deep = sample("llama_bench.json")
    assert (decode.batch, decode.new_tokens, decode.prompt, decode.latency) == (1, 128, None, None)
    assert decode.throughput == 94.87 and decode.decode == pytest.approx(128 / 94.87 * 1e3)
    assert both.rate_unit == "total" and both.latency == pytest.approx(640 / 470.1 * 1e3) and both.prompt == 512
    assert deep.prompt == 4096 and deep.latency is None and (decode.precision, decode.cache) == ("Q4_0", ("f16", "f16"))
    assert sample("llama_bench.jsonl") == sample("llama_bench.json") == sample("llama_bench.csv")
    assert [row.throughput for row in sample("llama_bench.md")] == [94.87, 470.1, 88.31]
    (optimum,) = sample("optimum_benchmark.json")
    assert (optimum.batch, optimum.prompt, optimum.new_tokens, optimum.decode) == (8, 128, 20, 796.0)
    assert optimum.latency == pytest.approx(896.0) and optimum.rate_unit == "decode"
    (guide,) = sample("guidellm.json")
    assert (guide.batch, guide.at_most, guide.latency, guide.throughput) == (8, True, 2450.0, 409.6)
    ours = sample("own_report.json")
    assert [(row.batch, row.prompt, row.new_tokens, row.precision) for row in ours] == [(1, 128, 200, "float16")] * 2


@pytest.mark.parametrize(
    ("name", "old", "new", "code"),
    [
        ("trtllm_benchmark.csv", ",43.09,", ",50.38,", "claims.rate"),
        ("trtllm_benchmark.csv", ",50.379", ",67.2", "claims.rate"),
        ("trtllm_bench.json", "1234.46, \"system", "1512.0, \"system", "claims.rate"),
        ("vllm_serve.json", '"output_throughput": 764.8', '"output_throughput": 1254.3', "claims.rate"),
        ("sglang_serve.jsonl", '"output_throughput": 1024.0', '"output_throughput": 2048.0', "claims.rate"),
        ("vllm_throughput.json", "1640.0", "2000.0", "claims.rate"),
        ("llama_bench.json", '"avg_ts": 94.87', '"avg_ts": 194.87', "claims.rate"),
        ("llama_bench.csv", '"94.87"', '"194.87"', "claims.rate"),
        ("optimum_benchmark.json", '"value": 190.95', '"value": 201.0', "claims.rate"),
        ("aiperf.json", '"avg": 207.4', '"avg": 307.4', "claims.rate"),
        ("own_report.json", '"latency": 4810.0', '"latency": 2405.0', "claims.rate"),
        ("own_report.json", '"latency": 4810.0', '"latency": 9620.0', "claims.decode"),
    ],
)  # fmt: skip
def test_a_figure_that_was_changed_in_a_tools_file_is_told(
    name: str, old: str, new: str, code: str, tmp_path: Path
) -> None:
    text = (SAMPLES / name).read_text(encoding="utf-8")
    assert old in text
    before = set(codes(SAMPLES / name))
    assert set(codes(written(tmp_path, text.replace(old, new, 1), name))) - before == {code}


def test_a_serving_rate_above_the_card_is_refused_and_several_cards_are_counted(tmp_path: Path) -> None:
    model = str(written(tmp_path, LLAMA_13B, "config.json"))
    report = json.loads((SAMPLES / "trtllm_bench.json").read_text())
    assert main([str(written(tmp_path, report)), "--model", model, "--bandwidth-gbs", "300"]) == 1
    report["world_info"] |= {"tp_size": 8, "world_size": 8}
    assert main([str(written(tmp_path, report)), "--model", model, "--bandwidth-gbs", "300"]) == 0


def test_options_say_what_a_file_leaves_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(written(tmp_path, LLAMA_13B, "config.json"))
    file = str(SAMPLES / "vllm_latency.json")
    assert main([file]) == 0
    assert "throughput, batch, new tokens are missing" in capsys.readouterr().out
    card = ["--model", model, "--gpu", "A100 80GB SXM"]
    assert main([file, *card, "--batch", "8", "--prompt", "128", "--tokens", "200"]) == 0
    assert main([file, *card, "--batch", "8", "--prompt", "128", "--tokens", "1200"]) == 1
    # 5 requests/s of 300 new tokens each are 1,500 tokens/s, which one sequence after the other can't be.
    offline = json.loads((SAMPLES / "vllm_throughput.json").read_text())
    slow = ["--model", model, "--bandwidth-gbs", "900", "--tokens", "300"]
    assert main([str(SAMPLES / "vllm_throughput.json"), *slow]) == 0
    offline |= {"num_requests": 1, "elapsed_time": 0.2, "total_num_tokens": 328}
    assert main([str(written(tmp_path, offline)), *slow]) == 1


@pytest.mark.parametrize(
    "content",
    [
        {"config": {"batch_size": 8}, "results": [{"output_tokens": 200, "latency_ms": 1050, "throughput": 1523.8}]},
        {"batch": 8, "gpus": [{"name": "A100", "memory": 80}], "rows": [{"tokens": 200, "latency_s": 1.05, "tok_s": 1523.8}]},
        {"environment": [{"package": "torch"}], "settings": {"run": {"bs": 8, "osl": 200}}, "trt": {"e2e_ms": 1050, "tps": 1523.8}},
        [{"name": "x", "params": {"batch_size": 8, "max_new_tokens": 200}, "metrics": {"latency (ms)": 1050, "Tokens/s": 1523.8}}],
        {"a": [{"batch": 8, "osl": 200, "latency_ms": {"mean": 1050, "p50": 1049}, "throughput": {"value": 1523.8, "unit": "tok/s"}}]},
    ],
)  # fmt: skip
def test_settings_above_or_beside_the_rows_hold_for_them(content: Any, tmp_path: Path) -> None:
    (row,) = settled(table.read(written(tmp_path, content)).rows)[0]
    assert (row.batch, row.new_tokens, row.latency, row.throughput) == (8, 200, pytest.approx(1050), 1523.8)
    assert codes(written(tmp_path, content)) == ["claims"]


def test_a_batch_that_nobody_says_is_missing_and_two_that_differ_are_refused(tmp_path: Path) -> None:
    rows = [{"output_tokens": 200, "latency_ms": 1050, "throughput": 1523.8}]
    assert codes(written(tmp_path, {"gpus": [{"batch": 8}], "results": rows})) == ["claims.incomplete"]
    with pytest.raises(UserError, match="batch is said twice, 8 and 4"):
        table.read(written(tmp_path, {"a": {"batch_size": 8}, "b": {"batch": 4}, "results": rows}))


FRENCH = "backend;batch;new_tokens;latency_ms;throughput\nPyTorch;1;200;627,9;318,5\nTensorRT;1;200;1 260,3;158,7\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("excel.csv", FRENCH),
        ("excel.csv", "\ufeffsep=;\r\n" + FRENCH.replace("\n", "\r\n")),
        ("tabs.txt", FRENCH.replace(";", "\t")),
        ("quoted.csv", re.sub(r"[^;\n]*,\d+", r'"\g<0>"', FRENCH).replace(";", ",")),
        ("points.csv", FRENCH.replace(",", ".").replace(";", ",").replace("1 260", "1260")),
        ("narrow.csv", FRENCH.replace("1 260", "1\u202f260")),
        ("table.md", "Some words.\n\n" + "| " + FRENCH.replace(";", " | ").replace("\n", " |\n| ", 1)
         .replace("\n", "\n|---|--:|--:|--:|--:|\n", 1).replace("5\n", "5 |\n| ").replace("7\n", "7 |\n")),
    ],
)  # fmt: skip
def test_cells_between_any_signs_and_either_decimal_sign(name: str, text: str, tmp_path: Path) -> None:
    file = written(tmp_path, text, name)
    assert [(row.name, row.latency, row.throughput) for row in table.read(file).rows] == [
        ("PyTorch", 627.9, 318.5),
        ("TensorRT", 1260.3, 158.7),
    ]
    assert codes(file) == ["claims"]


def test_utf_16_as_excel_writes_it(tmp_path: Path) -> None:
    (tmp_path / "unicode.txt").write_bytes(FRENCH.replace(";", "\t").encode("utf-16"))
    assert [row.latency for row in table.read(tmp_path / "unicode.txt").rows] == [627.9, 1260.3]


@pytest.mark.parametrize(
    ("text", "comma", "number"),
    [
        ("627,9", None, 627.9),
        ("0,523", None, 0.523),
        ("1,523.8", None, 1523.8),
        ("1.523,8", None, 1523.8),
        ("1,234,567", None, 1234567),
        ("1.234.567", True, 1234567),
        ("1 523", None, 1523),
        ("1'523.5", None, 1523.5),
        ("1,523", True, 1.523),
        ("1,523", False, 1523),
        ("12.34 ± 0.05", None, 12.34),
        ("1e3", None, 1000),
        (".5", None, 0.5),
    ],
)
def test_numbers_are_read_by_what_their_digits_tell(text: str, comma: bool | None, number: float) -> None:
    assert numbers.read(text, "x", comma) == number


@pytest.mark.parametrize(
    ("text", "comma", "why"),
    [
        ("1,523", None, "two ways; write 1523 or 1.523"),
        ("1.523", True, "two ways"),
        ("12,34.5", None, "not a number"),
        ("1_000", None, "not a number"),
        ("0x10", None, "not a number"),
        ("١٢", None, "not a number"),
        ("120 ms", None, "write 120 and the unit in the name"),
        ("190.5 tok/s", None, "write 190.5 and the unit in the name"),
        ("nan", None, "not a number"),
        ("1e400", None, "no figure"),
    ],
)
def test_numbers_that_could_be_two_or_none_are_refused(text: str, comma: bool | None, why: str) -> None:
    with pytest.raises(UserError, match=re.escape(why)):
        numbers.read(text, "x", comma)


def test_decimal_points_beside_them_tell_what_commas_are(tmp_path: Path) -> None:
    head, rest = "batch{0}new_tokens{0}latency_ms{0}tok_s\n", "1{0}200{0}{1}{0}{2}\n"
    for separator, latency, rate, read in (
        ("|", "2,000", "99.5", [2000, 99.5]),
        (";", "2,000", "99", [2, 99]),
        (";", "2,000.5", "1,234", [2000.5, 1234]),
    ):
        text = head.format(separator) + rest.format(separator, latency, rate)
        text = text.replace("\n", "\n|-|-|-|-|\n", 1) if separator == "|" else text
        (row,) = table.read(written(tmp_path, text, "a.md")).rows
        assert [row.latency, row.throughput] == read
    with pytest.raises(UserError, match="two ways"):
        table.read(written(tmp_path, head.format("\t") + rest.format("\t", "2,000", "99"), "a.tsv"))


def test_decimal_commas_that_split_cells_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="7 cells under 5 names; if commas are decimal signs"):
        table.read(
            written(
                tmp_path, FRENCH.replace(";", ",").replace("1 260,3,", "1260.3,").replace("158,7", "158.7"), "a.csv"
            )
        )


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("latency(ms)", ("latency", "ms")),
        ("Latency [s]", ("latency", "s")),
        ("e2e_latency_sec", ("latency", "s")),
        ("latency", ("latency", None)),
        ("tokensPerSec", ("throughput", "tokens")),
        ("Throughput (out tok/s)", ("throughput", "tokens")),
        ("Throughput (req/s)", ("throughput", "requests")),
        ("throughput", ("throughput", None)),
        ("generation_tokens_per_second", ("throughput", "decode")),
        ("total_token_throughput", ("throughput", "total")),
        ("Batch Size", ("batch", None)),
        ("tokens", ("new_tokens", None)),
        ("latency_p99", None),
        ("median_latency_ms", None),
        ("generation_time(ms)", None),
        ("Throughput (out tok/s/GPU)", None),
        ("gpu_peak_mem(gb)", None),
    ],
)
def test_names_say_what_and_in_which_unit(name: str, column: tuple[str, str | None] | None) -> None:
    found = names.column(name)
    assert (found and (found.quantity, found.unit)) == column


def test_names_that_are_not_read_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"batch": 1, "osl": 200, "latency_ms": 1000, "tok_s": 200, "latency_p99": 1200, "watts\u202e": 300}]
    assert main([str(written(tmp_path, rows))]) == 0
    assert "Not read: latency_p99, watts\ufffd." in capsys.readouterr().out


# Every kind of cell that was ever found in such a file, and some that weren't.
NASTY: tuple[Any, ...] = (
    math.nan, math.inf, -math.inf, -1, 0, 0.0, -0.0, True, False, None, "", "120 ms", "190.5 tok/s", "n/a", "NaN", "-", "1,5",
    "1,234", "1e400", 10**400, -(10**30), 1e300, 5e-324, 2**63, 1.5, 200, "200", [], [1], {}, {"mean": math.nan}, {"mean": [1]},
    {"mean": 5, "unit": "fortnights"}, {"value": None}, "\ud800", "\u202e", "\x00", "x" * 5000, {"unit": 3, "avg": "7"},
)  # fmt: skip
KEYS = (
    "batch", "new_tokens", "latency", "latency_ms", "throughput", "tokens_per_s", "prompt", "name", "precision", "world_size",
    "config", "results", "report", "metrics", "benchmarks", "performance", "request_info", "", "latency (", "a.b", "cells", "kind",
)  # fmt: skip


def ends(file: Path, options: tuple[str, ...] = ()) -> str:
    """What a command ended with: its status, or the one sentence of a UserError. Anything else fails the test."""
    try:
        return str(main([str(file), *options]))
    except UserError as error:
        sentence = str(error)
    assert sentence.isprintable(), repr(sentence)
    return "2"


@pytest.mark.parametrize("name", ["batch", "new_tokens", "prompt", "latency_ms", "latency", "throughput"])
@pytest.mark.parametrize(
    "cell",
    [math.nan, math.inf, "1e400!", -1, 0, True, False, "120 ms", "190.5 tok/s", 10**400, 2**90, [1], "many"],
    ids=str,
)
def test_a_cell_that_is_no_figure_is_one_sentence(name: str, cell: Any, tmp_path: Path) -> None:
    good = {"batch": 1, "new_tokens": 200, "prompt": 128, "latency_ms": 1000, "throughput": 200}
    text = json.dumps([{k: v for k, v in good.items() if name != "latency" or k != "latency_ms"} | {name: cell}])
    file = written(tmp_path, text.replace('"1e400!"', "1e400"))
    if (name == "prompt" and cell == 0 and cell is not False) or cell == [1]:
        return  # a prompt of unknown length; a list of samples is not read, and said
    with pytest.raises(UserError, match=name):
        main([str(file)])


def tree(chance: random.Random, depth: int) -> Any:
    kind = chance.random()
    if depth == 0 or kind < 0.35:
        return chance.choice(NASTY)
    if kind < 0.55:
        return [tree(chance, depth - 1) for _ in range(chance.randrange(4))]
    return {chance.choice(KEYS): tree(chance, depth - 1) for _ in range(chance.randrange(7))}


def test_no_json_of_whatever_shape_ends_in_a_traceback(tmp_path: Path) -> None:
    chance = random.Random(7)
    outcomes = {ends(written(tmp_path, json.dumps(tree(chance, chance.randrange(1, 6))))) for _ in range(400)}
    assert outcomes >= {"0", "2"}


def mutated(chance: random.Random, value: Any) -> Any:
    """The same with one leaf or key of it changed or taken away."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        key = chance.choice(list(value))
        if chance.random() < 0.1:
            return {k: v for k, v in value.items() if k != key}
        return value | {key: mutated(chance, value[key])}
    if isinstance(value, list) and value and chance.random() < 0.85:
        place = chance.randrange(len(value))
        return [*value[:place], mutated(chance, value[place]), *value[place + 1 :]]
    return chance.choice(NASTY)


def test_no_tools_file_with_a_part_of_it_changed_ends_in_a_traceback(tmp_path: Path) -> None:
    chance = random.Random(11)
    card = ("--model", "tinyllama", "--gpu", "H100")
    for file in sorted(SAMPLES.iterdir()):
        document = layout.read(file)
        for _ in range(25):
            if document.table is None:
                ends(written(tmp_path, json.dumps(mutated(chance, document.value))), card)
                continue
            rows = [list(document.table[0]), *(list(row.values()) for row in document.table)]
            for _ in range(chance.randrange(1, 4)):
                line = chance.choice(rows)
                line[chance.randrange(len(line))] = str(chance.choice(NASTY))[:400].replace("\ud800", "")
            ends(written(tmp_path, "\n".join(";".join(line) for line in rows), "a.csv"), card)


def test_no_text_ends_in_a_traceback(tmp_path: Path) -> None:
    chance = random.Random(13)
    pieces = [
        "batch",
        "latency",
        "throughput",
        ",",
        ";",
        "\t",
        "|",
        "---",
        "\n",
        '"',
        "1,5",
        "200",
        "[BENCHMARK]",
        "{",
        "[",
        "sep=",
        " ",
        "\x00",
        "é",
    ]
    for number in range(400):
        text = "".join(chance.choice(pieces) for _ in range(chance.randrange(1, 30)))
        ends(written(tmp_path, text, chance.choice(["a.csv", "a.json", "a.md", "a"])))
        if number % 10 == 0:
            (tmp_path / "raw").write_bytes(chance.randbytes(chance.randrange(60)))
            ends(tmp_path / "raw")


def test_deep_and_odd_files_are_one_sentence(tmp_path: Path) -> None:
    for text in ("[" * 100_000, '{"a":' * 5000 + "1" + "}" * 5000, "5", '"x"', "null", "[[[[]]]]", "9" * 5000):
        assert ends(written(tmp_path, text)) == "2"
    assert ends(tmp_path) == ends(tmp_path / "missing.csv") == "2"


def test_a_peak_of_pieces_below_the_mean_is_no_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """vLLM counts pieces of streams in whole seconds: a run of half a second, or four tokens a piece, has such a peak (vllm
    #50677)."""
    serve = json.loads((SAMPLES / "vllm_serve.json").read_text(encoding="utf-8"))
    for peak, told in ((211.0, True), (900.0, False), (None, False)):
        assert main([str(written(tmp_path, serve | {"max_output_tokens_per_s": peak}))]) == 0
        said = capsys.readouterr().out
        assert "FAIL" not in said and ("counts pieces of streams in whole seconds" in said) == told


def test_speculative_decoding_is_not_held_against_the_ceiling(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(written(tmp_path, LLAMA_13B, "config.json"))
    card = ["--model", model, "--bandwidth-gbs", "300"]
    report = json.loads((SAMPLES / "trtllm_bench.json").read_text(encoding="utf-8"))
    serve = json.loads((SAMPLES / "vllm_serve.json").read_text(encoding="utf-8")) | {"max_concurrency": 1}
    drafted = {"decoding_stats": {"mode": "EAGLE", "acceptance_length_percentiles": {"average": 2.5}}}
    for content, more, none in (
        (report, drafted, {"decoding_stats": None}),
        (serve, {"spec_decode_acceptance_length": 2.5}, {"spec_decode_acceptance_length": None}),
        (serve, {"accept_length": 2.5}, {"accept_length": None}),
    ):
        assert main([str(written(tmp_path, content | none)), *card]) == 1
        assert "speculative" not in capsys.readouterr().out
        assert main([str(written(tmp_path, content | more)), *card]) == 0
        assert "not judged against the ceiling: speculative decoding" in capsys.readouterr().out


def test_layers_that_the_host_computes_are_not_bound_by_the_link(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A 13 B in float16 takes 26 GB, 40 layers: on a card of 12 GiB the link allows 4 tokens/s, and the host more of its own."""
    rows = json.loads((SAMPLES / "llama_bench.json").read_text(encoding="utf-8"))
    (row,) = [each for each in rows if each["n_gen"] and not each["n_prompt"] and not each["n_depth"]]
    row |= {"model_type": "llama 13B F16", "avg_ts": 6.0, "avg_ns": 128 / 6.0 * 1e9}
    model = str(written(tmp_path, LLAMA_13B, "config.json"))
    card = ["--model", model, "--gpu", "RTX 4070"]
    for said, status, words in (
        ({"n_gpu_layers": 99}, 1, "claims.memory"),
        ({"n_gpu_layers": 41}, 1, "claims.memory"),
        ({"n_gpu_layers": 16}, 0, "at most 16 of 40 layers lie on the card, and the host computes the others"),
        ({"n_gpu_layers": 0}, 0, "at most 0 of 40 layers"),
        ({"n_gpu_layers": -1}, 0, "how many of 40 layers lie on the card is not known"),
        ({"n_gpu_layers": 99, "n_cpu_moe": 12}, 0, "how many of 40 layers lie on the card is not known"),
        (
            {"n_gpu_layers": 99, "tensor_buft_overrides": "exps=CPU"},
            0,
            "how many of 40 layers lie on the card is not known",
        ),
    ):
        assert main([str(written(tmp_path, [row | said])), *card]) == status, said
        told = capsys.readouterr().out
        assert words in told and ("WARN claims.offload" in told) == (not status)
    head = "| model | ngl | test | t/s |\n|-|-|-|-|\n| llama 13B F16 | {} | tg128 | 6.00 ± 0.1 |\n"
    assert main([str(written(tmp_path, head.format(99), "a.md")), *card]) == 1
    assert main([str(written(tmp_path, head.format(20), "a.md")), *card]) == 0
    del row["n_gpu_layers"]
    assert main([str(written(tmp_path, [row])), *card]) == 0
