"""The environment of NVIDIA's tools: which card they take, and what they can import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trtbench.engine import tools
from trtbench.machine import child


@pytest.mark.parametrize(("order", "seen"), [(None, "PCI_BUS_ID"), ("FASTEST_FIRST", "FASTEST_FIRST")])
def test_the_build_and_the_trial_number_cards_alike(
    order: str | None, seen: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    if order is not None:
        monkeypatch.setenv("CUDA_DEVICE_ORDER", order)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    for env in (
        tools.environment(tmp_path, tmp_path / "examples"),
        child.computing_environment(1),
        child.environment(),
    ):
        assert (env["CUDA_DEVICE_ORDER"], env["CUDA_VISIBLE_DEVICES"]) == (seen, "1")


def test_a_converter_can_import_from_the_examples_after_all_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    examples, first = tmp_path / "app" / "examples", tmp_path / "first"
    for folder, module, says in (
        (examples, "deprecation", "examples"),
        (tmp_path / "app", "shadowed", "app"),
        (first, "shadowed", "first"),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{module}.py").write_text(f"WHERE = {says!r}\n")
    monkeypatch.setenv("PYTHONPATH", str(first))
    code = "import examples.deprecation as d, shadowed as s; print(d.WHERE, s.WHERE)"
    env = tools.environment(tmp_path, examples)
    assert (
        subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True).stdout
        == "examples first\n"
    )


def test_the_sources_of_the_package_beside_the_examples_take_nobodys_place(tmp_path: Path) -> None:
    (tmp_path / "clone" / "tensorrt_llm").mkdir(parents=True)
    env = tools.environment(tmp_path, tmp_path / "clone" / "examples")
    assert str(tmp_path / "clone") not in env["PYTHONPATH"].split(":")
