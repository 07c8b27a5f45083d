"""What came back, against what the reference lane gave back for the same prompts: ids, whole answers, and text.

The reference lane of a cell is its best PyTorch lane. Equal ids can't judge a lane (trtbench.referee.judge.judging does that): these say
how far a reader would see a difference. Text needs the model's tokenizer, BLEU needs sacrebleu; without them it is absent.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from trtbench.figures.summary import shape
from trtbench.records.trial import Trial

TEXTS = 64  # pairs of answers that BLEU is taken over

Pair = tuple[list[int], list[int]]  # ids of one answer, and of the reference lane's to the same prompt


def pairs(mine: Sequence[Trial], base: Sequence[Trial], where: tuple[int, int, int]) -> list[Pair]:
    """The whole generations of both lanes' first trials that have the cell, prompt by prompt."""
    return list(_pairs(mine, base, where))


def _pairs(mine: Sequence[Trial], base: Sequence[Trial], where: tuple[int, int, int]) -> Iterator[Pair]:
    a, b = (next((r.e2e for t in ts for r in t.cells if shape(r.cell) == where and r.e2e), None) for ts in (mine, base))
    if a is not None and b is not None:
        for one, other in zip(a.output, b.output):
            yield from zip(a.outputs[one], b.outputs[other])


def equal_share(found: Sequence[Pair]) -> float | None:
    """Share of ids that are the same at the same place; a missing id is not the same."""
    total = sum(max(len(x), len(y)) for x, y in found)
    return sum(i == j for x, y in found for i, j in zip(x, y)) / total if total else None


def exact_share(found: Sequence[Pair]) -> float | None:
    """Share of answers that are the same from the first id to the last."""
    return sum(x == y for x, y in found) / len(found) if found else None


class Bleu:
    """Corpus BLEU (Papineni et al. 2002) of texts with sacrebleu's defaults (Post 2018), 0 to 100."""

    def __init__(self, tokenizer: Any) -> None:
        import sacrebleu

        self.tokenizer, self.sacrebleu = tokenizer, sacrebleu
        self.version = str(sacrebleu.__version__)

    @classmethod
    def of(cls, folder: Path) -> Bleu | None:
        """For the model in `folder`; None without its tokenizer.json, tokenizers or sacrebleu."""
        file = folder / "tokenizer.json"
        if not file.is_file() or any(importlib.util.find_spec(name) is None for name in ("sacrebleu", "tokenizers")):
            return None
        from tokenizers import Tokenizer

        return cls(Tokenizer.from_file(str(file)))

    def score(self, found: Sequence[Pair]) -> float | None:
        """BLEU of the first TEXTS answers, each against the reference lane's; None where there is none, or an id is none."""
        shown = found[:TEXTS]
        if not shown or any(not 0 <= i < 2**31 for pair in shown for row in pair for i in row):
            return None
        texts = [[self.text(row) for row in side] for side in zip(*shown)]
        return float(self.sacrebleu.corpus_bleu(texts[0], [texts[1]]).score)

    def text(self, row: Sequence[int]) -> str:
        """The text of the ids. Embeddings are often padded beyond the tokenizer: such an id has no text, and the tokenizer
        would drop it without a word, so it stands as a number in brackets."""
        size = self.tokenizer.get_vocab_size()
        parts = []
        for known, group in itertools.groupby(row, lambda i: i < size):
            ids = list(group)
            parts.append(self.tokenizer.decode(ids) if known else " ".join(f"[{i}]" for i in ids))
        return " ".join(parts)
