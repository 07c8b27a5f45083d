"""parity: do the ids that a lane returned follow from the model, as the reference model scores them."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Sequence

from trtbench.figures.base import Key
from trtbench.figures.summary import Where
from trtbench.records import judgement as judgements
from trtbench.records.judgement import Judgement, Score
from trtbench.records.trial import Trial
from trtbench.referee.audit import judged as words
from trtbench.referee.audit.context import Context, Measured, numbers, quantised
from trtbench.referee.audit.findings import FAIL, WARN, Finding, found
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
# First tokens are a pass of their own, at most a dozen ids a trial. Honest lanes of 16 and 32 bits missed none of 16,000
# ids, int8 none of 96 first ones, int4 3 to 6 of 24 (benchmarks/quantised.json). A lane fails where one that is just as good
# as asked for would have so few near ones with a CHANCE of less than 0.3 %.
FIRST_NEAR = 0.998
FIRST_QUANTISED_NEAR = {"int8": 0.95, "fp8": 0.95, "int4": 0.65, "int4_awq": 0.65}
CHANCE = 0.003
ERRORS = 4.0  # standard errors that a sampled lane may be off
# A dozen draws have no normal distribution: whatever they have, they lie so far off with CHANCE (Cantelli's inequality).
FIRST_ERRORS = math.sqrt(1 / CHANCE - 1)
SLACK = 0.01  # nats an id beyond them: rounding
PARTS = ("e2e", "ttft")
OF_MODEL = (
    "parity.near",
    "parity.quantised",
    "parity.sampled",
)  # where one fails, wrong first tokens go without saying


def check(context: Context) -> list[Finding]:
    findings: list[Finding] = []
    for key, where, measured in context.by_cell():
        findings += _same_answer(context, key, where, measured)
        findings += _unstable(context, key, where, measured)
    judged = context.judgement
    if judged is None:
        return [*findings, found("parity.absent", reason="absent")]
    unbound = words.unbound(context, judged)
    if unbound:
        return [*findings, *unbound]
    reason = _unusable(context, judged)
    if reason:
        findings.append(found("parity.absent", reason=reason))
    if judged.checksum != judgements.checksum(judged):
        findings.append(found("provenance.changed", file=judgements.FILE))
    findings += words.check(context, judged)
    if reason and (reason != judged.failure or not judged.scores):
        return findings  # another question's scores, or none
    possible = [score for score in words.drawn(judged.scores) if words.summable(score)]
    scores = {score.key: score for score in possible}
    unique: dict[tuple[Where, str], dict[tuple[int, int], None]] = {}
    for score in possible:
        place = ((score.batch, score.prompt_length, score.new_tokens), score.part)
        unique.setdefault(place, {})[score.call, score.row] = None
    places = {place: [*calls_and_rows] for place, calls_and_rows in unique.items()}
    for key, where, measured in context.by_cell():
        of_cell: list[Finding] = []
        for part in PARTS:
            of_part = _judged(context, judged, key, where, part, measured, scores, places.get((where, part), []))
            if any(f.code in OF_MODEL and f.level == FAIL for f in of_cell):
                of_part = [f for f in of_part if f.code not in (*OF_MODEL, "parity.first")]
            of_cell += of_part
        findings += of_cell
    return findings


def _unusable(context: Context, judged: Judgement) -> str:
    if judged.model_digest != context.run.model_digest:
        return "other_model"
    if judged.workload_digest != context.run.workload_digest:
        return "other_workload"
    return judged.failure or ""


def _judged(
    context: Context,
    judged: Judgement,
    key: Key,
    where: Where,
    part: str,
    measured: Sequence[Measured],
    scores: dict[judgements.Key, Score],
    places: Sequence[tuple[int, int]],
) -> list[Finding]:
    """Hold each trial's ids of one pass against the scores of exactly those ids."""
    unscored: list[Trial] = []
    partly: list[Trial] = []
    scored: list[tuple[list[Score], Trial]] = []
    for m in measured:
        timed_pass = m.e2e if part == "e2e" else m.ttft
        names = [key_of(where, part, timed_pass, call, row) for call, row in places]
        of_trial = [scores[name] for name in names if name is not None and name in scores]
        if of_trial:
            scored.append((of_trial, m.trial))
        if len(of_trial) < len(places) or not places:
            (partly if of_trial else unscored).append(m.trial)
    findings = []
    left_out = words.left_out(judged, unscored, partly)
    if left_out:
        findings.append(found("parity.score", key, where, what="left out", scores=len(left_out)))
    changed = words.changed(context, judged, [*unscored, *partly], bool(scored))
    if changed:
        findings.append(found("parity.changed", key, where, trials=numbers(changed)))
    elif unscored:
        findings.append(found("parity.unscored", key, where, part=part, trials=numbers(unscored)))
    if not scored:
        return findings
    if judged.sampling.temperature > 0:
        return findings + _sampled(key, where, part, scored)
    near_shares = []
    for of_trial, trial in scored:
        positions = sum(score.positions for score in of_trial)
        near_shares.append((sum(score.near for score in of_trial) / positions, positions, trial))
    return findings + (_near if part == "e2e" else _first)(context, key, where, near_shares)


def _sampled(key: Key, where: Where, part: str, scored: Sequence[tuple[Sequence[Score], Trial]]) -> list[Finding]:
    """The nats of each trial's ids against their mean under the distribution, and what chance allows."""
    errors = ERRORS if part == "e2e" else FIRST_ERRORS
    off: list[tuple[float, float, Trial]] = []
    for of_trial, trial in scored:
        positions = sum(score.positions for score in of_trial)
        gap = sum((score.surprisal or 0.0) - (score.expected or 0.0) for score in of_trial)
        excess = abs(gap) - errors * math.sqrt(sum(score.variance or 0.0 for score in of_trial)) - SLACK * positions
        if excess > 0:
            off.append((excess, gap / positions, trial))
    if not off:
        return []
    gap, trials = max(off, key=lambda entry: entry[0])[1], numbers([trial for _, _, trial in off])
    return [found("parity.sampled", key, where, part=part, gap=gap, trials=trials)]


def _near(context: Context, key: Key, where: Where, near_shares: list[tuple[float, int, Trial]]) -> list[Finding]:
    kind = _kind(context, key)
    least_near, positions, _ = min(near_shares, key=lambda entry: entry[0])
    limit = quantised_limit(kind, positions) if kind else NEAR
    if kind and context.groups[key][0].model.synthetic:
        return [found("parity.quantised", key, where, WARN, share=least_near, limit=limit)]
    below = [entry for entry in near_shares if entry[0] < (quantised_limit(kind, entry[1]) if kind else NEAR)]
    return _below("parity.quantised" if kind else "parity.near", key, where, below, limit)


def _first(context: Context, key: Key, where: Where, near_shares: list[tuple[float, int, Trial]]) -> list[Finding]:
    kind = _kind(context, key)
    if kind and context.groups[key][0].model.synthetic:
        return []  # parity.quantised says that random weights prove nothing
    below = [entry for entry in near_shares if entry[0] < first_limit(kind, entry[1])]
    return _below("parity.first", key, where, below, first_limit(kind, below[0][1]) if below else 0.0)


def _below(code: str, key: Key, where: Where, below: list[tuple[float, int, Trial]], limit: float) -> list[Finding]:
    if not below:
        return []
    share, positions, _ = min(below, key=lambda entry: entry[0])
    trials = numbers([trial for _, _, trial in below])
    return [found(code, key, where, share=share, limit=limit, positions=positions, trials=trials)]


def _kind(context: Context, key: Key) -> str:
    """The precision that a quantised lane's weights are stored in; empty for a lane that is none."""
    trial = context.groups[key][0]
    if not quantised(trial):
        return ""
    stored = trial.statement.weight_precision if trial.statement else key[1]
    return stored if stored in QUANTISED_NEAR else key[1]


def quantised_limit(kind: str, positions: int) -> float:
    """The share of near ids that is asked of weights of this precision when so many were scored. Where honest lanes are far
    from 1, few ids may by chance hold fewer near ones: the limit is lower by three standard errors of a share that is just
    what is asked for."""
    asked = QUANTISED_NEAR.get(kind, 0.95)
    if kind not in FOUR_BITS:
        return asked
    return max(0.0, asked - DRAW_ERRORS * math.sqrt(CLUSTERED * asked * (1 - asked) / max(1, positions)))


@functools.lru_cache
def first_limit(kind: str, positions: int) -> float:
    """The least share of near first tokens that is no failure of so many: fewer have a CHANCE of under 0.3 % where each is
    near with the probability that is asked for (binomial; they follow different prompts). 0 where none tells anything."""
    asked = FIRST_QUANTISED_NEAR.get(kind, 0.95) if kind else FIRST_NEAR
    chance = 0.0
    for near in range(positions):
        ways = math.lgamma(positions + 1) - math.lgamma(near + 1) - math.lgamma(positions - near + 1)
        chance += math.exp(ways + near * math.log(asked) + (positions - near) * math.log1p(-asked))
        if chance >= CHANCE:
            return near / positions
    return 1.0


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
