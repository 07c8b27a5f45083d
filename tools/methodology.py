"""Fill the made parts of docs/methodology.md: the coverage table from coverage.json, the audit's table from the program.

    python3 tools/methodology.py [--check]

What stands between `<!-- NAME -->` and `<!-- /NAME -->` is made here and never typed. --check writes nothing and ends
with status 1 when the file is not what would be made.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from trtbench.referee.audit.findings import PASS, TABLE  # noqa: E402

DOCUMENT = ROOT / "docs" / "methodology.md"
COVERAGE = ROOT / "benchmarks" / "coverage.json"


def percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def coverage(found: dict[str, Any]) -> str:
    names = list(found["coverage"][0]["coverage"])
    head = ["noise", *(f"{n} trials" if n.isdigit() else n for n in names), "trials at stop", "A/A called different"]
    rows = [
        [
            row["scenario"] + (" (no target)" if row["limit"] else ""),
            *(percent(row["coverage"][name]) for name in names),
            f"{row['trials_at_stop']:.1f}",
            percent(max(row["aa"].values())),
        ]
        for row in found["coverage"]
    ]
    notes = [f"- {row['scenario']}: {row['limit']}." for row in found["coverage"] if row["limit"]]
    size = f"{found['runs']:,} simulated runs a row, {found['iterations']} iterations a trial, seed {found['seed']}"
    rule = (
        f"stop: from {found['min_rounds']} trials on, half-width within {found['target_precision']:.0%} twice running, "
        f"{found['most_trials']} at most"
    )
    return "\n".join([table(head, rows), "", f"{size}; {rule}.", *notes])


def power(found: dict[str, Any]) -> str:
    sizes = ["5", "8", "10", "20", "stop"]
    head = ["noise of trial means"]
    head += [f"true 3 % found, {n}" for n in sizes]
    head += ["true 5 % called equivalent, at most", "equal lanes called equivalent, 10"]
    rows = [
        [
            percent(row["noise"]),
            *(percent(row["found_3"][n]) for n in sizes),
            f"{max(row['equivalent_5'].values()):.2%}".replace("%", " %"),
            percent(row["equivalent_0"]["10"]),
        ]
        for row in found["power"]
    ]
    missed = found["missed"] or ["none"]
    return "\n".join([table(head, rows), "", f"Targets missed: {'; '.join(missed)}."])


def findings() -> str:
    rows = [
        [f"`{code}`", " or ".join(row.levels), row.condition] for code, row in TABLE.items() if row.levels != (PASS,)
    ]
    return table(["code", "level", "condition"], rows)


def filled(text: str) -> str:
    """The document with its made parts made anew."""
    found = json.loads(COVERAGE.read_text(encoding="utf-8"))
    for name, made in (("coverage", coverage(found)), ("power", power(found)), ("findings", findings())):
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not pattern.search(text):
            sys.exit(f"{DOCUMENT} lacks the part {name}")
        text = pattern.sub(lambda match, made=made: match[1] + made + "\n" + match[2], text)
    return text


def main() -> int:
    there = DOCUMENT.read_text(encoding="utf-8")
    made = filled(there)
    if "--check" in sys.argv[1:]:
        return int(made != there)
    DOCUMENT.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
