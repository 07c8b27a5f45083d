"""docs/possible.html is what its tool makes, of one file, under a policy that lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from loading import load
from trtbench.machine import cards
from trtbench.report.claim_page import document
from trtbench.report.words.claim import CLAIM
from trtbench.report.words.claim_page import CLAIM_PAGE
from trtbench.settings.knobs import ROOT

PAGE = (ROOT / "docs" / "possible.html").read_text(encoding="utf-8")


def test_the_page_is_the_made_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = load("tools/possible_page")
    assert tool.main(check=True) == 0
    monkeypatch.setattr(tool, "PAGE", tmp_path / "possible.html")
    assert tool.main(check=False) == 0
    assert (tmp_path / "possible.html").read_text(encoding="utf-8") == PAGE
    (tmp_path / "possible.html").write_text(PAGE.replace("504000000000.0", "505000000000.0"), encoding="utf-8")
    assert tool.main(check=True) == 1


def test_only_its_own_style_and_script_may_run() -> None:
    policy = re.search(r'Content-Security-Policy"\s+content="([^"]*)"', PAGE)
    assert policy and policy[1].startswith("default-src 'none'; ")
    for kind in ("style", "script"):
        (text,) = re.findall(rf"<{kind}>(.*?)</{kind}>", PAGE, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy[1]
    assert "unsafe" not in policy[1]
    assert not re.search(r"https?://|\beval\(|new Function|\bfetch\(|innerHTML|\ssrc=|\son\w+=", PAGE)


def test_every_card_has_its_own_name_in_the_command() -> None:
    names = {card["gpu"]: card for card in document.data()["CARDS"]}
    for card in cards.CARDS:
        assert cards.fastest(card.name) == card
        assert names[card.name]["name"] == card.name
    assert names["H100"]["name"] == "H100 PCIe or H100 SXM or H100 NVL"
    for gpu, card in names.items():
        assert cards.fastest(gpu).name == card["name"]
        assert not set(gpu) & set("\"$`\\!'"), "it stands between double quotes in a command"


def test_no_word_of_the_page_is_there_for_nothing() -> None:
    names = (*document.SCRIPTS, "possible.html.jinja")
    sources = "\n".join((document.FOLDER / name).read_text(encoding="utf-8") for name in names)
    said = set(re.findall(r'"(?:claim_page\.)?([a-z_]+)"', sources))
    assert [key for key in CLAIM_PAGE if key.removeprefix("claim_page.") not in said] == []


def test_no_french_sentence_has_the_english_word() -> None:
    assert "prompt" in CLAIM["claim.with_prompt"][0]
    assert [key for key, (_, french) in CLAIM.items() if re.search(r"(?<!\{)prompts?\b(?!:)", french)] == []
