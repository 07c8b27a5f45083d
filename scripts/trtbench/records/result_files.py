"""The files at the top of `results/`: views of the latest run, made anew from its records and never read back."""

from __future__ import annotations

import json
from pathlib import Path

from trtbench.settings.lanes import LANES

REPORT = "benchmark_comparison_report.json"
CHART = "benchmark_comparison.png"
PAGE = "benchmark_comparison.html"


def benchmark_name(family: str) -> str:
    return f"{family}_benchmark.json"


def remove_stale(results: Path, run_id: str) -> None:
    """Take away views of other runs: an old figure beside new ones would be read as new. Their records stay."""
    names = [benchmark_name(family) for family in {row.family for row in LANES.values()}] + [REPORT]
    for name in names:
        path = results / name
        try:
            found = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(found, dict) and found.get("kind") in ("benchmark", "comparison") and found.get("run") != run_id:
            path.unlink()
            if name == REPORT:
                for view in (CHART, PAGE):
                    (results / view).unlink(missing_ok=True)
