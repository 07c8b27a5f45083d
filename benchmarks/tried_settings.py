"""Put what a finished run tried of its engines' settings into benchmarks/cpu_settings.json, which docs/fairness.md shows.

    PYTHONPATH=scripts python benchmarks/tried_settings.py RESULTS [RUN]

A later try of the same lane, cell and value takes the place of the one that is there. Nothing is measured here: the seconds
are those that stand in the run, whose audit must not fail. A run of another processor, model or precision is refused: the
table is of one.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from trtbench.comparison import audited, comparing
from trtbench.records import run_folder
from trtbench.referee.audit.findings import FAIL

OUT = Path(__file__).resolve().parent / "cpu_settings.json"
CELL = ("lane", "batch", "prompt_length", "new_tokens", "setting", "value")


def key(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line[name] for name in CELL)


def main(results: Path, run_id: str) -> None:
    run = audited.load(results, run_id)
    if any(finding.level == FAIL for finding in run.findings):
        raise SystemExit(f"the audit of {run_id} fails: its tries go nowhere")
    comparison = comparing.compare(run.run, run.trials, run.findings, run.judged)
    machine = comparison.environment
    of = {
        "machine": f"{machine.physical_cores} x {machine.cpu_model}",
        "model": comparison.model.name,
        "precision": ", ".join(sorted({tried.precision for tried in run.run.tried or []})),
        "iterations": run.run.settings["NUM_ITERATIONS"],
    }
    found = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {**of, "tried": []}
    other = {name: value for name, value in of.items() if found[name] != value}
    if other:
        raise SystemExit(f"{OUT.name} is of another {', '.join(other)}: {other}")
    lines = [
        {name: value for name, value in msgspec.to_builtins(tried).items() if name not in ("precision", "failure")}
        | {"date": run_id[:8]}
        for tried in run.run.tried or []
    ]
    again = {key(line) for line in lines}
    kept = [line for line in found["tried"] if key(line) not in again]
    found["tried"] = sorted([*kept, *lines], key=lambda line: key(line)[:5])
    OUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    main(folder, sys.argv[2] if len(sys.argv) > 2 else run_folder.listed(folder)[-1])
