"""What stands beside the figures: an engine's own clock, NVIDIA's benchmark, the card; in every format, and nowhere without it."""

from __future__ import annotations

import csv
import io
from typing import Any

import msgspec
import pytest

import fuzzing
import reports
from liars import Story
from trtbench.comparison.comparing import compare
from trtbench.comparison.result import CardState, Comparison
from trtbench.records.trtllm_report import Latency
from trtbench.report import cards, csv_table, markdown, other_clocks, text
from trtbench.report.language import ENGLISH, FRENCH, LANGUAGES
from trtbench.report.page import document

ENGINE = "tensorrt-engine"
HEADINGS = ("other clocks", "d\u2019autres horloges", "card during", "carte pendant")


def story(**more: Any) -> Story:
    """Three trials of PyTorch and of the engine on a card whose clock, heat and power are known."""
    made = fuzzing.whole_story(**{"cards": 1, **more})
    for trial in made.trials:
        for record in trial.cells:
            assert record.engine_metrics is not None
            record.engine_metrics.queued, record.engine_metrics.ttft = [1000, 3000], [2_000_000, 4_000_000]
            record.engine_metrics.e2e = [10_000_000, 12_000_000]
            if trial.lane != ENGINE:
                record.engine_metrics = None
    return made


def report(**more: Any) -> Latency:
    fields: dict[str, Any] = dict(
        precision="float16", prompt_length=16, new_tokens=8, latency=13.5, ttft=3.5, requests=4
    )
    return Latency(**{**fields, **more})


def compared(made: Story, *reports: Latency) -> Comparison:
    return compare(made.run, made.trials, reports=reports)


def csv_lines(comparison: Comparison) -> dict[str, dict[str, str]]:
    read = csv.DictReader(io.StringIO(csv_table.render(comparison), newline=""))
    return {line["lane"]: line for line in read if line["state"] == "measured"}


def everything(comparison: Comparison, lang: str = "en") -> list[str]:
    return [text.render(comparison, lang), markdown.render(comparison, lang), document.render(comparison, lang)]


# Other clocks


def test_the_engines_own_clock_and_nvidias_benchmark_stand_beside_ours() -> None:
    comparison = compared(story(), report())
    (row,) = comparison.cells
    (ours,) = [f for f in row.figures if f.lane == ENGINE]
    head, lines = other_clocks.table(row, comparison, ENGLISH)
    assert len(head) == 7
    # Of the batch's last sequence, in ms; the benchmark tells no queue and no blocks.
    latency, first = ENGLISH.number(ours.latency), ENGLISH.number(ours.ttft)
    assert lines == [
        ["TensorRT engine", "12.00", latency, "4.00", first, "0.003", "0"],
        ["trtllm-bench latency", "13.50", latency, "3.50", first, "-", "-"],
    ]
    note = other_clocks.note(row, ENGLISH)
    assert "not timed by us" in note and "which the lane does not" in note
    shown = everything(comparison)
    assert "BY OTHER CLOCKS (" in shown[0] and "**By other clocks**" in shown[1] and ">By other clocks</h3>" in shown[2]
    for said in shown:
        assert "trtllm-bench latency" in said and "13.50" in said
    line = csv_lines(comparison)[ENGINE]
    assert float(line["engine_latency_ms"]) == 12.0 and float(line["engine_ttft_ms"]) == 4.0
    assert float(line["engine_queued_ms"]) == 0.003 and line["engine_reused_kv_blocks"] == "0"
    assert (line["trtllm_bench_latency_ms"], line["trtllm_bench_ttft_ms"]) == ("13.5", "3.5")
    base = csv_lines(comparison)["pytorch-eager"]
    assert base["engine_latency_ms"] == base["engine_reused_kv_blocks"] == base["trtllm_bench_latency_ms"] == ""


def test_no_other_clock_changes_a_figure_or_a_verdict() -> None:
    without, made = story(), story()
    for trial in without.trials:
        for record in trial.cells:
            record.engine_metrics = None
    plain, told = compared(without), compared(made, report(latency=0.001, ttft=0.001))
    assert plain.cells[0].against == told.cells[0].against
    for before, after in zip(plain.cells[0].figures, told.cells[0].figures, strict=True):
        after = msgspec.structs.replace(
            after, engine_latency=None, engine_ttft=None, engine_queued=None, reused_blocks=None
        )
        assert after == before


def test_times_that_an_engine_did_not_fill_in_are_no_zeros() -> None:
    made = story()
    for trial in made.of(ENGINE):
        for record in trial.cells:
            assert record.engine_metrics is not None
            record.engine_metrics.queued = record.engine_metrics.ttft = record.engine_metrics.e2e = [0, 0]
    (f,) = [f for f in compared(made).cells[0].figures if f.lane == ENGINE]
    assert (f.engine_latency, f.engine_ttft, f.engine_queued, f.reused_blocks) == (None, None, None, None)


@pytest.mark.parametrize(
    "other", [{"precision": "bfloat16"}, {"prompt_length": 17}, {"new_tokens": 9}], ids=["precision", "prompt", "new"]
)
def test_a_report_of_another_engine_or_cell_stands_nowhere(other: dict[str, Any]) -> None:
    comparison = compared(story(), report(**other))
    assert [row.trtllm_bench for row in comparison.cells] == [[]]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_report_that_cannot_be_read_is_one_sentence(lang: str) -> None:
    comparison = compared(story(), report(latency=None, ttft=None, problem="x.json is <b>cut</b> | off."))
    for said in everything(comparison, lang):
        flat = " ".join(said.split())
        assert "x.json is" in flat
        assert "trtllm-bench latency" not in flat and "TRTLLM_ENABLE_PDL" not in flat
    assert csv_lines(comparison)[ENGINE]["trtllm_bench_latency_ms"] == ""
    assert "<b>cut" not in document.render(comparison, lang)


# The card


def test_the_card_of_each_lane() -> None:
    made = story()
    for trial in made.of(ENGINE):
        assert trial.telemetry is not None and trial.telemetry.gpus is not None
        (gpu,) = trial.telemetry.gpus
        gpu.sm_clock, gpu.temperature = [2399 + trial.index, 2475], [60, 69 + trial.index]
        gpu.power, gpu.power_cap = [150.0, 168.0 + 2 * trial.index], 200.0 if trial.index == 1 else 180.0
        gpu.throttle_reasons, gpu.power_cap_default = ["gpu_idle", "sw_power_cap"], 250.0
    comparison = compared(made)
    (state,) = [state for state in comparison.cards if state.lane == ENGINE]
    assert (state.sm_clock_low, state.sm_clock_high, state.sm_clock_max) == (2400, 2475, 2475)
    assert (state.temperature, state.power) == (72, pytest.approx(161.0))
    assert (state.power_cap_low, state.power_cap_high) == (180.0, 200.0)
    assert state.held_back == ["sw_power_cap"]  # a card that idles between two calls is not held back
    (said,) = [s for s in cards.sentences(comparison, ENGLISH) if s.startswith("TensorRT engine")]
    assert said == (
        "TensorRT engine: SM clock 2438 (2400-2475) of 2475 MHz, up to 72 °C, 161 W of a cap of 180-200 W, "
        "below the card's default of 250 W, clock held back by: the power cap"
    )
    shown = everything(comparison)
    for words, format in zip(
        ("THE CARD DURING", "**The card during", ">The card during the timed calls</h3>"), shown, strict=True
    ):
        assert format.count(words) == 1
        assert "180-200" in format and "250" in format and "the power cap" in " ".join(format.split())
    line = csv_lines(comparison)[ENGINE]
    assert (line["sm_clock_low_mhz"], line["sm_clock_high_mhz"]) == ("2400", "2475")
    assert (line["power_cap_low_w"], line["power_cap_high_w"]) == ("180", "200")
    assert line["power_cap_default_w"] == "250"
    assert line["clock_held_back"] == "sw_power_cap"


def test_a_reason_without_words_keeps_the_drivers_name_and_none_is_told_from_not_known() -> None:
    known = dict(
        lane=ENGINE, precision="float16", sm_clock=1980.0, sm_clock_low=1980, sm_clock_high=1980, sm_clock_max=None,
        temperature=None, power=None, power_cap_low=None, power_cap_high=None, power_cap_default=None,
    )  # fmt: skip
    comparison = compared(story())
    for held_back, shown in ((["reason_0x200"], "reason_0x200"), ([], "nothing"), (None, None)):
        comparison.cards = [CardState(held_back=held_back, **known)]  # type: ignore[arg-type]
        head, (line,) = cards.table(comparison, ENGLISH)
        assert line == ["TensorRT engine", "1980", *([shown] if shown else [])]
        assert len(head) == len(line)
        (said,) = cards.sentences(comparison, ENGLISH)
        assert said == "TensorRT engine: SM clock 1980 MHz" + (f", clock held back by: {shown}" if held_back else "")


def test_a_card_beside_a_lane_of_the_cpu_is_not_its_card() -> None:
    made = story()
    for trial in made.of(ENGINE):
        assert trial.statement is not None
        trial.statement.device = "cpu"
    comparison = compared(made)
    assert ENGINE not in {state.lane for state in comparison.cards} and comparison.cards
    assert csv_lines(comparison)[ENGINE]["sm_clock_mhz"] == ""


@pytest.mark.parametrize("lang", LANGUAGES)
def test_hostile_names_and_reasons_get_out_of_no_format(lang: str) -> None:
    comparison = compared(story(), report(latency=None, ttft=None, problem=reports.HOSTILE))
    comparison.cards = [msgspec.structs.replace(state, held_back=[reports.HOSTILE]) for state in comparison.cards]
    shown = everything(comparison, lang)
    assert "\x1b" not in "".join(shown) and "\u202e" not in "".join(shown)
    assert "<script>alert" not in shown[2]
    assert "@everyone" not in shown[1] and "<script>" not in shown[1].replace("\\<script", "")
    assert csv_lines(comparison)[ENGINE]["clock_held_back"].startswith("'=cmd")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_without_a_card_and_another_clock_there_is_no_heading(lang: str) -> None:
    made = fuzzing.whole_story(gpu=None, cards=1)
    for trial in made.trials:
        for record in trial.cells:
            record.engine_metrics = None
    comparison = compared(made)
    assert comparison.cards == []
    for said in everything(comparison, lang):
        assert not [words for words in HEADINGS if words in said.lower()]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_its_lines_have_at_most_80_columns_and_no_two_figures_touch(lang: str) -> None:
    comparison = compared(story(), report(latency=1_234_567.8, ttft=1_234_567.8))
    for f in comparison.cells[0].figures:
        f.latency, f.ttft = 1_234_567.8, 1_234_567.8
    lines = other_clocks.text(comparison.cells[0], comparison, LANGUAGES[lang])
    assert [line for line in lines if len(line) > text.WIDTH] == []
    at = next(i for i, line in enumerate(lines) if line.startswith("  trtllm-bench latency"))
    figures = [part for part in " ".join(lines[at : at + 2]).split(" ") if part]
    assert figures[2:7] == [LANGUAGES[lang].number(1_234_567.8)] * 4 + ["-"]


def test_the_french_report_says_the_same() -> None:
    comparison = compared(story(), report())
    assert "carte pendant les appels mesurés" in markdown.render(comparison, "fr")
    (row,) = comparison.cells
    assert len(other_clocks.table(row, comparison, FRENCH)[1]) == 2
