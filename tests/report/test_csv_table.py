"""CSV: read back as a spreadsheet or a script would."""

from __future__ import annotations

import csv
import io

import pytest

import factory
import reports
from trtbench.comparison.comparing import compare
from trtbench.report import csv_table
from trtbench.report.names import listed

LANES_RUN = ["pytorch-eager", "tensorrt-rtx"]


def lines(kind: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_table.render(getattr(reports, kind)()), newline="")))


def test_one_line_a_lane_with_plain_numbers() -> None:
    found = lines("honest")
    assert [line["lane"] for line in found] == ["pytorch-eager", "onnxruntime", "openvino"]
    base, headline, _ = found
    assert float(headline["latency_ms"]) == pytest.approx(50.0, rel=1e-3)
    assert float(headline["speedup"]) == pytest.approx(2.0, rel=1e-3)
    assert (headline["verdict"], headline["base"], headline["headline"]) == ("faster", "pytorch-eager", "true")
    assert [float(ms) for ms in headline["latency_trials_ms"].split()] == pytest.approx([50.0, 50.5, 49.5, 50.2, 49.8])
    assert base["speedup"] == base["verdict"] == ""
    assert base["gpu_memory_bytes"] == ""  # not known is empty, never zero


def test_void_stands_in_capitals_and_simulated_is_a_column() -> None:
    assert [line["verdict"] for line in lines("refused")] == ["", "VOID", "faster"]
    assert [line["simulated"] for line in lines("simulated")] == ["false", "true", "false"]
    assert "faster" not in {line["verdict"] for line in lines("simulated") if line["lane"] == "onnxruntime"}


def test_a_lane_that_ran_on_no_card_of_its_authors_says_so_in_a_column() -> None:
    comparison = compare(factory.run(LANES_RUN), factory.trials({key: [100.0, 101.0, 102.0] for key in LANES_RUN}))
    found = list(csv.DictReader(io.StringIO(csv_table.render(comparison), newline="")))
    assert {line["lane"]: line["untried"] for line in found} == {"pytorch-eager": "false", "tensorrt-rtx": "true"}


def test_lanes_without_figures_have_a_line_with_the_reason() -> None:
    states = [(line["lane"], line["state"]) for line in lines("hostile")]
    assert ("openvino", "hole") in states
    assert ("openvino", "failed") in states


def test_no_field_runs_as_a_formula_and_none_is_endless() -> None:
    for line in lines("hostile"):
        for name, value in line.items():
            assert None not in (name, value)
            assert value[:1] not in tuple("=+@|%") or value == ""
            if value.startswith("-"):
                float(value)
            assert "\n" not in value
            assert len(value) < 1000


@pytest.mark.parametrize(
    "start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "\u00a0=1", "\u3000+1", "\u202f-1"]
)
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(start: str) -> None:
    assert csv_table.cell(start).startswith("'")


def test_lanes_bear_their_precision_where_it_differs() -> None:
    assert listed([("pytorch-eager", "float16"), ("pytorch-tuned", "float16")]) == "pytorch-eager pytorch-tuned"
    assert listed([("pytorch-eager", "float16"), ("pytorch-eager", "float32")]) == (
        "pytorch-eager/float16 pytorch-eager/float32"
    )


def test_numbers_stay_numbers() -> None:
    assert csv_table.cell(-0.5) == "-0.5"
    assert csv_table.cell(12345678901) == "12345678901"
    assert csv_table.cell(True) == "true"
    assert csv_table.cell(None) == ""
