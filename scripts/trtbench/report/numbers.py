"""Numbers the way people write them, in English and French."""

from __future__ import annotations


def number(value: float, lang: str, digits: int | None = None) -> str:
    """A number with as many digits as mean something; a comma for the decimal point in French."""
    if digits is None:
        digits = 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3
    shown = f"{value:,.{digits}f}"
    return shown.replace(",", "\u202f").replace(".", ",") if lang == "fr" else shown


def percent(share: float, lang: str, sign: str = "") -> str:
    """A share in per cent with one digit: 58.5%, in French 58,5 %; `sign` "+" shows the plus too."""
    shown = f"{share:{sign}.1%}"
    return shown.replace(".", ",").replace("%", "\u202f%") if lang == "fr" else shown


def times(ratio: float, lang: str) -> str:
    """A ratio the way people write it: 2.41x."""
    return f"{number(ratio, lang, 2)}x"
