"""A release is one version, wherever it is told."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import yaml
from PIL import Image

import reports
from liars import Story
from trtbench import __version__
from trtbench.comparison import bundle
from trtbench.report import chart, csv_table, markdown, pytorch_json, text
from trtbench.report.language import ENGLISH
from trtbench.report.names import program
from trtbench.report.page import document
from trtbench.settings.knobs import ROOT

CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
RELEASES = re.findall(
    r"^## (\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M
)


@pytest.mark.parametrize(
    ("file", "pattern"),
    {
        "pyproject.toml": r'^version = "(.+)"$',
        "docker/Dockerfile": r'image\.version="(.+?)"',
        "docker/Dockerfile.cpu": r'image\.version="(.+?)"',
        "CITATION.cff": r"^version: (.+)$",
    }.items(),
)
def test_every_file_has_the_version_of_the_program(file: str, pattern: str) -> None:
    assert set(re.findall(pattern, (ROOT / file).read_text(encoding="utf-8"), re.M)) == {__version__}


def test_the_changelog_has_the_release_that_is_cited() -> None:
    assert RELEASES[0] == (__version__, str(CITATION["date-released"]))


def test_the_citation_has_what_its_format_asks_for() -> None:
    assert CITATION["cff-version"] == "1.2.0"
    assert all(CITATION[name] for name in ("message", "title", "authors"))


def test_every_report_names_the_version(tmp_path: Path) -> None:
    comparison = reports.honest()
    picture = tmp_path / "chart.png"
    chart.write(picture, comparison, "en")
    told = {
        "text": text.render(comparison, "en"),
        "Markdown": markdown.render(comparison, "en"),
        "page": document.render(comparison, "en"),
        "CSV": csv_table.render(comparison),
        "JSON for PyTorch's database": pytorch_json.render(comparison),
        "JSON": msgspec.json.encode(comparison).decode(),
        "picture": str(Image.open(picture).info["Software"]),
    }
    assert {name for name, report in told.items() if __version__ not in report} == set()


def test_a_bundle_names_the_version_that_made_it_and_keeps_that_which_measured() -> None:
    story = Story().tell()
    for trial in story.trials:
        trial.environment = msgspec.structs.replace(trial.environment, program="0.9.0")
    story.seal()
    packed = bundle.make(story.run, story.trials, story.judgement(), story.workload, [])
    held = json.loads(gzip.decompress(packed))
    assert (held["program"], {t["environment"]["program"] for t in held["trials"]}) == (__version__, {"0.9.0"})


def test_another_version_that_measured_is_told() -> None:
    comparison = reports.honest()
    assert program(comparison, ENGLISH) == f"trtbench {__version__}"
    earlier = msgspec.structs.replace(comparison.environment, program="0.9.0")
    said = program(msgspec.structs.replace(comparison, environment=earlier), ENGLISH)
    assert said == f"trtbench 0.9.0 measured, {__version__} compared"
    unknown = msgspec.structs.replace(comparison.environment, program=None)
    told = program(msgspec.structs.replace(comparison, environment=unknown), ENGLISH)
    assert told == f"trtbench {__version__}; the version that measured is not recorded"


@pytest.mark.parametrize(
    "command",
    [
        ["bash", "scripts/bench_local.sh"],
        ["bash", "scripts/doctor.sh"],
        [sys.executable, "scripts/compare.py"],
    ],
    ids=lambda command: command[-1],
)
def test_commands_tell_the_version_and_make_nothing(command: list[str]) -> None:
    done = subprocess.run([*command, "--version"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"trtbench {__version__}\n", "")
