"""Compare all lanes of a run: print the report, write the JSON document, the page and the chart. No engine is needed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trtbench.errors import UserError
from trtbench.settings.reading import Parser, add_flags, resolve

if TYPE_CHECKING:
    from trtbench.comparison.audited import Audited
    from trtbench.comparison.result import Comparison

FORMATS = ("text", "markdown", "csv", "pytorch-json")


def parser() -> Parser:
    """The flags of compare.py, and those of the settings that it heeds."""
    flags = Parser(prog="compare.py", description="Compare the lanes of a run and write report and chart.")
    flags.add_argument("--run", default=None, metavar="ID", help="a run under results/runs; without it the latest")
    flags.add_argument(
        "--format",
        default="text",
        choices=FORMATS,
        help="what is printed: text (the default), markdown for pull requests, csv, or pytorch-json, the JSON of PyTorch's "
        "benchmark database",
    )
    flags.add_argument("--no-chart", action="store_true", help="leave the PNG out")
    flags.add_argument(
        "--against",
        default=None,
        metavar="RUN|FILE",
        help="also compare with another run: an id under results/runs, a run's folder, a bundle, or a "
        "benchmark_comparison_report.json",
    )
    flags.add_argument(
        "--fail-on-regression",
        default=None,
        metavar="SHARE",
        help="with --against: exit status 4 when the interval proves a lane slower by more than SHARE, such as 3%%, or a "
        "lane that ran then fails now",
    )
    flags.add_argument(
        "--bundle",
        default=None,
        metavar="FILE",
        help="also write the run's records into one small file without names, folders and addresses, for --against elsewhere",
    )
    add_flags(flags, only=("DATA_DIR", "RESULTS_DIR", "REPORT_LANG"))
    return flags


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 with a report, 2 for bad input, 3 when the audit voids a verdict of the report, 4 (before 3) when
    --fail-on-regression finds one."""
    options = parser().parse_args(arguments)
    settings, _ = resolve(vars(options))
    results, lang = settings.results.absolute(), settings.report_lang
    # Only now: --help and a wrong flag answer without them.
    from trtbench.comparison.history import regressions
    from trtbench.records.ownership import hand_over_at_exit
    from trtbench.report import files, history, printed
    from trtbench.report.language import language

    hand_over_at_exit(settings)
    share = share_given(options)
    audited, comparison = compared(options, results)
    earlier = comparison.history
    slower = regressions(earlier, share) if share is not None and earlier is not None else []
    written = [bundled(Path(options.bundle), audited, results)] if options.bundle is not None else []
    written += files.write(results, audited, comparison, lang, chart=not options.no_chart)
    print(printed.render(options.format, comparison, lang, sys.stdout), end="")
    # Another format's reader wants nothing else on standard output.
    beside = sys.stdout if options.format == "text" else sys.stderr
    print("", *written, sep="\n", file=beside)
    sys.stdout.flush()
    if share is not None and earlier is not None:
        print(*history.gate(earlier, slower, share, comparison, language(lang)), sep="\n", file=sys.stderr)
        if slower or earlier.lost:
            return 4
    return 3 if comparison.void else 0


def share_given(options: argparse.Namespace) -> float | None:
    """The share of --fail-on-regression; UserError where it is not valid or stands without --against."""
    from trtbench.comparison.history import share_of

    if options.fail_on_regression is None:
        return None
    if options.against is None:
        raise UserError("--fail-on-regression needs --against: the run to be compared with.")
    return share_of(options.fail_on_regression)


def compared(options: argparse.Namespace, results: Path) -> tuple[Audited, Comparison]:
    """The run that --run names, audited and compared, also with the one that --against names."""
    from trtbench.comparison import history
    from trtbench.comparison.audited import load
    from trtbench.comparison.comparing import compare
    from trtbench.comparison.other_run import other_run
    from trtbench.records import run_folder

    audited = load(results, run_folder.find(results, options.run))
    run, trials, judged, findings, reports = audited
    if not audited.finished:
        raise UserError(
            f"run {run.id} has no finished trial; its reasons are in {run_folder.folder(results, run.id) / 'trials'}."
        )
    comparison = compare(run, trials, findings, judged, reports)
    if options.against is not None:
        comparison.history = history.against(comparison, *other_run(results, run.id, options.against))
    return audited, comparison


def bundled(path: Path, audited: Audited, results: Path) -> Path:
    """Write the run as a bundle; what a reader of it could still learn is told on standard error."""
    from trtbench.comparison import bundle
    from trtbench.comparison.sieve import names_here
    from trtbench.model.workload import read_workload

    run, trials, judged, *_ = audited
    bundle.write(path, bundle.make(run, trials, judged, read_workload(results, run.id), names_here()))
    content = "the bundle holds times, versions, the model's name and the token ids that the lanes returned"
    if run.settings.get("PROMPTS_FILE"):
        content += "; those answer your own prompts, which are left out"
    print(f"{content}.", file=sys.stderr)
    return path
