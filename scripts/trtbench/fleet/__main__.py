"""Many whole runs on many machines, and one table across them: `bash scripts/fleet.sh PLAN.yaml [--help]`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trtbench.errors import UserError, why
from trtbench.settings.reading import Parser, add_flags, resolve

if TYPE_CHECKING:
    from trtbench.fleet.cluster import Cluster
    from trtbench.fleet.plan import Plan
    from trtbench.fleet.state import State
    from trtbench.settings.knobs import Settings

FOLDER = "fleets"  # below the results


def parser() -> Parser:
    """The command line."""
    flags = Parser(
        prog="fleet.sh",
        description="Measure every model, precision and kind of machine of a plan, each run as a whole on one machine of a Ray "
        "cluster, and write one table across the machines.",
        epilog="Exit status: 0 all runs are back, 1 some are not, 2 the plan or an option is wrong, 3 the audit refuses a figure "
        "of a run, 130 stopped.",
    )
    flags.add_argument("plan", metavar="PLAN.yaml", type=Path, help="what is to be measured (docs/fleet.md)")
    flags.add_argument(
        "--address",
        default=None,
        metavar="URL",
        help="where the dashboard of a Ray cluster answers, such as http://127.0.0.1:8265; without it Ray is started on this "
        "machine, for its cards, and ends with the fleet",
    )
    flags.add_argument("--resume", action="store_true", help="go on with a fleet of this name: make what is missing")
    flags.add_argument(
        "--page", action="store_true", help="write table and page of what is back, and ask no cluster for anything"
    )
    add_flags(flags, only=("DATA_DIR", "RESULTS_DIR", "REPORT_LANG"))
    return flags


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    if options.page and (options.resume or options.address is not None):
        raise UserError("--page asks no cluster, so --resume and --address have no place beside it.")
    settings, _ = resolve(vars(options))
    # Only now: --help and a wrong flag answer without them.
    from trtbench.fleet import plan as plans
    from trtbench.fleet.state import State
    from trtbench.records.ownership import hand_over_at_exit

    hand_over_at_exit(settings)
    plan = plans.read(options.plan)
    state = State(settings.results.absolute() / FOLDER / plan.name, plan.wanted())
    interrupted = False
    try:
        if options.page:
            put_together(plan, state)
        else:
            interrupted = conduct(plan, state, options, settings)
        status = report(plan, state, settings.report_lang)
    except BrokenPipeError:  # who read this went away
        raise
    except OSError as error:
        raise UserError(f"{error.filename or state.folder}: {why(error, error.filename or state.folder)}.") from None
    return 130 if interrupted else status


def conduct(plan: Plan, state: State, options: object, settings: Settings) -> bool:
    """Make what is missing; True where somebody stopped it."""
    from trtbench.fleet.auditing import Auditors
    from trtbench.fleet.conducting import Conductor

    resume, address, path = (getattr(options, name) for name in ("resume", "address", "plan"))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with state.writing(plan.name, resume):
        keep_plan(state, path)
        with reached(address, settings) as cluster, Auditors() as auditors:
            conductor = Conductor(plan, state, cluster, auditors, tell)
            try:
                conductor.run()
            except KeyboardInterrupt:
                signal.signal(signal.SIGINT, signal.SIG_DFL)  # the second ends this at once
                conductor.stop()
                return True
    return False


@contextlib.contextmanager
def reached(address: str | None, settings: Settings) -> Iterator[Cluster]:
    """The cluster at `address`, or one of this machine alone that ends with the block."""
    from trtbench.fleet.cluster import Unreachable
    from trtbench.fleet.own_ray import local_cluster
    from trtbench.fleet.ray_jobs import RayJobs

    if address is not None:
        try:
            cluster = RayJobs(address)
        except Unreachable as error:
            raise UserError(f"{error}.") from None
        yield cluster
        return
    # Its runs are this machine's own: their files lie where this command was told.
    os.environ.update(DATA_DIR=str(settings.data.absolute()), RESULTS_DIR=str(settings.results.absolute()))
    with local_cluster() as cluster:
        tell(f"Ray is on this machine alone, and ends with the fleet: {cluster.url}")
        yield cluster


def put_together(plan: Plan, state: State) -> None:
    """Read what there is; bundles that this version of the program has not audited are audited now, and nothing is written down."""
    from trtbench.fleet.auditing import Auditors

    if not state.begun:
        raise UserError(f"--page: {state.folder} holds no fleet.")
    state.read()
    with Auditors() as auditors:
        for run, course in state.courses.items():
            if course.how == "back" and course.outcome is None:
                auditors.begin(state.bundle(run), course.wanted)
        for run, judged in auditors.done(wait=True):
            course = state.courses[run]
            course.outcome = judged.outcome
            if judged.outcome is None:
                course.how, course.reason = "refused", judged.refusal


def report(plan: Plan, state: State, lang: str) -> int:
    """Write table and page, and say in a few lines what the fleet says."""
    from trtbench.fleet import files, text
    from trtbench.fleet.merging import merge

    fleet = merge(plan, [course.ran for course in state.courses.values()])
    written = files.write(state.folder, fleet, lang)
    print(text.render(fleet, lang), *written, sep="\n")
    sys.stdout.flush()
    if any(course.outcome is None for course in state.courses.values()):
        return 1
    return 3 if fleet.refused else 0


def keep_plan(state: State, path: Path) -> None:
    """The plan as it was given, beside what came of it."""
    from trtbench.records.files import write_whole

    write_whole(state.folder / "plan.yaml", path.read_bytes())


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    from trtbench.errors import run_main

    run_main(main)
