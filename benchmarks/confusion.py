"""Every cheat and every honest run of the tests, and what the audit says of it: makes confusion.json.

    PYTHONPATH=scripts:tests python benchmarks/confusion.py

tests/referee/test_liars.py holds the committed file to what the program says.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cheats import CHEATS
from honest import HONEST, honest
from liars import Story
from trtbench.referee.audit import audit
from trtbench.referee.audit.findings import FAIL, PASS, Finding

OUT = Path(__file__).with_suffix(".json")


def said(story: Story) -> set[str]:
    """Codes and levels of everything that is no pass."""
    findings: list[Finding] = audit(story.run, story.trials, story.judged, story.workload)
    return {f"{f.code} ({f.level})" for f in findings if f.level != PASS}


def table() -> dict[str, list[dict[str, Any]]]:
    """The rows of the confusion table: what a cheat was meant to be told by, whether it was, and what else was said."""
    cheats = []
    for name, (change, code, level) in sorted(CHEATS.items(), key=lambda entry: entry[1][1]):
        story = Story().tell()
        change(story)
        found, meant = said(story.seal()), f"{code} ({level})"
        cheats.append({"run": _words(name), "meant": meant, "told": meant in found, "also": sorted(found - {meant})})
    runs = []
    for name in HONEST:
        found = said(honest(name, 1))
        runs.append({"run": name, "failed": any(f"({FAIL})" in one for one in found), "also": sorted(found)})
    return {"cheats": cheats, "honest": runs}


def _words(name: str) -> str:
    return name.replace("_", " ")


if __name__ == "__main__":
    OUT.write_text(json.dumps(table(), indent=1) + "\n", encoding="utf-8")
