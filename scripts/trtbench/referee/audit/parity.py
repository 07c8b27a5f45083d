"""parity: do the ids that a lane returned follow from the model, as the reference model scores them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from trtbench.figures.base import Key
from trtbench.figures.summary import Where
from trtbench.records import judgement as judgements
from trtbench.records.judgement import Judgement, Score
from trtbench.records.trial import Trial
from trtbench.referee.audit.context import Context, Measured, numbers, quantised
from trtbench.referee.audit.findings import WARN, Finding, found
from trtbench.referee.judge.drawing import key_of

NEAR = 0.99  # honest fp16 and bf16 have 100 %, a dropped layer 58 %, other faults less (measured, random weights)
# What is asked of quantised lanes, on real weights only: int8 and int4 measured (benchmarks/quantised.json, the table in
# docs/methodology.md), fp8 and int4_awq as those of as many bits. Rounding to 4 bits moves logits by more than the 0.3
# deviations that count as near far oftener than rounding to 8 bits does.
QUANTISED_NEAR = {"int8": 0.95, "fp8": 0.95, "int4": 0.75, "int4_awq": 0.75}
FOUR_BITS = ("int4", "int4_awq")
# Near ids of an honest lane of four bits come in runs: the share of a draw has twice the variance of independent ids.
CLUSTERED = 2.0
DRAW_ERRORS = 3.0  # standard errors that the share of so few ids may lie below what is asked for
ERRORS = 4.0  # standard errors that a sampled lane may be off
SLACK = 0.01  # nats an id beyond them: rounding


def check(context: Context) -> list[Finding]:
    findings: list[Finding] = []
    for key, where, measured in context.by_cell():
        findings += _same_answer(context, key, where, measured)
        findings += _unstable(context, key, where, measured)
    judged = context.judgement
    reason = _unusable(context, judged)
    if judged is None or reason:
        return [*findings, found("parity.absent", reason=reason)]
    if judged.checksum != judgements.checksum(judged):
        findings.append(found("provenance.changed", file=judgements.FILE))
    scores = {score.key: score for score in judged.scores}
    places: dict[tuple[Where, str], list[tuple[int, int]]] = {}
    for score in judged.scores:
        place = ((score.batch, score.prompt_length, score.new_tokens), score.part)
        places.setdefault(place, []).append((score.call, score.row))
    unique = {place: list(dict.fromkeys(calls_and_rows)) for place, calls_and_rows in places.items()}
    for key, where, measured in context.by_cell():
        findings += _judged(context, key, where, measured, scores, unique)
    return findings


def _unusable(context: Context, judged: Judgement | None) -> str:
    if judged is None:
        return "absent"
    if judged.failure:
        return judged.failure
    if judged.model_digest != context.run.model_digest:
        return "other_model"
    if judged.workload_digest != context.run.workload_digest:
        return "other_workload"
    return ""


def _judged(
    context: Context,
    key: Key,
    where: Where,
    measured: Sequence[Measured],
    scores: dict[judgements.Key, Score],
    places: dict[tuple[Where, str], list[tuple[int, int]]],
) -> list[Finding]:
    """Hold each trial's ids against the scores of exactly those ids."""
    unscored: list[Trial] = []
    near_shares: list[tuple[float, int, Trial]] = []
    surprises: list[tuple[float, float, Trial]] = []
    for m in measured:
        of_trial = _scores_of(m, where, scores, places)
        if not any(score.part == "e2e" for score in of_trial):
            unscored.append(m.trial)
            continue
        positions = sum(score.positions for score in of_trial)
        share = sum(score.near for score in of_trial) / positions
        near_shares.append((share, positions, m.trial))
        if all(score.surprisal is not None for score in of_trial):
            gap = sum((score.surprisal or 0.0) - (score.expected or 0.0) for score in of_trial)
            spread = math.sqrt(sum(score.variance or 0.0 for score in of_trial))
            surprises.append((abs(gap) - ERRORS * spread - SLACK * positions, gap / positions, m.trial))
    findings = []
    if unscored:
        findings.append(found("parity.unscored", key, where, trials=numbers(unscored)))
    if not near_shares:
        return findings
    if surprises and len(surprises) == len(near_shares):
        return findings + _sampled(key, where, surprises)
    return findings + _near(context, key, where, near_shares)


def _scores_of(
    measured: Measured,
    where: Where,
    scores: dict[judgements.Key, Score],
    places: dict[tuple[Where, str], list[tuple[int, int]]],
) -> list[Score]:
    """The scores of the very ids that a trial returned at the judged places."""
    keys = [
        key_of(where, part, timed_pass, call, row)
        for part, timed_pass in (("e2e", measured.e2e), ("ttft", measured.ttft))
        for call, row in places.get((where, part), [])
    ]
    return [scores[key] for key in keys if key is not None and key in scores]


def _sampled(key: Key, where: Where, surprises: list[tuple[float, float, Trial]]) -> list[Finding]:
    """Each trial's excess over what chance allows (nats), its gap an id, and the trial."""
    off_trials = [entry for entry in surprises if entry[0] > 0]
    if not off_trials:
        return []
    gap, trials = max(off_trials, key=lambda entry: entry[0])[1], numbers([t for _, _, t in off_trials])
    return [found("parity.sampled", key, where, gap=gap, trials=trials)]


def _near(context: Context, key: Key, where: Where, near_shares: list[tuple[float, int, Trial]]) -> list[Finding]:
    trials = context.groups[key]
    is_quantised = quantised(trials[0])
    statement = trials[0].statement
    stored = statement.weight_precision if statement else key[1]
    kind = stored if stored in QUANTISED_NEAR else key[1]
    least_near, positions, _ = min(near_shares, key=lambda entry: entry[0])
    limit = quantised_limit(kind, positions) if is_quantised else NEAR
    if is_quantised and trials[0].model.synthetic:
        return [found("parity.quantised", key, where, WARN, share=least_near, limit=limit)]
    below = [entry for entry in near_shares if entry[0] < (quantised_limit(kind, entry[1]) if is_quantised else NEAR)]
    if not below:
        return []
    code = "parity.quantised" if is_quantised else "parity.near"
    return [
        found(
            code,
            key,
            where,
            share=least_near,
            limit=limit,
            positions=positions,
            trials=numbers([t for _, _, t in below]),
        )
    ]


def quantised_limit(kind: str, positions: int) -> float:
    """The share of near ids that is asked of weights of this precision when so many were scored. Where honest lanes are far
    from 1, few ids may by chance hold fewer near ones: the limit is lower by three standard errors of a share that is just
    what is asked for."""
    asked = QUANTISED_NEAR.get(kind, 0.95)
    if kind not in FOUR_BITS:
        return asked
    return max(0.0, asked - DRAW_ERRORS * math.sqrt(CLUSTERED * asked * (1 - asked) / max(1, positions)))


def _answers(m: Measured) -> int:
    """How many different answers a trial gave to its prompts."""
    return len({tuple(row) for number in set(m.e2e.output) for row in m.e2e.outputs[number]})


def _same_answer(context: Context, key: Key, where: Where, measured: Sequence[Measured]) -> list[Finding]:
    """One answer to all prompts of a trial: kept from an earlier call, made up, or a model that always says the same."""
    if where[2] < 4:
        return []
    unvarying = [m for m in measured if len(m.e2e.output) * where[0] > 1 and _answers(m) == 1]
    if not unvarying:
        return []
    others = [m for (other, cell), members in context.cells.items() if cell == where and other != key for m in members]
    level = None if any(_answers(m) > 1 for m in others) else WARN
    calls, trials = len(unvarying[0].e2e.output), numbers([m.trial for m in unvarying])
    return [found("parity.same_answer", key, where, level, calls=calls, trials=trials)]


def _unstable(context: Context, key: Key, where: Where, measured: Sequence[Measured]) -> list[Finding]:
    if float(context.run.settings.get("TEMPERATURE", 0.0)) > 0 or len(measured) < 2:
        return []
    reference = measured[0].e2e
    equal = total = 0
    for measurement in measured[1:]:
        # Calls that returned the same stored output are looked at once.
        for (number, other_number), calls in Counter(zip(reference.output, measurement.e2e.output)).items():
            batch, other_batch = reference.outputs[number], measurement.e2e.outputs[other_number]
            total += calls * sum(map(len, batch))
            equal += calls * (
                sum(map(len, batch))
                if batch == other_batch
                else sum(x == y for s, t in zip(batch, other_batch) for x, y in zip(s, t))
            )
    if equal == total:
        return []
    return [found("parity.unstable", key, where, share=equal / total)]
