"""Put the figures of a finished CPU run into benchmarks/cpu_lanes.json, which docs/performance.md shows.

    PYTHONPATH=scripts python benchmarks/cpu_lanes.py RESULTS [RUN [SECONDS]]

One entry a model; a later run of the same model takes its place. Nothing is measured here: the figures are those of the report,
made of the run's records and audited again. SECONDS is what the whole command took, where somebody watched.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from trtbench.comparison import audited, comparing
from trtbench.comparison.result import Row
from trtbench.figures.summary import Figures
from trtbench.records import run_folder
from trtbench.referee.audit.findings import FAIL

OUT = Path(__file__).resolve().with_suffix(".json")


def lane(f: Figures, row: Row, trials: dict[str, list[float]]) -> dict[str, Any]:
    against = row.by_lane.get((f.lane, f.precision))
    speedup = against.speedup if against else None
    return {
        "lane": f.lane,
        "trials": f.trials,
        "ms": f.latency,
        "trials_ms": f.latency_trials,
        "ttft_ms": f.ttft,
        "ms_a_token": f.tpot,
        "bandwidth_share": f.mbu,
        "prepare_s": None if f.prepare_ms is None else f.prepare_ms / 1e3,
        "trial_s": trials[f.lane],
        "speedup": None if speedup is None else [speedup.ratio, speedup.low, speedup.high],
    }


def main(results: Path, run_id: str, took: float | None) -> None:
    run = audited.load(results, run_id)
    comparison = comparing.compare(run.run, run.trials, run.findings, run.judged)
    if any(finding.level == FAIL for finding in run.findings):
        raise SystemExit(f"the audit of {run_id} fails: its figures go nowhere")
    seconds: dict[str, list[float]] = {}
    for trial in run.trials:
        if not trial.disturbed:
            seconds.setdefault(trial.lane, []).append(round(trial.seconds, 1))
    (row,) = comparison.cells
    entry = {
        "model": comparison.model.name,
        "parameters": comparison.model.parameters,
        "cpu": f"{comparison.environment.physical_cores} x {comparison.environment.cpu_model}",
        "date": run_id[:8],
        "prompt_length": row.prompt_length,
        "new_tokens": row.new_tokens,
        "iterations": comparison.settings["NUM_ITERATIONS"],
        "read_gb_s": (comparison.read_bandwidth or 0) / 1e9,
        "disturbed": len(comparison.disturbed),
        "took_s": took,
        "lanes": [lane(f, row, seconds) for f in row.figures],
    }
    entries = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else []
    kept = [other for other in entries if other["model"] != entry["model"]]
    OUT.write_text(json.dumps([*kept, entry], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    main(
        folder,
        sys.argv[2] if len(sys.argv) > 2 else run_folder.listed(folder)[-1],
        float(sys.argv[3]) if len(sys.argv) > 3 else None,
    )
