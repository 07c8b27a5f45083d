"""Compare all lanes of a run: print the report, write the JSON document and the chart. numpy and matplotlib suffice."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from trtbench.configure import Parser, add_flags, resolve


def parser() -> Parser:
    made = Parser(prog="compare.py", description="Compare the lanes of a run and write report and chart.")
    made.add_argument("--run", default=None, metavar="ID", help="a run under results/runs; without it the latest")
    made.add_argument("--no-chart", action="store_true", help="leave the PNG out")
    add_flags(made, only=("DATA_DIR", "RESULTS_DIR", "REPORT_LANG"))
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 with a report, 2 for bad input."""
    options = parser().parse_args(arguments)
    settings, _ = resolve(vars(options))
    # Only now: --help and a wrong flag answer without them.
    from trtbench import runs, views
    from trtbench.comparison import compare
    from trtbench.errors import UserError
    from trtbench.records import encode, write_whole
    from trtbench.report import chart, text

    results = settings.results.absolute()
    run = runs.read(results, runs.find(results, options.run))
    trials = runs.trials(results, run.id)
    if not runs.counting(trials):
        raise UserError(
            f"run {run.id} has no finished trial; its reasons are in {runs.folder(results, run.id) / 'trials'}."
        )
    comparison = compare(run, trials)
    written: list[Path] = []
    try:
        if run.id == runs.listed(results)[-1]:
            written += views.write_benchmarks(results, run.id)
            home = results
        else:
            home = runs.folder(results, run.id)
        write_whole(home / views.REPORT, encode(comparison))
        written.append(home / views.REPORT)
        if not options.no_chart:
            chart.write(home / views.CHART, comparison, settings.report_lang)
            written.append(home / views.CHART)
    except OSError as error:
        raise UserError(f"the report cannot be written to {results}: {error.strerror or error}.") from None
    print(text.render(comparison, settings.report_lang), end="")
    print()
    for path in written:
        print(path)
    sys.stdout.flush()
    return 0
