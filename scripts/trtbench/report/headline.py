"""The sentence on top of every report: the verdict and its interval, or why there is none."""

from __future__ import annotations

import dataclasses
from collections import Counter

import msgspec

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Against, Comparison, Row
from trtbench.comparison.software import differ
from trtbench.figures.base import Key, may_be_base
from trtbench.figures.speedup import Interval
from trtbench.referee.audit.findings import FAIL
from trtbench.report import audit_text, recorded
from trtbench.report.language import NO_BREAK, RANGE, Language
from trtbench.report.names import bare_label, label
from trtbench.report.notices import demonstrates, mark
from trtbench.settings.lanes import LANES

VERDICTS = ("faster", "slower", "equivalent")
IN_SOME_CELLS = {
    "noise_of_candidate": "noise_of_candidate_in",
    "base_missing": "base_missing_in",
    "base_doubtful": "base_doubtful_in",
    "torch_differs": "torch_differs_in",
    "torch_differs_each": "torch_differs_each_in",
}


@dataclasses.dataclass(frozen=True)
class Fact:
    """A sentence that bears on a comparison: its name and its figures, which are text."""

    key: str
    figures: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, key: str, **texts: str) -> Fact:
        return cls(key, tuple(texts.items()))

    @property
    def texts(self) -> dict[str, str]:
        return dict(self.figures)


@dataclasses.dataclass(frozen=True)
class Lead:
    """`word`: faster, slower, equivalent, inconclusive, none, void, simulated, or mixed (several cells that differ). `number`: the
    ratio that the sentence is about, or from which to which they go; empty where there is none to remember. `weak`: little hangs
    on all of it."""

    word: str
    sentence: str
    number: str = ""
    weak: bool = False

    def capitals(self, say: Language) -> str:
        """The word as it stands before the sentence."""
        return mark(say("simulated")) if self.word == "simulated" else say(self.word).upper()


def lead(comparison: Comparison, say: Language) -> Lead:
    """The verdict and its interval, or why there is none."""
    if comparison.simulated:
        sentence = say("simulated").removeprefix(mark(say("simulated"))).lstrip(f": {NO_BREAK}")
        return Lead("simulated", sentence[:1].upper() + sentence[1:])
    heads = headlines(comparison)
    weak = all(a.verdict.word in VERDICTS for a in heads) and (demonstrates(comparison) or all(a.weak for a in heads))
    if len(heads) == 1:
        word = heads[0].verdict.word
        number = say.times(told_ratio(heads[0]).ratio) if word in ("faster", "slower") else ""
        return Lead(word, verdict_sentence(heads[0], comparison, say), number, weak)
    if heads:
        return _several(heads, comparison, say, weak)
    failed = next((a for a in comparison.failed if a.lane == comparison.headline_lane), None)
    if failed is not None:
        reason = recorded.told(failed.failure.reason.rstrip("."), say)
        return Lead("none", say("lead_failed", lane=bare_label(failed.lane), reason=reason))
    measured = {(f.lane, f.precision) for row in comparison.cells for f in row.figures}
    if len(measured) < 2:
        return Lead("none", say("no_comparison"))
    if not any(lane in LANES and LANES[lane].baseline for lane, _ in measured):
        return Lead("none", _no_base(comparison, say))
    return Lead("none", say("lead_no_headline"))


def headlines(comparison: Comparison) -> list[Against]:
    """The headline lane against its base, cell by cell."""
    return [a for row in comparison.cells for a in row.against if a.headline]


def _several(heads: list[Against], comparison: Comparison, say: Language, weak: bool) -> Lead:
    """One sentence over several cells: how many of each verdict, and from which ratio to which; then which lanes may be the
    base, each set of them with the number of its cells, and what bears on it."""
    verdicts = [a.verdict.word for a in heads]
    order = ("void", "faster", "slower", "equivalent", "inconclusive", "none")
    counts = ", ".join(say("lead_count", n=verdicts.count(word), word=say(word)) for word in order if word in verdicts)
    ratios = [a.speedup.ratio for a in heads if a.verdict.word not in ("void", "none")]
    lanes = sorted({label(a.lane, a.precision, comparison) for a in heads})
    sentences = [say("lead_several", lane=", ".join(lanes), n=len(heads), counts=counts)]
    if ratios:
        sentences.append(say("lead_ratios", low=min(ratios), high=max(ratios)))
    sentences += _alike(heads, comparison, say)
    for facts_of in (other_torch, noise, missing, doubtful):
        cells = Counter(fact for a in heads for fact in facts_of(a, comparison))
        sentences += [
            say(fact.key, **_texts(fact, say))
            if n == len(heads)
            else say(IN_SOME_CELLS[fact.key], n=n, **_texts(fact, say))
            for fact, n in cells.items()
        ]
    sentences += list(dict.fromkeys(say(f"weak.{reason}") for a in heads for reason in a.weak))
    word = "void" if "void" in verdicts else verdicts[0] if len(set(verdicts)) == 1 else "mixed"
    number = (
        f"{say.times(min(ratios))}{RANGE}{say.times(max(ratios))}" if ratios and word in ("faster", "slower") else ""
    )
    return Lead(word, say.clauses(sentences), number, weak)


def _alike(heads: list[Against], comparison: Comparison, say: Language) -> list[str]:
    """Every set of lanes that can't be told apart, with the number of its cells; those with a verdict first."""
    cells: dict[tuple[bool, frozenset[tuple[str, str]]], list[Against]] = {}
    for a in sorted(heads, key=lambda a: a.verdict.word not in VERDICTS):
        if open_base(a):
            cells.setdefault((a.verdict.word in VERDICTS, frozenset(a.candidates)), []).append(a)
    return [
        say(
            "base_candidates_in" if settled else "base_candidates_open",
            n=len(members),
            lanes=_listed([label(*key, comparison) for key in members[0].candidates], say),
        )
        for (settled, _), members in cells.items()
    ]


def open_base(a: Against) -> bool:
    """Whether there is an interval and it runs over several candidates."""
    return len(a.candidates) > 1 and a.speedup.low is not None and a.verdict.word != "void"


def verdict_sentence(a: Against, comparison: Comparison, say: Language) -> str:
    """One sentence: the verdict and its interval, or why there is none; which PyTorch lanes may be the base, and which is
    missing."""
    lane, base = label(a.lane, a.precision, comparison), label(a.base, a.base_precision, comparison)
    word = a.verdict.word
    if comparison.simulated:
        return f"{say('none')} ({say('simulated')})"
    told = told_ratio(a)
    if word in ("faster", "slower"):
        sentence = say("headline_says", lane=lane, ratio=told.ratio, word=say(word), base=base)
    elif word == "equivalent":
        sentence = say("headline_equivalent", lane=lane, base=base)
    else:
        sentence = say("headline_open", lane=lane, base=base, word=say(word))
    # Beside the lanes that it is about, where no format cuts it off.
    sentence += "".join(f" ({say(fact.key, **fact.texts)})" for fact in other_torch(a, comparison))
    absent = [say(fact.key, **_texts(fact, say)) for fact in missing(a, comparison)]
    if word == "void":
        weak = [say(f"weak.{reason}") for reason in a.weak]
        return f"{sentence} - {say.clauses([audit_text.reason(comparison, a, say).rstrip('.'), *absent, *weak])}."
    # What bears on the base first: a format that has to cut the sentence cuts its end.
    reasons = _about(a, comparison, say)
    if open_base(a):
        names = _listed([label(*key, comparison) for key in a.candidates], say)
        reasons.append(say("base_candidates", lanes=names))
    reasons += [*absent, *(say(fact.key, **fact.texts) for fact in doubtful(a, comparison))]
    if a.verdict.more_trials is not None:
        reasons.append(say("more_trials", n=a.verdict.more_trials))
    reasons += [say(f"weak.{reason}") for reason in a.weak]
    return f"{sentence}{say.in_brackets(told)} - {say.clauses(reasons)}"


def refused(row: Row) -> set[Key]:
    """The lanes of a cell whose figures are no result: simulated, or what the audit refuses."""
    simulated = {(f.lane, f.precision) for f in row.figures if f.simulated}
    return simulated | {(a.lane, a.precision) for a in row.against if a.verdict.word == "void"}


def told_ratio(a: Against) -> Interval:
    """The ratio and its interval as a sentence says them: of what is slower, how many times slower."""
    of = a.speedup
    if a.verdict.word != "slower":
        return of
    low, high = (1 / end if end else None for end in (of.high, of.low))
    return msgspec.structs.replace(of, ratio=1 / of.ratio, low=low, high=high)


def _about(a: Against, comparison: Comparison, say: Language) -> list[str]:
    """The reason of the verdict, with the candidate that it is about."""
    place = a.verdict.candidate
    if place is None or not 0 <= place < len(a.candidates):
        return [say(a.verdict.reason, candidate=label(a.base, a.base_precision, comparison))]
    name = label(*a.candidates[place], comparison)
    about_noise = [say(fact.key, **fact.texts) for fact in noise(a, comparison)]
    return [say(a.verdict.reason, candidate=name), *about_noise]


def other_torch(a: Against, comparison: Comparison) -> list[Fact]:
    """The torch of the lane and that of its base, where they are not the same; of each candidate, where those differ too."""
    if not a.torches:
        return []
    (lane, precision, torch), *bases = a.torches
    name = label(lane, precision, comparison)
    unknown = bases[0][:2] != (a.base, a.base_precision)  # of the base itself: then a candidate's is not said to be its
    if unknown or any(differ(bases[0][2], base_torch) for *_, base_torch in bases):
        each = ", ".join(f"{label(name, of, comparison)} {plain(version, NAME)}" for name, of, version in a.torches)
        return [Fact.of("torch_differs_each", lanes=each)]
    return [Fact.of("torch_differs", base_torch=plain(bases[0][2], NAME), lane=name, torch=plain(torch, NAME))]


def noise(a: Against, comparison: Comparison) -> list[Fact]:
    """Whose noise alone stands between the trials and a verdict; nothing where it is nobody's."""
    place = a.verdict.candidate
    if a.verdict.word != "inconclusive" or place is None or not 0 <= place < len(a.candidates):
        return []
    return [Fact.of("noise_of_candidate", candidate=label(*a.candidates[place], comparison))]


def _texts(fact: Fact, say: Language) -> dict[str, str]:
    """The texts of a fact; a reason comes from a record and is told in the language."""
    return {name: recorded.told(text, say) if name == "reason" else text for name, text in fact.texts.items()}


def missing(a: Against, comparison: Comparison) -> list[Fact]:
    """The PyTorch lanes that may be the base of this comparison and have no figures, in the run or in this cell, each with
    its reason."""
    reasons = {(f.lane, f.precision): f.failure.reason for f in comparison.failed}
    reasons |= {(hole.lane, hole.precision): hole.reason for row in _rows(a, comparison) for hole in row.holes}
    return [
        Fact.of("base_missing", lane=label(*key, comparison), reason=reason.rstrip("."))
        for key, reason in sorted(reasons.items())
        if may_be_base(key, a.precision)
    ]


def doubtful(a: Against, comparison: Comparison) -> list[Fact]:
    """The PyTorch lanes that were ruled out as the base by figures of this cell that the audit refuses."""
    compared = {(a.lane, a.precision), *a.candidates}
    wheres = [row.where for row in _rows(a, comparison)]
    refused = {
        (f.lane, f.precision)
        for f in comparison.findings
        if f.level == FAIL and f.lane and f.precision and (f.cell is None or f.cell in wheres)
    }
    return [
        Fact.of("base_doubtful", lane=label(*key, comparison))
        for key in sorted(refused - compared)
        if may_be_base(key, a.precision)
    ]


def _rows(a: Against, comparison: Comparison) -> list[Row]:
    """The cell of a comparison."""
    return [row for row in comparison.cells if any(other is a for other in row.against)]


def _no_base(comparison: Comparison, say: Language) -> str:
    """That no PyTorch lane has figures, and why those that were asked for have none."""
    reasons = [
        say.pair(label(f.lane, f.precision, comparison), recorded.told(f.failure.reason.rstrip("."), say))
        for f in comparison.failed
        if f.lane in LANES and LANES[f.lane].baseline
    ]
    return say("lead_no_base", reasons=say.clauses(reasons)) if reasons else say("no_base")


def _listed(names: list[str], say: Language) -> str:
    """Names as a sentence lists them: a, b and c."""
    return say("listed", first=", ".join(names[:-1]), last=names[-1])
