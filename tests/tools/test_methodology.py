"""The made parts of docs/methodology.md are what the program would make, and the simulation is the program's arithmetic."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from loading import load
from trtbench.figures.base import CANDIDATE_LEVEL
from trtbench.figures.leaving import LEVEL, RATIO
from trtbench.measure.stopping import MIN_ROUNDS
from trtbench.settings.knobs import DEFAULTS, ROOT

BENCHMARKS = ROOT / "benchmarks"


def test_the_document_is_the_made_one() -> None:
    made = load("tools/methodology")
    there = (ROOT / "docs" / "methodology.md").read_text(encoding="utf-8")
    assert made.filled(there) == there


def test_the_committed_simulation_is_of_the_rules_in_force_and_misses_no_target() -> None:
    found = json.loads((BENCHMARKS / "coverage.json").read_text(encoding="utf-8"))
    assert found["missed"] == []
    assert found["min_rounds"] == MIN_ROUNDS
    assert found["target_precision"] == DEFAULTS["TARGET_PRECISION"]
    assert found["equivalence_margin"] == DEFAULTS["EQUIVALENCE_MARGIN"]
    assert (found["candidate_level"], found["leave_level"], found["leave_ratio"]) == (CANDIDATE_LEVEL, LEVEL, RATIO)
    assert found["runs"] >= 10000


def test_the_limit_that_the_text_tells_is_the_simulated_one() -> None:
    found = json.loads((BENCHMARKS / "coverage.json").read_text(encoding="utf-8"))["candidates"]
    row = next(row for row in found if "strongly skewed" in row["scenario"])
    covered, slower = row["looks"]["5"]["coverage"], max(look["false_slower"] for look in row["looks"].values())
    there = (ROOT / "docs" / "methodology.md").read_text(encoding="utf-8")
    assert f"after five rounds holds the truth {100 * covered:.1f} % of the time" in there
    assert f"is called slower {100 * slower:.1f} % of the time" in there


def test_a_small_simulation_agrees_with_the_program_and_with_the_committed_one() -> None:
    coverage = load("benchmarks/coverage")
    draw = np.random.default_rng(3)
    coverage.hold_to_the_program(draw)
    committed = json.loads((BENCHMARKS / "coverage.json").read_text(encoding="utf-8"))["coverage"]
    for row, old in zip(coverage.coverage_rows(1500, draw), committed):
        assert row["scenario"] == old["scenario"]
        for trials, share in row["coverage"].items():
            assert share == pytest.approx(old["coverage"][trials], abs=0.03)


def test_a_missed_target_is_told() -> None:
    coverage = load("benchmarks/coverage")
    found = json.loads((BENCHMARKS / "coverage.json").read_text(encoding="utf-8"))
    found["coverage"][0]["coverage"]["5"] = 0.90
    found["coverage"][1]["aa"]["stop"] = 0.08
    assert len(coverage.missed(found)) == 2
    row, clear = found["candidates"][0], next(r for r in found["candidates"] if r["scenario"] == "a clear fastest one")
    row["looks"]["5"]["coverage"] = 0.90
    row["looks"]["10"]["false_faster"] = 0.08
    row["looks"]["stop"]["false_slower"] = 0.08
    row["looks"]["10"]["found_faster"] = 0.80
    row["fastest_left"] = 0.03
    clear["looks"]["stop"]["coverage"] = 0.99
    assert len(coverage.missed(found)) == 8
    row["limit"] = "a limit has no target"
    assert len(coverage.missed(found)) == 4


def test_wide_intervals_are_allowed_only_where_lanes_cannot_be_told_apart() -> None:
    coverage = load("benchmarks/coverage")
    found = json.loads((BENCHMARKS / "coverage.json").read_text(encoding="utf-8"))
    found["candidates"][0]["looks"]["5"] |= {"coverage": 0.99, "candidates": 2.5}
    assert coverage.missed(found) == []
    found["candidates"][0]["looks"]["5"]["candidates"] = 1.0
    assert len(coverage.missed(found)) == 1


def test_whole_runs_are_played_as_the_program_plays_them_and_agree_with_the_committed_ones() -> None:
    load("benchmarks/coverage")
    runs, held = sys.modules["coverage_runs"], sys.modules["coverage_held"]
    draw = np.random.default_rng(4)
    held.hold_to_the_program(draw, 1)
    committed = json.loads((BENCHMARKS / "coverage.json").read_text(encoding="utf-8"))["candidates"]
    for row, old in zip(runs.run_rows(1000, draw), committed):
        assert row["scenario"] == old["scenario"]
        for name, look in row["looks"].items():
            assert look["coverage"] == pytest.approx(old["looks"][name]["coverage"], abs=0.04)
        assert row["fastest_left"] <= 0.015


def test_whole_runs_are_refused_when_they_are_not_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    load("benchmarks/coverage")
    runs = sys.modules["coverage_runs"]
    monkeypatch.setattr(runs, "LEVEL", 0.5)
    with pytest.raises(AssertionError):
        sys.modules["coverage_held"].hold_to_the_program(np.random.default_rng(4), 2)


def test_the_arithmetic_is_refused_when_it_is_not_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    coverage = load("benchmarks/coverage")
    monkeypatch.setattr(coverage, "t_quantile", lambda level, df: np.full(len(df), 1.96))
    with pytest.raises(AssertionError):
        coverage.hold_to_the_program(np.random.default_rng(3))


def test_the_stop_waits_for_a_second_narrow_round() -> None:
    coverage = load("benchmarks/coverage")
    calm = np.zeros((1, coverage.MOST)) + np.arange(coverage.MOST) % 2 * 1e-4
    assert coverage.stopped_at(calm, calm[:, ::-1].copy()).tolist() == [MIN_ROUNDS]
    wild = calm.copy()
    wild[0, 0] = 0.2
    assert coverage.stopped_at(wild, calm).tolist()[0] > MIN_ROUNDS
