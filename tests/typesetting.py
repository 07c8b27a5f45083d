"""What a reader of a language would mark in how a text is set."""

from __future__ import annotations

import re

from trtbench.report.language import ENGLISH, NO_BREAK, THIN, Language


def misspaced(text: str, say: Language) -> list[str]:
    """Signs of punctuation that another language would set so. Times of day, ratios and addresses have none."""
    if say is ENGLISH:
        return re.findall(rf"\S?[ {NO_BREAK}{THIN}][:;!?%](?:\s|$)", text)
    return re.findall(r"[^\s:][:;!?%](?=[\s)]|$)|[ ][:;!?%](?=[\s)]|$)", text)
