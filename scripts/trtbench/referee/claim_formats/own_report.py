"""This program's own benchmark_comparison_report.json, read as a stranger's: its figures against each other and a card."""

from __future__ import annotations

from collections.abc import Mapping

from trtbench.errors import UserError
from trtbench.referee.claim_formats.layout import Document
from trtbench.referee.claim_formats.numbers import at, count, positive
from trtbench.referee.claim_formats.row import Reading, Row


def matches(document: Document) -> bool:
    """A comparison as `comparison/result.py` has it."""
    return at(document.value, "kind") == "comparison" and isinstance(at(document.value, "cells"), list)


def read(document: Document) -> Reading:
    """One row for each lane and cell."""
    rows = []
    for cell in document.value["cells"]:
        lanes = at(cell, "figures")
        if not isinstance(lanes, list) or not all(isinstance(figures, Mapping) for figures in lanes):
            raise UserError("A cell of this comparison has no figures; give a report as this program wrote it.")
        batch, prompt = count(at(cell, "batch"), "batch"), count(at(cell, "prompt_length"), "prompt_length")
        new = count(at(cell, "new_tokens"), "new_tokens")
        for figures in lanes:
            name = f"{str(figures.get('lane'))[:40]} {str(figures.get('precision'))[:20]}, {batch} x {prompt}+{new}"
            rows.append(
                Row(
                    name=name,
                    batch=batch,
                    prompt=prompt,
                    new_tokens=new,
                    latency=positive(figures.get("latency"), f"{name}: latency"),
                    throughput=positive(figures.get("throughput"), f"{name}: throughput"),
                    precision=str(figures.get("weight_precision") or figures.get("precision"))[:40],
                )
            )
    if not rows:
        raise UserError("This comparison has no figures.")
    return Reading("a comparison report of this program", tuple(rows))
