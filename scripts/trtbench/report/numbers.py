"""Numbers the way people write them, in English and French."""

from __future__ import annotations

from trtbench.figures.speedup import Interval


def number(value: float, lang: str, digits: int | None = None) -> str:
    """A number with as many digits as mean something; a comma for the decimal point in French."""
    if digits is None:
        digits = 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3
    english = f"{value:,.{digits}f}"
    return english.replace(",", "\u202f").replace(".", ",") if lang == "fr" else english


def percent(share: float, lang: str, sign: str = "") -> str:
    """A share in per cent with one digit: 58.5%, in French 58,5 %; `sign` "+" shows the plus too."""
    english = f"{share:{sign}.1%}"
    return english.replace(".", ",").replace("%", "\u202f%") if lang == "fr" else english


def times(ratio: float, lang: str) -> str:
    """A ratio the way people write it: 2.41x."""
    return f"{number(ratio, lang, 2)}x"


def limits(ratio: Interval, lang: str) -> str | None:
    """The interval of a ratio: 1.98-2.41; None where there is none."""
    if ratio.low is None or ratio.high is None:
        return None
    return f"{number(ratio.low, lang, 2)}-{number(ratio.high, lang, 2)}"


def in_brackets(ratio: Interval, lang: str) -> str:
    """The interval behind a ratio or a sentence: ` (1.98-2.41)`; nothing where there is none."""
    interval = limits(ratio, lang)
    return f" ({interval})" if interval else ""
