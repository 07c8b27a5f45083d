"""Lines of the text report, at most 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

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


def headed(head: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """A table whose lines begin with a name; the words of its head stand below one another where a column is narrow."""
    widths = _spread([max(map(len, name.split())) + 1 for name in head[1:]])
    longest = [max(len(line[i]) for line in lines) + 1 for i in range(1, len(head))]
    if any(needed > width for needed, width in zip(longest, widths)):
        widths = _spread(
            [max(needed, *(len(word) + 1 for word in name.split())) for needed, name in zip(longest, head[1:])]
        )
    names = [textwrap.wrap(name, width - 1) for name, width in zip(head[1:], widths)]
    block = []
    for i in range(max(map(len, names))):
        block.append(" " * 22 + "".join(f"{name[i] if i < len(name) else '':>{w}}" for name, w in zip(names, widths)))
    for name, *figures in lines:
        block += named(name, 20, "".join(f"{figure:>{width}}" for figure, width in zip(figures, widths)))
    return block


def _spread(needed: Sequence[int]) -> list[int]:
    """Widths of columns that take so much at least, and together what a line has room for."""
    return [width + (WIDTH - 22 - sum(needed)) // len(needed) for width in needed]
