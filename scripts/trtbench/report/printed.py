"""What `compare.py --format` prints."""

from __future__ import annotations

from typing import TextIO

from trtbench.comparison.result import Comparison
from trtbench.report import colour, csv_table, markdown, pytorch_json, text


def render(kind: str, comparison: Comparison, lang: str, stream: TextIO) -> str:
    """The comparison as text, markdown, csv or pytorch-json; text has colours where `stream` is a terminal."""
    if kind == "markdown":
        return markdown.render(comparison, lang)
    if kind == "csv":
        return csv_table.render(comparison)
    if kind == "pytorch-json":
        return pytorch_json.render(comparison)
    report = text.render(comparison, lang)
    return colour.paint(report, lang) if colour.wanted(stream) else report
