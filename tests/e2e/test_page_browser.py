"""The page in headless Chromium: quiet, alone, in two languages, on a phone, for a keyboard and for a screen reader."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import browsing
import reports
from once import made_once, session_folder
from trtbench.report.page import document

KINDS = ("honest", "audited", "refused", "simulated", "few", "hostile", "beside")


@pytest.fixture(scope="module")
def chromium() -> str:
    return browsing.chromium()


def look(chromium: str, folder: Path, *kinds: str) -> dict[str, dict[str, Any]]:
    """Write the pages of these kinds and return what look.mjs saw of each, in one browser."""
    paths = [folder / f"{kind}.html" for kind in kinds]
    for path, kind in zip(paths, kinds):
        document.write(path, getattr(reports, kind)(), "en")
    made = subprocess.run(
        ["node", str(browsing.BROWSER / "look.mjs"), chromium, *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert made.returncode == 0, made.stderr[-2000:]
    return dict(zip(kinds, json.loads(made.stdout), strict=True))


@pytest.fixture(scope="module")
def all_seen(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = session_folder(tmp_path_factory, "pages")
    with made_once(folder / "seen.json") as wanted:
        if wanted:
            (folder / "seen.json").write_text(json.dumps(look(chromium, folder, *KINDS)))
    seen: dict[str, dict[str, Any]] = json.loads((folder / "seen.json").read_text())
    return seen


@pytest.fixture(params=KINDS)
def seen(request: pytest.FixtureRequest, all_seen: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return all_seen[request.param]


pytestmark = pytest.mark.slow


def test_the_console_stays_empty_and_no_script_of_others_runs(seen: dict[str, Any]) -> None:
    assert seen["console"] == []
    assert seen["dialogs"] == 0


def test_it_asks_for_nothing_but_itself(seen: dict[str, Any]) -> None:
    assert seen["requests"] == []


def test_nothing_is_wider_than_the_screen(seen: dict[str, Any]) -> None:
    assert set(seen["width"]) == {"wide-light", "wide-dark", "phone-light", "phone-french"}
    assert {inner for _, inner in seen["width"].values()} == {1440, 360}
    for name, (content, inner) in seen["width"].items():
        assert content <= inner, name


def test_the_accessibility_checker_finds_nothing(seen: dict[str, Any]) -> None:
    assert seen["axe"] == {"wide-light": [], "wide-light-french": [], "wide-dark": [], "phone-light": []}
    assert seen["rules"] > 25  # that many rules really looked at something


def test_the_keyboard_switches_the_language_and_back(seen: dict[str, Any]) -> None:
    first, focused, french, english = seen["lang"]
    for state, lang in ((first, "en"), (focused, "en"), (french, "fr"), (english, "en")):
        assert (state["html"], state["shown"], state["pressed"]) == (lang, [lang], [lang])
        assert [state["title"]] == state["heading"]
    assert focused["focus"] == french["focus"] == "Français"
    assert english["focus"] == "English"
    assert (first["nav"], french["nav"]) == ("Language", "Langue")
    assert french["title"].startswith("Mesures")


def test_a_link_can_ask_for_the_other_language(seen: dict[str, Any]) -> None:
    assert (seen["linked"]["html"], seen["linked"]["shown"]) == ("fr", ["fr"])


def test_paper_is_white_and_has_no_buttons(seen: dict[str, Any]) -> None:
    assert seen["print"]["background"] == "rgb(255, 255, 255)"
    assert seen["print"]["nav"] is False
    assert 1 <= seen["print"]["pages"] <= 12


def test_without_scripts_the_language_asked_for_is_shown(seen: dict[str, Any]) -> None:
    assert len(seen["without_script"]) == 1
    assert seen["without_script"][0].startswith("Benchmark")


def test_the_checker_would_find_a_fault(chromium: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same look at a page made worse on purpose: grey on grey, a request, a script that the policy refuses."""
    sound = document.render

    def worse(*arguments: Any) -> str:
        text = sound(*arguments)
        return text.replace("--ink: #1b1d1f", "--ink: #dddddd").replace(
            "<main>", '<main><img src="http://127.0.0.1:9/x.png"><script>alert(1)</script><p>' + "w" * 20, 1
        )

    monkeypatch.setattr(document, "render", worse)
    found = look(chromium, tmp_path, "honest")["honest"]
    assert any("Content Security Policy" in line for line in found["console"])
    assert found["dialogs"] == 0
    assert any(fault.startswith(("color-contrast", "image-alt")) for fault in found["axe"]["wide-light"])
