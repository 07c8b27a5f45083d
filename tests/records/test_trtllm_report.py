"""Reports of NVIDIA's own benchmark in a run's folder: read strictly, and never in the way of a run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import factory
from trtbench.errors import UserError
from trtbench.records import run_folder, trtllm_report
from trtbench.settings.cells import Cell

CELL = Cell(batch=1, prompt_length=32, new_tokens=8, precision="float16")
REPORT: dict[str, Any] = {
    "engine": {"model": "trtbench/x", "engine_dir": "/home/somebody/engine"},
    "machine": None,
    "request_info": {"num_requests": 5, "avg_input_length": 32.0, "avg_output_length": 8},
    "performance": {"avg_request_latency_ms": 12.5, "total_latency_ms": 63.0},
    "streaming_metrics": {"avg_ttft_ms": 3.25, "avg_tpot_ms": 1.0},
}


def laid(results: Path, content: bytes | str, name: str = "") -> Path:
    path = run_folder.folder(results, factory.RUN) / (name or trtllm_report.name("float16", CELL))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def changed(**parts: Any) -> str:
    return json.dumps({**REPORT, **parts})


def test_the_figure_of_a_report_with_the_cell_it_is_of(tmp_path: Path) -> None:
    laid(tmp_path, changed())
    (found,) = trtllm_report.found(tmp_path, factory.RUN)
    assert found == trtllm_report.Latency(
        precision="float16", prompt_length=32, new_tokens=8, latency=12.5, ttft=3.25, requests=5
    )


def test_a_report_without_streaming_has_no_first_token(tmp_path: Path) -> None:
    without = {name: part for name, part in REPORT.items() if name != "streaming_metrics"}
    assert trtllm_report.read(laid(tmp_path, json.dumps(without))).ttft is None


BROKEN = {
    "cut off": changed()[:40],
    "empty": "",
    "of another shape": "[1, 2]",
    "no latency": changed(performance={}),
    "zero": changed(performance={"avg_request_latency_ms": 0}),
    "negative": changed(performance={"avg_request_latency_ms": -1.0}),
    "not a number": changed(performance={"avg_request_latency_ms": float("nan")}),
    "text": changed(performance={"avg_request_latency_ms": "12.5"}),
    "beyond all bounds": changed(performance={"avg_request_latency_ms": 1e300}),
    "a first token at zero": changed(streaming_metrics={"avg_ttft_ms": 0.0}),
    "other lengths": changed(request_info={"num_requests": 5, "avg_input_length": 32.0, "avg_output_length": 7.0}),
    "deep": "[" * 100_000,
    "no text": b"\xff\xfe\x00",
    "large": changed() + " " * trtllm_report.LARGEST,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_one_is_one_sentence_that_names_no_folder(tmp_path: Path, kind: str) -> None:
    path = laid(tmp_path, BROKEN[kind])
    (found,) = trtllm_report.found(tmp_path, factory.RUN)
    assert (found.latency, found.ttft) == (None, None)
    assert found.problem is not None and path.name in found.problem
    assert str(tmp_path) not in found.problem and "\n" not in found.problem and len(found.problem) < 600
    with pytest.raises(UserError):
        trtllm_report.read(path)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_of_its_own_is_not_read(tmp_path: Path, kind: str) -> None:
    path = laid(tmp_path, changed())
    path.unlink()
    if kind == "link":
        (tmp_path / "elsewhere.json").write_text(changed())
        path.symlink_to(tmp_path / "elsewhere.json")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    (found,) = trtllm_report.found(tmp_path, factory.RUN)
    assert found.latency is None and found.problem is not None and str(tmp_path) not in found.problem


def test_other_files_and_a_run_without_any_are_passed_over(tmp_path: Path) -> None:
    assert trtllm_report.found(tmp_path, factory.RUN) == []
    laid(tmp_path, "words", "trtllm-bench-float16-32+8.log")
    laid(tmp_path, changed(), "trtllm-bench-of-my-own.json")
    assert trtllm_report.found(tmp_path, factory.RUN) == []
