"""What the judge writes: how the reference model scores the ids that the lanes returned. Reading it needs no torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import UNSET, UnsetType

from trtbench.records import run_folder
from trtbench.records.checking import check_names
from trtbench.records.files import as_read, check_schema, encode, read_as, write_whole
from trtbench.records.trial import Sampling, Trial
from trtbench.settings.cells import Amount, Batch, Count, NewTokens, Positive, PromptLength

NEAR_DEVIATIONS = 0.3  # an id is near when its logit is within so many standard deviations of the top one
MAX_POSITIONS = 256  # new ids of a sequence that are scored
FILE = "judge.json"


class Reference(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What judged: precision and device of the reference model, and the libraries."""

    precision: str
    device: str
    libraries: dict[str, str]


class Score(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """One returned sequence, named by its place and the digest of its ids; any lane that returned it has this score.

    `part` is e2e or ttft, `call` and `row` say which prompt it followed. Sums over the `positions` scored: `near` ids,
    `nll` (negative log likelihood, nats) at temperature 1. With sampling also `surprisal`, the nats at the temperature
    asked for, and what the reference's own distribution leads one to expect of it, with its variance.
    """

    batch: Batch
    prompt_length: PromptLength
    new_tokens: NewTokens
    part: str
    call: Count
    row: Count
    digest: str
    positions: Positive
    near: Count
    nll: Amount
    surprisal: Amount | None = None
    expected: Amount | None = None
    variance: Amount | None = None

    @property
    def key(self) -> Key:
        return (self.batch, self.prompt_length, self.new_tokens), self.part, self.call, self.row, self.digest


Key = tuple[tuple[int, int, int], str, int, int, str]


class LaneScore(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True, omit_defaults=True):
    """One lane in one cell: `sequences` distinct ones scored with `positions` ids, the share of them `near` and their
    `perplexity`; against `base`, the best PyTorch lane (None for itself), the share of all ids that are `equal`, of whole
    answers that are `exact`ly the same, and the `bleu` (0 to 100) of the texts. `equal` and `exact` are over all trials, in
    a judgement without `trials` over the first one of each lane. What is None by default is left out, so that judgements of
    before keep their checksum."""

    lane: str
    precision: str
    batch: Batch
    prompt_length: PromptLength
    new_tokens: NewTokens
    sequences: Count
    positions: Count
    near: Amount | None
    perplexity: Amount | None
    base: str | None
    equal: Amount | None
    exact: Amount | None = None
    bleu: Amount | None = None


class Seen(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A trial that was there when the judge looked, and the `digest` of all ids that it had returned. The digest tells a
    trial whose ids changed from one whose sequences time did not suffice for."""

    run: str
    lane: str
    precision: str
    index: Count
    attempt: Count
    digest: str

    @property
    def trial(self) -> TrialKey:
        return self.run, self.lane, self.precision, self.index, self.attempt


TrialKey = tuple[str, str, str, int, int]


class Judgement(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag="judge", tag_field="kind"):
    """All scores of a run. `seed` drew the order of calls; `failure` why there is no score. `trials` are those that the
    judge looked at; earlier programs did not say, and where it is absent it is left out: their checksum is over that."""

    schema: int
    run: str
    model_digest: str
    workload_digest: str
    sampling: Sampling
    near_deviations: Amount
    max_positions: Count
    seed: Count
    seconds: Amount
    reference: Reference | None = None
    lanes: list[LaneScore] = []
    scores: list[Score] = []
    failure: str | None = None
    checksum: str = ""
    trials: list[Seen] | UnsetType = UNSET


def digest(row: Sequence[int]) -> str:
    """Digest of the ids of one sequence, which stand in it as they stand in JSON, without the brackets."""
    return hashlib.sha256(msgspec.json.encode(row)[1:-1]).hexdigest()[:32]


def trial_key(trial: Trial) -> TrialKey:
    return trial.run, trial.lane, trial.precision, trial.index, trial.attempt


def seen(trial: Trial) -> Seen:
    """The trial as the judge notes it."""
    ids = [
        (record.cell, [(part.output, part.outputs) if part else None for part in (record.e2e, record.ttft)])
        for record in trial.cells
    ]
    return Seen(
        run=trial.run,
        lane=trial.lane,
        precision=trial.precision,
        index=trial.index,
        attempt=trial.attempt,
        digest=hashlib.sha256(msgspec.json.encode(ids)).hexdigest()[:32],
    )


def checksum(judgement: Judgement) -> str:
    plain = msgspec.structs.replace(judgement, checksum="")
    return hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).hexdigest()


def path(results: Path, run: str) -> Path:
    return run_folder.folder(results, run) / FILE


def write(file: Path, judgement: Judgement) -> None:
    """Seal it with its checksum and write it whole."""
    judgement.checksum = checksum(as_read(judgement))
    write_whole(file, encode(judgement))


def read(file: Path) -> Judgement | None:
    """Read it strictly; None when there is none."""
    return check_judgement(read_as(Judgement, file, links=False), str(file)) if os.path.lexists(file) else None


def check_judgement(judgement: Judgement, where: str) -> Judgement:
    """Refuse a judgement that was decoded and is of no version that is read, or that names what no table knows."""
    check_schema(judgement.schema, where)
    bases = [score.base for score in judgement.lanes]
    check_names(
        where, [*(score.lane for score in judgement.lanes), *bases], [score.precision for score in judgement.lanes]
    )
    return judgement
