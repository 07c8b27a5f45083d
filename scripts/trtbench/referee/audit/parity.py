"""parity: do the ids that a lane returned follow from the model, as the reference model scores them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trtbench.figures.summary import Where
from trtbench.records import judgement as judgements
from trtbench.records.judgement import Judgement, Score
from trtbench.records.trial import Trial
from trtbench.referee.audit.context import Context, Key, Measured, numbers, quantised
from trtbench.referee.audit.findings import WARN, Finding, found

NEAR = 0.99  # honest fp16 and bf16 have 100 %, a dropped layer 58 %, other faults less (measured, random weights)
# What is asked of quantised lanes, on real weights only: chosen, not measured. Rounding to 4 bits moves logits by more
# than the 0.3 deviations that count as near far oftener than rounding to 8 bits does.
QUANTISED_NEAR = {"int8": 0.95, "fp8": 0.95, "int4": 0.85, "int4_awq": 0.85}
ERRORS = 4.0  # standard errors that a sampled lane may be off
SLACK = 0.01  # nats an id beyond them: rounding


def check(context: Context) -> list[Finding]:
    made: list[Finding] = []
    for key, where, measured in context.by_cell():
        made += _same_answer(context, key, where, measured)
        made += _unstable(context, key, where, measured)
    judged = context.judgement
    reason = _unusable(context, judged)
    if judged is None or reason:
        return [*made, found("parity.absent", reason=reason)]
    if judged.checksum != judgements.checksum(judged):
        made.append(found("provenance.changed", file=judgements.FILE))
    scores = {score.key: score for score in judged.scores}
    places: dict[tuple[Where, str], list[tuple[int, int]]] = {}
    for score in judged.scores:
        place = ((score.batch, score.prompt_length, score.new_tokens), score.part)
        places.setdefault(place, []).append((score.call, score.row))
    unique = {place: list(dict.fromkeys(found_at)) for place, found_at in places.items()}
    for key, where, measured in context.by_cell():
        made += _judged(context, key, where, measured, scores, unique)
    return made


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
    low: list[tuple[float, int, Trial]] = []
    off: list[tuple[float, float, Trial]] = []
    for m in measured:
        mine = []
        for part in ("e2e", "ttft"):
            outputs, number = getattr(m, part).outputs, getattr(m, part).output
            for call, row in places.get((where, part), []):
                if call >= len(number) or row >= len(outputs[number[call]]):
                    continue
                digest = judgements.digest(outputs[number[call]][row])
                score = scores.get((where, part, call, row, digest))
                if score is not None:
                    mine.append(score)
        if not any(score.part == "e2e" for score in mine):
            unscored.append(m.trial)
            continue
        positions = sum(score.positions for score in mine)
        share = sum(score.near for score in mine) / positions
        low.append((share, positions, m.trial))
        if all(score.surprisal is not None for score in mine):
            gap = sum((score.surprisal or 0.0) - (score.expected or 0.0) for score in mine)
            spread = math.sqrt(sum(score.variance or 0.0 for score in mine))
            off.append((abs(gap) - ERRORS * spread - SLACK * positions, gap / positions, m.trial))
    made = []
    if unscored:
        made.append(found("parity.unscored", key, where, trials=numbers(unscored)))
    if not low:
        return made
    if off and len(off) == len(low):
        wrong = [entry for entry in off if entry[0] > 0]
        if wrong:
            made.append(
                found(
                    "parity.sampled",
                    key,
                    where,
                    gap=max(wrong, key=lambda entry: entry[0])[1],
                    trials=numbers([t for _, _, t in wrong]),
                )
            )
        return made
    return made + _near(context, key, where, low)


def _near(context: Context, key: Key, where: Where, low: list[tuple[float, int, Trial]]) -> list[Finding]:
    trials = context.groups[key]
    is_quantised = quantised(trials[0])
    statement = trials[0].statement
    stored = statement.weight_precision if statement else key[1]
    limit = QUANTISED_NEAR.get(stored, QUANTISED_NEAR.get(key[1], 0.95)) if is_quantised else NEAR
    worst = min(entry[0] for entry in low)
    if is_quantised and trials[0].model.synthetic:
        return [found("parity.quantised", key, where, WARN, share=worst, limit=limit)]
    wrong = [entry for entry in low if entry[0] < limit]
    if not wrong:
        return []
    code = "parity.quantised" if is_quantised else "parity.near"
    positions = min(wrong, key=lambda entry: entry[0])[1]
    return [
        found(
            code,
            key,
            where,
            share=worst,
            limit=limit,
            positions=positions,
            trials=numbers([t for _, _, t in wrong]),
        )
    ]


def _answers(m: Measured) -> int:
    """How many different answers a trial gave to its prompts."""
    return len({tuple(row) for number in set(m.e2e.output) for row in m.e2e.outputs[number]})


def _same_answer(context: Context, key: Key, where: Where, measured: Sequence[Measured]) -> list[Finding]:
    """One answer to all prompts of a trial: kept from an earlier call, made up, or a model that always says the same."""
    if where[2] < 4:
        return []
    wrong = [m for m in measured if len(m.e2e.output) * where[0] > 1 and _answers(m) == 1]
    if not wrong:
        return []
    others = [m for (other, at), members in context.cells.items() if at == where and other != key for m in members]
    level = None if any(_answers(m) > 1 for m in others) else WARN
    calls, trials = len(wrong[0].e2e.output), numbers([m.trial for m in wrong])
    return [found("parity.same_answer", key, where, level, calls=calls, trials=trials)]


def _unstable(context: Context, key: Key, where: Where, measured: Sequence[Measured]) -> list[Finding]:
    if float(context.run.settings.get("TEMPERATURE", 0.0)) > 0 or len(measured) < 2:
        return []
    first = measured[0].e2e
    equal = total = 0
    for m in measured[1:]:
        for one, other in zip(first.output, m.e2e.output):
            a, b = first.outputs[one], m.e2e.outputs[other]
            total += sum(map(len, a))
            equal += sum(map(len, a)) if a == b else sum(x == y for s, t in zip(a, b) for x, y in zip(s, t))
    if equal == total:
        return []
    return [found("parity.unstable", key, where, share=equal / total)]
