"""A lane beside its ceiling, for every format: the share of it, or in words why there is none.

The ceiling is the bound that the audit keeps (trtbench.referee.record_roofline), so a share above 100 % has a finding; it is
said in words then, and no line is drawn that a bar would cross."""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.comparison.result import Comparison
from trtbench.figures.summary import Figures
from trtbench.referee.record_roofline import CACHED, MEASURED, NOMINAL
from trtbench.report.language import Language
from trtbench.report.names import of_cards
from trtbench.report.scale import beyond

ROUNDING = 1e-9  # of the arithmetic between a trial's time and its rate


def excess(f: Figures) -> float | None:
    """How many times its ceiling the lane's fastest trial reached, where that is above it."""
    if not f.ceiling_tok_s:
        return None
    fastest = f.throughput * f.latency / min(f.latency_trials)
    ratio = fastest / f.ceiling_tok_s
    return ratio if ratio > 1 + ROUNDING else None


def most(f: Figures) -> float | None:
    """The ceiling in output tokens per second; None where memory sets none."""
    return None if f.ceiling_basis == CACHED else f.ceiling_tok_s or None


def line(f: Figures) -> float | None:
    """Where a plot has the ceiling, in output tokens per second; None where there is none of memory, or none above all
    trials."""
    return most(f) if excess(f) is None else None


def share(f: Figures) -> float | None:
    """The lane's throughput as a share of its ceiling, at most 1."""
    ceiling = line(f)
    return f.throughput / ceiling if ceiling else None


def words(f: Figures, say: Language) -> str | None:
    """What is said in place of a share; nothing where there is one, or where the ceiling is not known."""
    above = excess(f)
    if above is not None:
        return say("ceiling_above_measured" if f.ceiling_basis == MEASURED else "ceiling_above", ratio=above)
    return say("ceiling_cached") if f.ceiling_basis == CACHED else None


def told(figures: Sequence[Figures], end: float, say: Language) -> list[str | None]:
    """What a plot whose axis ends at `end` tells of the ceiling beside each lane: the words, or where it lies beyond; one
    beyond that is the same for all of them once, beside the last."""
    each = [_told(f, end, say) for f in figures]
    if len(set(each)) > 1 or any(words(f, say) for f in figures):
        return each
    return [*[None] * (len(each) - 1), each[-1]]


def _told(f: Figures, end: float, say: Language) -> str | None:
    rate, said = line(f), words(f, say)
    if said is None and rate is not None and beyond(rate, end):
        return f"{say('ceiling')} {say.number(rate, 0 if rate >= 100 else None)} tok/s →"
    return said


def share_text(f: Figures, say: Language) -> str | None:
    """The share in per cent, the words in its place, or nothing where the ceiling is not known."""
    part = share(f)
    return say.percent(part) if part is not None else words(f, say)


def notes(figures: Sequence[Figures], comparison: Comparison, say: Language) -> list[str]:
    """What the ceiling is, and its share."""
    words_of = {NOMINAL: of_cards("ceiling_nominal", comparison), MEASURED: "ceiling_measured"}
    keys = [key for basis, key in words_of.items() if any(f.ceiling_basis == basis for f in figures)]
    if not keys and any(f.ceiling_basis == CACHED for f in figures):
        return [say("ceiling_only_cached")]
    return [say(key) for key in ["explained.ceiling", *keys]] if keys else []


def utilisation_notes(figures: Sequence[Figures], comparison: Comparison, say: Language) -> list[str]:
    """What MBU and MFU are, where they are known."""
    keys = ["explained.mbu"] if any(f.mbu is not None for f in figures) else []
    keys += [of_cards("mfu_note", comparison)] if any(f.mfu is not None for f in figures) else []
    return [say(key) for key in keys]
