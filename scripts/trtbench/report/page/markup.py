"""HTML and SVG elements whose text is escaped unless it was made by this module."""

from __future__ import annotations

import html
from collections.abc import Iterable

from trtbench.comparison.clean_text import safe

VOID = {"meta", "link", "br", "hr"}


class Html(str):
    """Markup that was made here; a plain str is text."""


def text(value: str) -> Html:
    """Escape `value`, whatever it holds; a per cent sign stays on the line of its number."""
    return value if isinstance(value, Html) else Html(html.escape(safe(value)).replace(" %", "\u00a0%"))


def join(parts: Iterable[str]) -> Html:
    """All parts as one, those that are text escaped."""
    return Html("".join(text(part) for part in parts))


def tag(name: str, /, *parts: str, **attributes: str | int | float | bool | None) -> Html:
    """`<name …>parts</name>`. Attributes: `_` stands for `-`, a trailing `_` is dropped (`class_`), True is a bare
    attribute, None and False leave it out."""
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(parts)}</{name}>")


def _attribute(key: str, value: str | int | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    text = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return f' {name}="{html.escape(safe(text))}"'
