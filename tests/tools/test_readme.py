"""README.md and README.fr.md: the same content in two languages, and nothing in them typed that a file tells."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from documents import fences, in_block
from trtbench.records.result_files import benchmark_name
from trtbench.settings.knobs import ROOT
from trtbench.settings.lanes import LANES

ENGLISH, FRENCH = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.fr.md"))

FIGURES = r"(?<![\w.])\d[\d.,]*\d|(?<![\w.])\d(?![\w.])"


def prose(text: str) -> str:
    """Without what is made from files, which differs by language."""
    return re.sub(r"<!-- (\w+) -->.*?<!-- /\1 -->", "", text, flags=re.DOTALL)


def test_the_same_headings_at_the_same_levels() -> None:
    levels = [re.findall(r"^(#+) ", prose(text), re.MULTILINE) for text in (ENGLISH, FRENCH)]
    assert levels[0] == levels[1]
    assert len(levels[0]) > 10


def test_the_same_commands() -> None:
    """Beside remarks, which are in the page's language."""
    blocks = [[(kind, [*in_block(block)]) for kind, block in fences(prose(text))] for text in (ENGLISH, FRENCH)]
    assert blocks[0] == blocks[1]
    assert len(blocks[0]) > 10


def rows_after(text: str, heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its first two lines."""
    part = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in prose(part).splitlines() if line[:1] == "|"][
        2:
    ]


@pytest.mark.parametrize(("text", "heading"), [(ENGLISH, "Lanes"), (FRENCH, "Les voies")])
def test_the_table_of_lanes_has_all_and_says_what_each_needs(text: str, heading: str) -> None:
    rows = rows_after(text, heading)
    assert [lane for lane, *_ in rows] == [f"`{name}`" for name in LANES]
    for (_, _, on, needs), row in zip(rows, LANES.values()):
        assert on == ", ".join({"cpu": "CPU", "cuda": "GPU"}[device] for device in row.devices)
        assert all(f"`{name}`" in needs for name in row.environments.values()), needs
        assert bool(row.image) == ("image" in needs), needs


@pytest.mark.parametrize(("text", "heading"), [(ENGLISH, "What comes out"), (FRENCH, "Ce qui en sort")])
def test_the_table_of_result_files_has_the_file_of_every_family(text: str, heading: str) -> None:
    (cell,) = [row[0] for row in rows_after(text, heading) if "_benchmark.json" in row[0]]
    assert sorted(re.findall("`(.*?)`", cell)) == sorted({benchmark_name(row.family) for row in LANES.values()})


def test_the_lanes_precisions_in_fairness_are_the_programs() -> None:
    rows = rows_after((ROOT / "docs" / "fairness.md").read_text(encoding="utf-8"), "What each lane is allowed")
    assert [row[:2] for row in rows] == [
        [
            f"`{name}`",
            "; ".join(
                f"{shown} {', '.join(row.precisions[device])}"
                for device, shown in (("cpu", "CPU"), ("cuda", "GPU"))
                if device in row.devices
            ),
        ]
        for name, row in LANES.items()
    ]


def test_the_lanes_that_split_a_model_are_those_that_the_documents_name() -> None:
    page = (ROOT / "docs" / "several-cards.md").read_text(encoding="utf-8")
    able = {f"`{name}`": bool(row.over_cards) for name, row in LANES.items()}
    assert {row[0]: row[1] == "yes" for row in rows_after(page, "Lane by lane")} == able
    for text in (ENGLISH, FRENCH):
        (told,) = re.findall(r"^(?:With|Avec) `TP_SIZE` .*\n.*$", text, re.MULTILINE)
        assert set(re.findall("`[a-z]+-?[a-z]+`", told)) == {name for name, can in able.items() if can}


@pytest.mark.parametrize("text", [ENGLISH, FRENCH])
def test_what_stands_below_the_picture_is_what_its_run_says(text: str) -> None:
    """One picture, before the first section, of the run whose report is shown further down."""
    (picture,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert f"({picture})" in text.partition("\n## ")[0]
    folder = (ROOT / picture).parent
    assert (ROOT / picture).read_bytes().startswith(b"\x89PNG") and (folder / "run.bundle").is_file()
    caption = text.partition(f"({picture})")[2].partition("\n## ")[0]
    report = (folder / "report.txt").read_text(encoding="utf-8")
    (day,) = re.findall(r"\d{4}-\d\d-\d\d", caption)
    assert f"Run: {day.replace('-', '')}-" in report
    assert "AMD EPYC" in caption and "Machine: AMD EPYC" in report
    assert re.search("weak|faible", caption) and "weak" in report.partition("HEADLINE")[2].partition("LATENCY")[0]
    assert "TensorRT" in caption and "TensorRT" not in report


@pytest.mark.parametrize(
    "pattern",
    [r"`([^`\n]+)`", FIGURES, r"\]\((?!README)([^)]+)\)"],
    ids=["names", "figures", "links"],
)
def test_the_same_names_figures_and_links(pattern: str) -> None:
    found = [sorted(re.findall(pattern, prose(text))) for text in (ENGLISH, FRENCH)]
    found = [[one for one in side if not re.search(r"report\.txt|rapport\.txt", one)] for side in found]
    if pattern is FIGURES:  # French has a comma where English has a point
        found[1] = sorted(figure.replace(",", ".") for figure in found[1])
    assert found[0] == found[1]
    assert found[0]


def test_the_same_tables() -> None:
    rows = [
        [line.count("|") for line in prose(text).splitlines() if line.startswith("|")] for text in (ENGLISH, FRENCH)
    ]
    assert rows[0] == rows[1]


def test_links_into_the_project_lead_somewhere() -> None:
    for path in re.findall(r"\]\((?!http)([^)#]+)", ENGLISH + FRENCH):
        assert (ROOT / path).exists(), path


def test_the_samples_are_those_of_the_example() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "readme.py"), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
