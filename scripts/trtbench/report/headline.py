"""The sentence on top of every report: the verdict and its interval, or why there is none."""

from __future__ import annotations

import dataclasses

from trtbench.comparison.clean_text import plain
from trtbench.comparison.result import Against, Comparison
from trtbench.report import audit_text
from trtbench.report.language import Language
from trtbench.report.names import bare_label, label
from trtbench.report.notices import mark
from trtbench.settings.lanes import LANES


@dataclasses.dataclass(frozen=True)
class Lead:
    """`word`: faster, slower, equivalent, inconclusive, none, void, simulated, or mixed (several cells that differ)."""

    word: str
    sentence: str

    def capitals(self, say: Language) -> str:
        """The word as it stands before the sentence."""
        return mark(say("simulated")) if self.word == "simulated" else say(self.word).upper()


def lead(comparison: Comparison, say: Language) -> Lead:
    """The verdict and its interval, or why there is none."""
    if comparison.simulated:
        return Lead("simulated", say("simulated"))
    heads = headlines(comparison)
    if len(heads) == 1:
        return Lead(heads[0].verdict.word, verdict_sentence(heads[0], comparison, say))
    if heads:
        return _several(heads, comparison, say)
    failed = next((a for a in comparison.failed if a.lane == comparison.headline_lane), None)
    if failed is not None:
        reason = plain(failed.failure.reason)
        return Lead("none", say("lead_failed", lane=bare_label(failed.lane), reason=reason))
    measured = {(f.lane, f.precision) for row in comparison.cells for f in row.figures}
    if len(measured) < 2:
        return Lead("none", say("no_comparison"))
    if not any(lane in LANES and LANES[lane].baseline for lane, _ in measured):
        return Lead("none", say("no_base"))
    return Lead("none", say("lead_no_headline"))


def headlines(comparison: Comparison) -> list[Against]:
    """The headline lane against its base, cell by cell."""
    return [a for row in comparison.cells for a in row.against if a.headline]


def _several(heads: list[Against], comparison: Comparison, say: Language) -> Lead:
    """One sentence over several cells: how many of each verdict, and from which ratio to which."""
    verdicts = [a.verdict.word for a in heads]
    order = ("void", "faster", "slower", "equivalent", "inconclusive", "none")
    counts = ", ".join(f"{verdicts.count(word)} × {say(word)}" for word in order if word in verdicts)
    ratios = [a.speedup.ratio for a in heads if a.verdict.word not in ("void", "none")]
    lanes = sorted({label(a.lane, a.precision, comparison) for a in heads})
    sentence = say("lead_several", lane=", ".join(lanes), n=len(heads), counts=counts)
    if ratios:
        sentence = say.clauses([sentence, say("lead_ratios", low=min(ratios), high=max(ratios))])
    word = "void" if "void" in verdicts else verdicts[0] if len(set(verdicts)) == 1 else "mixed"
    return Lead(word, sentence)


def verdict_sentence(a: Against, comparison: Comparison, say: Language) -> str:
    """One sentence: the verdict and its interval, or why there is none."""
    lane, base = label(a.lane, a.precision, comparison), label(a.base, a.base_precision, comparison)
    word = a.verdict.word
    if comparison.simulated:
        return f"{say('none')} ({say('simulated')})"
    if word in ("faster", "slower"):
        ratio = a.speedup.ratio if word == "faster" else 1 / a.speedup.ratio
        sentence = say("headline_says", lane=lane, ratio=ratio, word=say(word), base=base)
    elif word == "equivalent":
        sentence = say("headline_equivalent", lane=lane, base=base)
    else:
        sentence = say("headline_open", lane=lane, base=base, word=say(word))
    if word == "void":
        lanes = (a.lane, a.precision), (a.base, a.base_precision)
        return f"{sentence} - {audit_text.reason(comparison.findings, a.verdict.reason, *lanes, say)}"
    reasons = [say(a.verdict.reason)]
    if a.verdict.more_trials is not None:
        reasons.append(say("more_trials", n=a.verdict.more_trials))
    if a.speedup.low is not None and a.speedup.weak:
        reasons.append(say("weak"))
    return f"{sentence}{say.in_brackets(a.speedup)} - {say.clauses(reasons)}"
