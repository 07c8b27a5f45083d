"""The tables of words: one row a sentence, in English and in French; `trtbench.report.language` writes them."""

from __future__ import annotations

from trtbench.report.words.audit import HEADINGS
from trtbench.report.words.history import HISTORY
from trtbench.report.words.report import REPORT

SENTENCES: dict[str, tuple[str, str]] = REPORT | HISTORY | HEADINGS
