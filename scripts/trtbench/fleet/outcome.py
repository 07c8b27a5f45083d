"""What is kept of one run that came back, of its bundle audited again: small, so that ten thousand of them fit into memory."""

from __future__ import annotations

import msgspec

from trtbench.comparison.result import Comparison


class Outcome(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Of one run."""

    run: str


def of(comparison: Comparison) -> Outcome:
    """What is kept of a comparison."""
    return Outcome(run=comparison.run)
