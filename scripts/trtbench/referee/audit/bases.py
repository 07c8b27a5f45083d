"""base: may each PyTorch lane that was asked for be the base, and did none leave but by the rules (law 13).

A base that is missing makes every speed-up too high, and nothing in the records that are there can show it. So whoever left
is decided again from the records and the rules that the run sealed, and whoever is missing needs a reason.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from trtbench.figures.base import CANDIDATE_LEVEL, Key, departed, may_be_base
from trtbench.figures.leaving import LEVEL, RATIO, departures
from trtbench.records.run import Compared, Departure, Run
from trtbench.records.trial import Trial
from trtbench.referee.audit.context import Context, listed, numbers
from trtbench.referee.audit.findings import FAIL, WARN, Finding, found

DIGITS = 1e-9  # of figures that are computed again from the same numbers


def check(context: Context) -> list[Finding]:
    parts = (_rules, _absent, _excused, _left, _vanished, _unchecked)
    return [finding for part in parts for finding in part(context)]


def evident(context: Context) -> bool:
    """Whether the records can show that no lane is missing: the run sealed its rules. Runs of schema 1 did not."""
    return context.run.rules is not None


def in_turn(trial: Trial) -> bool:
    """Whether a trial says in which of the rounds that all lanes shared it ran. A step's rounds are its own."""
    return trial.interleaved and trial.round is not None


def _rules(context: Context) -> Iterator[Finding]:
    """Sealed rules under which a lane is ruled out more easily than this program does it."""
    rules = context.run.rules
    if rules is None:
        return
    for what, sealed, least in (
        ("candidate level", rules.candidate_level, CANDIDATE_LEVEL),
        ("leave level", rules.leave_level, LEVEL),
        ("leave ratio", rules.leave_ratio, RATIO),
    ):
        if sealed < least:
            yield found("base.rules", what=what, found=sealed, wanted=least)


def _absent(context: Context) -> Iterator[Finding]:
    """PyTorch lanes that were asked for and have no figures: the one that is missing may be the fastest."""
    reasons = {(a.lane, a.precision): a.failure.reason for a in context.run.absent}
    for trial in context.trials:
        if trial.failure is not None:
            reasons.setdefault((trial.lane, trial.precision), trial.failure.reason)
    for key in sorted(reasons):
        if may_be_base(key, key[1]) and key not in context.groups:
            yield found("base.absent", key, reason=reasons[key].rstrip("."))


def _excused(context: Context) -> Iterator[Finding]:
    """Lanes that are noted as absent though trials of them count. A lane that starts is taken off the list, so this is
    honest only of one that could not start any more when the run was taken up again."""
    for absent in context.run.absent:
        if (absent.lane, absent.precision) in context.groups:
            yield found("base.excused", (absent.lane, absent.precision), reason=absent.failure.reason.rstrip("."))


def _left(context: Context) -> Iterator[Finding]:
    """Every departure, decided again at the point where the run decided it."""
    run = context.run
    moments = sorted({(d.round, d.position) for d in run.departures or ()})
    for moment in moments:
        at_the_time = Run(**{name: getattr(run, name) for name in run.__struct_fields__})
        at_the_time.departures = [d for d in run.departures or () if (d.round, d.position) < moment]
        again = departures(_known(context, *moment), at_the_time, moment[0])
        justified = {(d.lane, d.precision): d for d in again}
        for departure in run.departures or ():
            if (departure.round, departure.position) == moment:
                what = _wrong(departure, justified.get((departure.lane, departure.precision)), context)
                if what is not None:
                    key = departure.lane, departure.precision
                    yield found("base.left", key, round=departure.round, what=what)


def _known(context: Context, finished: int, position: int) -> list[Trial]:
    """The trials that were there when the round was over; none when it was not over at this position: a lane that had run
    before had its trial of the round still to come."""
    own = context.own
    known = [t for t in own if t.position <= position]
    lanes = {(t.lane, t.precision) for t in known}
    done = {(t.lane, t.precision) for t in known if t.round == finished}
    later = min((t.position for t in own if t.round is not None and t.round > finished), default=math.inf)
    between = {(t.lane, t.precision) for t in own if position < t.position < later and t.round == finished}
    return [] if between & lanes - done else known


def _wrong(departure: Departure, again: Departure | None, context: Context) -> str | None:
    """What is wrong with a departure, as a word of the finding's sentence; None where it holds."""
    key = departure.lane, departure.precision
    if key[0] == context.run.headline:
        return "headline left"
    if again is None or again.rule != departure.rule:
        return "rules keep it"
    if any((t.round or 0) > departure.round for t in context.own if (t.lane, t.precision) == key):
        return "ran on"
    return None if _agree(departure.cells, again.cells) else "other figures"


def _agree(told: list[Compared], again: list[Compared]) -> bool:
    def places(cells: list[Compared]) -> list[tuple[object, ...]]:
        return [(c.batch, c.prompt_length, c.new_tokens, c.base, c.low is None) for c in cells]

    def numbers(cells: list[Compared]) -> list[float]:
        return [number for c in cells for number in (c.ratio, c.low or 0.0)]

    return places(told) == places(again) and all(
        math.isclose(one, other, rel_tol=DIGITS) for one, other in zip(numbers(told), numbers(again))
    )


def _vanished(context: Context) -> Iterator[Finding]:
    """Lanes without a trial in a round that the run finished, and PyTorch lanes without any. Rounds are those of the
    interleaved trials: a lane that ran in a step of its own has its own."""
    run = context.run
    if not evident(context):
        return
    rounds: dict[Key, set[int]] = {}
    turns: dict[Key, list[Trial]] = {}
    for trial in context.own:
        key = trial.lane, trial.precision
        rounds.setdefault(key, set()).add(trial.round or 0)
        if in_turn(trial):
            turns.setdefault(key, []).append(trial)
    last = max((t.round or 0 for members in turns.values() for t in members), default=0)
    told = told_rounds(context)
    finished = last if told >= last else last - 1
    absent = {(a.lane, a.precision) for a in run.absent}
    excused = departed(run) | (absent - set(context.groups))
    # A lane that came to a run when it was taken up again has the rounds of that call, which may have been fewer.
    beyond = (t.position for members in turns.values() for t in members if (t.round or 0) > told)
    last_beyond = max(beyond, default=math.inf)
    for key in sorted(turns):
        late = min(t.position for t in turns[key]) > last_beyond
        missing = sorted(set(range(1, (int(told) if late else finished) + 1)) - rounds[key])
        if missing and key not in excused:
            level = FAIL if may_be_base(key, key[1]) or key[0] == run.headline else WARN
            yield found("base.vanished", key, level=level, rounds=listed(missing))
    if finished < 1 and run.stopped is None:
        return
    for key in dict.fromkeys(run.candidates or ()):
        if may_be_base(key, key[1]) and key not in rounds and key not in absent | departed(run):
            yield found("base.unaccounted", key)


def told_rounds(context: Context) -> float:
    """After how many rounds the run ended by a rule of its own, as it tells: none where it was cut off, all where it does not
    tell. One that was taken up again may have ended before it came to a round that was cut off. The end that is told is that
    of the call that ran the last trial, which may be a step of its own: that tells nothing of the rounds of all lanes."""
    run = context.run
    if run.stopped is None or not all(in_turn(t) for t in context.own[-1:]):
        return 0
    told = re.search(r"\b(\d[\d,]{0,8}) (?:trial|round)s?\b", run.stopped)
    return int(told[1].replace(",", "")) if told else math.inf


def _unchecked(context: Context) -> Iterator[Finding]:
    """Trials that `_vanished` can't lay into a round of all lanes."""
    if not evident(context):
        return
    apart: dict[Key, list[Trial]] = {}
    for trial in context.own:
        if not in_turn(trial):
            apart.setdefault((trial.lane, trial.precision), []).append(trial)
    for key in sorted(apart):
        yield found("base.unchecked", key, trials=numbers(apart[key]))
