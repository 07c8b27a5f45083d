"""What the clocks of honest records say, for the limits of referee/audit/clock.py: makes clocks.json of finished runs.

    PYTHONPATH=scripts python benchmarks/clocks.py RESULTS...

RESULTS are results folders. Disturbed trials are left out: nobody holds their clocks to anything. Ranges are of all cells.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trtbench.records import run_folder
from trtbench.records.trial import CellRecord, Pass, Trial

OUT = Path(__file__).with_suffix(".json")
AGREE = 3


def between(part: Pass) -> float:
    """Milliseconds a call that stood between the calls of a pass."""
    assert part.began is not None and part.ended is not None
    return (part.ended - part.began - sum(part.times)) / len(part.times) / 1e6


def of_cell(record: CellRecord) -> dict[str, float]:
    """The figures of one cell, by name; those that the record lacks are not there."""
    e2e, ttft = record.e2e, record.ttft
    assert e2e is not None and ttft is not None
    figures = {"warm-up over timed call": statistics.median(record.warmup[-AGREE:]) / statistics.median(e2e.times)}
    if e2e.began is not None and ttft.began is not None and ttft.ended is not None:
        pair = sorted((between(e2e), between(ttft)))
        figures["ms between two calls, at most"] = pair[1]
        figures["one pass over the other, between calls"] = pair[1] / pair[0]
        figures["ms more between calls of one pass"] = pair[1] - pair[0]
        if record.cpu is not None:
            figures["s watched beyond the passes"] = record.cpu.seconds - (ttft.ended - e2e.began) / 1e9
    if e2e.between is not None and e2e.began is not None and e2e.ended is not None:
        figures["ns of a pass that nothing is recorded for"] = e2e.ended - e2e.began - sum(e2e.times) - e2e.between
    if record.energy is not None:
        generations = record.energy.tokens / (record.cell.batch * record.cell.new_tokens)
        took = (record.energy.ended - record.energy.began) / generations
        figures["generation for energy over timed call"] = took / statistics.median(e2e.times)
    return figures


def of_trial(trial: Trial) -> dict[str, float]:
    """Seconds of a trial that lie in none of its cells, imports and loading."""
    cells = [(record.began, record.ended) for record in trial.cells if record.began is not None]
    if not cells or trial.began is None:
        return {}
    recorded = sum((ended or 0) - (began or 0) for began, ended in cells)
    recorded += sum(part or 0 for part in (trial.cold.imports, trial.cold.load, trial.cold.lookup))
    return {"s of a trial that nothing is recorded for": trial.seconds - recorded / 1e9}


def gathered(folders: Iterable[Path]) -> dict[str, Any]:
    """Ranges over all trials below these results folders that counted and that nobody disturbed."""
    lanes: Counter[str] = Counter()
    ranges: dict[str, list[float]] = {}
    devices = set()
    for results in folders:
        for run in run_folder.listed(results):
            for trial in run_folder.trials(results, run):
                if trial.failure is not None or trial.disturbed or trial.statement is None:
                    continue
                lanes[trial.lane] += 1
                devices.add(trial.statement.device_name)
                measured = [record for record in trial.cells if record.e2e is not None and record.warmup]
                for figures in (*map(of_cell, measured), of_trial(trial)):
                    for name, value in figures.items():
                        ranges.setdefault(name, []).append(value)
    return {
        "trials": sum(lanes.values()),
        "lanes": dict(sorted(lanes.items())),
        "devices": sorted(devices),
        "ranges": {
            name: {"least": round(min(values), 4), "most": round(max(values), 4), "n": len(values)}
            for name, values in ranges.items()
        },
    }


if __name__ == "__main__":
    made = gathered(map(Path, sys.argv[1:]))
    OUT.write_text(json.dumps(made, indent=1) + "\n")
    print(OUT.read_text())
