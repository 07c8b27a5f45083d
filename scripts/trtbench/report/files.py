"""All files that a comparison leaves: at the top of `results/` for the latest run, in the run's own folder for others."""

from __future__ import annotations

from pathlib import Path

from trtbench.comparison.audited import Audited
from trtbench.comparison.result import Comparison
from trtbench.errors import UserError, why
from trtbench.records import run_folder
from trtbench.records.files import encode, write_whole
from trtbench.records.result_files import CHART, PAGE, REPORT
from trtbench.report import chart as png
from trtbench.report.family_files import write_benchmarks
from trtbench.report.page import document


def write(results: Path, audited: Audited, comparison: Comparison, lang: str, chart: bool) -> list[Path]:
    """Write them and return their paths. Raises UserError where the folder cannot be written."""
    written: list[Path] = []
    try:
        folder = run_folder.folder(results, audited.run.id)
        if audited.run.id == run_folder.listed(results)[-1]:
            written += write_benchmarks(results, audited.run.id, audited)
            folder = results
        write_whole(folder / REPORT, encode(comparison))
        written.append(folder / REPORT)
        document.write(folder / PAGE, comparison, lang)
        written.append(folder / PAGE)
        if chart:
            png.write(folder / CHART, comparison, lang)
            written.append(folder / CHART)
    except OSError as error:
        raise UserError(
            f"the report cannot be written to {results}: {why(error, error.filename or results)}."
        ) from None
    return written
