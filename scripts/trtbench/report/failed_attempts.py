"""Attempts that failed, each with its reason: the same sentences for every format."""

from __future__ import annotations

from trtbench.comparison.result import Comparison
from trtbench.report.language import Language
from trtbench.report.names import label
from trtbench.report.recorded import told

SHOWN = 20  # the JSON document holds all
REASON = 160  # characters of a reason: one or two lines


def sentences(comparison: Comparison, say: Language) -> list[str]:
    """One for each of the first failed attempts, and how many more there are; nothing where there are none."""
    said = [
        say(
            "failed_attempts.again" if one.again else "failed_attempts.last",
            lane=label(one.lane, one.precision, comparison),
            index=one.index,
            attempt=one.attempt,
            reason=told(one.reason.rstrip("."), say, REASON),
        )
        for one in comparison.failed_attempts[:SHOWN]
    ]
    more = len(comparison.failed_attempts) - SHOWN
    return said + ([say("failed_attempts.more", n=more)] if more > 0 else [])
