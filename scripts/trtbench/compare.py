"""Compare all lanes of a run: print the report, write the JSON document, the page and the chart. No engine is needed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trtbench.settings.reading import Parser, add_flags, resolve

if TYPE_CHECKING:
    from trtbench.comparison.audited import Audited

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
    made.add_argument(
        "--against",
        default=None,
        metavar="RUN|FILE",
        help="also compare with another run: an id under results/runs, a run's folder, a bundle, or a "
        "benchmark_comparison_report.json",
    )
    made.add_argument(
        "--fail-on-regression",
        default=None,
        metavar="SHARE",
        help="with --against: exit status 4 when the interval proves a lane slower by more than SHARE, such as 3%%, or a "
        "lane that ran then fails now",
    )
    made.add_argument(
        "--bundle",
        default=None,
        metavar="FILE",
        help="also write the run's records into one small file without names, folders and addresses, for --against elsewhere",
    )
    add_flags(made, only=("DATA_DIR", "RESULTS_DIR", "REPORT_LANG"))
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 with a report, 2 for bad input, 3 when the audit voids a verdict of the report, 4 (before 3) when
    --fail-on-regression finds one."""
    options = parser().parse_args(arguments)
    settings, _ = resolve(vars(options))
    # Only now: --help and a wrong flag answer without them.
    from trtbench.comparison import audited, history
    from trtbench.comparison.comparing import compare
    from trtbench.comparison.other_run import other_run
    from trtbench.errors import UserError
    from trtbench.records import run_folder
    from trtbench.report import printed, views

    share = None
    if options.fail_on_regression is not None:
        if options.against is None:
            raise UserError("--fail-on-regression needs --against: the run to be compared with.")
        share = history.share_of(options.fail_on_regression)
    results = settings.results.absolute()
    known = audited.load(results, run_folder.find(results, options.run))
    run, trials, judged, findings = known
    if not known.finished:
        raise UserError(
            f"run {run.id} has no finished trial; its reasons are in {run_folder.folder(results, run.id) / 'trials'}."
        )
    comparison = compare(run, trials, findings, judged)
    if options.against is not None:
        comparison.history = history.against(comparison, *other_run(results, run.id, options.against))
        slower = history.regressions(comparison.history, share) if share is not None else []
    written = [bundled(Path(options.bundle), known, results)] if options.bundle is not None else []
    written += views.write(results, known, comparison, settings.report_lang, chart=not options.no_chart)
    print(printed.render(options.format, comparison, settings.report_lang, sys.stdout), end="")
    # Another format's reader wants nothing else on standard output.
    beside = sys.stdout if options.format == "text" else sys.stderr
    print("", *written, sep="\n", file=beside)
    sys.stdout.flush()
    if share is not None and comparison.history is not None:
        from trtbench.report.history import gate

        print(*gate(comparison.history, slower, share, comparison, settings.report_lang), sep="\n", file=sys.stderr)
        if slower or comparison.history.lost:
            return 4
    return 3 if comparison.void else 0


def bundled(path: Path, known: Audited, results: Path) -> Path:
    """Write the run as a bundle; what a reader of it could still learn is told on standard error."""
    from trtbench.comparison import bundle
    from trtbench.model.workload import read_workload

    run, trials, judged, _ = known
    bundle.write(path, bundle.make(run, trials, judged, read_workload(results, run.id), bundle.names_here()))
    told = "the bundle holds times, versions, the model's name and the token ids that the lanes returned"
    if run.settings.get("PROMPTS_FILE"):
        told += "; those answer your own prompts, which are left out"
    print(f"{told}.", file=sys.stderr)
    return path
