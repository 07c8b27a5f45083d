"""The files at the top of `results/`: views of the latest run, made anew from its records and never read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from trtbench import judgement, runs
from trtbench.audit import audit
from trtbench.comparison import Row, compare
from trtbench.findings import Finding
from trtbench.judgement import Judgement
from trtbench.lanes import LANES
from trtbench.records import SCHEMA, Trial, encode, write_whole
from trtbench.runs import Run

REPORT = "benchmark_comparison_report.json"
CHART = "benchmark_comparison.png"
PAGE = "benchmark_comparison.html"


class Benchmark(msgspec.Struct, kw_only=True, tag="benchmark", tag_field="kind"):
    """`<family>_benchmark.json`: figures of one family's lanes; `trials` are the records they come from."""

    schema: int
    run: str
    family: str
    model: str
    demonstration: bool
    simulated: bool
    cells: list[Row]
    trials: list[str]
    failed: list[dict[str, Any]]


def benchmark_name(family: str) -> str:
    return f"{family}_benchmark.json"


class Audited(NamedTuple):
    """A run as it lies in its folder, and what the audit says of it."""

    run: Run
    trials: list[Trial]
    judged: Judgement | None
    findings: list[Finding]


def load(results: Path, run_id: str) -> Audited:
    """Read a run with its judgement and workload, and audit it."""
    run, trials = runs.read(results, run_id), runs.trials(results, run_id)
    judged = judgement.read(judgement.path(results, run_id))
    return Audited(run, trials, judged, audit(run, trials, judged, runs.read_workload(results, run_id)))


def write_benchmarks(results: Path, run_id: str, known: Audited | None = None) -> list[Path]:
    """Write one file for each family with trials in the run, and take away those of earlier runs. Return the paths."""
    run, trials, judged, findings = known or load(results, run_id)
    families = sorted({LANES[trial.lane].family for trial in trials})
    written = []
    for family in families:
        mine = [trial for trial in trials if LANES[trial.lane].family == family]
        comparison = compare(run, mine, findings, judged)
        view = Benchmark(
            schema=SCHEMA,
            run=run_id,
            family=family,
            model=run.settings["MODEL_NAME"],
            demonstration=run.demonstration,
            simulated=comparison.simulated,
            cells=comparison.cells,
            trials=[f"runs/{run_id}/trials/{runs.trial_name(trial)}" for trial in mine],
            failed=[
                msgspec.to_builtins(a) for a in comparison.failed if a.lane in LANES and LANES[a.lane].family == family
            ],
        )
        path = results / benchmark_name(family)
        write_whole(path, encode(view))
        written.append(path)
    remove_stale(results, run_id)
    return written


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
