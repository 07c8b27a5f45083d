"""What the judge says of a lane, made of the scores of its sequences and of its ids: the one place of this arithmetic. The judge
writes these lines, and the audit makes them again from the records."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from trtbench.figures.base import base_of, cells_of, grouped, rows_of
from trtbench.figures.summary import Where, shape
from trtbench.records import judgement
from trtbench.records.judgement import LaneScore, Score
from trtbench.records.run import Run
from trtbench.records.trial import Trial
from trtbench.referee import quality
from trtbench.referee.judge.drawing import key_of
from trtbench.referee.quality import Bleu


def lane_scores(
    trials: Sequence[Trial], scores: Sequence[Score], run: Run | None = None, bleu: Bleu | None = None
) -> Iterator[LaneScore]:
    """One line for each lane, precision and cell; with `bleu` also how close the texts are. Answers are held against those of
    the base that the report shows, for which `run` says who left."""
    by_key = {score.key: score for score in scores}
    groups = grouped(trials)
    for where in cells_of(groups):
        rows = rows_of(groups, where)
        for f in sorted(rows, key=lambda f: (f.lane, f.precision)):
            base = base_of(rows, f.precision, run)
            own = groups[f.lane, f.precision]
            scored = _scored(own, where, by_key)
            positions = sum(score.positions for score in scored)
            pairs = quality.pairs(own, groups[base.lane, base.precision], where) if base and base is not f else []
            yield LaneScore(
                lane=f.lane,
                precision=f.precision,
                batch=where[0],
                prompt_length=where[1],
                new_tokens=where[2],
                sequences=len(scored),
                positions=positions,
                near=sum(score.near for score in scored) / positions if positions else None,
                perplexity=math.exp(min(700.0, sum(score.nll for score in scored) / positions)) if positions else None,
                base=base.lane if base and base is not f else None,
                equal=quality.equal_share(pairs),
                exact=quality.exact_share(pairs),
                bleu=bleu.score(pairs) if bleu else None,
            )


def _scored(trials: Sequence[Trial], where: Where, by_key: dict[judgement.Key, Score]) -> list[Score]:
    """The scores of the sequences that these trials returned in the cell, each once."""
    places = {(part, call, row) for cell, part, call, row, _ in by_key if cell == where}
    scores: dict[judgement.Key, Score] = {}
    for trial in trials:
        for record in trial.cells:
            if shape(record.cell) != where:
                continue
            for part, call, row in places:
                key = key_of(where, part, record.e2e if part == "e2e" else record.ttft, call, row)
                if key is not None and key in by_key:
                    scores[key] = by_key[key]
    return [scores[key] for key in sorted(scores)]
