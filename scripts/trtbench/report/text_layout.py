"""Lines of the text report, at most 80 columns."""

from __future__ import annotations

import textwrap

WIDTH = 80


def wrapped(text: str, indent: str = "  ") -> list[str]:
    """The text in lines, of which all but the first are indented."""
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent) or [""]


def ruled(title: str) -> str:
    """A title that is drawn out to the margin."""
    return f"--- {title} " + "-" * max(0, WIDTH - 5 - len(title))


def named(name: str, width: int, figures: str) -> list[str]:
    """A line of a table; a name that is longer than `width` stands on a line of its own."""
    if len(name) <= width:
        return [f"  {name:<{width}}{figures}"]
    return [f"  {name}", " " * (2 + width) + figures]
