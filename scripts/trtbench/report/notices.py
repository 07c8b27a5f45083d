"""What must be read before any figure, for every format, and why a run ended."""

from __future__ import annotations

import re

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Comparison
from trtbench.report.words.report import words

# A record keeps the sentence in English (trtbench.measure.run and stopping); a test makes each there and looks for it here.
_STOPPED_FR = (
    (r"all (\d+) trials of each lane were run", r"les \1 essais de chaque voie ont tourné"),
    (
        r"every headline interval is within ([\d.]+)% after (\d+) rounds",
        r"chaque intervalle du titre est à moins de \1 % après \2 tours",
    ),
    (
        r"TIME_BUDGET=(\S+) s is spent after (\d+) rounds; raise it for a narrower interval",
        r"TIME_BUDGET=\1 s est épuisé après \2 tours ; augmentez-le pour un intervalle plus étroit",
    ),
)


def warnings(comparison: Comparison, lang: str) -> list[str]:
    """What must be read before any figure; each begins with its mark in capitals."""
    say = words(lang)
    sentences = [say["simulated"]] if comparison.simulated else []
    if comparison.model.synthetic:
        kind = "demonstration" if comparison.model.name == "demo" else "synthetic"
        sentences.append(say[kind].format(model=plain(comparison.model.name, NAME)))
    if comparison.void:
        sentences.append(say["void_notice"])
    if not comparison.interleaved:
        sentences.append(say["not_interleaved"])
    return sentences


def mark(warning: str) -> str:
    """The capitals before the colon."""
    head = warning.split(":")[0].strip()
    return head if head.isupper() else ""


def marks(comparison: Comparison, lang: str) -> list[str]:
    """The capitals of all that must be read first, so that a picture alone carries them too."""
    return [capitals for capitals in (mark(warning) for warning in warnings(comparison, lang)) if capitals]


def stopped(sentence: str, lang: str) -> str:
    """Why the run ended, in the language; a sentence that is not known stays as it is."""
    for pattern, french in _STOPPED_FR if lang == "fr" else ():
        match = re.fullmatch(pattern, sentence)
        if match:
            return re.sub(r"(\d)\.(\d+ %)", r"\1,\2", match.expand(french))
    return plain(sentence)
