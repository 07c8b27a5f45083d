"""parity, of the judge's word: it is of this run and of the ids that lie here, can be, and what it says of a lane follows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import UNSET

from trtbench.figures.base import Key
from trtbench.figures.summary import Where, shape
from trtbench.records import judgement as judgements
from trtbench.records.judgement import MAX_POSITIONS, NEAR_DEVIATIONS, Judgement, LaneScore, Score, TrialKey
from trtbench.records.run import counting
from trtbench.records.trial import Trial
from trtbench.referee.audit.context import Context, listed, numbers
from trtbench.referee.audit.findings import Finding, found
from trtbench.referee.judge.drawing import SEQUENCES, key_of
from trtbench.referee.judge.spec import PATIENCE, SECONDS
from trtbench.referee.lane_scores import lane_scores

ROUNDING = 1e-6  # of a figure made again on another machine
SUMS = 0.01  # of the reference's sums: it works in float32
MOST_NATS = 1e6  # of one id: far more than any temperature makes of logits, and few enough for sums to stay numbers
LINE = ("sequences", "positions", "near", "perplexity", "base", "equal", "exact")  # bleu needs the model's tokenizer


def unbound(context: Context, judged: Judgement) -> list[Finding]:
    """What the judgement was made of and by, against this run and this program: with other margins every id may be near."""
    run, workload, sampling = context.run, context.workload, judged.sampling
    facts: list[tuple[str, object, object]] = [
        ("run", judged.run, run.id),
        ("near deviations", judged.near_deviations, NEAR_DEVIATIONS),
        ("most positions", judged.max_positions, MAX_POSITIONS),
    ]
    if workload is not None:
        facts += [
            ("temperature", sampling.temperature, workload.sampling.temperature),
            ("top p", sampling.top_p, workload.sampling.top_p),
            ("sampling seed", sampling.seed, workload.sampling.seed),
        ]
    else:  # a bundle with prompts of the user's own
        facts += [
            ("temperature", sampling.temperature, run.settings.get("TEMPERATURE", sampling.temperature)),
            ("top p", sampling.top_p, run.settings.get("TOP_P", sampling.top_p)),
        ]
    return [
        found("parity.judgement", what=what, found=str(stated), wanted=str(wanted))
        for what, stated, wanted in facts
        if stated != wanted
    ]


def check(context: Context, judged: Judgement) -> list[Finding]:
    return [*_scores(context, judged), *_trials(context, judged), *_lines(context, judged)]


def summable(score: Score) -> bool:
    """Whether the counts and sums of a score are such as may be added up with others at all."""
    sums = (score.nll, score.surprisal or 0.0, score.expected or 0.0, score.variance or 0.0)
    return score.near <= score.positions <= MAX_POSITIONS and max(sums) <= score.positions * MOST_NATS


def drawn(scores: Sequence[Score]) -> list[Score]:
    """The scores at so many places of each cell and pass as are drawn at most; all that a judge of this program gives."""
    places: dict[tuple[Where, str], set[tuple[int, int]]] = {}
    kept = []
    for score in scores:
        of_pass = places.setdefault((_where(score), score.part), set())
        place = score.call, score.row
        if place in of_pass or len(of_pass) < SEQUENCES:
            of_pass.add(place)
            kept.append(score)
    return kept


def _where(score: Score) -> Where:
    return score.batch, score.prompt_length, score.new_tokens


def changed(context: Context, judged: Judgement, unscored: Sequence[Trial], scored: bool) -> list[Trial]:
    """Those of the `unscored` trials whose ids changed after the judge had looked, as far as it did not say at which trials
    it looked: other ids of their lane have scores (`scored`), and time sufficed for all that lay there. A run that was cut
    off may have trials that came later."""
    if judged.trials is not UNSET or not scored or judged.failure or context.run.stopped is None:
        return []
    return [*unscored] if judged.seconds < SECONDS else []


def left_out(judged: Judgement, unscored: Sequence[Trial], partly: Sequence[Trial]) -> list[Trial]:
    """Trials that the judge says it looked at and that lack scores which it had the time to give: the first of a pass to be
    scored is begun until PATIENCE times SECONDS, every other one until SECONDS."""
    if judged.trials is UNSET or judged.failure:
        return []
    named = {seen.trial for seen in judged.trials}
    late = [(unscored, PATIENCE * SECONDS), (partly, SECONDS)]
    return [t for trials, most in late if judged.seconds < most for t in trials if judgements.trial_key(t) in named]


def _scores(context: Context, judged: Judgement) -> Iterator[Finding]:
    """Every score is of ids that some record holds at that place, and its sums are such as a reference model gives."""
    scores = drawn(judged.scores)
    if len(scores) < len(judged.scores):
        yield found("parity.score", what="places", scores=len(judged.scores) - len(scores))
    lengths = _lengths(context.trials, scores)
    size = context.trials[0].model.config.get("vocab_size") if context.trials else None
    vocabulary = size if isinstance(size, int) and size > 1 else None
    homeless: dict[Where, int] = {}
    wrong: dict[tuple[Where, str], int] = {}
    known: dict[judgements.Key, Score] = {}
    for score in scores:
        where = _where(score)
        length = lengths.get(score.key)
        if length is None:
            homeless[where] = homeless.get(where, 0) + 1
        what = (
            "twice" if known.setdefault(score.key, score) != score else _impossible(score, length, judged, vocabulary)
        )
        if what:
            wrong[where, what] = wrong.get((where, what), 0) + 1
    for where, number in homeless.items():
        yield found("parity.homeless", cell=where, scores=number)
    for (where, what), number in wrong.items():
        yield found("parity.score", cell=where, what=what, scores=number)


def _lengths(trials: Sequence[Trial], scores: Sequence[Score]) -> dict[judgements.Key, int]:
    """How many ids each sequence has that any record holds at a judged place: also those of attempts that count no more."""
    places: dict[Where, set[tuple[str, int, int]]] = {}
    for score in scores:
        places.setdefault(_where(score), set()).add((score.part, score.call, score.row))
    lengths: dict[judgements.Key, int] = {}
    for trial in trials:
        for record in trial.cells:
            where = shape(record.cell)
            for part, call, row in places.get(where, ()):
                timed_pass = {"e2e": record.e2e, "ttft": record.ttft}.get(part)
                key = key_of(where, part, timed_pass, call, row)
                if key is not None and timed_pass is not None:
                    lengths[key] = len(timed_pass.outputs[timed_pass.output[call]][row])
    return lengths


def _impossible(score: Score, length: int | None, judged: Judgement, vocabulary: int | None) -> str:
    """Why no reference model gives this score; empty where one may.

    An id that is not near has another one above it, so at most half of the probability: ln 2 nats and more. The mean of
    the nats is at most the logarithm of the vocabulary (top_p cut off), their variance at most a quarter of its square,
    and 1 (Reeb & Wolf 2015)."""
    if score.near > score.positions:
        return "near"
    if score.positions > MAX_POSITIONS or (length is not None and score.positions != min(length, MAX_POSITIONS)):
        return "positions"
    if score.nll < (score.positions - score.near) * math.log(2) * (1 - SUMS):
        return "nll"
    sums = (score.surprisal, score.expected, score.variance)
    if not summable(score):
        return "surprisal"
    if judged.sampling.temperature == 0:
        return "" if sums == (None, None, None) else "surprisal"
    if score.expected is None or score.variance is None or score.surprisal is None:
        return "surprisal"
    if vocabulary is None:
        return ""
    nats = math.log(vocabulary)
    most_expected = score.positions * (nats - math.log(max(judged.sampling.top_p, 1e-9)))
    most_variance = score.positions * (nats**2 / 4 + 1)
    too_much = score.expected > most_expected * (1 + SUMS) or score.variance > most_variance * (1 + SUMS)
    return "surprisal" if too_much else ""


def _trials(context: Context, judged: Judgement) -> Iterator[Finding]:
    """The trials that the judge looked at are all there, with the ids that they had, and none is among them that it did not
    see. Positions only grow: a trial that came later stands behind all that it saw."""
    if judged.trials is UNSET:
        return
    records: dict[TrialKey, list[Trial]] = {}
    for trial in context.trials:
        records.setdefault(judgements.trial_key(trial), []).append(trial)
    otherwise: dict[Key, list[Trial]] = {}
    gone: dict[Key, list[int]] = {}
    last = 0
    for seen in judged.trials:
        present = records.get(seen.trial, [])
        if not present:
            gone.setdefault((seen.lane, seen.precision), []).append(seen.index)
        for trial in present:
            last = max(last, trial.position) if trial.run == context.run.id else last
            if judgements.seen(trial).digest != seen.digest:
                otherwise.setdefault((trial.lane, trial.precision), []).append(trial)
    named = {seen.trial for seen in judged.trials}
    for trial in counting(context.trials):
        if trial.run == context.run.id and trial.position < last and judgements.trial_key(trial) not in named:
            otherwise.setdefault((trial.lane, trial.precision), []).append(trial)
    for key, trials in otherwise.items():
        yield found("parity.changed", key, trials=numbers(trials))
    for key, indices in gone.items():
        # Of no lane: the records may hold none of that lane any more, and it may have been a base.
        yield found("parity.gone", of=key[0], precision=key[1], trials=listed(indices))


def _lines(context: Context, judged: Judgement) -> Iterator[Finding]:
    """What is shown of each lane, made again of the scores and the records that the judge looked at."""
    if context.zero or (judged.failure and not judged.lanes):
        return  # a time of zero makes no figures (ceiling.zero says it), and a judge that failed need not say any
    says_trials = judged.trials is not UNSET
    trials = _looked_at(context, judged)
    last = max((t.position for t in trials if t.run == context.run.id), default=0)
    departures = [d for d in context.run.departures or () if d.position <= last]
    run = msgspec.structs.replace(context.run, departures=departures) if says_trials else context.run
    made = {_place(line): line for line in lane_scores(trials, drawn(judged.scores), run)}
    stated: dict[tuple[Key, Where], LaneScore] = {}
    for line in judged.lanes:
        if stated.setdefault(_place(line), line) != line:
            yield found("parity.lines", *_place(line), what="twice")
    for key, where in sorted({*made, *stated}):
        shown = stated.get((key, where))
        what = _differing(made.get((key, where)), shown)
        if not what:
            continue
        # An earlier program held only the first trials against each other, and did not say what it looked at: lanes and
        # trials that came later can't be told.
        later = shown is None or what in ("base", "equal", "exact") or context.run.stopped is None
        yield found("parity.earlier" if later and not says_trials else "parity.lines", key, where, what=what)


def _looked_at(context: Context, judged: Judgement) -> list[Trial]:
    if judged.trials is UNSET:
        return [*context.trials]
    named = {seen.trial for seen in judged.trials}
    return [trial for trial in context.trials if judgements.trial_key(trial) in named]


def _place(line: LaneScore) -> tuple[Key, Where]:
    return (line.lane, line.precision), (line.batch, line.prompt_length, line.new_tokens)


def _differing(made: LaneScore | None, stated: LaneScore | None) -> str:
    """The first figure of a line that does not follow; "line" where there is one on one side only."""
    if made is None or stated is None:
        return "line"
    return next((name for name in LINE if not _same(getattr(made, name), getattr(stated, name))), "")


def _same(one: float | str | None, other: float | str | None) -> bool:
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=ROUNDING, abs_tol=1e-12)
    return one == other
