"""The page of a fleet in headless Chromium: its runs can be filtered and sorted, by keyboard too, and nothing is too wide."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import browsing
import fleets
from once import made_once, session_folder
from trtbench.fleet import document
from trtbench.fleet.merging import merge

pytestmark = pytest.mark.slow


def driven(script: str, *arguments: str) -> Any:
    """What a script of tests/browser saw."""
    made = subprocess.run(
        ["node", str(browsing.BROWSER / script), browsing.chromium(), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert made.returncode == 0, made.stderr[-2000:]
    return json.loads(made.stdout)


def page(folder: Path) -> Path:
    """Three models on three kinds of four machines; one name is as long and hostile as a plan allows."""
    plan, runs = fleets.large(models=3, kinds=3, on=4, cells=2, seed=5)
    long = "organisation/" + "VeryLongNameWithoutAnyBreak" * 8 + "<script>alert(1)</script>"
    runs += [
        fleets.ran([fleets.measured(3.0, refused="count.new_ids")], "h200", "h200 1", 90, model=long),
        fleets.ran(
            [fleets.measured(5.0)], "h210", "h210 1", 91, model=long, place="NVIDIA " + "H" * 100, own=[fleets.own(2.5)]
        ),
        fleets.not_back("failed", "The model " + "x" * 300 + " does not fit.", 92, "h220", long),
    ]
    path = folder / "fleet.html"
    path.write_text(document.render(merge(plan, runs), "en"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What both scripts saw: the one of every page, and that of this one."""
    folder = session_folder(tmp_path_factory, "fleet")
    with made_once(folder / "seen.json") as wanted:
        if wanted:
            path = str(page(folder))
            both = {"all": driven("look.mjs", path)[0], "fleet": driven("fleet.mjs", path)}
            (folder / "seen.json").write_text(json.dumps(both))
    found: dict[str, Any] = json.loads((folder / "seen.json").read_text())
    return found


@pytest.fixture(params=["english", "french"])
def seen(request: pytest.FixtureRequest, looked: dict[str, Any]) -> dict[str, Any]:
    state: dict[str, Any] = looked["fleet"][request.param]
    return state


def test_nothing_is_wider_than_a_phone(looked: dict[str, Any]) -> None:
    assert set(looked["fleet"]["width"]) == {"light-en", "light-fr", "dark-en", "dark-fr"}
    for name, (content, inner) in (*looked["fleet"]["width"].items(), *looked["all"]["width"].items()):
        assert content <= inner, name


def test_a_field_on_a_phone_says_what_it_is(looked: dict[str, Any]) -> None:
    assert looked["fleet"]["hint"] == '"Type"'


def test_the_console_stays_empty_and_nothing_is_asked_for(looked: dict[str, Any]) -> None:
    assert looked["fleet"]["console"] == looked["all"]["console"] == looked["all"]["requests"] == []
    assert looked["all"]["dialogs"] == 0


def test_the_accessibility_checker_finds_nothing(looked: dict[str, Any]) -> None:
    assert {name: faults for name, faults in looked["all"]["axe"].items() if faults} == {}
    assert looked["all"]["rules"] > 20


def test_the_language_can_be_switched_by_keyboard(looked: dict[str, Any]) -> None:
    assert [state["shown"] for state in looked["all"]["lang"]] == [["en"], ["en"], ["fr"], ["en"]]


def test_paper_is_white_and_has_no_buttons(looked: dict[str, Any]) -> None:
    assert looked["all"]["print"]["background"] == "rgb(255, 255, 255)"
    assert looked["all"]["print"]["nav"] is False


def test_without_scripts_all_runs_can_be_read(looked: dict[str, Any], seen: dict[str, Any]) -> None:
    assert looked["fleet"]["plain"] == {"rows": len(seen["all"]["rows"]), "forms": 0, "buttons": 0}


def test_runs_can_be_filtered_by_kind_model_and_status(seen: dict[str, Any]) -> None:
    everything = seen["all"]["rows"]
    assert len(everything) == 39
    assert seen["all"]["count"] == "39 / 39"
    kinds = {row[1] for row in everything}
    assert {row[1] for row in seen["kind"]["rows"]} == {sorted(kinds)[1]}
    assert seen["kind"]["rows"] == [row for row in everything if row[1] == sorted(kinds)[1]]
    assert 0 < len(seen["both"]["rows"]) < len(seen["kind"]["rows"])
    assert len({row[0] for row in seen["both"]["rows"]}) == 1
    assert seen["reset"]["rows"] == everything
    assert len({row[5] for row in seen["status"]["rows"]}) == 1
    assert seen["status"]["count"] == f"{len(seen['status']['rows'])} / 39"


def test_runs_can_be_searched(seen: dict[str, Any]) -> None:
    wanted = [row for row in seen["all"]["rows"] if "does not fit" in row[6]]
    assert seen["search"]["rows"] == wanted and wanted
    # The long name was cut before that.
    assert seen["nothing"]["rows"] == [] and seen["nothing"]["count"] == "0 / 39"


def test_runs_can_be_sorted_by_keyboard(seen: dict[str, Any]) -> None:
    """The eighth head is the speed-up: a number, in the language's own signs."""

    def ratios(state: str) -> list[float]:
        texts = [row[7].split("x")[0].replace(",", ".") for row in seen[state]["rows"]]
        return [float(text) if text else -1.0 for text in texts]

    assert [seen[state]["sorted"][1] for state in ("ascending", "descending")] == ["ascending", "descending"]
    assert seen["ascending"]["sorted"][0] == seen["ascending"]["focus"]
    assert ratios("ascending") == sorted(ratios("all")) and len(set(ratios("all"))) > 5
    assert ratios("descending") == sorted(ratios("all"), reverse=True)
    names = [row[0] for row in seen["by_name"]["rows"]]
    assert names == sorted(names)
