"""The options of the benchmark's command that are no settings, and whose defaults count.

Standard library only and Python 3.8 syntax: scripts/lib.sh has them read before anything is installed.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable

from trtbench.errors import UserError
from trtbench.settings.knobs import Settings
from trtbench.settings.lanes import LANES
from trtbench.settings.reading import Parser, add_flags, resolve


def parser(prog: str) -> Parser:
    """The benchmark's command, for itself and for what makes the environments that it needs."""
    bench = Parser(prog=prog, description="Run lanes in fresh, interleaved processes and keep every raw time.")
    bench.add_argument("--local", action="store_true", help="the defaults of scripts/bench_local.sh")
    bench.add_argument(
        "--quick",
        action="store_true",
        help="with --local: whether all of it runs here, in a minute or two, on a model of random weights that needs no download",
    )
    bench.add_argument(
        "--family",
        default=None,
        choices=sorted({row.family for row in LANES.values()}),
        help="only lanes of this family, added to the current run when workload, machine and settings are the same",
    )
    bench.add_argument("--cpu", dest="DEVICE", action="store_const", const="cpu", help="the same as --device cpu")
    bench.add_argument(
        "--install", action="store_true", help="make the environment that these lanes run in, measure nothing, and stop"
    )
    bench.add_argument("--build", action="store_true", help="build the TensorRT engine first, where its lane runs")
    bench.add_argument("--compare", action="store_true", help="compare afterwards and print the report")
    bench.add_argument(
        "--resume",
        nargs="?",
        const="",
        default=None,
        metavar="RUN",
        help="run what is missing of the latest run (or of RUN)",
    )
    bench.add_argument(
        "--pick-up",
        action="store_true",
        help="go on with the latest run when it was cut off and is asked for again; the compose services do so",
    )
    bench.add_argument("--new-run", action="store_true", help="never add to the current run")
    bench.add_argument("--no-progress", action="store_true", help="tell nothing on the way")
    add_flags(bench)
    return bench


def settings_for(options: Namespace, device: Callable[[str], str]) -> tuple[Settings, dict[str, str]]:
    """The settings of a call and where each came from. bench_local.sh has defaults of its own for a processor; on a card those
    of run_all.sh count. `device` says which of the two DEVICE means here. Raises UserError."""
    if options.quick and not options.local:
        raise UserError("--quick goes with --local (bash scripts/bench_local.sh --quick).")
    if options.quick or not options.local:
        return resolve(vars(options), defaults="quick" if options.quick else "")
    settings, sources = resolve(vars(options), defaults="local")
    if device(settings.device) == "cpu":
        return settings, sources
    return resolve(vars(options))
