"""The words of one language as the page asks for them: `say("key", name=value)`."""

from __future__ import annotations

from collections.abc import Callable

from trtbench.report.words import report

Say = Callable[..., str]


def words(lang: str) -> Say:
    """The sentence of a key with its figures in their places."""
    table = report.words(lang)

    def say(key: str, **figures: object) -> str:
        return table[key].format(**figures)

    return say
