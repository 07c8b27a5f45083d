"""How far runs on one kind of card are apart, by what this repository keeps of them: docs/results and two JSON files beside this.

    PYTHONPATH=scripts python benchmarks/machines_apart.py [--check]

Of each lane and cell that more than one run has (same card, model by name, precision, batch, ids): the mean of each run's trials
that count, and how much slower the slowest run is than the fastest. Beside it the same of single trials within one run, because a
difference between runs that is no larger than that need not be one of machines. Bundles name no machine: two runs may have met one
machine or two. `own` lanes are this program's code, which changed between the runs; so what they are apart is not the machines' alone.
Lanes whose settings are tried before a run (vLLM, ONNX Runtime) are left out: two runs may have taken two settings.

It measures nothing and writes benchmarks/machines_apart.json; --check writes nothing and ends with status 1 when that is another.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from trtbench.comparison import untrusted

ROOT = Path(__file__).resolve().parents[1]
MADE = ROOT / "benchmarks" / "machines_apart.json"
OWN = ("pytorch-tuned", "pytorch-triton")
LANES = ("pytorch-eager", "pytorch-compile", *OWN)
MODEL = "tinyllama"
IDS = (128, 200)  # of the two JSON files


class Cell(NamedTuple):
    """What has to be the same for runs to be held against each other."""

    card: str
    lane: str
    precision: str
    batch: int
    prompt_length: int
    new_tokens: int


class Run(NamedTuple):
    """One run's trials of a cell, ms, and the file that has them."""

    source: str
    trials: list[float]


def of_bundles() -> Iterator[tuple[Cell, Run]]:
    for path in sorted(ROOT.glob("docs/results/*/runs/*.bundle")):
        comparison, _ = untrusted.read(path)
        cards = comparison.environment.gpus
        if comparison.model.name != MODEL or len(cards) != 1:
            continue
        for row in comparison.cells:
            for figures in row.figures:
                cell = Cell(cards[0], figures.lane, figures.precision, *row.where)
                yield cell, Run(path.relative_to(ROOT).as_posix(), figures.latency_trials)


def of_files() -> Iterator[tuple[Cell, Run]]:
    """Two runs of which no bundle was kept."""
    name = "benchmarks/h200_settings.json"
    for lane, kept in json.loads((ROOT / name).read_text(encoding="utf-8"))["lanes"].items():
        yield Cell("NVIDIA H200", lane, "float16", 1, *IDS), Run(name, kept["ms"])
    name = "benchmarks/h100_rounds.json"
    trials: dict[tuple[str, int], list[float]] = defaultdict(list)
    for trial in json.loads((ROOT / name).read_text(encoding="utf-8"))["trials"]:
        for cell in trial["cells"]:
            trials[trial["lane"], cell["batch"]].append(statistics.fmean(cell["e2e_ms"]))
    for (lane, batch), times in trials.items():
        yield Cell("NVIDIA H100 80GB HBM3", lane, "float16", batch, *IDS), Run(name, times)


def apart(times: list[float]) -> float:
    """How much more the longest takes than the shortest, as a share."""
    return round(max(times) / min(times) - 1, 4)


def rows(found: Iterator[tuple[Cell, Run]]) -> list[dict[str, Any]]:
    by_cell: dict[Cell, list[Run]] = defaultdict(list)
    for cell, run in found:
        if cell.lane in LANES:
            by_cell[cell].append(run)
    return [
        {
            **cell._asdict(),
            "own": cell.lane in OWN,
            "apart": apart([statistics.fmean(run.trials) for run in runs]),
            "within_a_run": max(apart(run.trials) for run in runs)
            if any(len(run.trials) > 1 for run in runs)
            else None,
            "runs": [{"source": run.source, "trials": [round(time, 2) for time in run.trials]} for run in runs],
        }
        for cell, runs in sorted(by_cell.items())
        if len(runs) > 1
    ]


def summary(made: list[dict[str, Any]]) -> dict[str, Any]:
    """The least and the most of all rows whose lane is not this program's own code."""
    others = [row["apart"] for row in made if not row["own"]]
    return {"rows": len(others), "least_apart": min(others), "most_apart": max(others)}


def text() -> str:
    made = rows(iter([*of_bundles(), *of_files()]))
    note = "by python benchmarks/machines_apart.py, from the files named; model tinyllama, ms of a generation"
    return json.dumps({"note": note, "not_own": summary(made), "cells": made}, indent=1) + "\n"


def main(check: bool) -> int:
    made = text()
    if not check:
        MADE.write_text(made, encoding="utf-8")
    elif MADE.read_text(encoding="utf-8") != made:
        print(f"{MADE.relative_to(ROOT)} is not what benchmarks/machines_apart.py makes", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
