"""Whether a warm-up has come to rest: decided by the run, and again by the audit."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

AGREE = 3  # the median of so many warm-up calls …
WITHIN = 0.02  # … must lie within this share of that of as many before


def settled(times: Sequence[int]) -> bool:
    """Whether warm-up calls of these times (ns) hold still: the median of the last AGREE is within WITHIN of the median of
    the AGREE before. Medians, because noise of single calls would keep a lane warming up to its limit."""
    if len(times) < 2 * AGREE:
        return False
    earlier, last = statistics.median(times[-2 * AGREE : -AGREE]), statistics.median(times[-AGREE:])
    return abs(last - earlier) <= WITHIN * earlier
