"""What each lane ran in, in every format; and the headline where base and rival have different torches."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import msgspec
import pytest

import factory
from trtbench.comparison.comparing import compare
from trtbench.comparison.result import Comparison
from trtbench.report import chart, csv_table, markdown, pytorch_json, text
from trtbench.report.headline import lead
from trtbench.report.language import ENGLISH, FRENCH, language
from trtbench.report.page import document
from trtbench.settings.cells import Cell

EAGER, COMPILE, VLLM = "pytorch-eager", "pytorch-compile", "vllm"
MS = [100.0, 100.4, 99.6, 100.2, 99.8]
DIFFERS = {
    "en": "(base on torch 2.13.0+cu130, vLLM on torch 2.11.0+cu130)",
    "fr": "(base sous torch 2.13.0+cu130, vLLM sous torch 2.11.0+cu130)",
}


def made(batches: tuple[int, ...] = (1,), faster: float = 0.5, **torch: str) -> Comparison:
    """Lanes with this torch each, a name with - as _; vLLM in an environment of its own."""
    torches = {name.replace("_", "-"): version for name, version in torch.items()}
    trials = factory.trials({lane: [ms * (faster if lane == VLLM else 1.0) for ms in MS] for lane in torches})
    for trial in trials:
        own = torches[trial.lane]
        apart: dict[str, Any] = dict(venv=".venv-vllm", python="3.12.3") if trial.lane == VLLM else {}
        trial.environment = factory.environment(libraries={"torch": own.partition("+")[0]}, **apart)
        assert trial.statement is not None and trial.cells[0].e2e is not None
        trial.statement.versions, trial.statement.runtime_version = {"torch": own}, own if not apart else "0.24.0"
        times = [time / 1e6 for time in trial.cells[0].e2e.times]
        trial.cells = [
            factory.cell_record(Cell(batch=b, prompt_length=32, new_tokens=8, precision="float32"), times)
            for b in batches
        ]
    return compare(factory.run(list(torches), headline=VLLM, demonstration=False), trials)


def apart(**more: Any) -> Comparison:
    return made(pytorch_eager="2.13.0+cu130", vllm="2.11.0+cu130", **more)


def spaced(said: str) -> str:
    return " ".join(said.replace("\u00a0", " ").replace("\u202f", " ").split())


@pytest.mark.parametrize("lang", DIFFERS)
def test_the_headline_says_on_which_torches_in_every_format(lang: str, tmp_path: Path) -> None:
    assert DIFFERS[lang] in spaced(lead(apart(), language(lang)).sentence)
    assert DIFFERS[lang] in spaced(text.render(apart(), lang))
    assert DIFFERS[lang] in markdown.render(apart(), lang).replace("\\", "")
    assert DIFFERS[lang] in document.render(apart(), lang)
    caption: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(chart.textwrap, "wrap", lambda said, width: caption.append(said) or [said])
        chart.write(tmp_path / "chart.png", apart(), lang)
    assert any(DIFFERS[lang] in spaced(said) for said in caption)


@pytest.mark.parametrize("torch", ["2.13.0+cu130", "2.13.0", "2.13+cu130"])
def test_the_same_torch_is_not_worth_a_word(torch: str) -> None:
    for say in (ENGLISH, FRENCH):
        assert "torch" not in lead(made(pytorch_eager="2.13.0+cu130", vllm=torch), say).sentence


def test_another_build_of_the_same_release_is() -> None:
    said = lead(made(pytorch_eager="2.13.0+cpu", vllm="2.13.0+cu130"), ENGLISH).sentence
    assert "(base on torch 2.13.0+cpu, vLLM on torch 2.13.0+cu130)" in said


@pytest.mark.parametrize("faster", [0.5, 2.0, 1.0])
def test_it_is_said_whatever_the_verdict(faster: float) -> None:
    assert DIFFERS["en"] in lead(apart(faster=faster), ENGLISH).sentence


def test_candidates_on_the_same_torch_are_one_base_and_on_different_ones_each_is_named() -> None:
    one = made(pytorch_eager="2.13.0", pytorch_compile="2.13.0", vllm="2.11.0")
    assert "(base on torch 2.13.0, vLLM on torch 2.11.0)" in lead(one, ENGLISH).sentence
    each = made(pytorch_eager="2.13.0", pytorch_compile="2.12.0", vllm="2.11.0")
    said = lead(each, ENGLISH).sentence
    assert "(on different torches: vLLM 2.11.0, PyTorch " in said
    assert "PyTorch eager 2.13.0" in said and "PyTorch compile 2.12.0" in said
    assert "(sous des torch différents : vLLM 2.11.0, PyTorch " in spaced(lead(each, FRENCH).sentence)


def test_over_several_cells_it_is_said_once() -> None:
    several = lead(apart(batches=(1, 8)), ENGLISH).sentence
    assert several.count("base on torch 2.13.0+cu130, vLLM on torch 2.11.0+cu130") == 1
    assert "base sous torch 2.13.0+cu130, vLLM sous torch" in lead(apart(batches=(1, 8)), FRENCH).sentence


def test_over_several_cells_of_which_one_has_a_base_on_another_torch_it_is_said_of_that_one() -> None:
    comparison = made((1, 8), pytorch_eager="2.13.0", vllm="2.11.0")
    comparison.cells[0].against[0].torches.clear()
    assert "in 1 cell the base is on torch 2.13.0 and vLLM on torch 2.11.0" in lead(comparison, ENGLISH).sentence
    said = spaced(lead(comparison, FRENCH).sentence)
    assert "dans 1 cellule, la base est sous torch 2.13.0 et vLLM sous torch 2.11.0" in said


@pytest.mark.parametrize(
    ("lang", "title", "line"),
    [
        ("en", "Software of the lanes", "vLLM: vLLM 0.24.0, torch 2.11.0+cu130, Python 3.12.3, in .venv-vllm"),
        ("fr", "Logiciels des voies", "vLLM : vLLM 0.24.0, torch 2.11.0+cu130, Python 3.12.3, dans .venv-vllm"),
    ],
)
def test_every_lane_is_told_with_what_it_ran_in(lang: str, title: str, line: str) -> None:
    plain = spaced(text.render(apart(), lang))
    assert title.upper() in plain and line in plain
    document_of_it = markdown.render(apart(), lang)
    assert title in document_of_it
    assert "| vLLM | vLLM 0.24.0 | 2.11.0+cu130 | 3.12.3 | .venv-vllm |" in document_of_it
    page = document.render(apart(), lang)
    assert title in page and page.count(">.venv-vllm<") == 2  # in both languages


def test_packages_are_listed_once_where_all_lanes_have_the_same_and_else_by_lane() -> None:
    same = spaced(markdown.render(made(pytorch_eager="2.13.0", pytorch_compile="2.13.0"), "en"))
    assert "- Versions: Python 3.11.2, torch 2.13.0" in same and "Versions of" not in same
    other = spaced(markdown.render(apart(), "fr"))
    assert "- Versions de PyTorch eager : Python 3.11.2, torch 2.13.0" in other
    assert "- Versions de vLLM : Python 3.12.3, torch 2.11.0" in other
    page = document.render(apart(), "en")
    assert "Versions of vLLM" in page and "Versions of PyTorch eager" in page


def test_the_csv_has_each_lanes_software_and_whether_torch_differs() -> None:
    rows = {row["lane"]: row for row in csv.DictReader(io.StringIO(csv_table.render(apart()), newline=""))}
    columns = ("torch", "python", "environment", "base_torch", "torch_differs")
    assert [rows[VLLM][c] for c in columns] == ["2.11.0+cu130", "3.12.3", ".venv-vllm", "2.13.0+cu130", "true"]
    assert [rows[EAGER][c] for c in columns] == ["2.13.0+cu130", "3.11.2", "", "", ""]
    same = made(pytorch_eager="2.13.0", vllm="2.13.0")
    rows = {row["lane"]: row for row in csv.DictReader(io.StringIO(csv_table.render(same), newline=""))}
    assert rows[VLLM]["torch_differs"] == "false"


@pytest.mark.parametrize(("base", "differs"), [(EAGER, "false"), (COMPILE, "true")])
def test_the_csv_compares_torch_with_the_bases_not_with_another_candidates(base: str, differs: str) -> None:
    each = made(pytorch_eager="2.13.0", pytorch_compile="2.12.0", vllm="2.13.0")
    cell = each.cells[0]
    cell.against = [msgspec.structs.replace(a, base=base) for a in cell.against]
    assert cell.by_lane[VLLM, "float32"].torches, "one of the two candidates has another one"
    rows = {row["lane"]: row for row in csv.DictReader(io.StringIO(csv_table.render(each), newline=""))}
    assert rows[VLLM]["torch_differs"] == differs


def test_the_database_gets_the_packages_of_the_lanes_own_environment() -> None:
    records = {r["model"]["backend"]: r for r in pytorch_json.records(apart())}
    assert records[VLLM]["dependencies"]["torch"] == {"version": "2.11.0"}
    assert records[EAGER]["dependencies"]["torch"] == {"version": "2.13.0"}
    extra = records[VLLM]["benchmark"]["extra_info"]
    assert (extra["torch"], extra["environment"]) == ("2.11.0+cu130", ".venv-vllm")
    assert extra["torches"] == "vllm/float32=2.11.0+cu130 pytorch-eager/float32=2.13.0+cu130"
    assert "environment" not in records[EAGER]["benchmark"]["extra_info"]
