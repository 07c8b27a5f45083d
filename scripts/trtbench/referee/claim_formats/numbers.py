"""Numbers as people and tools write them: strictly, so that whatever is not one is a sentence.

A comma is the decimal sign or stands between thousands. Where the digits tell which (627,9 or 1,523.8) they decide; where
they don't (1,523) the rest of the file does, and else the number is refused rather than guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from trtbench.errors import UserError

MOST = 1e12  # no count, time or rate of a benchmark is above it
LEAST = 1e-9  # nor, where it is above 0, below this
MOST_CARDS = 1024  # nobody's benchmark of one model has more of them share it
UNSAID = {"", "-", "–", "—", "n/a", "na", "none", "null"}
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,4})?", re.IGNORECASE)
_SPACED = re.compile(r"[+-]?\d{1,3}([ \u00a0\u202f'’]\d{3})+([.,]\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
_DECIMAL = re.compile(r"[+-]?\d+,\d+")
_POINTS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d+)?")
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_SPREAD = re.compile(r"\s*(±|\+/-).*")  # 12.3 ± 0.1: the mean is meant


def decimal_comma(cells: Iterable[str]) -> bool | None:
    """Whether commas in these cells are decimal signs: True or False where digits of any tell, None where none does or they
    contradict each other."""
    decimal = thousands = False
    for cell in cells:
        text = _SPREAD.sub("", cell.strip())
        if _EITHER.fullmatch(text):
            continue
        decimal = decimal or bool(_DECIMAL.fullmatch(text)) or ("," in text and bool(_POINTS.fullmatch(text)))
        thousands = thousands or bool(_THOUSANDS.fullmatch(text))
    return None if decimal == thousands else decimal


def read(value: Any, where: str, comma: bool | None = None) -> float | None:
    """A finite number, None where the cell says none. `where` opens the sentence of the UserError that anything else is;
    `comma` as decimal_comma gives it."""
    if value is None or (isinstance(value, str) and value.strip().lower() in UNSAID):
        return None
    if isinstance(value, str):
        number = _from_text(value.strip(), where, comma)
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UserError(f"{where}={_short(value)} is not a number.")
    else:
        # An integer of any length is compared before it is converted.
        number = float(value) if -MOST <= value <= MOST or isinstance(value, float) else math.inf
    if not abs(number) <= MOST:
        raise UserError(f"{where}={_short(value)} is no figure of a benchmark; a finite number is needed.")
    return number


def positive(value: Any, where: str, comma: bool | None = None) -> float | None:
    """A number above 0: a time or a rate of 0 is a step that failed, written down as a figure."""
    number = read(value, where, comma)
    if number is not None and number < LEAST:
        raise UserError(f"{where}={_short(value)} is no time, rate or number of anything; it has to be above 0.")
    return number


def count(value: Any, where: str, comma: bool | None = None, least: int = 1) -> int | None:
    """A whole number of at least `least`."""
    number = read(value, where, comma)
    if number is None:
        return None
    if number != int(number) or number < least or number > 1e9:
        raise UserError(f"{where}={_short(value)} is not a whole number of at least {least}.")
    return int(number)


def cards(value: Any, where: str, comma: bool | None = None) -> int | None:
    """How many cards share the work: each of them raises what is possible, so that no number is believed."""
    number = count(value, where, comma)
    if number is not None and number > MOST_CARDS:
        raise UserError(f"{where}={number:,} is no number of cards; at most {MOST_CARDS:,} are.")
    return number


def at(mapping: Any, path: str) -> Any:
    """What lies at `a.b.c` of nested objects; None where a part of the way is missing or no object."""
    for key in path.split("."):
        mapping = mapping.get(key) if isinstance(mapping, Mapping) else None
    return mapping


def figure(mapping: Any, path: str) -> float | None:
    """The number above 0 at `a.b.c` of nested objects, None where there is none."""
    return positive(at(mapping, path), path)


def _from_text(text: str, where: str, comma: bool | None) -> float:
    digits = _SPREAD.sub("", text)
    if _SPACED.fullmatch(digits):
        digits = re.sub(r"[ \u00a0\u202f'’]", "", digits)
        digits = digits.replace(",", ".")  # what is left is the decimal sign
    elif _EITHER.fullmatch(digits):
        if comma is None:
            raise UserError(
                f"{where}={_short(text)} can be read in two ways; write {digits.replace(',', '')} or {digits.replace(',', '.')}."
            )
        digits = digits.replace(",", "." if comma else "")
    elif comma and "," not in digits and _POINTS.fullmatch(digits):
        if digits.count(".") == 1:
            raise UserError(
                f"{where}={_short(text)} can be read in two ways beside decimal commas; write {digits.replace('.', '')} or "
                f"{digits.replace('.', ',')}."
            )
        digits = digits.replace(".", "")
    elif _THOUSANDS.fullmatch(digits):
        digits = digits.replace(",", "")
    elif _DECIMAL.fullmatch(digits) or ("," in digits and _POINTS.fullmatch(digits)):
        digits = digits.replace(".", "").replace(",", ".")
    if not _PLAIN.fullmatch(digits) or not digits.isascii():
        unit = re.fullmatch(r"([+-]?[\d.,\u00a0\u202f ']+)\s*([^\d\s].*)", text)
        if unit and re.search(r"\d", unit[1]):
            raise UserError(
                f"{where}={_short(text)} is not a number; write {unit[1].strip()} and the unit in the name."
            )
        raise UserError(f"{where}={_short(text)} is not a number.")
    return float(digits)


def _short(value: Any) -> str:
    try:
        written = repr(value)
    except ValueError:  # an integer of more digits than Python writes
        written = f"{type(value).__name__} of thousands of digits"
    return written if len(written) <= 60 else f"{written[:60]}…"
