"""The sentence on top: which PyTorch lanes may be the base, whose noise is in the way, and which one is missing."""

from __future__ import annotations

import csv
import io
import re

import pytest

import factory
from trtbench.comparison.comparing import compare
from trtbench.comparison.result import Comparison
from trtbench.records.run import Absent, Departure
from trtbench.records.trial import Failure, Trial
from trtbench.referee.audit.findings import Finding, found
from trtbench.report import csv_table, markdown, text
from trtbench.report.headline import lead
from trtbench.report.language import ENGLISH, FRENCH, LANGUAGES
from trtbench.report.page import document
from trtbench.settings.cells import Cell

EAGER, COMPILE, TUNED, HEAD = "pytorch-eager", "pytorch-compile", "pytorch-tuned", "onnxruntime"
QUIET = [100.0, 100.4, 99.6, 100.2, 99.8]


def series(factor: float, noise: float = 1.0) -> list[float]:
    return [factor * (100 + noise * (ms - 100)) for ms in QUIET]


def compared(means: dict[str, list[float]], **more: object) -> Comparison:
    return compare(factory.run([EAGER, COMPILE, TUNED, HEAD], headline=HEAD, **more), factory.trials(means))


def test_lanes_that_cannot_be_told_apart_are_named_in_the_sentence() -> None:
    made = compared({EAGER: series(1.0), COMPILE: series(1.001), TUNED: series(1.0005), HEAD: series(0.5)})
    said = lead(made, ENGLISH).sentence
    assert "PyTorch eager, PyTorch tuned and PyTorch compile can't be told apart" in said
    assert "PyTorch eager, PyTorch tuned et PyTorch compile ne se distinguent pas" in lead(made, FRENCH).sentence


def test_a_clear_base_is_named_alone() -> None:
    made = compared({EAGER: series(1.0), COMPILE: series(1.5), HEAD: series(0.5)})
    assert "told apart" not in lead(made, ENGLISH).sentence


def test_the_candidate_whose_noise_alone_blocks_the_verdict_is_named() -> None:
    made = compared({EAGER: series(1.0), COMPILE: series(1.0, 30), HEAD: series(0.97)})
    verdict = lead(made, ENGLISH)
    assert verdict.word == "inconclusive"
    assert "only the noise of PyTorch compile stands in the way of a verdict" in verdict.sentence
    assert "seul le bruit de PyTorch compile empêche un verdict" in lead(made, FRENCH).sentence


def test_slower_than_one_candidate_says_than_which() -> None:
    made = compared({EAGER: series(1.0), COMPILE: series(0.999, 40), HEAD: series(1.05)})
    said = lead(made, ENGLISH)
    assert said.word == "slower"
    assert "it is slower than PyTorch eager, and the fastest PyTorch lane is at least as fast" in said.sentence


@pytest.mark.parametrize("several", [False, True])
def test_a_pytorch_lane_that_could_not_start_is_in_the_sentence_with_its_reason(several: bool) -> None:
    absent = [
        Absent(lane=TUNED, precision="float32", failure=Failure(phase="load", reason="no compiler was found.")),
        Absent(lane=COMPILE, precision="bfloat16", failure=Failure(phase="load", reason="of another precision")),
        Absent(lane="openvino", precision="float32", failure=Failure(phase="load", reason="no PyTorch lane")),
    ]
    cells = [Cell(batch=b, prompt_length=32, new_tokens=8, precision="float32") for b in ((1, 8) if several else (1,))]
    trials = factory.trials({EAGER: series(1.0), HEAD: series(0.5)})
    for trial in trials:
        times = [trial.cells[0].e2e.times[i] / 1e6 for i in (0, 1)] if trial.cells[0].e2e else []
        trial.cells = [factory.cell_record(cell, times) for cell in cells]
    made = compare(factory.run([EAGER, HEAD], headline=HEAD, absent=absent), trials)
    said = lead(made, ENGLISH).sentence
    assert said.count("PyTorch tuned was asked for and could not run (no compiler was found)") == 1
    assert "PyTorch compile" not in said and "OpenVINO" not in said
    assert "n\u2019a pas pu tourner («\u00a0no compiler was found\u00a0»)" in lead(made, FRENCH).sentence


def test_a_pytorch_lane_with_a_hole_in_the_cell_is_in_the_sentence() -> None:
    hole = factory.trial(TUNED, position=99)
    hole.cells = [factory.cell_record(hole="out of memory", e2e=None, ttft=None)]
    trials = [*factory.trials({EAGER: series(1.0), HEAD: series(0.5)}), hole]
    said = lead(compare(factory.run([EAGER, TUNED, HEAD], headline=HEAD), trials), ENGLISH).sentence
    assert "PyTorch tuned was asked for and could not run (out of memory)" in said


def test_a_pytorch_lane_ruled_out_by_figures_that_are_refused_is_in_the_sentence() -> None:
    run = factory.run([EAGER, TUNED, HEAD], headline=HEAD)
    trials = factory.trials({EAGER: series(1.0), TUNED: series(2.0), HEAD: series(0.5)})
    said = lead(compare(run, trials, [found("fairness.threads", (TUNED, "float32"))]), ENGLISH)
    assert said.word == "faster"
    assert "the audit refuses figures of PyTorch tuned, which may be faster than they say" in said.sentence
    said = lead(compare(run, trials, [found("fairness.threads", ("openvino", "float32"))]), ENGLISH)
    assert "refuses" not in said.sentence


def test_a_void_headline_names_what_is_missing_too() -> None:
    absent = [Absent(lane=TUNED, precision="float32", failure=Failure(phase="load", reason="no compiler"))]
    run = factory.run([EAGER, HEAD], headline=HEAD, absent=absent)
    findings = [found("provenance.gap", (EAGER, "float32"), missing="2")]
    said = lead(compare(run, factory.trials({EAGER: series(1.0), HEAD: series(0.5)}), findings), ENGLISH)
    assert said.word == "void"
    assert "provenance.gap" in said.sentence and "PyTorch tuned was asked for" in said.sentence


def test_without_any_pytorch_lane_the_sentence_says_why_each_is_missing() -> None:
    absent = [Absent(lane=EAGER, precision="float32", failure=Failure(phase="load", reason="no room."))]
    trials = factory.trials({"openvino": series(1.0), HEAD: series(0.5)})
    said = lead(compare(factory.run([HEAD, "openvino"], headline=HEAD, absent=absent), trials), ENGLISH).sentence
    assert said == "No verdict: no PyTorch lane has figures (PyTorch eager: no room)"


BATCHES = (1, 8, 32)


def in_cells(factors: dict[str, tuple[float, ...]], noise: dict[str, tuple[float, ...]] | None = None) -> list[Trial]:
    """Five trials of each lane, with a factor of its time and of its noise in each cell; no figures where the factor is 0."""
    cells = [Cell(batch=b, prompt_length=32, new_tokens=8, precision="float32") for b in BATCHES]
    return [
        factory.trial(lane, index=i + 1, position=len(factors) * i + place, cells=[
            factory.cell_record(cell, [factor * (100 + wide * (ms - 100)) * step for step in (1.0, 1.001)])
            if factor else factory.cell_record(cell, hole="out of memory", e2e=None, ttft=None)
            for cell, factor, wide in zip(cells, lane_factors, (noise or {}).get(lane, (1.0, 1.0, 1.0)))
        ])
        for place, (lane, lane_factors) in enumerate(factors.items(), 1)
        for i, ms in enumerate(QUIET)
    ]  # fmt: skip


def said_of(trials: list[Trial], findings: list[Finding] | None = None) -> str:
    made = compare(factory.run([EAGER, COMPILE, TUNED, HEAD], headline=HEAD), trials, findings or [])
    assert lead(made, FRENCH).sentence
    return lead(made, ENGLISH).sentence


def test_several_cells_say_in_how_many_the_base_is_open_each_set_of_lanes_apart() -> None:
    said = said_of(in_cells({EAGER: (1.0, 1.0, 2.0), COMPILE: (1.001, 2.0, 1.0), HEAD: (0.5, 0.5, 0.5)}))
    assert "in 1 cell PyTorch eager and PyTorch compile can't be told apart, and the verdict holds" in said
    lanes = {EAGER: (1.0, 1.0, 1.5), COMPILE: (1.001, 1.5, 1.0), TUNED: (1.5, 1.001, 1.001), HEAD: (0.5, 0.5, 0.5)}
    said = said_of(in_cells(lanes))
    assert "in 1 cell PyTorch eager and PyTorch compile can't be told apart" in said
    assert "in 1 cell PyTorch eager and PyTorch tuned can't be told apart" in said
    assert "in 1 cell PyTorch compile and PyTorch tuned can't be told apart" in said
    assert said.count("told apart") == 3
    same = {EAGER: (1.0, 1.001, 1.0), COMPILE: (1.001, 1.0, 1.5), HEAD: (0.5, 0.5, 0.5)}
    assert "in 2 cells PyTorch eager and PyTorch compile can't be told apart" in said_of(in_cells(same))


def test_that_the_verdict_holds_is_said_only_where_there_is_one() -> None:
    lanes = {EAGER: (1.0, 1.0, 1.0), COMPILE: (1.001, 1.0, 1.5), HEAD: (0.5, 0.97, 0.5)}
    said = said_of(in_cells(lanes, {COMPILE: (1.0, 40.0, 1.0)}))
    assert "in 1 cell PyTorch eager and PyTorch compile can't be told apart, and the verdict holds" in said
    assert "can't be told apart, and there is no verdict" in said
    assert "in 1 cell only the noise of PyTorch compile stands in the way" in said


def test_without_an_interval_none_is_said_to_hold() -> None:
    made = compared({EAGER: QUIET[:2], COMPILE: QUIET[:2], HEAD: [50.0, 50.1]})
    assert len(made.cells[0].against[0].candidates) and lead(made, ENGLISH).word == "none"
    assert "told apart" not in lead(made, ENGLISH).sentence


def test_a_hole_in_some_cells_says_in_how_many() -> None:
    said = said_of(in_cells({EAGER: (1.0, 1.0, 1.0), TUNED: (2.0, 0, 0), HEAD: (0.5, 0.5, 0.5)}))
    assert "in 2 cells PyTorch tuned was asked for and could not run (out of memory)" in said


def test_a_refusal_in_one_cell_is_not_said_of_the_others() -> None:
    trials = in_cells({EAGER: (1.0, 1.0, 1.0), TUNED: (2.0, 2.0, 2.0), HEAD: (0.5, 0.5, 0.5)})
    said = said_of(trials, [found("count.new_ids", (TUNED, "float32"), (8, 32, 8), trials="1", found=1, wanted=8)])
    assert "in 1 cell the audit refuses figures of PyTorch tuned" in said
    said = said_of(trials, [found("fairness.threads", (TUNED, "float32"))])
    assert "; the audit refuses figures of PyTorch tuned" in said


def test_a_missing_lane_is_told_whatever_the_verdict_and_not_as_if_it_were_fast() -> None:
    absent = [Absent(lane=TUNED, precision="float32", failure=Failure(phase="load", reason="no compiler"))]
    for factor in (0.5, 1.0, 2.0):
        made = compared({EAGER: series(1.0), HEAD: series(factor)}, absent=absent)
        said = lead(made, ENGLISH).sentence
        assert "could not run (no compiler), so the fastest PyTorch lane may be another" in said
        assert "too much" not in said


def test_a_quantised_headline_names_what_is_missing_in_any_full_precision() -> None:
    absent = [Absent(lane=TUNED, precision="bfloat16", failure=Failure(phase="load", reason="no compiler"))]
    trials = factory.trials({EAGER: series(1.0), HEAD: series(0.5)})
    for trial in trials:
        if trial.lane == HEAD:
            trial.precision = "int8"
    said = lead(compare(factory.run([EAGER, HEAD], headline=HEAD, absent=absent), trials), ENGLISH).sentence
    assert "PyTorch tuned bfloat16 was asked for and could not run" in said


def test_a_void_headline_names_the_finding_that_voids_it() -> None:
    """Of two findings of one code only the one that touches this cell, or hides a base of this precision."""
    trials = factory.trials({EAGER: series(1.0), HEAD: series(0.5)})
    findings = [
        found("base.vanished", (COMPILE, "bfloat16"), rounds="1"),
        found("base.vanished", (TUNED, "float32"), rounds="2"),
    ]
    said = lead(compare(factory.run([EAGER, HEAD], headline=HEAD), trials, findings), ENGLISH)
    assert said.word == "void"
    assert "base.vanished (PyTorch tuned)" in said.sentence


def test_the_row_of_a_lane_that_left_says_so_in_every_format() -> None:
    gone = Departure(lane=COMPILE, precision="float32", round=1, position=3, rule="ratio", cells=[])
    made = compared({EAGER: series(1.0), COMPILE: [300.0], HEAD: series(0.5)}, departures=[gone])
    for render in (text.render, markdown.render, document.render):
        assert "left after round 1" in render(made, "en")
        assert "partie après le tour 1" in render(made, "fr").replace("\u00a0", " ")
    lines = list(csv.DictReader(io.StringIO(csv_table.render(made))))
    assert {line["lane"]: line["left_after_round"] for line in lines} == {EAGER: "", COMPILE: "1", HEAD: ""}


def test_every_language_says_every_reason() -> None:
    for say in LANGUAGES.values():
        for key in ("slower_than_candidate", "noise_of_candidate"):
            assert "X" in say(key, candidate="X")


def test_what_is_slower_has_its_interval_as_times_slower() -> None:
    times = {"pytorch-eager": (50.0, 50.5, 49.5, 50.2, 49.8), "onnxruntime": (100.0, 101.0, 99.0, 100.5, 99.5)}
    comparison = compare(factory.run(lanes=list(times), headline="onnxruntime"), factory.trials(times))
    sentence = lead(comparison, ENGLISH).sentence
    ratio, low, high = map(float, re.findall(r"\d+\.\d\d", sentence)[:3])
    assert " slower than " in sentence and 1 < low < ratio < high
    assert lead(comparison, ENGLISH).number == f"{ratio:.2f}x"
