"""How far runs on one kind of card are apart: the file is what the records give, and docs/fleet.md says no other figure."""

from __future__ import annotations

import importlib.util
import json
import re
from types import ModuleType

import pytest

from trtbench.settings.knobs import ROOT

PATH = ROOT / "benchmarks" / "machines_apart.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("machines_apart", PATH)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_file_is_what_the_records_give() -> None:
    assert load().text() == PATH.with_suffix(".json").read_text(encoding="utf-8")


def test_runs_are_held_against_each_other_cell_by_cell() -> None:
    tool = load()
    cell = tool.Cell("card", "pytorch-eager", "float16", 1, 128, 200)
    found = [
        (cell, tool.Run("a", [100.0, 104.0])),
        (cell, tool.Run("b", [153.0])),
        (cell._replace(batch=8), tool.Run("a", [9.0])),  # no second run has it
        (cell._replace(card="other"), tool.Run("b", [9.0])),
        (cell._replace(lane="pytorch-triton"), tool.Run("a", [10.0])),
        (cell._replace(lane="pytorch-triton"), tool.Run("b", [11.0])),
        (cell._replace(lane="vllm"), tool.Run("a", [10.0])),  # its settings may differ
        (cell._replace(lane="vllm"), tool.Run("b", [99.0])),
    ]
    made = tool.rows(iter(found))
    told = [(row["lane"], row["own"], row["apart"], row["within_a_run"]) for row in made]
    assert told == [("pytorch-eager", False, 0.5, 0.04), ("pytorch-triton", True, 0.1, None)]
    assert tool.summary(made) == {"rows": 1, "least_apart": 0.5, "most_apart": 0.5}


def test_another_file_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    tool = load()
    monkeypatch.setattr(tool, "text", lambda: "{}\n")
    assert tool.main(check=True) == 1
    assert "machines_apart.json is not what" in capsys.readouterr().err


def test_the_document_says_these_figures() -> None:
    made = json.loads(PATH.with_suffix(".json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "fleet.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"<!-- machines apart -->\n(.*?)<!-- /machines apart -->", page, re.DOTALL)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in told.splitlines() if line.startswith("|")][2:]
    assert rows == [
        [
            row["card"],
            f"`{row['lane']}`",
            str(row["batch"]),
            ", ".join(f"{sum(run['trials']) / len(run['trials']):,.0f}" for run in row["runs"]),
            f"{row['apart']:.1%}".replace("%", " %"),
        ]
        for row in made["cells"]
        if not row["own"]
    ]
    within = max(row["within_a_run"] or 0 for row in made["cells"] if row["lane"] == "pytorch-eager")
    (steady,) = [row for row in made["cells"] if row["lane"] == "pytorch-triton" and "H100" in row["card"]]
    (sentences,) = re.findall(r"<!-- /machines apart -->\n(.*?)\n- ", page, re.DOTALL)
    assert re.findall(r"[\d.]+ %", sentences) == [f"{within:.0%}"[:-1] + " %", f"{steady['apart']:.2%}"[:-1] + " %"]
