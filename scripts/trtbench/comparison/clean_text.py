"""Text that came from outside (a model's name, a CPU's, an engine's last words), made safe to show on one line."""

from __future__ import annotations

import unicodedata

NAME, REASON = 80, 400  # characters shown of a name, of a reason


def plain(text: str, limit: int = REASON) -> str:
    """`text` on one line without control, direction and private characters, and cut after `limit` characters.

    Line ends become spaces. Characters that steer a terminal or the direction of writing (U+202E turns a line around)
    become U+FFFD, so that one sees that something stood there. What was cut is counted: `… (+9600)`.
    """
    kept = text[: limit * 4]  # enough for the cut, however many spaces are folded; the rest need not be looked at
    # Spaces that do not break a line are kept: languages set them before their punctuation.
    line = " ".join(word for word in safe(kept).split(" ") if word)
    if not line.strip():
        return ""
    if len(line) > limit or len(text) > len(kept):
        line = line[:limit].rstrip()
        return f"{line}… (+{max(1, len(text) - len(line))})"
    return line


def safe(text: str) -> str:
    """`text` with every line end and tab as a space and every other character that is not for reading as U+FFFD."""
    return text if text.isascii() and text.isprintable() else "".join(_safe(character) for character in text)


def _safe(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Zs":
        return character
    if character.isspace():
        return " "
    return "\ufffd" if category in ("Cc", "Cf", "Co", "Cs", "Cn") else character
