"""README.md and README.fr.md: the same content in two languages, and nothing in them typed that a file tells."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from trtbench.settings.knobs import ROOT

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
    blocks = [re.findall(r"```(\w*)\n(.*?)```", prose(text), re.DOTALL) for text in (ENGLISH, FRENCH)]
    assert blocks[0] == blocks[1]
    assert blocks[0]


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
