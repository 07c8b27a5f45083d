"""The page on screens of 360, 768 and 1440 px, in both languages, and on paper: where things come to lie in headless Chromium."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

import browsing
import reports
from once import made_once, session_folder
from trtbench.comparison import untrusted
from trtbench.comparison.result import Comparison
from trtbench.records.run import Absent
from trtbench.records.trial import Failure
from trtbench.report.page import document
from trtbench.settings.knobs import ROOT

LONG = "No module named 'tensorrt_llm.bindings.executor.some_quite_long_module_name_without_a_single_hyphen'"


def with_a_long_name() -> Comparison:
    """An honest run in which a lane failed with a name in its reason that is wider than a phone."""
    failure = Failure(phase="load", reason=LONG, hint="Install VLLM_ENABLE_V1_MULTIPROCESSING_OF_ALL_PROCESSES.")
    return reports.honest(absent=[Absent(lane="tensorrt-engine", precision="float16", failure=failure)])


PAGES = {
    "measured": lambda: untrusted.read(ROOT / "docs/results/h200/runs/every-lane.bundle")[0],
    "refused": reports.refused,
    "uneven": reports.uneven,
    "beside": reports.beside,
    "long name": with_a_long_name,
}
WIDTHS, CODES = (360, 768, 1440), ("en", "fr")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    chromium = browsing.chromium()
    folder = session_folder(tmp_path_factory, "screens")
    with made_once(folder / "seen.json") as wanted:
        if wanted:
            paths = [folder / f"{name}.html" for name in PAGES]
            for path, make in zip(paths, PAGES.values()):
                document.write(path, make(), "en")
            made = subprocess.run(
                ["node", str(browsing.BROWSER / "screens.mjs"), chromium, *map(str, paths)],
                capture_output=True,
                text=True,
                timeout=300,
            )
            assert made.returncode == 0, made.stderr[-2000:]
            (folder / "seen.json").write_text(made.stdout)
    return dict(zip(PAGES, json.loads((folder / "seen.json").read_text()), strict=True))


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, pages: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = pages[request.param]
    return found


@pytest.fixture(params=[f"{width} {code}" for width in WIDTHS for code in CODES])
def screen(request: pytest.FixtureRequest, page: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = page["screens"][request.param]
    assert found["screen"] == int(request.param.split()[0])
    return found


def test_nothing_is_wider_than_the_screen_and_no_word_is_cut(screen: dict[str, Any]) -> None:
    assert screen["width"] <= screen["screen"]
    assert screen["cut"] == []


def test_every_figure_of_a_drawing_is_whole_and_no_ceiling_goes_through_it(screen: dict[str, Any]) -> None:
    assert screen["outside"] == []
    assert screen["struckThrough"] == []


def test_verdict_and_number_are_on_the_first_screen_and_a_picture_comes_before_any_table(
    screen: dict[str, Any],
) -> None:
    assert screen["lead"] <= 640
    assert screen["number"] is None or screen["number"] <= 640
    assert screen["picture"] <= screen["table"]


def test_a_table_that_scrolls_shows_it_and_keeps_the_names_of_its_lines(screen: dict[str, Any]) -> None:
    for table in screen["tables"]:
        if table["over"] > 1:
            assert screen["screen"] > 360, "a card does not scroll"
            assert (table["sign"], table["scrolls"], table["key"], table["nameStays"]) == (2, "auto", 0, True)


@pytest.mark.parametrize("code", CODES)
def test_on_a_tablet_the_table_of_the_lanes_has_its_verdicts_in_sight(page: dict[str, Any], code: str) -> None:
    tables = [table for table in page["screens"][f"768 {code}"]["tables"] if table["name"] in ("Lanes", "Voies")]
    assert tables
    assert all(table["over"] <= 1 for table in tables)


@pytest.mark.parametrize("code", CODES)
def test_on_a_phone_a_sentence_has_the_width_of_its_card(page: dict[str, Any], code: str) -> None:
    assert all(share > 0.85 for share in page["screens"][f"360 {code}"]["findings"])


def test_the_widest_table_does_scroll_on_a_tablet_and_the_look_would_tell(pages: dict[str, Any]) -> None:
    assert any(table["over"] > 1 for table in pages["measured"]["screens"]["768 en"]["tables"])
    assert pages["measured"]["screens"]["360 en"]["findings"]


def test_paper_is_not_dark_tears_nothing_and_folds_nothing(page: dict[str, Any]) -> None:
    paper = page["paper"]
    assert (paper["dark"], paper["shadows"], paper["torn"], paper["folded"]) == ([], 0, 0, 0)


def test_a_weak_verdict_looks_weak_on_paper_too(pages: dict[str, Any]) -> None:
    assert pages["uneven"]["paper"]["left"] == "dashed"
    assert pages["refused"]["paper"]["left"] == "solid"
