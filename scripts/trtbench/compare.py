"""Compare all lanes of a run: print the report, write the JSON document, the page and the chart. No engine is needed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trtbench.configure import Parser, add_flags, resolve

if TYPE_CHECKING:
    from trtbench.comparison import Comparison

FORMATS = ("text", "markdown", "csv", "pytorch-json")


def parser() -> Parser:
    made = Parser(prog="compare.py", description="Compare the lanes of a run and write report and chart.")
    made.add_argument("--run", default=None, metavar="ID", help="a run under results/runs; without it the latest")
    made.add_argument(
        "--format",
        default="text",
        choices=FORMATS,
        help="what is printed: text (the default), markdown for pull requests, csv, or pytorch-json, the JSON of PyTorch's "
        "benchmark database",
    )
    made.add_argument("--no-chart", action="store_true", help="leave the PNG out")
    add_flags(made, only=("DATA_DIR", "RESULTS_DIR", "REPORT_LANG"))
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 with a report, 2 for bad input, 3 when the audit voids a verdict of the report."""
    options = parser().parse_args(arguments)
    settings, _ = resolve(vars(options))
    # Only now: --help and a wrong flag answer without them.
    from trtbench import runs, views
    from trtbench.comparison import compare
    from trtbench.errors import UserError
    from trtbench.records import encode, write_whole
    from trtbench.report import chart, page

    results = settings.results.absolute()
    known = views.load(results, runs.find(results, options.run))
    run, trials, judged, findings = known
    if not runs.counting(trials):
        raise UserError(
            f"run {run.id} has no finished trial; its reasons are in {runs.folder(results, run.id) / 'trials'}."
        )
    comparison = compare(run, trials, findings, judged)
    written: list[Path] = []
    try:
        if run.id == runs.listed(results)[-1]:
            written += views.write_benchmarks(results, run.id, known)
            home = results
        else:
            home = runs.folder(results, run.id)
        write_whole(home / views.REPORT, encode(comparison))
        written.append(home / views.REPORT)
        page.write(home / views.PAGE, comparison, settings.report_lang)
        written.append(home / views.PAGE)
        if not options.no_chart:
            chart.write(home / views.CHART, comparison, settings.report_lang)
            written.append(home / views.CHART)
    except OSError as error:
        raise UserError(f"the report cannot be written to {results}: {error.strerror or error}.") from None
    print(printed(options.format, comparison, settings.report_lang), end="")
    # Another format's reader wants nothing else on standard output.
    beside = sys.stdout if options.format == "text" else sys.stderr
    print("", *written, sep="\n", file=beside)
    sys.stdout.flush()
    return 3 if comparison.void else 0


def printed(kind: str, comparison: Comparison, lang: str) -> str:
    """The comparison in one of FORMATS; text has colours where standard output is a terminal."""
    from trtbench.report import benchmark_json, colour, markdown, table, text

    if kind == "markdown":
        return markdown.render(comparison, lang)
    if kind == "csv":
        return table.render(comparison)
    if kind == "pytorch-json":
        return benchmark_json.render(comparison)
    made = text.render(comparison, lang)
    return colour.paint(made, lang) if colour.wanted(sys.stdout) else made
