"""What is said of a claim, in a language."""

from __future__ import annotations

from trtbench.referee.claim_said import Said
from trtbench.report.language import Language


def told(say: Language, what: Said) -> str:
    """The sentence with its parts, each in this language."""
    figures = {name: told(say, part) if isinstance(part, Said) else part for name, part in what.figures.items()}
    return say(what.key, **figures)
