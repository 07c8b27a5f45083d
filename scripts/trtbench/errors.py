"""What is raised across rooms: the one exception that reaches a user, and a lane's refusal; any other in one line; why a
program ended; and how what is said in English alone counts."""

from __future__ import annotations

import codecs
import errno
import io
import os
import shlex
import signal
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

REASON = 300  # characters of why a program ended, its middle left out


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


def first_line(error: BaseException) -> str:
    """The first line of what an exception says; its type where it says nothing."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def reason_of(said: str, status: int) -> str:
    """Why a program ended with this status, by what it `said`: the exception of the last traceback, else its last line, on one
    line of ours."""
    if status < 0:
        return f"it was ended by {signal.Signals(-status).name}"
    lines = [line.rstrip().rpartition("\r")[2] for line in said.splitlines()]
    lines = [line for line in lines if line.strip()]
    head = max((i for i, line in enumerate(lines) if line.startswith("Traceback (")), default=None)
    if head is None:
        words = lines[-1:]
    else:
        frames = [i for i, line in enumerate(lines) if i > head and line.startswith("  ")]
        words = lines[max(frames, default=head) + 1 :]
    reason = " ".join(" ".join(words).split()).rstrip(".")
    reason = "".join(letter if letter.isprintable() else "\ufffd" for letter in reason)
    if len(reason) > REASON:
        reason = f"{reason[: REASON // 2].rstrip()} … {reason[-REASON // 2 :].lstrip()}"
    return reason or f"it ended with status {status} and said nothing"


def why(error: OSError, path: str | Path) -> str:
    """What the system says against reading or writing a path; where that is a matter of owners, also whose the path, or the nearest
    folder that is there, is, and the command that gives it to this user."""
    reason = error.strerror or str(error)
    return reason + (whose(path) if error.errno in (errno.EACCES, errno.EPERM) else "")


def whose(path: str | Path) -> str:
    """`; PLACE belongs to root, and you are me: …` with what helps; nothing where it is this user's own, or nobody knows."""
    place = Path(path).absolute()
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    try:
        owner = place.stat().st_uid
    except OSError:
        return ""
    if owner == os.geteuid():
        return ""
    me = user_name(os.geteuid())
    # Elsewhere than in this clone it may be somebody else's by right.
    ours = Path(__file__).resolve().parents[2] in (place, *place.parents)
    remedy = f"sudo chown -R {me} {shlex.quote(str(place))}" if ours else "take one that is yours"
    return f"; {place} belongs to {user_name(owner)}, and you are {me}: {remedy}"


def user_name(uid: int) -> str:
    """A user's name; where this machine has none, the number."""
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):  # a container knows few users
        return str(uid)


# What stands in for characters of our reports that have no form in ASCII of their own (NFKD has the others: é, …, narrow blanks).
_PLAIN = str.maketrans("×·–—−‘’“”«»≈≤≥", "x.---''''''~<>")


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """Stand-ins in ASCII for characters that a stream can't write."""
    assert isinstance(error, UnicodeEncodeError)
    parts = unicodedata.normalize("NFKD", error.object[error.start : error.end].translate(_PLAIN))
    # A quotation mark or a backslash more would break JSON and CSV.
    plain = [part if part.isascii() and part not in '"\\' else "?" for part in parts if not unicodedata.combining(part)]
    return "".join(plain), error.end


codecs.register_error("trtbench-plainly", _plainly)


def print_whatever_comes() -> None:
    """Have standard output and error replace the characters that their encoding lacks: a terminal or a pipe that can't write
    French is no reason to stop, least of all after a report's files were written."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="trtbench-plainly")


def run_main(main: Callable[[], int]) -> None:
    """Run a command's `main`, turning a UserError into its sentence and exit status 2, Ctrl-C into 130."""
    print_whatever_comes()
    try:
        status = main()
        sys.stdout.flush()  # a full disk or a closed pipe shows here, while it can still be told
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except PermissionError as error:
        # Of a place that nobody asked for by name: a folder of results or of a cache that somebody else made. One of no place (a
        # system call, a signal) is a mistake of ours.
        if not isinstance(error.filename, (str, Path)):
            raise
        print(f"error: {error.filename}: {why(error, error.filename)}.", file=sys.stderr)
        status = 2
    except BrokenPipeError:
        # The reader (head, less) went away; without this the interpreter would complain once more at exit.
        sys.stderr.close()
        status = 141
    except KeyboardInterrupt:
        print("stopped: finished trials are kept; --resume runs what is missing.", file=sys.stderr)
        status = 130
    sys.exit(status)
