"""How a language writes figures and sentences: the only place that knows its decimal sign, its plural, and the spaces
before its colon.

A sentence of `trtbench.report.words` is a template of str.format. Text stands in it as it is, `{lane}`; a figure says how
it is written, and one that does not is refused, so that "1 trials" can't come about:

    {n:trial}         a count with its noun from the list of terms: 1 trial, 5 trials
    {ids:which trial} the numbers of trials, which are text: trial 3, trials 1, 2
    {n:# is|# are}    a count, or only the words that agree with it: the form for one, the form for several; # is the count
    {ms:n}            a number with as many digits as mean something: 1,048.2
    {gb:n2}           a number with so many digits behind the point: 12.88
    {gib:w}           a whole number where it is one, else as n: 12
    {batch:i}         a number that is a name: 2048
    {share:p}         a share in per cent: 58.5%; {share:p0} without the digit
    {ratio:x}         a ratio: 2.41x; {ratio:r} without its sign, before a word for it: 2,41 fois
    {base:label}      a lane's id, shown as its label
    {what:word}       words that findings know by an id, behind commas: génération entière
    {free:size}       an amount of memory as a library wrote it, 20.00 MiB: 20,00 Mio
    {file:name}       text that is one word in a record (report/recorded.py)
    {reason:said}     a sentence that was told in the language before (report/recorded.py)

This is the plural format of ICU in little. gettext chooses by one number a message; here most sentences hold several.
Templates are written with plain spaces before : ; ! ? % and units, in French, and with plain apostrophes; which signs those are is
known here. So is elision: `de {lane}` becomes "d’ONNX Runtime".
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from trtbench.report.words.audit import FIGURES, HEADINGS
from trtbench.report.words.beside import BESIDE
from trtbench.report.words.claim import CLAIM
from trtbench.report.words.claim_page import CLAIM_PAGE
from trtbench.report.words.disturbed import DISTURBED
from trtbench.report.words.explained import EXPLAINED
from trtbench.report.words.failed import FAILED
from trtbench.report.words.fleet import FLEET
from trtbench.report.words.history import HISTORY
from trtbench.report.words.report import REPORT
from trtbench.report.words.terms import TERMS
from trtbench.report.words.tried import TRIED

if TYPE_CHECKING:  # the commands on claims need nothing but Python, and start at once
    from trtbench.figures.speedup import Interval

LEAST_RATIO = 0.01
NO_BREAK, THIN, RANGE = "\u00a0", "\u202f", "-"
APOSTROPHE = "\u2019"
VOWELS = "AEIOUYÀÂÉÈÊËÎÏÔÛaeiouyàâéèêëîïôû"
UNITS = {"KiB": "Kio", "MiB": "Mio", "GiB": "Gio", "TiB": "Tio", "KB": "Ko", "MB": "Mo", "GB": "Go", "bytes": "octets"}
SENTENCES = REPORT | HISTORY | DISTURBED | FAILED | TRIED | BESIDE | EXPLAINED | HEADINGS | CLAIM | CLAIM_PAGE | FLEET


@dataclasses.dataclass(frozen=True, eq=False)
class Language:
    """One language. `place`: its place in the rows of the tables of words; `one`: whether a count takes the form for one
    (the rules of Unicode's CLDR for whole numbers); `spaces`: what stands for a space and the sign beside it; `quotes`: what stands
    around words of others; `set_by_hand`: whether apostrophes, elision and spaces before units are the language's own."""

    code: str
    name: str
    place: int
    decimal: str
    group: str
    one: Callable[[float], bool]
    spaces: dict[str, str]
    quotes: tuple[str, str]
    set_by_hand: bool = False

    def __contains__(self, key: str) -> bool:
        """Whether there is a sentence of that name, for names that come from records."""
        return key in SENTENCES

    def __call__(self, key: str, /, **figures: Any) -> str:
        """The sentence of that name with its figures. KeyError for a name that no table has, or a figure that is missing;
        TypeError for a figure whose place in the sentence does not say how it is written."""
        return self.fill(SENTENCES[key], **figures)

    def fill(self, row: tuple[str, str], /, **figures: Any) -> str:
        """The sentence of a row of a table with its figures; raises as a call does."""
        values = {name: _Figure(value, self) for name, value in figures.items()}
        template = self.typeset(row[self.place])
        return (_elided(template, values) if self.set_by_hand else template).format(**values)

    def typeset(self, template: str) -> str:
        """The template with this language's spaces before punctuation and the sign between the ends of a range."""
        return _typeset(self, template)

    def number(self, value: float, digits: int | None = None) -> str:
        """A number with as many digits as mean something, or with that many."""
        if digits is None:
            digits = 0 if isinstance(value, int) else 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3
        return self._written(f"{value:,.{digits}f}")

    def whole_or_number(self, value: float) -> str:
        """A whole number without digits behind the point, any other with as many as mean something."""
        return self.number(value, 0 if value == int(value) else None)

    def percent(self, share: float, sign: str = "", digits: int = 1) -> str:
        """A share in per cent with one digit, or that many; `sign` "+" shows the plus too."""
        return self._written(f"{share:{sign},.{digits}%}")

    def _written(self, english: str) -> str:
        return english.translate({ord(","): self.group, ord("."): self.decimal, ord("%"): self.spaces[" %"]})

    def times(self, ratio: float) -> str:
        """A ratio the way people write it: 2.41x, 24.1x, 241x; one that two decimal places make nothing of is <0.01x."""
        return f"{self.ratio(float(ratio))}x"

    def ratio(self, ratio: float) -> str:
        """A ratio with as many digits as people write, without the sign for times."""
        if 0 < ratio < LEAST_RATIO:
            return f"<{self.number(LEAST_RATIO, 2)}"
        return self.number(ratio, 2 if ratio < 10 else 1 if ratio < 100 else 0)

    def size(self, written: str) -> str:
        """An amount of memory as a library wrote it, in the language's digits and units."""
        found = re.fullmatch(r"(\d{1,15})(?:\.(\d{1,9}))? ?([KMGT]i?B|bytes)", written)
        if found is None or not self.set_by_hand:
            return written
        whole = self.number(int(found[1]))
        return f"{whole}{self.decimal + found[2] if found[2] else ''}{NO_BREAK}{UNITS.get(found[3], found[3])}"

    def quote(self, text: str) -> str:
        """Words of others, between marks of quotation."""
        return text.join(self.quotes)

    def span(self, low: float, high: float, digits: int | None = None) -> str:
        """From the one to the other: 98.50-101.5."""
        return f"{self.number(low, digits)}{RANGE}{self.number(high, digits)}"

    def limits(self, ratio: Interval) -> str | None:
        """The interval of a ratio: 1.98-2.41; None where there is none."""
        if ratio.low is None or ratio.high is None:
            return None
        return f"{self.ratio(ratio.low)}{RANGE}{self.ratio(ratio.high)}"

    def in_brackets(self, ratio: Interval) -> str:
        """The interval behind a ratio or a sentence: ` (1.98-2.41)`; nothing where there is none."""
        interval = self.limits(ratio)
        return f" ({interval})" if interval else ""

    def pair(self, name: str, value: str = "") -> str:
        """`name: value`, the colon as the language sets it; `name:` without a value."""
        return f"{name}{self.spaces[' :']} {value}" if value else name + self.spaces[" :"]

    def clauses(self, parts: Iterable[str]) -> str:
        """Parts of one sentence behind one another, with semicolons between them."""
        return f"{self.spaces[' ;']} ".join(parts)


# Per cent and colon after the usage of each: none before them in English; in French a thin space that does not break
# before ; ! ? and %, a whole one before the colon.
ENGLISH = Language(
    code="en", name="English", place=0, decimal=".", group=",", one=lambda n: n == 1,
    spaces={" :": ":", " ;": ";", " !": "!", " ?": "?", " %": "%"}, quotes=("'", "'"),
)  # fmt: skip
FRENCH = Language(
    code="fr", name="Français", place=1, decimal=",", group=THIN, one=lambda n: abs(n) < 2,
    spaces={
        " :": f"{NO_BREAK}:", " ;": f"{THIN};", " !": f"{THIN}!", " ?": f"{THIN}?", " %": f"{THIN}%",
        "« ": f"«{NO_BREAK}", " »": f"{NO_BREAK}»",
    },
    quotes=(f"«{NO_BREAK}", f"{NO_BREAK}»"), set_by_hand=True,
)  # fmt: skip
LANGUAGES = {language.code: language for language in (ENGLISH, FRENCH)}


def language(code: str) -> Language:
    """The language of that code. KeyError where there is none."""
    return LANGUAGES[code]


class _Figure:
    """A value on its place in a sentence, which says how it is written."""

    def __init__(self, value: Any, language: Language) -> None:
        self.value, self.language = value, language

    def __format__(self, kind: str) -> str:
        value, language = self.value, self.language
        if kind in ("", "name", "said") and isinstance(value, str):
            return value
        if kind == "size":
            return language.size(str(value))
        if kind == "word":
            words = str(value).split(", ")
            return ", ".join(
                language.typeset(FIGURES[word][language.place]) if word in FIGURES else word for word in words
            )
        if kind == "label":
            from trtbench.settings.lanes import LANES  # only reports have lanes

            return LANES[value].label if value in LANES else str(value)
        if kind == "n":
            return language.number(value)
        if kind in ("n0", "n1", "n2", "n3"):
            return language.number(value, int(kind[1]))
        if kind == "w":
            return language.whole_or_number(value)
        if kind == "i":
            return str(int(value))
        if kind == "p":
            return language.percent(value)
        if kind == "p0":
            return language.percent(value, digits=0)
        if kind == "x":
            return language.times(value)
        if kind == "r":
            return language.ratio(value)
        forms = [f"# {language.typeset(form)}" for form in _forms(kind, language)] or kind.split("|")
        if kind.startswith("which "):
            forms = [f"{language.typeset(form)} #" for form in _forms(kind[6:], language)]
        # Text that stands behind its word is a list of numbers, which agrees with how many they are.
        listed = isinstance(value, str) and all(form.find("#") > 0 for form in forms)
        if len(forms) != 2 or not (listed or (isinstance(value, (int, float)) and not isinstance(value, bool))):
            raise TypeError(f"{value!r} stands in a sentence without a form: {kind!r}")
        if listed:
            return forms[not value.isdigit()].replace("#", value)
        return forms[not language.one(value)].replace("#", language.number(value))


def _forms(term: str, language: Language) -> tuple[str, ...]:
    """The form of the term for one and that for several; nothing for what is not in the list."""
    return TERMS[term][language.place][:2] if term in TERMS else ()


_BEFORE_UNITS = rf"(?<=\}}) (?=(?:[mn]?s|[KMGT]i?o|MHz|M|W|J|°C|tok|fois|octets)(?![\w{APOSTROPHE}]))"


def _elided(template: str, values: Mapping[str, _Figure]) -> str:
    """The template with `de` and `que` cut short before a figure that begins with a vowel."""

    def short(found: re.Match[str]) -> str:
        try:
            begins = found[2].format(**values)
            vowel = (
                begins and begins[0] in VOWELS and not re.fullmatch(r"[0-9a-f]{8,}", begins)
            )  # a digest is read letter by letter
        except KeyError:  # told where the sentence is filled
            return found[0]
        return f"{found[1]}{APOSTROPHE}{found[2]}" if vowel else found[0]

    return re.sub(r"\b([Dd]|[Qq]u)e (\{\w+(?::[^}]*)?\})", short, template)


@functools.cache
def _typeset(language: Language, template: str) -> str:
    spaced = re.sub(r" [:;!?%»]|« ", lambda found: language.spaces.get(found[0], found[0]), template)
    if language.set_by_hand:
        spaced = re.sub(r"(?<=\w)'(?=[\w{])", APOSTROPHE, spaced)
        spaced = re.sub(_BEFORE_UNITS, NO_BREAK, spaced)
    return spaced.replace("}-{", f"}}{RANGE}{{")
