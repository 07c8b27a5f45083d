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


def version_in(text: str) -> tuple[int, ...]:
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part) for part in match.groups() if part) if match else ()
