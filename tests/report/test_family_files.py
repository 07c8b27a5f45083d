"""The files at the top of the results folder: views of the latest run and of no other."""

from __future__ import annotations

import json
from pathlib import Path

import factory
from trtbench.records import result_files
from trtbench.records.trial import Failure
from trtbench.report import family_files

BOTH = {"pytorch-eager": [240.0] * 3, "onnxruntime": [100.0] * 3}


def read(path: Path) -> dict[str, object]:
    return dict(json.loads(path.read_bytes()))


def test_one_file_a_family_with_its_own_lanes(tmp_path: Path) -> None:
    factory.store(tmp_path, factory.run(), factory.trials(BOTH))
    written = family_files.write_benchmarks(tmp_path, factory.RUN)
    assert [path.name for path in written] == ["onnxruntime_benchmark.json", "pytorch_benchmark.json"]
    view = json.loads((tmp_path / "pytorch_benchmark.json").read_bytes())
    assert (view["kind"], view["run"], view["demonstration"]) == ("benchmark", factory.RUN, True)
    assert [f["lane"] for cell in view["cells"] for f in cell["figures"]] == ["pytorch-eager"]
    assert len(view["trials"]) == 3
    assert all((tmp_path / name).is_file() for name in view["trials"])


def test_a_family_that_only_failed_says_why(tmp_path: Path) -> None:
    trials = factory.trials({"pytorch-eager": [240.0]})
    trials.append(factory.trial("onnxruntime", position=2, failure=Failure(phase="load", reason="no room")))
    factory.store(tmp_path, factory.run(), trials)
    family_files.write_benchmarks(tmp_path, factory.RUN)
    view = json.loads((tmp_path / "onnxruntime_benchmark.json").read_bytes())
    assert view["cells"] == [] or all(cell["figures"] == [] for cell in view["cells"])
    assert view["failed"][0]["failure"]["reason"] == "no room"


def test_views_of_an_earlier_run_are_taken_away_and_its_records_stay(tmp_path: Path) -> None:
    old = factory.store(tmp_path, factory.run(id="20250101-000000"), factory.trials(BOTH))
    family_files.write_benchmarks(tmp_path, "20250101-000000")
    (tmp_path / result_files.REPORT).write_text(json.dumps({"kind": "comparison", "run": "20250101-000000"}))
    (tmp_path / result_files.CHART).write_bytes(b"old picture")
    before = {path: path.read_bytes() for path in old.rglob("*.json")}

    factory.store(tmp_path, factory.run(["pytorch-eager"]), factory.trials({"pytorch-eager": [240.0] * 3}))
    family_files.write_benchmarks(tmp_path, factory.RUN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pytorch_benchmark.json", "runs"]
    assert read(tmp_path / "pytorch_benchmark.json")["run"] == factory.RUN
    assert {path: path.read_bytes() for path in old.rglob("*.json")} == before


def test_files_that_are_not_ours_are_left_alone(tmp_path: Path) -> None:
    factory.store(tmp_path, factory.run(), factory.trials({"pytorch-eager": [240.0]}))
    mine = {
        "onnxruntime_benchmark.json": "not JSON",
        result_files.REPORT: '{"kind": "other", "run": "x"}',
        "notes.txt": "x",
    }
    for name, text in mine.items():
        (tmp_path / name).write_text(text)
    family_files.write_benchmarks(tmp_path, factory.RUN)
    assert {name: (tmp_path / name).read_text() for name in mine} == mine


def test_the_current_report_stays_when_the_views_are_made_anew(tmp_path: Path) -> None:
    factory.store(tmp_path, factory.run(), factory.trials(BOTH))
    (tmp_path / result_files.REPORT).write_text(json.dumps({"kind": "comparison", "run": factory.RUN}))
    (tmp_path / result_files.CHART).write_bytes(b"picture")
    family_files.write_benchmarks(tmp_path, factory.RUN)
    assert (tmp_path / result_files.REPORT).is_file()
    assert (tmp_path / result_files.CHART).is_file()
