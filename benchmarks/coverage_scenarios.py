"""What whole runs are simulated from: lanes, their noise, who disturbs them. coverage_runs.py plays them."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from trtbench.machine.disturbance import ATTEMPTS  # noqa: E402

MOST, ITERATIONS = 20, 10
# What a neighbour on the CPU does to a trial: PyTorch's threads wait for one another in a loop and lose more.
SLOWED = math.log(1.15), math.log(1.5)


@dataclass(frozen=True)
class Lane:
    """How much slower than the fastest PyTorch lane (a figure a cell, where cells differ), and the standard deviations of
    trials and of iterations, all relative; `skew`: exponential noise instead of normal."""

    slower: float | tuple[float, ...] = 0.0
    trial: float = 0.01
    iteration: float = 0.0
    skew: bool = False

    def trials(self, runs: int, most: int, draw: np.random.Generator) -> np.ndarray:
        """Logarithms of trial means over ITERATIONS, (runs, most). The cells of a run stand one after the other."""
        size = runs, most
        slower = np.resize(np.log1p(self.slower), runs)[:, None]
        if self.skew:
            between, within = draw.exponential(1.0, size) - 1, draw.gamma(ITERATIONS, 1 / ITERATIONS, size) - 1
        else:
            between, within = draw.standard_normal(size), draw.standard_normal(size) / math.sqrt(ITERATIONS)
        return slower + self.trial * between + self.iteration * within


@dataclass(frozen=True)
class Scenario:
    """The headline lane, which is as fast as the fastest PyTorch lane, and the PyTorch lanes, the fastest first.
    `disturbed`: share of attempts that a neighbour slows, which are told and run again; `unseen`: of trials that are not told.
    A run with a trial that was disturbed in all its attempts says no firm word: it counts in no share but that of firm runs.
    `limit` says why a row is shown though no target holds for it. With several `cells` shares are of whole runs: in all
    cells the interval holds the truth, in any a word is false."""

    name: str
    lanes: tuple[Lane, ...]
    headline: Lane = Lane()
    disturbed: float = 0.05
    unseen: float = 0.0
    limit: str = ""
    cells: int = 1

    def fastest(self) -> list[int]:
        """The places among all lanes of the PyTorch lanes that are the fastest in a cell, the first of equal ones."""
        slower = np.array([np.resize(lane.slower, self.cells) for lane in self.lanes])
        return sorted({1 + int(place) for place in slower.argmin(axis=0)})


SKEWED = Lane(trial=0.01, iteration=0.03, skew=True)
SCENARIOS = (
    Scenario("three equal lanes, 1 % noise", (Lane(), Lane(), Lane())),
    Scenario("three equal lanes, 0.3 % noise", (Lane(trial=0.003),) * 3, Lane(trial=0.003)),
    Scenario("three equal lanes, 3 % noise", (Lane(trial=0.03),) * 3, Lane(trial=0.03)),
    Scenario("0.5 % apart, 1 % noise", (Lane(), Lane(0.005), Lane(0.01))),
    Scenario("0.5 % apart, 0.3 % noise", (Lane(0, 0.003), Lane(0.005, 0.003), Lane(0.01, 0.003)), Lane(0, 0.003)),
    Scenario("equal, one at 10 % noise", (Lane(), Lane(), Lane(trial=0.10))),
    Scenario("equal, the fastest at 5 % noise", (Lane(trial=0.05), Lane(), Lane())),
    Scenario("1 % apart, the fastest at 5 % noise", (Lane(trial=0.05), Lane(0.01), Lane(0.02))),
    Scenario("3 % apart, the fastest at 5 % noise", (Lane(trial=0.05), Lane(0.03), Lane(0.06))),
    Scenario("equal, PyTorch lanes skewed (1 % and 3 %)", (SKEWED,) * 3),
    Scenario("equal, all lanes skewed (1 % and 3 %)", (SKEWED,) * 3, SKEWED),
    Scenario("1 % apart, the fastest skewed", (SKEWED, Lane(0.01), Lane(0.02))),
    Scenario("a clear fastest one", (Lane(), Lane(0.05), Lane(0.10))),
    Scenario("a clear fastest one, another three times slower", (Lane(), Lane(0.03), Lane(2.0))),
    Scenario("three equal lanes, 1 % noise, four cells", (Lane(), Lane(), Lane()), cells=4),
    Scenario("3 % apart, the fastest at 5 % noise, four cells", (Lane(trial=0.05), Lane(0.03), Lane(0.06)), cells=4),
    Scenario(
        "another is the fastest in the second of two cells", (Lane((0, 0.03)), Lane((0.03, 0)), Lane(0.06)), cells=2
    ),
    Scenario("the same, each 2.2 times slower in the other", (Lane((0, 1.2)), Lane((1.2, 0)), Lane(2.0)), cells=2),
    Scenario("30 % of attempts disturbed", (Lane(), Lane(), Lane()), disturbed=0.3),
    Scenario("one PyTorch lane, at 5 % noise", (Lane(trial=0.05),)),
    Scenario(
        "1 % apart, the fastest strongly skewed, 5 %",
        (Lane(trial=0.05, skew=True), Lane(0.01), Lane(0.02)),
        limit="exponential noise of whole trials: few trials hold too few of its slow ones to see their spread",
    ),
    Scenario(
        "equal, 20 % of trials slowed and none told",
        (Lane(), Lane(), Lane()),
        disturbed=0.0,
        unseen=0.2,
        limit="PyTorch lanes lose more than others to a neighbour, and what nobody tells nobody corrects",
    ),
)


class Drawn(NamedTuple):
    """`logs`: logarithms of trial means, (runs · cells, lanes, 2 · MOST) with the headline lane first; the rest of a lane's row
    is there for extra trials. The cells of a run stand one after the other. `given_up`, of the same shape: trials that were
    disturbed in every attempt."""

    logs: np.ndarray
    given_up: np.ndarray


def drawn(scenario: Scenario, runs: int, draw: np.random.Generator) -> Drawn:
    """What the trials of a scenario take. Once a trial was disturbed in every attempt, disturbed trials count as they are:
    from the next trial of each lane on, which stands for the next round."""
    lanes = scenario.headline, *scenario.lanes
    logs = np.stack([lane.trials(runs * scenario.cells, 2 * MOST, draw) for lane in lanes], axis=1)
    shape = runs, len(lanes), 2 * MOST
    first = draw.random(shape) < scenario.disturbed
    given_up = first & (draw.random(shape) < scenario.disturbed ** (ATTEMPTS - 1))
    unquiet = np.zeros((runs, 2 * MOST), bool)
    unquiet[:, 1:] = np.logical_or.accumulate(given_up.any(axis=1), axis=1)[:, :-1]
    slowed = given_up | (first & unquiet[:, None, :]) | (draw.random(shape) < scenario.unseen)
    loss = np.array([SLOWED[0], *[SLOWED[1]] * len(scenario.lanes)])
    slowed, given_up = (which.repeat(scenario.cells, axis=0) for which in (slowed, given_up))
    return Drawn(np.where(slowed, logs + loss[None, :, None], logs), given_up)
