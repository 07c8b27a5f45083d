"""Compare all lanes of a run: print the report, write the JSON document, the page and the chart. No engine is needed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trtbench.configure import Parser, add_flags, resolve

if TYPE_CHECKING:
    from trtbench.comparison import Comparison
    from trtbench.views import Audited
    from trtbench.workload import Workload

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
    from trtbench import history, runs, views
    from trtbench.comparison import compare
    from trtbench.errors import UserError
    from trtbench.records import encode, write_whole
    from trtbench.report import chart, page

    share = None
    if options.fail_on_regression is not None:
        if options.against is None:
            raise UserError("--fail-on-regression needs --against: the run to be compared with.")
        share = history.share_of(options.fail_on_regression)

    results = settings.results.absolute()
    known = views.load(results, runs.find(results, options.run))
    run, trials, judged, findings = known
    if not runs.counting(trials):
        raise UserError(
            f"run {run.id} has no finished trial; its reasons are in {runs.folder(results, run.id) / 'trials'}."
        )
    comparison = compare(run, trials, findings, judged)
    slower = []
    if options.against is not None:
        comparison.history = history.against(comparison, *other(results, run.id, options.against))
        slower = history.regressions(comparison.history, share) if share is not None else []
    written: list[Path] = []
    if options.bundle is not None:
        written.append(bundled(Path(options.bundle), known, runs.read_workload(results, run.id)))
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
    if share is not None and comparison.history is not None:
        from trtbench.report.history import gate

        print(*gate(comparison.history, slower, share, comparison, settings.report_lang), sep="\n", file=sys.stderr)
        if slower or comparison.history.lost:
            return 4
    return 3 if comparison.void else 0


def other(results: Path, run: str, wanted: str) -> tuple[Comparison, str]:
    """The other side of --against, and what it is: a run of these results, else something at that path."""
    from trtbench import foreign, runs, views
    from trtbench.comparison import compare
    from trtbench.errors import UserError

    if wanted == run:
        raise UserError(f"--against={wanted!r} is the run itself; give another one.")
    if wanted in runs.listed(results):
        known = views.load(results, wanted)
        if not runs.counting(known.trials):
            raise UserError(f"run {wanted} has no finished trial; there is nothing to compare with.")
        return compare(known.run, known.trials, known.findings, known.judged), "run"
    path = Path(wanted)
    if not path.exists() and not path.is_symlink():
        there = ", ".join(name for name in runs.listed(results) if name != run) or "none"
        raise UserError(f"--against={wanted!r} is neither a file or folder nor a run; other runs: {there}.")
    return foreign.read(path)


def bundled(path: Path, known: Audited, workload: Workload | None) -> Path:
    """Write the run as a bundle; what a reader of it could still learn is told on standard error."""
    from trtbench import bundle

    run, trials, judged, _ = known
    bundle.write(path, bundle.make(run, trials, judged, workload, bundle.names_here()))
    told = "the bundle holds times, versions, the model's name and the token ids that the lanes returned"
    if run.settings.get("PROMPTS_FILE"):
        told += "; those answer your own prompts, which are left out"
    print(f"{told}.", file=sys.stderr)
    return path


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
