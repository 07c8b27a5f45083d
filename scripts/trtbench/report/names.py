"""What lanes are called for people, also those that this program does not have."""

from __future__ import annotations

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Comparison
from trtbench.settings.lanes import LANES


def known(lane: str) -> str:
    """A lane's name for people; what it calls itself where this program does not know it."""
    return LANES[lane].label if lane in LANES else plain(lane, NAME)


def label(lane: str, precision: str, comparison: Comparison) -> str:
    """A lane's name; with its precision where the run has several."""
    several = len({f.precision for row in comparison.cells for f in row.figures}) > 1
    return known(lane) + (f" {plain(precision, NAME)}" if several else "")
