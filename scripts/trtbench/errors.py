"""What is raised across rooms: the one exception that reaches a user, and a lane's refusal; any other in one line; and how
what is said in English alone counts."""

from __future__ import annotations

import sys
from collections.abc import Callable


class UserError(Exception):
    """One sentence for the user: what is wrong, and what would be right. Exit status 2."""


class Unsupported(Exception):
    """A lane cannot run a cell, a precision or a model; the text is the reason shown in the report."""


def counted(number: int, noun: str) -> str:
    """A count with its English noun: 1 trial, 1,000 trials. Reports have `trtbench.report.language`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def in_one_line(error: BaseException) -> str:
    """The type of an exception and the first line of what it says."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0] if text else 'no message'}"


def run_main(main: Callable[[], int]) -> None:
    """Run a command's `main`, turning a UserError into its sentence and exit status 2, Ctrl-C into 130."""
    try:
        status = main()
        sys.stdout.flush()  # a full disk or a closed pipe shows here, while it can still be told
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except BrokenPipeError:
        # The reader (head, less) went away; without this the interpreter would complain once more at exit.
        sys.stderr.close()
        status = 141
    except KeyboardInterrupt:
        print("stopped: finished trials are kept; --resume runs what is missing.", file=sys.stderr)
        status = 130
    sys.exit(status)
