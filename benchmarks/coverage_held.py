"""Holds the simulation of whole runs (coverage_runs.py) to the program: some runs, played round by round with its functions."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from coverage_runs import MARGIN, TARGET, Runs
from coverage_scenarios import ROOT, SCENARIOS, drawn

sys.path.insert(0, str(ROOT / "tests"))

import factory
from trtbench.figures import speedup
from trtbench.figures.allocation import widener
from trtbench.figures.base import headline_rows
from trtbench.figures.leaving import departures
from trtbench.measure.stopping import narrow
from trtbench.settings.cells import Cell

PYTORCH = ("pytorch-eager", "pytorch-compile", "pytorch-tuned")
HEADLINE = "tensorrt-engine"
ROUNDS = 12
NAMES = (
    "0.5 % apart, 1 % noise",
    "1 % apart, the fastest at 5 % noise",
    "a clear fastest one, another three times slower",
    "3 % apart, the fastest at 5 % noise, four cells",
    "the same, each 2.2 times slower in the other",
)


def hold_to_the_program(draw: np.random.Generator, sample: int = 3) -> None:
    """A few runs of some scenarios come out of the program as of the simulation. AssertionError where they do not."""
    for scenario in (s for s in SCENARIOS if s.name in NAMES):
        logs = drawn(scenario, sample, draw).logs
        for run in range(sample):
            _one_run(logs[run * scenario.cells : (run + 1) * scenario.cells])


def _one_run(logs: np.ndarray) -> None:
    """The logarithms of one run: (cells, lanes, trials)."""
    names = (HEADLINE, *PYTORCH[: logs.shape[1] - 1])
    cells = [Cell(batch=1 + i, prompt_length=32, new_tokens=8, precision="float32") for i in range(len(logs))]
    state, extra, trials = Runs(logs, len(cells)), -1, list[Any]()
    record = factory.run(names, headline=HEADLINE, settings=factory.settings(trials=0))
    places = np.arange(logs.shape[1])

    def measure(lanes: Sequence[int], finished: int) -> None:
        for lane in lanes:
            index = sum(t.lane == names[lane] for t in trials) + 1
            measured = [
                factory.cell_record(cell, [100 * float(np.exp(logs[i, lane, index - 1]))] * 2)
                for i, cell in enumerate(cells)
            ]
            position = len(trials) + 1
            trials.append(factory.trial(names[lane], index=index, position=position, round=finished, cells=measured))

    for finished in range(1, ROUNDS + 1):
        gone = {d.lane for d in record.departures or []}
        measure([lane for lane in places if names[lane] not in gone], finished)
        state.add(~state.gone)
        if extra >= 0:
            measure([extra], finished)
            state.add(np.broadcast_to(places == extra, state.n.shape))
        record.departures = [*(record.departures or []), *departures(trials, record, finished)]
        state.leave(finished)
        assert {d.lane for d in record.departures} == {names[i] for i in places if state.gone[0, i]}
        if finished < speedup.MIN_TRIALS:
            continue
        look = state.look()
        low, high = look.span()
        words = dict(zip(("faster", "slower", "equivalent"), look.words(0.0)))
        rows = list(headline_rows(trials, record))
        assert len(rows) == len(cells)
        for i, (f, bases, level) in enumerate(rows):
            assert {base.lane for base in bases} == {names[k + 1] for k in places[:-1] if look.candidate[i, k]}
            mine = [base.latency_trials for base in bases]
            ratio = speedup.interval_over(f.latency_trials, mine, level)
            assert ratio.low is not None and abs(ratio.low / math.exp(low[i]) - 1) < 1e-4
            assert ratio.high is not None and abs(ratio.high / math.exp(high[i]) - 1) < 1e-4
            said = speedup.verdict_over(f.latency_trials, mine, MARGIN, level).word
            assert said == next((word for word, holds in words.items() if holds[i]), "inconclusive")
        assert narrow(trials, record, TARGET) == look.is_narrow()[0]
        chosen = widener(trials, record)
        extra = int(look.widener()[0])
        assert (chosen[0] if chosen else None) == (names[extra] if extra >= 0 else None)
