"""Every cheat by its name: what it changes in a story, and the finding that must tell it. A theme is a module here."""

from __future__ import annotations

from cheats import (
    base,
    ceiling,
    clock,
    count,
    fairness,
    judged,
    machine,
    parity,
    presence,
    provenance,
    sealed,
    software,
    stripped,
    who,
)
from cheats.changes import CHEATS, Cheat

__all__ = ["CHEATS", "Cheat", "base", "ceiling", "clock", "count", "fairness", "judged"]
__all__ += ["machine", "parity", "presence", "provenance", "sealed", "software", "stripped", "who"]
