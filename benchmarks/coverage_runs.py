"""Whole runs, simulated by the thousand under all rules at once: rounds, disturbed trials run again, lanes that leave,
candidates for the base, extra trials, the stop, a machine that is given up as not quiet. Part of benchmarks/coverage.py,
which runs it.

A run has a headline lane and up to three PyTorch lanes in one cell or several, whose noise is independent. It is played to
the end, and looked at after some rounds and at the round at which it would have stopped. Logarithms of trial means
throughout. The arithmetic repeats the program's for whole arrays and is held to it on a sample (coverage_held.py).
"""

from __future__ import annotations

import functools
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "scripts"), str(Path(__file__).parent)]

from coverage_scenarios import MOST, SCENARIOS, Scenario, drawn  # noqa: E402

from trtbench.figures import speedup  # noqa: E402
from trtbench.figures.allocation import NOISIER  # noqa: E402
from trtbench.figures.base import CANDIDATE_LEVEL  # noqa: E402
from trtbench.figures.leaving import LEVEL, LEVEL_ROUND, RATIO, RATIO_ROUND  # noqa: E402
from trtbench.figures.student_t import quantile  # noqa: E402
from trtbench.measure.stopping import MIN_ROUNDS  # noqa: E402
from trtbench.settings.knobs import DEFAULTS  # noqa: E402

TARGET, MARGIN = DEFAULTS["TARGET_PRECISION"], DEFAULTS["EQUIVALENCE_MARGIN"]
# Three and four rounds are what TIME_BUDGET may leave.
LOOKS = (3, 4, 5, 10, 20)
_INVERSE_DF = np.linspace(1 / 120, 1, 480)  # the quantile is nearly a line over the inverse of the degrees of freedom


@functools.cache
def _table(level: float) -> np.ndarray:
    return np.array([quantile(level, 1 / float(inverse)) for inverse in _INVERSE_DF])


def t_quantile(level: float, df: np.ndarray) -> np.ndarray:
    return np.interp(1 / df, _INVERSE_DF, _table(level))


class Runs:
    """Where many runs stand: trials, mean and sum of squared deviations of each lane, and which lanes left. A line of each
    array is one cell of one run."""

    def __init__(self, logs: np.ndarray, cells: int = 1) -> None:
        shape = logs.shape[:2]
        self.logs, self.cells = logs, cells
        self.n, self.mean, self.squares = np.zeros(shape, int), np.zeros(shape), np.zeros(shape)
        self.gone = np.zeros(shape, bool)

    def add(self, which: np.ndarray) -> None:
        """One more trial of the lanes `which` (runs, lanes), by Welford's update."""
        value = np.take_along_axis(self.logs, self.n[:, :, None], axis=2)[:, :, 0]
        off = value - self.mean
        self.n = self.n + which
        self.mean = np.where(which, self.mean + off / np.maximum(self.n, 1), self.mean)
        self.squares = np.where(which, self.squares + off * (value - self.mean), self.squares)

    def those(self, which: np.ndarray) -> Runs:
        """Some of the runs."""
        part = Runs(self.logs[which], self.cells)
        part.n, part.mean, part.squares = self.n[which], self.mean[which], self.squares[which]
        part.gone = self.gone[which]
        return part

    @property
    def variance(self) -> np.ndarray:
        """Of each lane's mean."""
        spread = self.squares / np.maximum(self.n - 1, 1)
        return np.maximum(spread, speedup.FLOOR_SD**2) / np.maximum(self.n, 1)

    def half(self, one: np.ndarray, level: float) -> np.ndarray:
        """Half-width of the interval of every PyTorch lane against the lane `one` of each run, (runs, PyTorch lanes)."""
        a, n = self.variance, np.maximum(self.n, 2)
        b, m = (np.take_along_axis(values, one[:, None], axis=1) for values in (a, n))
        total = a[:, 1:] + b
        df = total**2 / (a[:, 1:] ** 2 / (n[:, 1:] - 1) + b**2 / (m - 1))
        return t_quantile(level, df) * np.sqrt(total)

    def fastest(self) -> np.ndarray:
        """The fastest PyTorch lane by its mean, as a place among all lanes."""
        return 1 + np.where(self.gone[:, 1:], np.inf, self.mean[:, 1:]).argmin(axis=1)

    def slower(self, level: float) -> np.ndarray:
        """Which PyTorch lanes are told from the fastest."""
        fastest = self.fastest()
        behind = self.mean[:, 1:] - np.take_along_axis(self.mean, fastest[:, None], axis=1)
        return behind > self.half(fastest, level)

    def leave(self, finished: int) -> None:
        """Lanes leave after the round `finished`."""
        if finished not in (RATIO_ROUND, LEVEL_ROUND):
            return
        if finished == RATIO_ROUND:
            fastest = np.take_along_axis(self.mean, self.fastest()[:, None], axis=1)
            slow = self.mean[:, 1:] - fastest >= math.log(RATIO)
        else:
            slow = self.slower(LEVEL)
        everywhere = slow.reshape(-1, self.cells, slow.shape[1]).all(axis=1)
        self.gone[:, 1:] |= everywhere.repeat(self.cells, axis=0)

    def look(self) -> Look:
        """What is known now, from the third round on."""
        alpha = 0.05 / self.cells
        candidate = ~self.gone[:, 1:] & ~self.slower(1 - (1 - CANDIDATE_LEVEL) / self.cells)
        headline = np.zeros(len(self.n), int)
        gain = self.mean[:, 1:] - self.mean[:, :1]
        shared = np.zeros_like(gain)
        for k in range(1, gain.shape[1] + 1):
            those = candidate.sum(axis=1) == k
            shared[those] = self.half(headline, 1 - alpha / k)[those] if those.any() else 0.0
        half, ninety = self.half(headline, 1 - alpha), self.half(headline, 0.90)
        return Look(candidate, gain, half, ninety, shared, self.variance, self.cells)


@dataclass
class Look:
    """Candidates, the logarithm of the ratio to each, and half-widths at the headline's level, at 90 % and with the error
    shared among the candidates; all (runs · cells, PyTorch lanes). `variance` is of the mean of every lane."""

    candidate: np.ndarray
    gain: np.ndarray
    half: np.ndarray
    ninety: np.ndarray
    shared: np.ndarray
    variance: np.ndarray
    cells: int = 1

    def span(self, without: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest bound over the candidates; +inf and -inf where none is left."""
        taken = self.candidate.copy()
        if without is not None:
            taken[:, without] = False
        low = np.where(taken, self.gain - self.half, np.inf).min(axis=1)
        return low, np.where(taken, self.gain + self.half, -np.inf).max(axis=1)

    def smallest(self) -> tuple[np.ndarray, np.ndarray]:
        """The interval against the lane with the smallest mean alone: what would be printed without candidates."""
        place = np.where(self.candidate, self.gain, np.inf).argmin(axis=1)[:, None]
        gain, half = (np.take_along_axis(values, place, axis=1)[:, 0] for values in (self.gain, self.half))
        return gain - half, gain + half

    def is_narrow(self) -> np.ndarray:
        """Which runs are narrow in every cell; said of each cell."""
        low, high = self.span()
        ratio = np.where(self.candidate, self.gain, np.inf).min(axis=1)
        narrow = (np.exp(high) - np.exp(low)) / 2 / np.exp(ratio) <= TARGET
        return narrow.reshape(-1, self.cells).all(axis=1).repeat(self.cells)

    def words(self, faster_by: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which runs say faster, slower and equivalent of a headline lane that is this much faster (a logarithm)."""
        gain, effect, none = self.gain + faster_by, math.log1p(speedup.MIN_EFFECT), ~self.candidate
        faster = (none | ((gain > self.half) & (gain >= effect))).all(axis=1)
        slower = (none | ((-gain > self.half) & (-gain >= effect))).all(axis=1)
        slower |= (self.candidate & (-gain > self.shared) & (-gain >= effect)).any(axis=1)
        alike = (none | (np.abs(gain) + self.ninety <= math.log1p(MARGIN))).all(axis=1)
        return faster, slower & ~faster, alike & ~faster & ~slower

    def widener(self) -> np.ndarray:
        """The lane that gets the extra trial, as a place among all lanes; -1 for none. The widest cell decides."""
        best = np.full(len(self.gain), -1)
        least = np.full(len(self.gain), np.inf)
        most = np.full(len(self.gain), -np.inf)
        for k in range(self.gain.shape[1]):
            low, high = self.span(without=k)
            rest = np.where(np.isinf(low), 0.0, high - low)
            noisy = self.candidate[:, k] & (self.variance[:, k + 1] > NOISIER * self.variance[:, 0])
            better = noisy & ((rest < least) | ((rest == least) & (self.variance[:, k + 1] > most)))
            best, least = np.where(better, k + 1, best), np.where(better, rest, least)
            most = np.where(better, self.variance[:, k + 1], most)
        low, high = self.span()
        widest = (high - low).reshape(-1, self.cells).argmax(axis=1)
        return np.take_along_axis(best.reshape(-1, self.cells), widest[:, None], axis=1)[:, 0].repeat(self.cells)


class Tally:
    """Shares over runs looked at in parts."""

    def __init__(self) -> None:
        self.runs, self.firm, self.sums = 0, 0, dict[str, float]()

    def take(self, look: Look, trials: np.ndarray, firm: np.ndarray, truth: float = 0.0) -> None:
        """Runs as they stand, those that are `firm`; `trials` of the lane that has most. A line of each is a cell."""
        low, high = look.span()
        lowest, highest = look.smallest()
        three, five = math.log(1.03), math.log(1.05)
        equal, up, down = look.words(0.0), look.words(three), look.words(-three)

        def cells(values: np.ndarray) -> np.ndarray:
            return values.reshape(-1, look.cells)

        seen = {
            "coverage": cells((low <= truth) & (truth <= high)).all(axis=1),
            "coverage_of_smallest": cells((lowest <= truth) & (truth <= highest)).all(axis=1),
            "false_faster": cells(equal[0]).any(axis=1),
            "false_slower": cells(equal[1]).any(axis=1),
            "found_faster": cells(up[0]).mean(axis=1),
            "found_slower": cells(down[1]).mean(axis=1),
            "equivalent_5": cells(look.words(five)[2] | look.words(-five)[2]).any(axis=1),
            "candidates": cells(look.candidate.sum(axis=1)).mean(axis=1),
            "trials": cells(trials).mean(axis=1),
        }
        counts = cells(firm).all(axis=1)
        self.runs += len(counts)
        self.firm += int(counts.sum())
        for name, values in seen.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(values[counts].sum())

    def shares(self) -> dict[str, float]:
        """Of the firm runs; `firm` itself of all."""
        return {**{name: total / self.firm for name, total in self.sums.items()}, "firm": self.firm / self.runs}


def simulated(scenario: Scenario, runs: int, draw: np.random.Generator) -> dict[str, Any]:
    """What comes of a scenario: at each look and at the stop the shares of `Tally`, and how often the fastest left."""
    logs, given_up = drawn(scenario, runs, draw)
    state = Runs(logs, scenario.cells)
    runs *= scenario.cells  # from here on a line is one cell of one run
    tallies = {**{str(rounds): Tally() for rounds in LOOKS}, "stop": Tally()}
    stopped, was_narrow, extra = np.zeros(runs, bool), np.zeros(runs, bool), np.full(runs, -1)
    at_stop = np.zeros(runs, int)
    places = np.arange(state.n.shape[1])
    for finished in range(1, MOST + 1):
        state.add(~state.gone)
        if (extra >= 0).any():
            state.add(places[None, :] == extra[:, None])
        state.leave(finished)
        if finished < speedup.MIN_TRIALS:
            continue
        look = state.look()
        firm = ~(given_up & (np.arange(given_up.shape[2]) < state.n[:, :, None])).any(axis=(1, 2))
        if str(finished) in tallies:
            tallies[str(finished)].take(look, state.n.max(axis=1), firm)
        is_narrow = look.is_narrow()
        stops = ~stopped & (np.full(runs, finished == MOST) | (is_narrow & was_narrow & (finished >= MIN_ROUNDS)))
        if stops.any():
            part = state.those(stops)
            tallies["stop"].take(part.look(), part.n.max(axis=1), firm[stops])
        at_stop[stops] = finished
        stopped, was_narrow, extra = stopped | stops, is_narrow, look.widener()
    fastest = scenario.fastest()
    others = sorted(set(places[1:]) - set(fastest))
    return {
        "scenario": scenario.name,
        "limit": scenario.limit,
        "looks": {name: tally.shares() for name, tally in tallies.items()},
        "rounds_at_stop": float(at_stop.mean()),
        "fastest_left": float(state.gone[:, fastest].any(axis=1).mean()),
        "another_left": float(state.gone[:, others].mean()) if others else None,
    }


def run_rows(runs: int, draw: np.random.Generator) -> list[dict[str, Any]]:
    return [simulated(scenario, runs, draw) for scenario in SCENARIOS]
