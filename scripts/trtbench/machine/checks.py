"""What a check finds, and asking another program for it.

Standard library only and Python 3.8 syntax, because the doctor runs with the host's own Python before anything is installed.
"""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
from typing import Any

SECONDS = 15  # longest wait for one answer

Level = str  # "ok", "warn" or "fail"


@dataclasses.dataclass(frozen=True)
class Check:
    """One line of the report: `sentence` says what is, `todo` what to do about it, `figures` hold the numbers."""

    name: str
    level: Level
    sentence: str
    todo: str = ""
    figures: dict[str, Any] = dataclasses.field(default_factory=dict)


def run_program(*words: str, seconds: float = SECONDS) -> tuple[int | None, str, str]:
    """Run a program without our secrets. Returns status (None: not there or no answer in time), stdout, stderr."""
    environment = {name: value for name, value in os.environ.items() if name not in ("NGC_API_KEY", "HF_TOKEN")}
    environment["LC_ALL"] = "C"
    try:
        completed = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return None, "", f"{words[0]} gave no answer within {seconds:g} seconds"
    except OSError as error:
        return None, "", f"{words[0]} can't be run: {error.strerror}"
    return (
        completed.returncode,
        completed.stdout.decode("utf-8", "replace"),
        completed.stderr.decode("utf-8", "replace"),
    )


def last_line(*texts: str) -> str:
    lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "nothing"


# A line that says why a program failed, and one that only goes before it or with it.
_SAYS_WHY = re.compile(
    r"error|fail|denied|refused|cannot|can't|couldn't|could not|unable|invalid|mismatch|not found|no such|no devices|lost|unknown",
    re.IGNORECASE,
)
_BESIDE = re.compile(r"(warning|note|info|usage|errors pretty printing)\b", re.IGNORECASE)


def reason_in(*texts: str) -> str:
    """The line in which a program says why it failed: the first that names a failure (what follows only adds to it), else its first
    that is no warning. Of a traceback of Python the reason is the last line."""
    lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
    told = [line for line in lines if not _BESIDE.match(line)] or lines
    return next((line for line in told if _SAYS_WHY.search(line)), told[0] if told else "nothing")


def version_in(text: str) -> tuple[int, ...]:
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part) for part in match.groups() if part) if match else ()
