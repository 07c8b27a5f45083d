"""What must be known about the figures of a cell, and why a lane has none: the same sentences for every format."""

from __future__ import annotations

from trtbench.comparison.result import Comparison, Row
from trtbench.figures.base import may_be_base
from trtbench.figures.summary import Figures
from trtbench.records.trial import Failure
from trtbench.report import other_clocks
from trtbench.report.language import Language
from trtbench.report.names import bare_label, label
from trtbench.report.recorded import told

NO_BASE = "no_pytorch_lane"  # why there is no verdict, for programs that read it


def remarks(row: Row, comparison: Comparison, say: Language) -> list[str]:
    """What must be known about the figures of one cell."""
    sentences = [
        say.pair(label(h.lane, h.precision, comparison), say("hole", reason=told(h.reason, say))) for h in row.holes
    ]
    if len(row.figures) == 1 and not row.holes:
        sentences.append(say("no_comparison"))
    elif without_base(row):
        failed = {(h.lane, h.precision) for h in row.holes} | {(a.lane, a.precision) for a in comparison.failed}
        asked_for = any(may_be_base(key, key[1]) for key in failed)
        sentences.append(say("no_base_failed" if asked_for else "no_base"))
    for a in row.against:
        if not a.same_precision:
            sentences.append(
                say(
                    "not_same_precision",
                    lane=bare_label(a.lane),
                    precision=a.precision,
                    base=bare_label(a.base),
                    base_precision=a.base_precision,
                )
            )
    for f in row.figures:
        if f.outliers:
            sentences.append(
                say("outliers", lane=label(f.lane, f.precision, comparison), n=f.outliers, of=f.iterations)
            )
    return sentences + other_clocks.problems(row, say)


def without_base(row: Row) -> bool:
    """Whether nothing is compared in the cell although there are lanes: no PyTorch lane is among them."""
    return not row.against and len(row.figures) > 1


def counts(f: Figures, say: Language) -> str:
    """How many trials of how many iterations stand behind the figures, and whether the lane left early."""
    counted = say("trials", trials=f.trials, iterations=f.iterations // f.trials)
    return f"{counted}, {left(f, say)}" if f.left is not None else counted


def left(f: Figures, say: Language) -> str:
    """After which round the lane left; nothing for one that stayed."""
    return "" if f.left is None else say("left", round=f.left)


def failure_sentences(failure: Failure, say: Language) -> str:
    """The reason and the hint of a failure as sentences on one line, each with a capital where it is a sentence of ours."""
    parts = [told(part.rstrip("."), say) for part in (failure.reason, failure.hint or "") if part.strip()]
    return ". ".join(parts) + "."
