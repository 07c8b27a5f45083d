"""How the templates of the page are filled: everything that comes out is escaped and made safe to show."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from trtbench.comparison.clean_text import safe

FOLDER = Path(__file__).parent
LONG = 16  # signs of a word; a shorter one has room on a phone


@functools.cache
def environment(folder: Path = FOLDER) -> Environment:
    """The one environment of this process, with a folder's templates."""
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    made.filters["pieces"] = pieces
    return made


def shown(value: str | int | float) -> str:
    """A text or a number of a drawing as it stands on the page. What a macro made went through here piece by piece; so a
    template joins texts with `~`, but no text with what a macro made: that would be escaped, and not made safe."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    if isinstance(value, int):
        return str(value)
    return safe(value)


def pieces(text: str) -> list[str]:
    """The text cut where a name that no screen may have room for can break: a browser breaks it anywhere else."""
    cut: list[str] = [""]
    for word in re.split(r"(\s+)", text):
        first, *others = re.split(r"(?<=[_/.,:=+])(?=\w)", word) if len(word) > LONG else [word]
        cut[-1] += first
        cut += others
    return cut


def document(template: str, folder: Path, *, style: Markup, script: Markup, **values: Any) -> str:
    """A whole page: a folder's template with `values`, its style sheet and script, and what its policy knows those two by."""
    return (
        environment(folder)
        .get_template(template)
        .render(style=style, style_hash=digest(style), script=script, script_hash=digest(script), **values)
    )


def first_below(limit: int, pages: Iterable[str]) -> str:
    """The first page of fewer bytes than `limit`, or the last, where each shows less than the one before it."""
    for page in pages:
        if len(page.encode()) < limit:
            break
    return page


def beside(name: str, folder: Path = FOLDER) -> Markup:
    """A file of the folder that goes into the page as it is: the style sheet, the script."""
    return Markup((folder / name).read_text(encoding="utf-8"))


def digest(text: str) -> str:
    """What the page's policy knows a style sheet or script by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
