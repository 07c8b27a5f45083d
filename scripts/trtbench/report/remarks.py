"""What must be known about the figures of a cell, and why a lane has none: the same sentences for every format."""

from __future__ import annotations

from trtbench.comparison.clean_text import plain
from trtbench.comparison.result import Comparison, Row
from trtbench.figures.summary import Figures
from trtbench.records.trial import Failure
from trtbench.report.names import bare_label, label
from trtbench.report.words.report import words


def remarks(row: Row, comparison: Comparison, lang: str) -> list[str]:
    """What must be known about the figures of one cell."""
    say = words(lang)
    sentences = [
        f"{label(h.lane, h.precision, comparison)}: {say['hole'].format(reason=plain(h.reason))}" for h in row.holes
    ]
    if len(row.figures) == 1 and not row.holes:
        sentences.append(say["no_comparison"])
    elif not row.against and len(row.figures) > 1:
        sentences.append(say["no_base"])
    for a in row.against:
        if not a.same_precision:
            sentences.append(
                say["not_same_precision"].format(
                    lane=bare_label(a.lane),
                    precision=a.precision,
                    base=bare_label(a.base),
                    base_precision=a.base_precision,
                )
            )
    for f in row.figures:
        if f.outliers:
            sentences.append(
                say["outliers"].format(lane=label(f.lane, f.precision, comparison), n=f.outliers, of=f.iterations)
            )
    return sentences


def counts(f: Figures, lang: str) -> str:
    """How many trials of how many iterations stand behind the figures."""
    sentence = words(lang)["trials" if f.trials > 1 else "trials_one"]
    return sentence.format(trials=f.trials, iterations=f.iterations // f.trials)


def failure_sentences(failure: Failure) -> str:
    """The reason and the hint of a failure as sentences on one line."""
    parts = [plain(part).rstrip(".") for part in (failure.reason, failure.hint or "") if part.strip()]
    return ". ".join(parts) + "."
