"""What a start is said to take: every figure is that of a file, and what was never measured is named and counts nothing."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from trtbench.doctor import estimate as room
from trtbench.doctor.estimate import Estimate, Part, estimate, figures, in_docker, lanes_of, sentence
from trtbench.doctor.report import room_for
from trtbench.figures.speedup import MIN_TRIALS
from trtbench.settings.environments import ENVIRONMENTS, Environment
from trtbench.settings.knobs import ROOT, Settings, defaults_of
from trtbench.settings.lanes import LANES

BENCHMARKS = ROOT / "benchmarks"
MEASURED = Environment(("local",), minutes=2.5, download=500, disk=1500)


def read(name: str) -> Any:
    return json.loads((BENCHMARKS / name).read_text(encoding="utf-8"))


def up(seconds: float) -> float:
    """Minutes, rounded up to a tenth."""
    return math.ceil(seconds / 6) / 10


def local(folder: Path, **changed: Any) -> Settings:
    values = {name.lower(): value for name, value in defaults_of("local").items()}
    return Settings(**{**values, "data_dir": str(folder), **changed})


def parts(taken: Estimate) -> dict[str, Part]:
    return {part.name: part for part in taken.parts}


# ---- the figures are those of the files


def test_environments_are_as_measured_and_rounded_up() -> None:
    measured = read("environments.json")
    assert {name: (row.minutes, row.download, row.disk) for name, row in ENVIRONMENTS.items()} == {
        name: (up(entry["seconds"]), math.ceil(entry["download_mb"]), math.ceil(entry["disk_mb"]))
        for name, entry in measured.items()
    }


def test_models_are_as_measured_and_rounded_up() -> None:
    measured = read("first_start.json")["models"]
    assert {name: (once.minutes, once.disk) for name, once in room.MODELS.items()} == {
        name: (up(entry["seconds"]), math.ceil(entry["bytes"] / 1e6) * room.MB) for name, entry in measured.items()
    }


def test_preparing_on_a_processor_is_as_measured() -> None:
    caches = read("first_start.json")["caches"]
    (entry,) = [entry for entry in read("cpu_lanes.json") if entry["model"] == "smollm2"]
    expected = {}
    for lane in entry["lanes"]:
        if lane["prepare_s"] is not None:
            choice = LANES[lane["lane"]].choices.get("cpu")
            # Every value is tried in so many rounds at least, in a process that takes as long as a trial.
            trying = MIN_TRIALS * len(choice.values) * sum(lane["trial_s"]) / len(lane["trial_s"]) if choice else 0
            disk = math.ceil(caches[lane["lane"]] / 1e6) * room.MB
            expected[lane["lane"]] = room.Once(up(lane["prepare_s"] + trying), disk)
    assert room.PREPARED["cpu"] == expected
    assert pytest.approx(up(entry["took_s"] - defaults_of("local")["TIME_BUDGET"])) == room.BESIDE_ROUNDS


def test_preparing_on_a_card_is_as_measured() -> None:
    seconds = dict(read("h100_rounds.json")["prepared_s"])
    first = read("tiles.json")["first_call_s"]
    seconds["pytorch-tuned"] += first["pytorch-tuned"]["by whole steps"] - max(first["pytorch-tuned"]["Inductor alone"])
    seconds["pytorch-triton"] = max(seconds["pytorch-triton"], first["pytorch-triton"]["by whole steps"])
    local = read("h200_local.json")
    trials = local["trial_s"]["onnxruntime"]
    tried = MIN_TRIALS * len(LANES["onnxruntime"].choices["cuda"].values) * sum(trials) / len(trials)
    seconds["onnxruntime"] = local["prepared_s"]["onnxruntime"] + tried
    assert {lane: once.minutes for lane, once in room.PREPARED["cuda"].items()} == {
        lane: up(duration) for lane, duration in seconds.items()
    }


# ---- what is counted


def test_a_first_start_counts_what_is_lacking_and_a_later_one_nothing_but_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENVIRONMENTS, ".venv", MEASURED)
    settings = local(tmp_path)
    first = estimate(settings, "cpu", [".venv"], ["pytorch-eager", "pytorch-compile", "onnxruntime"])
    assert list(parts(first)) == [".venv", "model", "preparing", "the run"]
    prepared = room.PREPARED["cpu"]["pytorch-compile"].minutes + room.PREPARED["cpu"]["onnxruntime"].minutes
    run = 150 / 60 + room.BESIDE_ROUNDS
    assert first.minutes == pytest.approx(2.5 + room.MODELS["smollm2"].minutes + prepared + run)
    assert first.download == (500 + 93) * room.MB
    assert first.later == pytest.approx(run)
    assert sentence(first).startswith(f"about {round(first.minutes)} minutes the first time: 593 MB to download, ")
    assert "(.venv 1.5 GB, model 542 MB, preparing 555 MB)" in sentence(first)
    assert sentence(first).endswith("; later runs about 3 minutes")
    for lane in ("pytorch-compile", "onnxruntime"):
        (tmp_path / "cache" / lane / "float32-0").mkdir(parents=True)
    room.folder_of("smollm2", tmp_path / "models").mkdir(parents=True)
    later = estimate(settings, "cpu", [], ["pytorch-eager", "pytorch-compile", "onnxruntime"])
    assert list(parts(later)) == ["the run"]
    assert sentence(later) == "about 3 minutes"


def test_what_was_never_measured_is_named_and_no_figure_is_made_of_it(tmp_path: Path) -> None:
    settings = local(tmp_path, model_name="somebody/model", model_source="hub")
    taken = estimate(settings, "cuda", [".venv-none"] if ".venv-none" in ENVIRONMENTS else [], ["pytorch-compile"])
    assert (parts(taken)["model"].download, parts(taken)["model"].disk) == (None, None)
    said = sentence(taken)
    assert said.startswith("at least ")
    assert "an unknown amount to download" in said
    assert "never measured, so not counted: model, preparing pytorch-compile" in said
    assert {row["name"]: row["download"] for row in figures(taken)["parts"]}["model"] is None  # type: ignore[union-attr, attr-defined]


def test_an_environment_without_figures_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENVIRONMENTS, ".venv-cuda", Environment(("cuda",)))
    taken = estimate(local(tmp_path), "cuda", [".venv-cuda"], [])
    assert parts(taken)[".venv-cuda"].minutes is None
    assert sentence(taken).endswith("not counted: .venv-cuda")


def test_the_hub_model_of_known_shape_counts(tmp_path: Path) -> None:
    settings = local(tmp_path, model_name="TinyLlama/TinyLlama-1.1B-Chat-v1.0")
    taken = estimate(settings, "cpu", [], [])
    assert parts(taken)["model"].download == 2_200_096_768
    assert "2.2 GB to download" in sentence(taken)


def test_a_time_budget_that_is_set_counts_and_one_that_is_not_is_told_to_be_no_limit(tmp_path: Path) -> None:
    asked = estimate(local(tmp_path, model_name="tinyllama", time_budget=600.0), "cpu", [], [])
    assert (asked.later, asked.least) == (pytest.approx(10 + room.BESIDE_ROUNDS), "")
    unasked = estimate(local(tmp_path, model_name="tinyllama"), "cpu", [], [])
    assert "three rounds" in sentence(unasked)
    fixed = estimate(local(tmp_path, model_name="tinyllama", trials=50), "cpu", [], [])
    assert parts(fixed)["the run"].minutes is None


def test_lanes_with_an_environment_that_is_neither_there_nor_to_be_made_are_left_out(tmp_path: Path) -> None:
    assert lanes_of(local(tmp_path, lanes=("vllm",)), "cuda") == ["vllm"]
    assert "vllm" not in lanes_of(local(tmp_path), "cuda")
    assert "vllm" in lanes_of(local(tmp_path), "cuda", [".venv-vllm"])
    assert "tensorrt-engine" not in lanes_of(local(tmp_path), "cuda")


# ---- Docker


def test_the_image_counts_until_it_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = local(tmp_path, model_name="demo")
    monkeypatch.setattr(room, "image_is_here", lambda image: False)
    pulled = in_docker(settings, "auto", "some/image")
    assert pulled is not None and pulled.disk == 60 * room.GB + room.MODELS["demo"].disk
    assert parts(pulled)["image"].download is None and parts(pulled)["engine"].minutes is None
    monkeypatch.setattr(room, "image_is_here", lambda image: True)
    there = in_docker(settings, "pytorch-only", "some/image")
    assert there is not None and list(parts(there)) == ["model", "the run"]
    assert in_docker(settings, "compare-only", "some/image") is None


# ---- the disk that is asked for


def test_the_disk_needs_what_is_estimated(tmp_path: Path) -> None:
    taken = Estimate((Part(".venv-cuda", 1, 1, 7 * room.GB, at_home=True), Part("model", 1, 1, 2_210_000_000)))
    together = room_for(taken, ROOT / "data", 1.0)
    assert together.figures["need_gb"] == 9.3
    assert room_for(Estimate(()), tmp_path, 1.0).figures["need_gb"] == 1
    unknown = room_for(Estimate((Part("model", None, None, None),)), tmp_path, 1.0)
    assert unknown.sentence.endswith("Not counted: model.")


def test_a_clone_on_another_disk_is_asked_for_its_own_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trtbench.doctor.report._disk", lambda folder: str(folder))
    taken = Estimate((Part(".venv", 1, 1, 10**18, at_home=True), Part("model", 1, 1, 1)))
    check = room_for(taken, tmp_path, 0.1)
    assert check.level == "fail" and str(ROOT) in check.sentence and str(tmp_path) in check.sentence
    assert dataclasses.asdict(check)["figures"]["need_gb"] == 1e9


def test_a_lane_that_the_card_cannot_run_is_not_counted(tmp_path: Path) -> None:
    made = [".venv-onnxruntime"]
    assert "tensorrt-rtx" in lanes_of(local(tmp_path), "cuda", made, "8.9")
    for capability in ("9.0", "8.0"):
        assert "tensorrt-rtx" not in lanes_of(local(tmp_path), "cuda", made, capability)
        assert "onnxruntime" in lanes_of(local(tmp_path), "cuda", made, capability)
