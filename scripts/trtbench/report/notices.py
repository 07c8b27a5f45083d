"""What must be read before any figure, for every format, and why a run ended."""

from __future__ import annotations

import re

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Comparison
from trtbench.report.language import Language
from trtbench.report.names import bare_label
from trtbench.settings.lanes import LANES

# A record keeps the sentence in English (trtbench.measure.run and stopping); a test makes each there and looks for it here.
_N = r"(?P<n>\d{1,9}|\d{1,3}(?:,\d{3}){1,2})"
_STOPPED = {
    "stopped.trials": rf"(?:all )?{_N} trials? of each lane (?:was|were) run",
    "stopped.stayed": rf"(?:all )?{_N} trials? of each lane that stayed (?:was|were) run",
    "stopped.narrow": rf"every headline interval is within (?P<width>\d{{1,3}}\.\d)% after {_N} rounds?",
    "stopped.budget": rf"TIME_BUDGET=(?P<budget>[\d.e+]{{1,20}}) s is spent after {_N} rounds?; raise it for a narrower interval",
}


def warnings(comparison: Comparison, say: Language) -> list[str]:
    """What must be read before any figure; each begins with its mark in capitals."""
    sentences = [say("simulated")] if comparison.simulated else []
    if comparison.model.synthetic:
        kind = "demonstration" if demonstrates(comparison) else "synthetic"
        sentences.append(say(kind, model=plain(comparison.model.name, NAME)))
    if comparison.model.dequantised is not None:
        told = {"model": plain(comparison.model.name, NAME), "format": plain(comparison.model.dequantised, NAME)}
        sentences.append(say("dequantised", **told))
    if comparison.model.converted is not None:
        told = {"model": plain(comparison.model.name, NAME), "file": plain(comparison.model.converted, NAME)}
        sentences.append(say("converted", **told))
    lanes = dict.fromkeys(software.lane for software in comparison.software)
    if untried := [bare_label(lane) for lane in lanes if lane in LANES and LANES[lane].untried]:
        sentences.append(say("untried_notice", lanes=", ".join(untried)))
    if comparison.void:
        sentences.append(say("void_notice"))
    if any("judge_failed" in against.weak for row in comparison.cells for against in row.against):
        sentences.append(say("judge_notice"))
    if any(trial.counts for trial in comparison.disturbed):
        sentences.append(say("disturbed.notice"))
    if not comparison.interleaved:
        sentences.append(say("not_interleaved"))
    return sentences


def demonstrates(comparison: Comparison) -> bool:
    """Whether it only shows that everything runs: the model has no real one's shape."""
    return comparison.model.synthetic and comparison.model.name == "demo"


def mark(warning: str) -> str:
    """The capitals before the colon."""
    head = warning.split(":")[0].strip()
    return head if head.isupper() else ""


def marks(comparison: Comparison, say: Language) -> list[str]:
    """The capitals of all that must be read first, so that a picture alone carries them too."""
    return [capitals for capitals in (mark(warning) for warning in warnings(comparison, say)) if capitals]


def stopped(sentence: str, say: Language) -> str:
    """Why the run ended, in the language; a sentence that is not known stays as it is, but for what `plain` takes out."""
    for key, pattern in _STOPPED.items():
        match = re.fullmatch(pattern, sentence)
        if match:
            figures: dict[str, str | int | float] = dict(match.groupdict())
            figures["n"] = int(match["n"].replace(",", ""))
            if "width" in figures:
                figures["width"] = float(match["width"]) / 100
            return say(key, **figures)
    return plain(sentence)
