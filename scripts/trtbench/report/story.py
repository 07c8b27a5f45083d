"""The sentence on top of every report, and how to run the same again."""

from __future__ import annotations

import dataclasses
import shlex
from typing import Any

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Against, Comparison
from trtbench.records.trial import Failure
from trtbench.report.names import known, label
from trtbench.report.numbers import times
from trtbench.report.text import verdict_sentence
from trtbench.report.words.report import words
from trtbench.settings.knobs import DEFAULTS, ROWS, show
from trtbench.settings.lanes import LANES

# Where results lie and how they are told changes no figure, and a folder's name is nobody's business.
PRIVATE = ("DATA_DIR", "RESULTS_DIR", "REPORT_LANG", "LOG_LEVEL", "OFFLINE")


@dataclasses.dataclass(frozen=True)
class Lead:
    """`word`: faster, slower, equivalent, inconclusive, none, void, simulated, or mixed (several cells that differ)."""

    word: str
    sentence: str


def lead(comparison: Comparison, lang: str) -> Lead:
    """The verdict and its interval, or why there is none."""
    say = words(lang)
    if comparison.simulated:
        return Lead("simulated", say["simulated"])
    heads = headlines(comparison)
    if len(heads) == 1:
        return Lead(heads[0].verdict.word, verdict_sentence(heads[0], comparison, lang))
    if heads:
        return _several(heads, comparison, lang)
    wanted = next((a for a in comparison.failed if a.lane == comparison.headline_lane), None)
    if wanted is not None:
        reason = plain(wanted.failure.reason)
        return Lead("none", say["lead_failed"].format(lane=known(wanted.lane), reason=reason))
    measured = {(f.lane, f.precision) for row in comparison.cells for f in row.figures}
    if len(measured) < 2:
        return Lead("none", say["no_comparison"])
    if not any(lane in LANES and LANES[lane].baseline for lane, _ in measured):
        return Lead("none", say["no_base"])
    return Lead("none", say["lead_no_headline"])


def headlines(comparison: Comparison) -> list[Against]:
    return [a for row in comparison.cells for a in row.against if a.headline]


def _several(heads: list[Against], comparison: Comparison, lang: str) -> Lead:
    say = words(lang)
    found = [a.verdict.word for a in heads]
    order = ("void", "faster", "slower", "equivalent", "inconclusive", "none")
    counts = ", ".join(f"{found.count(word)} × {say[word]}" for word in order if word in found)
    ratios = [a.speedup.ratio for a in heads if a.verdict.word not in ("void", "none")]
    lanes = sorted({label(a.lane, a.precision, comparison) for a in heads})
    sentence = say["lead_several"].format(lane=", ".join(lanes), n=len(heads), counts=counts)
    if ratios:
        sentence += "; " + say["lead_ratios"].format(low=times(min(ratios), lang), high=times(max(ratios), lang))
    word = "void" if "void" in found else found[0] if len(set(found)) == 1 else "mixed"
    return Lead(word, sentence)


def why(failure: Failure) -> str:
    """The reason and the hint of a failure as sentences on one line."""
    parts = [plain(part).rstrip(".") for part in (failure.reason, failure.hint or "") if part.strip()]
    return ". ".join(parts) + "."


def place(comparison: Comparison) -> str:
    """The card, or the CPU where there is none."""
    return ", ".join(plain(name, NAME) for name in comparison.environment.gpus or [comparison.environment.cpu_model])


def changed(comparison: Comparison) -> dict[str, str]:
    """Settings of the run that are not the defaults, as a user would type them; private ones are left out."""
    return {
        name: plain(show(name, value))
        for name, value in sorted(comparison.settings.items())
        if name in ROWS and name not in PRIVATE and _comparable(value) != _comparable(DEFAULTS[name])
    }


def _comparable(value: Any) -> Any:
    return list(value) if isinstance(value, (tuple, list)) else value


def again(comparison: Comparison) -> str:
    """A command that runs the same again: what was typed, and every setting that came from elsewhere before it."""
    command = plain(comparison.command, 2000)
    typed = command.split()
    local = "--local" in command or "bench_local" in command
    missing = []
    for name, value in changed(comparison).items():
        flag = "--" + name.lower().replace("_", "-")
        given = any(word == flag or word.startswith(flag + "=") or word.startswith(name + "=") for word in typed)
        default = ROWS[name].local if local else None
        if not given and (default is None or show(name, default) != value):
            missing.append(f"{name}={shlex.quote(value)}")
    return " ".join([*missing, command])
