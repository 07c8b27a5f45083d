"""The doctor's look at a card without Docker, at the environments of the clone, and at what can be typed here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from trtbench.doctor import card, report
from trtbench.doctor.ways import WAYS
from trtbench.machine.checks import Check
from trtbench.settings import environments
from trtbench.settings.environments import STAMP, UNFINISHED
from trtbench.settings.knobs import ROOT


def checks_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str, cuda: dict[str, Any]) -> dict[str, Check]:
    """The checks of a card that nvidia-smi lists so, with what its driver tells a program."""
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{row}'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("trtbench.machine.cuda_driver._asked", lambda: cuda)
    return {check.name: check for check in card.card_checks()}


def says(version: int) -> dict[str, Any]:
    return {"status": 0, "name": "", "version": version, "library": "/usr/lib/libcuda.so.1"}


@pytest.mark.parametrize(
    ("row", "cuda", "levels", "words"),
    [
        ("0, NVIDIA GeForce RTX 4070, 580.95.05, 12282, 11800, 8.9", says(13000), "ok ok ok ok", ""),
        ("0, NVIDIA GeForce RTX 4070, 580.95.05, 12282, 11800, 8.9", {"absent": "no"}, "ok ok warn ok", ""),
        ("0, NVIDIA GeForce RTX 2080 Ti, 580.95.05, 11264, 11000, 7.5", says(13000), "ok ok ok ok", ""),
        ("0, Tesla V100, 580.95.05, 16160, 16000, 7.0", says(13000), "ok warn ok ok", "CUDA 12.6"),
        ("0, NVIDIA GeForce RTX 4070, 550.90.07, 12282, 11800, 8.9", says(12040), "ok ok warn ok", "nobody has tried"),
        ("0, NVIDIA GeForce RTX 4070, 535.90.07, 12282, 11800, 8.9", {"absent": "no"}, "ok ok warn ok", "12.6"),
        ("0, NVIDIA A100-SXM4-80GB, 550.90.07, 81920, 81000, 8.0", says(12040), "ok ok warn ok", "12.6"),
        ("0, NVIDIA GeForce GTX 1060, 470.82.01, 6144, 6000, 6.1", says(11040), "ok warn fail warn", "525"),
        ("0, Tesla K80, 470.82.01, 11441, 11000, 3.7", says(11040), "ok fail fail ok", "too old"),
        (
            "0, NVIDIA GeForce RTX 4070, 580.95.05, 12282, 11800, 8.9",
            {"status": 999, "name": "CUDA_ERROR_UNKNOWN", "version": 13000, "library": "x"},
            "ok ok fail ok",
            "CUDA does not start",
        ),
        (
            "0, NVIDIA GeForce RTX 4070, 550.90.07, 12282, 11800, 8.9",
            {"status": 999, "name": "CUDA_ERROR_UNKNOWN", "version": 12040, "library": "x"},
            "ok ok fail ok",
            "CUDA does not start",
        ),
    ],
)
def test_a_card_is_held_against_the_torch_that_can_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str, cuda: dict[str, Any], levels: str, words: str
) -> None:
    checks = checks_of(tmp_path, monkeypatch, row, cuda)
    assert list(checks) == ["gpu", "compute-capability", "driver", "gpu-memory"]
    assert " ".join(check.level for check in checks.values()) == levels
    assert words in " ".join(check.sentence for check in checks.values())
    assert "TensorRT-LLM" not in " ".join(check.sentence for check in checks.values())


def test_an_old_python_leaves_a_lane_out_and_no_more() -> None:
    assert card.python_check((3, 9, 1)).level == "fail"
    ten = card.python_check((3, 10, 4))
    assert (ten.level, "onnxruntime" in ten.sentence) == ("warn", True)
    assert card.python_check((3, 11, 0)).level == "ok"


def test_environments_are_there_half_made_or_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    for name, stamp in ((".venv-cuda", UNFINISHED), (".venv-vllm", "1234 56")):
        (tmp_path / name).mkdir()
        (tmp_path / name / STAMP).write_text(stamp, encoding="utf-8")
    check = card.environments_check(tmp_path)
    assert check.level == "warn"
    states = {name: row["state"] for name, row in check.figures.items()}
    assert states[".venv"] == "there" and check.figures[".venv"]["torch"].startswith("2.")
    assert (states[".venv-cuda"], states[".venv-vllm"], states[".venv-onnxruntime"]) == (
        *("half made", "does not run"),
        "not made",
    )


def test_what_can_be_typed_is_what_the_machine_is_ready_for(monkeypatch: pytest.MonkeyPatch) -> None:
    every = {name for needed in report.NEEDED.values() for name in needed}
    card_fails = [Check("gpu", "fail", "none")]
    monkeypatch.setattr(report, "card_checks", lambda: card_fails)

    def typed(purpose: str, *failing: str) -> list[str]:
        checks = [Check(name, "fail" if name in failing else "ok", ".") for name in sorted(every)]
        return [way.purpose for way in report.ways_here(checks, purpose)]

    assert typed("local", "docker", "gpu") == ["local"]
    assert typed("local", "docker", "gpu", "disk") == []  # what was asked for needs all
    assert typed("docker", "disk") == ["local"]  # of another way the machine counts
    monkeypatch.setattr(report, "card_checks", lambda: [Check("gpu", "ok", "there")])
    assert typed("docker", "docker") == ["local", "gpu"]
    assert typed("docker") == ["local", "gpu", "docker"]


def test_the_report_ends_with_what_can_be_typed() -> None:
    ways = [way for way in WAYS if way.purpose != "docker"]
    text = report.text_report([Check("python", "ok", "Python.")], "local", ways)
    assert text.splitlines()[-3] == "What you can type here:"
    assert all(way.type in text and way.get in text for way in ways)
    told = json.loads(report.json_report([Check("python", "ok", "Python.")], "local", ways))
    assert [row["purpose"] for row in told["ways"]] == ["local", "gpu"]


def test_the_readme_has_the_same_table() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for way in WAYS:
        (row,) = [line for line in readme.splitlines() if line.startswith(f"| {way.have} |")]
        assert f"`{way.type}`" in row and way.get in row
