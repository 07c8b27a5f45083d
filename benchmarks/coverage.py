#!/usr/bin/env python3
"""Do the intervals hold what they promise? Simulates runs by the thousand and writes benchmarks/coverage.json.

    python3 benchmarks/coverage.py [--runs 40000] [--output benchmarks/coverage.json]

A simulated pair is two lanes of up to 20 trials of 10 iterations; trial and iteration noise, skew, outliers and
autocorrelation are those of SCENARIOS. Each is judged as the program judges (trtbench.figures.speedup, trtbench.measure.stopping): the
arithmetic is repeated here for whole arrays and held to the program's own on a sample. Whole runs with several PyTorch
lanes are in coverage_runs.py, what they are made of in coverage_scenarios.py. numpy only; one core, seeded. Exit status 1 when a
target is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "benchmarks")]

import coverage_held  # noqa: E402
import coverage_runs  # noqa: E402
from coverage_runs import MARGIN, TARGET, t_quantile  # noqa: E402
from coverage_scenarios import ITERATIONS, MOST  # noqa: E402

from trtbench.figures import speedup  # noqa: E402
from trtbench.figures.base import CANDIDATE_LEVEL  # noqa: E402
from trtbench.figures.leaving import LEVEL, RATIO  # noqa: E402
from trtbench.measure.stopping import MIN_ROUNDS  # noqa: E402

SEED = 20261123
FIXED = (5, 7, 10, 20)
COVERAGE, ALARM, POWER, LEFT = (0.93, 0.97), 0.05, 0.90, 0.01
ONE = 1.05  # candidates on average: below, there is one, and the interval must not be wider than it says


@dataclass(frozen=True)
class Lane:
    """Noise of one lane, relative: standard deviations of trials and iterations; `skew`: exponential instead of normal;
    `outliers`: share of iterations that take half as long again; `memory`: lag-one correlation of iterations."""

    trial: float
    iteration: float
    skew: bool = False
    outliers: float = 0.0
    memory: float = 0.0

    def trials(self, runs: int, draw: np.random.Generator) -> np.ndarray:
        """Logarithms of trial means, (runs, MOST)."""

        def noise(*size: int) -> np.ndarray:
            return draw.exponential(1.0, size) - 1 if self.skew else draw.standard_normal(size)

        iteration = noise(runs, MOST, ITERATIONS)
        if self.memory:
            fresh = iteration.copy()
            for i in range(1, ITERATIONS):
                kept = self.memory * iteration[:, :, i - 1]
                iteration[:, :, i] = kept + np.sqrt(1 - self.memory**2) * fresh[:, :, i]
        times = np.exp(self.trial * noise(runs, MOST)[:, :, None] + self.iteration * iteration)
        if self.outliers:
            times = np.where(draw.random(times.shape) < self.outliers, times * 1.5, times)
        return np.log(times.mean(axis=2))


@dataclass(frozen=True)
class Scenario:
    """Two lanes. `limit` says why a row is shown though no target holds for it."""

    name: str
    lane: Lane
    base: Lane
    limit: str = ""


SCENARIOS = (
    Scenario("quiet: trials 0.5 %, iterations 1 %", Lane(0.005, 0.01), Lane(0.005, 0.01)),
    Scenario("even: trials 1 %, iterations 2 %", Lane(0.01, 0.02), Lane(0.01, 0.02)),
    Scenario("trials rule: 2 % and 0.5 %", Lane(0.02, 0.005), Lane(0.02, 0.005)),
    Scenario("iterations rule: 0.3 % and 5 %", Lane(0.003, 0.05), Lane(0.003, 0.05)),
    Scenario("noisy: trials 10 %, iterations 10 %", Lane(0.1, 0.1), Lane(0.1, 0.1)),
    Scenario("uneven lanes: trials 0.3 % and 3 %", Lane(0.003, 0.005), Lane(0.03, 0.01)),
    Scenario("skewed lanes: 1 % and 3 %", Lane(0.01, 0.03, skew=True), Lane(0.01, 0.03, skew=True)),
    Scenario("one lane skewed", Lane(0.01, 0.03, skew=True), Lane(0.003, 0.01)),
    Scenario("5 % outliers in both lanes", Lane(0.005, 0.01, outliers=0.05), Lane(0.005, 0.01, outliers=0.05)),
    Scenario("correlated iterations (0.8), 3 %", Lane(0.005, 0.03, memory=0.8), Lane(0.005, 0.03, memory=0.8)),
    Scenario(
        "5 % outliers in one lane only",
        Lane(0.005, 0.01, outliers=0.05),
        Lane(0.005, 0.01),
        "few trials hold too few of them to see their spread; the audit warns (steady.outliers)",
    ),
)


def welch(lane: np.ndarray, base: np.ndarray, trials: int, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Log of the ratio base over lane and the half-width of its interval, after so many trials of each run."""
    a, b = base[:, :trials], lane[:, :trials]
    va, vb = a.var(axis=1, ddof=1) / trials, b.var(axis=1, ddof=1) / trials
    df = (va + vb) ** 2 / ((va**2 + vb**2) / (trials - 1))
    return a.mean(axis=1) - b.mean(axis=1), t_quantile(level, df) * np.sqrt(va + vb)


def stopped_at(lane: np.ndarray, base: np.ndarray, most: int = MOST) -> np.ndarray:
    """The number of trials at which each run stops by TARGET_PRECISION: from MIN_ROUNDS on, narrow twice running."""
    narrow = {n: np.sinh(welch(lane, base, n)[1]) <= TARGET for n in range(MIN_ROUNDS - 1, most + 1)}
    at = np.full(len(lane), most)
    for trials in range(most, MIN_ROUNDS - 1, -1):
        at[narrow[trials] & narrow[trials - 1]] = trials
    return at


def taken(lane: np.ndarray, base: np.ndarray, at: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """`welch` of each run after the number of trials at which it stopped."""
    log, half = np.empty(len(at)), np.empty(len(at))
    for trials in np.unique(at):
        those = at == trials
        log[those], half[those] = welch(lane[those], base[those], int(trials), level)
    return log, half


def words(lane: np.ndarray, base: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which runs are called different and which equivalent, as trtbench.figures.speedup.verdict does."""
    log, half = taken(lane, base, at, 0.95)
    different = (np.abs(log) > half) & (np.abs(log) >= np.log1p(speedup.MIN_EFFECT))
    _, ninety = taken(lane, base, at, 0.90)
    return different, ~different & (np.abs(log) + ninety <= np.log1p(MARGIN))


def hold_to_the_program(draw: np.random.Generator) -> None:
    """The arithmetic above is the program's: interval and verdict of a sample agree."""
    lane, base = Lane(0.01, 0.02).trials(60, draw) - 0.015, Lane(0.02, 0.02).trials(60, draw)
    for trials in (3, 5, 12):
        at = np.full(60, trials)
        log, half = taken(lane, base, at, 0.95)
        different, equal = words(lane, base, at)
        for i in range(60):
            mine, other = np.exp(lane[i, :trials]).tolist(), np.exp(base[i, :trials]).tolist()
            found, word = speedup.interval(mine, other), speedup.verdict(mine, other, MARGIN).word
            assert found.low is not None and abs(found.low / np.exp(log[i] - half[i]) - 1) < 1e-4
            expected = ("faster", "slower") if different[i] else ("equivalent",) if equal[i] else ("inconclusive",)
            assert word in expected, (word, expected)


def coverage_rows(runs: int, draw: np.random.Generator) -> list[dict[str, Any]]:
    """Share of runs whose 95 % interval holds the true ratio, and how often an A/A pair is called different."""
    rows = []
    for scenario in SCENARIOS:
        lane, base = scenario.lane.trials(runs, draw), scenario.base.trials(runs, draw)
        twin = scenario.lane.trials(runs, draw)
        truth = base.mean() - lane.mean()
        row: dict[str, Any] = {"scenario": scenario.name, "limit": scenario.limit, "coverage": {}, "aa": {}}
        for trials in FIXED:
            log, half = welch(lane, base, trials)
            row["coverage"][str(trials)] = float(np.mean(np.abs(log - truth) <= half))
            row["aa"][str(trials)] = float(words(lane, twin, np.full(runs, trials))[0].mean())
        at = stopped_at(lane, base)
        log, half = taken(lane, base, at, 0.95)
        row["coverage"]["stop"] = float(np.mean(np.abs(log - truth) <= half))
        row["aa"]["stop"] = float(words(lane, twin, stopped_at(lane, twin))[0].mean())
        row["trials_at_stop"] = float(at.mean())
        rows.append(row)
    return rows


def power_rows(runs: int, draw: np.random.Generator) -> list[dict[str, Any]]:
    """How often a true difference is found, and a true 5 % called equivalent, for noise of trial means."""
    rows = []
    for noise in (0.003, 0.01, 0.02, 0.05, 0.10):
        lane, base = Lane(noise, 0.0).trials(runs, draw), Lane(noise, 0.0).trials(runs, draw)
        row: dict[str, Any] = {"noise": noise, "found_3": {}, "equivalent_5": {}, "equivalent_0": {}}
        for trials in (3, 5, 8, 10, 20):
            at = np.full(runs, trials)
            row["found_3"][str(trials)] = float(words(lane - np.log(1.03), base, at)[0].mean())
            row["equivalent_5"][str(trials)] = float(words(lane - np.log(1.05), base, at)[1].mean())
            row["equivalent_0"][str(trials)] = float(words(lane, base, at)[1].mean())
        for name, most in (("stop", MOST), ("stop_10", 10)):
            at = stopped_at(lane, base, most)
            row["found_3"][name] = float(words(lane - np.log(1.03), base, at)[0].mean())
            row["equivalent_5"][name] = float(words(lane - np.log(1.05), base, at)[1].mean())
            row["equivalent_0"][name] = float(words(lane, base, at)[1].mean())
        rows.append(row)
    return rows


def missed(found: dict[str, Any]) -> list[str]:
    """Targets that do not hold, in words: those missed by more than two standard errors of the simulated share."""
    wrong = []

    def above(share: float, limit: float, firm: float = 1.0) -> bool:
        return share - 2 * (limit * (1 - limit) / (found["runs"] * firm)) ** 0.5 > limit

    for row in found["coverage"]:
        if row["limit"]:
            continue
        for trials, share in row["coverage"].items():
            if above(1 - share, 1 - COVERAGE[0]) or above(share, COVERAGE[1]):
                wrong.append(f"{row['scenario']}: coverage {share:.1%} at {trials}")
        for trials, share in row["aa"].items():
            if above(share, ALARM):
                wrong.append(f"{row['scenario']}: A/A called different {share:.1%} at {trials}")
    for row in found["power"]:
        for trials, share in row["equivalent_5"].items():
            if above(share, ALARM):
                wrong.append(f"noise {row['noise']:.1%}: 5 % called equivalent {share:.1%} at {trials}")
    one = next(row for row in found["power"] if row["noise"] == 0.01)
    if max(one["found_3"]["10"], one["found_3"]["stop_10"]) < POWER or one["found_3"]["10"] < POWER:
        wrong.append(f"3 % at 1 % noise found {one['found_3']['10']:.1%} within ten trials")
    for row in found["candidates"]:
        if not row["limit"]:
            wrong += [f"{row['scenario']}: {words}" for words in _missed_of_run(row, above)]
    first = found["candidates"][0]["looks"]["10"]
    if min(first["found_faster"], first["found_slower"]) < POWER:
        wrong.append(f"3 % over three candidates at 1 % noise found {first['found_faster']:.1%} within ten rounds")
    return wrong


def _missed_of_run(row: dict[str, Any], above: Callable[[float, float, float], bool]) -> Iterator[str]:
    """Targets that whole runs of a scenario miss."""
    for name, look in row["looks"].items():
        firm = look["firm"]
        too_wide = look["candidates"] < ONE and above(look["coverage"], COVERAGE[1], firm)
        if above(1 - look["coverage"], 1 - COVERAGE[0], firm) or too_wide:
            yield f"coverage {look['coverage']:.1%} at {name}"
        for word in ("false_faster", "false_slower", "equivalent_5"):
            if above(look[word], ALARM, firm):
                yield f"{word} {look[word]:.1%} at {name}"
    if above(row["fastest_left"], LEFT, 1.0):
        yield f"the fastest lane left {row['fastest_left']:.1%} of the time"


def main() -> int:
    parser = argparse.ArgumentParser(description="Simulate coverage and power of the program's verdicts.")
    parser.add_argument("--runs", type=int, default=40000, help="simulated runs for each scenario")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    began = time.monotonic()
    draw = np.random.default_rng(SEED)
    hold_to_the_program(draw)
    coverage_held.hold_to_the_program(draw)
    found: dict[str, Any] = {
        "runs": options.runs,
        "seed": SEED,
        "iterations": ITERATIONS,
        "most_trials": MOST,
        "min_rounds": MIN_ROUNDS,
        "target_precision": TARGET,
        "equivalence_margin": MARGIN,
        "min_effect": speedup.MIN_EFFECT,
        "candidate_level": CANDIDATE_LEVEL,
        "leave_level": LEVEL,
        "leave_ratio": RATIO,
        "coverage": coverage_rows(options.runs, draw),
        "power": power_rows(options.runs, draw),
        "candidates": coverage_runs.run_rows(options.runs, draw),
    }
    found["missed"] = missed(found)
    options.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for row in found["coverage"]:
        shares = "  ".join(f"{name} {share:.1%}" for name, share in row["coverage"].items())
        print(f"{row['scenario']:<42}{shares}   (A/A different at most {max(row['aa'].values()):.1%})")
    for row in found["power"]:
        print(f"noise {row['noise']:.1%}: 3 % found {row['found_3']}, 5 % equivalent {row['equivalent_5']}")
    for row in found["candidates"]:
        stop = row["looks"]["stop"]
        shares = "  ".join(f"{name} {look['coverage']:.1%}" for name, look in row["looks"].items())
        false = f"false words {stop['false_faster']:.1%} and {stop['false_slower']:.1%}"
        print(f"{row['scenario']:<48}{shares}   ({false}; the fastest left {row['fastest_left']:.2%})")
    for line in found["missed"]:
        print("MISSED", line, file=sys.stderr)
    print(f"{options.output}, {time.monotonic() - began:.1f} s")
    return 1 if found["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
