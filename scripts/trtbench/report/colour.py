"""Colours for the text report, on terminals only."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TextIO

from trtbench.report.language import language

BOLD, RED, GREEN, YELLOW, CYAN, OFF = "\033[1m", "\033[1;31m", "\033[32m", "\033[33m", "\033[36m", "\033[0m"

# Titles of blocks begin at the margin and are the only lines in capitals there.
_TITLE = re.compile(r"[A-ZÀ-Þ]{3}[A-ZÀ-Þ ,'-]*(\(|$)")


def wanted(stream: TextIO, environment: Mapping[str, str] | None = None) -> bool:
    """Whether `stream` gets colours: a terminal that can, and NO_COLOR (https://no-color.org) is unset or empty."""
    variables = os.environ if environment is None else environment
    return stream.isatty() and not variables.get("NO_COLOR") and variables.get("TERM") != "dumb"


def paint(text: str, lang: str) -> str:
    """The text report with colours; without the escape sequences it is the same text."""
    say = language(lang)
    whole = {"! ": YELLOW, say.pair(say("headline")): BOLD}
    heads = {f"{say('audit.fail')} ": RED, f"{say('audit.warn')} ": YELLOW, say.pair(say("audit.passed")): GREEN}
    void = say("void").upper()
    lines, colour = [], ""
    for line in text.split("\n"):
        # A wrapped line goes on in the colour of the one it belongs to.
        colour = _begun(whole, line) or (colour if line.startswith("  ") else "")
        head = next((start for start in heads if line.startswith(start)), "")
        if colour:
            lines.append(f"{colour}{line}{OFF}")
        elif head:
            lines.append(f"{heads[head]}{head}{OFF}{line[len(head) :]}")
        elif line.startswith("--- "):
            lines.append(f"{CYAN}{line}{OFF}")
        elif _TITLE.match(line):
            lines.append(f"{BOLD}{line}{OFF}")
        else:
            lines.append(re.sub(rf"\b{void}\b", f"{RED}{void}{OFF}", line))
    return "\n".join(lines)


def _begun(colours: Mapping[str, str], line: str) -> str:
    """The colour of what the line begins with."""
    return next((colour for start, colour in colours.items() if line.startswith(start)), "")
