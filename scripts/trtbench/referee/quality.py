"""What came back, against what the reference lane gave back for the same prompts: ids, whole answers, and text.

The reference lane of a cell is its best PyTorch lane. Equal ids can't judge a lane (the judge in referee/judge does that): these say how
far a reader would see a difference. Text needs the model's tokenizer, BLEU needs sacrebleu; without them it is absent.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from trtbench.figures.summary import Where, shape
from trtbench.records.trial import Pass, Trial

TEXTS = 64  # pairs of answers that BLEU is taken over

Pair = tuple[list[int], list[int]]  # ids of one answer, and of the reference lane's to the same prompt


def pairs(lane: Sequence[Trial], base: Sequence[Trial], where: Where) -> list[Pair]:
    """The whole generations of all trials of both lanes that have the cell, prompt by prompt: a lane's first trial beside the
    base's first, its second beside the base's second. Where one lane has fewer trials, its come round again, so that no
    trial of either is left out."""
    lane_passes, base_passes = _passes(lane, where), _passes(base, where)
    if not lane_passes or not base_passes:
        return []
    turns = range(max(len(lane_passes), len(base_passes)))
    return [
        pair
        for turn in turns
        for pair in _answers(lane_passes[turn % len(lane_passes)], base_passes[turn % len(base_passes)])
    ]


def _passes(trials: Sequence[Trial], where: Where) -> list[Pass]:
    return [r.e2e for trial in trials for r in trial.cells if shape(r.cell) == where and r.e2e is not None]


def _answers(lane_pass: Pass, base_pass: Pass) -> Iterator[Pair]:
    for lane_output, base_output in zip(lane_pass.output, base_pass.output):
        yield from zip(lane_pass.outputs[lane_output], base_pass.outputs[base_output])


def equal_share(answers: Sequence[Pair]) -> float | None:
    """Share of ids that are the same at the same place; a missing id is not the same."""
    total = sum(max(len(own), len(reference)) for own, reference in answers)
    equal = sum(
        len(own) if own == reference else sum(i == j for i, j in zip(own, reference)) for own, reference in answers
    )
    return equal / total if total else None


def exact_share(answers: Sequence[Pair]) -> float | None:
    """Share of answers that are the same from the first id to the last."""
    return sum(own == reference for own, reference in answers) / len(answers) if answers else None


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

    def score(self, answers: Sequence[Pair]) -> float | None:
        """BLEU of the first TEXTS answers, each against the reference lane's; None where there is none, or an id is none."""
        first_answers = answers[:TEXTS]
        if not first_answers or any(not 0 <= i < 2**31 for pair in first_answers for row in pair for i in row):
            return None
        texts = [[self.text(row) for row in side] for side in zip(*first_answers)]
        return float(self.sacrebleu.corpus_bleu(texts[0], [texts[1]]).score)

    def text(self, row: Sequence[int]) -> str:
        """The text of the ids. Embeddings are often padded beyond the tokenizer: such an id has no text, and the tokenizer
        would drop it without a word, so it stands as a number in brackets."""
        size = self.tokenizer.get_vocab_size()
        parts = []
        for has_text, group in itertools.groupby(row, lambda i: i < size):
            ids = list(group)
            parts.append(self.tokenizer.decode(ids) if has_text else " ".join(f"[{i}]" for i in ids))
        return " ".join(parts)
