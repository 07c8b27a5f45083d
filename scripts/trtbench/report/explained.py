"""What the heads of a table mean, told below the first table of a report in which they stand; the same sentences in every format."""

from __future__ import annotations

from collections.abc import Iterable

from trtbench.report.language import Language

TERM_OF = {
    "page_latency": "mean",
    "speedup": "speedup",
    "interval_head": "interval",
    "ttft": "ttft",
    "prefill": "ttft",
    "clocks.ttft": "ttft",
    "tpot": "tpot",
    "tpot_ms": "tpot",
    "peak_rss": "rss",
    "bleu": "bleu",
    "perplexity": "perplexity",
}  # the key of a head, and its term in words/explained.py; ceiling and shares of it are explained by ceiling.py


class Explained:
    """The explanations of one report in one language, each once."""

    def __init__(self, say: Language) -> None:
        self._say = say
        self._told: set[str] = set()

    def heads(self, head: Iterable[str]) -> list[str]:
        """The sentences for the heads of a table, as they are written in it, that none explained before."""
        written = set(head)
        terms = dict.fromkeys(term for key, term in TERM_OF.items() if self._say(key) in written)
        new = [term for term in terms if term not in self._told]
        self._told.update(new)
        return [self._say(f"explained.{term}") for term in new]
