"""`<family>_benchmark.json` at the top of `results/`: one file for each family of lanes in the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from trtbench.comparison.audited import Audited, load
from trtbench.comparison.comparing import compare
from trtbench.comparison.result import Row
from trtbench.records.files import SCHEMA, encode, write_whole
from trtbench.records.result_files import benchmark_name, remove_stale
from trtbench.records.run_folder import trial_name
from trtbench.settings.lanes import LANES


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
    dequantised: str | None = None


def write_benchmarks(results: Path, run_id: str, audited: Audited | None = None) -> list[Path]:
    """Write one file for each family with trials in the run, and take away those of earlier runs. Return the paths."""
    run, trials, judged, findings, reports = audited or load(results, run_id)
    families = sorted({LANES[trial.lane].family for trial in trials})
    written = []
    for family in families:
        of_family = [trial for trial in trials if LANES[trial.lane].family == family]
        comparison = compare(run, of_family, findings, judged, reports)
        benchmark = Benchmark(
            schema=SCHEMA,
            run=run_id,
            family=family,
            model=run.settings["MODEL_NAME"],
            dequantised=comparison.model.dequantised,
            demonstration=run.demonstration,
            simulated=comparison.simulated,
            cells=comparison.cells,
            trials=[f"runs/{run_id}/trials/{trial_name(trial)}" for trial in of_family],
            failed=[
                msgspec.to_builtins(a) for a in comparison.failed if a.lane in LANES and LANES[a.lane].family == family
            ],
        )
        path = results / benchmark_name(family)
        write_whole(path, encode(benchmark))
        written.append(path)
    remove_stale(results, run_id)
    return written
