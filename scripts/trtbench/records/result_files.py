"""The files at the top of `results/`: results of the latest run, made anew from its records and never read back."""

from __future__ import annotations

import json
from pathlib import Path

from trtbench.errors import UserError
from trtbench.records.files import plain_bytes
from trtbench.settings.lanes import LANES

REPORT = "benchmark_comparison_report.json"
CHART = "benchmark_comparison.png"
PAGE = "benchmark_comparison.html"


def benchmark_name(family: str) -> str:
    return f"{family}_benchmark.json"


def remove_stale(results: Path, run_id: str) -> None:
    """Take away results of other runs: an old figure beside new ones would be read as new. Their records stay."""
    names = [benchmark_name(family) for family in {row.family for row in LANES.values()}] + [REPORT]
    for name in names:
        path = results / name
        try:
            content = json.loads(plain_bytes(path))
        except (UserError, ValueError, RecursionError):
            continue  # none of ours
        if (
            isinstance(content, dict)
            and content.get("kind") in ("benchmark", "comparison")
            and content.get("run") != run_id
        ):
            path.unlink()
            if name == REPORT:
                for drawn in (CHART, PAGE):
                    (results / drawn).unlink(missing_ok=True)
