"""Sentences that this program wrote into a record, in English, told in the reader's language.

An engine's own words are no sentence of ours: they stay as they are, between the language's marks of quotation.
"""

from __future__ import annotations

import functools
import re
import string
from typing import TYPE_CHECKING

from trtbench.comparison.clean_text import REASON, plain
from trtbench.report.words.audit import FIGURES
from trtbench.report.words.recorded import RECORDED
from trtbench.report.words.terms import TERMS

if TYPE_CHECKING:  # language.py asks this module for the parts of a sentence
    from trtbench.report.language import Language

TEXT = ("", "said", "label", "name", "size")  # kinds of places that hold text; any other holds a number
LONGEST = (
    1000  # characters of a sentence that may be ours; a hostile one of twice as many takes half a second to be none
)
DEEPEST = 4  # sentences within one another
NUMBER = r"\d[\d,]{0,14}(?:\.\d{1,9})?"


def told(recorded: str, say: Language, limit: int = REASON, quoted: bool = True, deep: int = 0) -> str:
    """The sentence in the language, where it is one of ours; else the text as it is, made safe to show, and `quoted` where the
    language is another one than the record's. `limit`: the characters of an English sentence; another language takes more."""
    text = plain(recorded, limit)
    if say.place == 0 or not text:
        return text
    whole = " ".join(recorded[:LONGEST].split()).removesuffix(".")
    end = "." if text.endswith(".") else ""
    for place, (english, _) in enumerate(RECORDED) if deep < DEEPEST else ():
        found = _pattern(english).fullmatch(whole)
        if found:
            kinds = _kinds(english)
            parts = {name: _value(part, kinds[name], say, deep) for name, part in found.groupdict().items()}
            return plain(say.fill(RECORDED[place], **parts), limit + limit // 2) + end
    if whole in FIGURES:  # a finding's reason
        return say.fill(FIGURES[whole]) + end
    return say.quote(text) if quoted else text


def _value(part: str, kind: str, say: Language, deep: int) -> str | float:
    """What stands in a place: text, a sentence within the sentence, or a number."""
    if kind in TEXT:
        return told(part, say, deep=deep + 1) if kind == "said" else part
    number = part.replace(",", "")
    return float(number) if "." in number else int(number)


@functools.cache
def _kinds(english: str) -> dict[str, str]:
    return {name: kind or "" for _, name, kind, _ in string.Formatter().parse(english) if name}


@functools.cache
def _pattern(english: str) -> re.Pattern[str]:
    """What a sentence of the row looks like in a record."""
    made = ""
    for literal, name, kind, _ in string.Formatter().parse(english):
        made += re.escape(literal)
        if name is None:
            continue
        forms = [f"# {form}" for form in TERMS[kind].english[:2]] if kind in TERMS else (kind or "").split("|")
        if (kind or "") in TEXT:
            made += rf"(?P<{name}>{'[^ ]+?' if kind == 'name' else '.+?'})"
        elif len(forms) == 2:  # a count with its noun: "# sequence|# sequences"
            nouns = "|".join(re.escape(form.removeprefix("# ")) for form in forms)
            made += f"(?P<{name}>{NUMBER}) (?:{nouns})"
        else:
            made += f"(?P<{name}>{NUMBER})"
    return re.compile(made)
