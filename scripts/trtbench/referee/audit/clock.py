"""time: do a record's times fit the clocks that stood beside them.

Every time is in the record more than once: in the calls, in the begin and end of their pass, in the cell's, in the trial's,
and in what the warm-up and the pass for energy took. Whoever changes one of them contradicts the others.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Sequence

from trtbench.figures.base import Key
from trtbench.figures.summary import Where
from trtbench.figures.turns import out_of_turn
from trtbench.machine.disturbance import CPU_FLOOR, FOREIGN_CPU, serious
from trtbench.records.telemetry import CpuUse
from trtbench.records.trial import CellRecord, Pass, Trial
from trtbench.referee.audit.context import Context, Measured, numbers
from trtbench.referee.audit.findings import WARN, Finding, found
from trtbench.referee.audit.trial_clock import (
    MS,
    SECOND,
    Contradiction,
    contradictions,
    overlapping,
    unstamped,
    window_of,
)

# What stands between two calls is the same work in both passes of a cell (benchmarks/clocks.json).
BETWEEN_FACTOR, BETWEEN_SLACK = 4.0, 50 * MS
BETWEEN_ONCE = SECOND  # of a pass: one pause of a busy machine may be all that stands there
WARM_FACTOR = 2.0  # no call of the last warm-up may be that much slower than the timed ones …
COLD_FACTOR = 3.0  # … nor that much faster than the first of them: a laptop's clock falls by half when it gets hot
WARM_CALLS = 3
WARM_LEAST = 2 * SECOND  # fewer than twice so many calls in less time (WARMUP_LIMIT) are no warm-up that says anything
# What one trial may be by chance is none in half of a lane's trials (benchmarks/clocks.json).
WARM_DOUBT, COLD_DOUBT, DOUBTED_TRIALS = 1.4, 2.0, 3
# What the CPU was watched for beyond the passes, and its share: a look at a machine of many processes takes a while.
WATCHED = (2 * SECOND, 0.02)
HASHED = 500.0  # nanoseconds for each prompt id of a pass, whose digest is made after it
# Generations that are in a cell and in none of its passes: before the first tokens, for memory, and of earlier versions for
# the engine's clock.
UNTIMED_CALLS, UNTIMED_FACTOR = 3, 3.0
CELL_SLACK = (2 * SECOND, 0.05)
ENERGY_LOST = 5  # seconds of a pass for energy that failed in its last call, and left no record of them

Wrong = dict[str, list[tuple[float, dict[str, float | str], Trial]]]


def check(context: Context) -> list[Finding]:
    findings: list[Finding] = []
    for key, where, measured in context.by_cell():
        wrong: Wrong = {}
        for m in measured:
            for code, off, figures in (*_windows(m), *_kinds(context, m), *_cell(context, m)):
                wrong.setdefault(code, []).append((off, figures, m.trial))
        findings += _worst(wrong, key, where)
        if "time.kind" not in wrong:
            findings += _doubtful(key, where, measured)
    for key, members in context.groups.items():
        wrong = {}
        for trial in members:
            for code, off, figures in contradictions(trial):
                wrong.setdefault(code, []).append((off, figures, trial))
        findings += _worst(wrong, key, None)
        findings += unstamped(context, key, members)
    findings += overlapping(context)
    apart = out_of_turn([t for members in context.groups.values() for t in members])
    return findings + [found("provenance.not_interleaved", key) for key in context.groups if key in apart]


def _worst(wrong: Wrong, key: Key, where: Where | None) -> Iterator[Finding]:
    """One finding a code, with the figures of the trial that is farthest off."""
    for code, entries in wrong.items():
        figures = max(entries, key=lambda entry: (entry[0], -entry[2].index))[1]
        yield found(code, key, where, None, **figures, trials=numbers([trial for _, _, trial in entries]))


def _windows(m: Measured) -> Iterator[Contradiction]:
    """The calls of a pass and what stood between them fill its time; that is alike in both passes; so long the CPU was watched."""
    shares = []
    for name, part in (("e2e", m.e2e), ("ttft", m.ttft)):
        window, spent = window_of(part), sum(part.times)
        if window is None:
            continue
        left = window - spent
        shares.append((max(left, 0) / len(part.times), name))
        if left < 0 or (part.between is not None and left != part.between):
            off = abs(left - (part.between or 0))
            yield (
                "time.window",
                off,
                dict(part=name, calls=spent / MS, between=(part.between or 0) / MS, window=window / MS),
            )
    if len(shares) == 2:
        (less, _), (more, name) = sorted(shares)
        once = BETWEEN_ONCE / min(len(m.e2e.times), len(m.ttft.times))
        if more > BETWEEN_FACTOR * less + BETWEEN_SLACK + once:
            yield "time.between", more - less, dict(part=name, more=more / MS, less=less / MS)
    if m.record.cpu is not None and m.e2e.began is not None and m.ttft.ended is not None:
        passes, watched = m.ttft.ended - m.e2e.began, m.record.cpu.seconds * SECOND
        if abs(watched - passes) > WATCHED[0] + WATCHED[1] * max(passes, 0) + _hashing(m.record, m.ttft):
            yield "time.watched", abs(watched - passes), dict(watched=watched / SECOND, passes=passes / SECOND)


def _hashing(record: CellRecord, part: Pass) -> float:
    """Nanoseconds that the digest of a pass's prompts may take."""
    return HASHED * record.cell.batch * record.cell.prompt_length * len(part.times)


def _kinds(context: Context, m: Measured) -> Iterator[Contradiction]:
    """Calls of the warm-up's end and of the pass for energy are the same work as the timed ones. Somebody else may have slowed
    them; only who disturbed the trial may have slowed the timed ones alone."""
    timed, warm = statistics.median(m.e2e.times), m.record.warmup[-WARM_CALLS:]
    beside: list[tuple[str, float, float]] = []
    if _says_anything(m.record.warmup):
        beside.append(("warm-up", min(warm), max(warm)))
    energy, cell = m.record.energy, m.record.cell
    if energy is not None:
        generation = (energy.ended - energy.began) * cell.batch * cell.new_tokens / energy.tokens
        beside.append(("energy", generation, generation))
    for what, fastest, slowest in beside:
        if fastest > WARM_FACTOR * timed or slowest * COLD_FACTOR < min(m.e2e.times[:WARM_CALLS]):
            other = fastest if fastest > timed else slowest
            if m.trial.disturbed:
                return  # it says so itself, and what is compared with it is weak
            if (other > timed or _beside_on_gpu(m.trial)) and _slowed_outside(context, m.trial):
                yield "time.excused", other / timed, dict(what=what)
                return
            yield (
                "time.kind",
                max(other / timed, timed / max(other, 1)),
                dict(what=what, other=other / MS, timed=timed / MS),
            )


def _says_anything(warmup: Sequence[int]) -> bool:
    """Whether so many calls in so much time are a warm-up: of fewer the last are no more like the timed ones than the first."""
    return len(warmup) >= 2 * WARM_CALLS or (len(warmup) >= WARM_CALLS and sum(warmup) >= WARM_LEAST)


def _as_asked(m: Measured) -> bool:
    """Whether the settings of a trial asked for no longer a warm-up than it has."""
    limit = m.trial.settings.get("WARMUP_LIMIT")
    return isinstance(limit, int) and len(m.record.warmup) >= limit


def _doubtful(key: Key, where: Where, measured: Sequence[Measured]) -> Iterator[Finding]:
    """A lane whose warm-up ends slower or faster than its timed calls trial after trial, though by less than tells of one."""
    slower, faster = [], []
    for m in measured:
        few = not _says_anything(m.record.warmup)
        if m.trial.disturbed or len(m.record.warmup) < 2 or (few and _as_asked(m)):
            continue
        warm, timed = statistics.median(m.record.warmup[-WARM_CALLS:]), statistics.median(m.e2e.times)
        if warm > WARM_DOUBT * timed:
            slower.append((warm, timed, m.trial))
        elif warm * COLD_DOUBT < min(m.e2e.times[:WARM_CALLS]):
            faster.append((warm, timed, m.trial))
    for alike in (slower, faster):
        if len(alike) >= DOUBTED_TRIALS and 2 * len(alike) >= len(measured):
            other, timed, _ = max(alike, key=lambda entry: abs(math.log(entry[0] / entry[1])))
            figures: dict[str, float | str] = dict(what="warm-up", other=other / MS, timed=timed / MS)
            yield found("time.kind", key, where, WARN, **figures, trials=numbers([trial for _, _, trial in alike]))
            return


def _slowed_outside(context: Context, trial: Trial) -> bool:
    """Whether somebody else was there while the clock of the timed passes stood: then other calls may be slow and these not."""
    telemetry = trial.telemetry
    if trial.disturbed or telemetry is None:
        return bool(trial.disturbed)
    if _beside_on_gpu(trial):
        return True
    whole = telemetry.cpu
    if whole is None:
        return False
    timed = [record.cpu for record in trial.cells if record.cpu is not None]
    others = max(0.0, whole.others + whole.stolen - sum(use.others + use.stolen for use in timed))
    outside = CpuUse(
        seconds=max(0.0, whole.seconds - sum(use.seconds for use in timed)),
        cores=whole.cores,
        others=others,
        stolen=0.0,
    )
    limit = context.run.rules.foreign_cpu if context.run.rules else FOREIGN_CPU["cpu"]
    return others > CPU_FLOOR and outside.share > limit


def _beside_on_gpu(trial: Trial) -> bool:
    """Whether others were on the card, or it was throttled: nobody knows when."""
    gpus = (trial.telemetry.gpus if trial.telemetry else None) or []
    return any(gpu.foreign_compute or gpu.foreign_processes or serious(gpu.throttle_reasons) for gpu in gpus)


def _cell(context: Context, m: Measured) -> Iterator[Contradiction]:
    """The parts of a cell lie behind one another in its time, and fill it but for the generations that belong to none."""
    record = m.record
    warming = (record.first_call or 0) + sum(record.warmup)
    parts = [(m.e2e.began, m.e2e.ended), (m.ttft.began, m.ttft.ended)]
    if record.energy is not None:
        parts.append((record.energy.began, record.energy.ended))
    edges = [record.began, *itertools.chain.from_iterable(parts), record.ended]
    known = [edge for edge in edges if edge is not None]
    if known != sorted(known):
        yield "time.order", max(a - b for a, b in zip(known, known[1:])), dict(what="passes")
        return
    if len(known) < len(edges):
        return
    began, ended, lead = known[0], known[-1], known[1] - known[0]
    if lead < warming:
        yield "time.wall", warming - lead, dict(what="warm-up", timed=warming / SECOND, seconds=lead / SECOND)
        return
    between = max(_between(part) for part in (m.e2e, m.ttft)) * BETWEEN_FACTOR
    slack = CELL_SLACK[0] + CELL_SLACK[1] * (ended - began)
    calls = len(record.warmup) + 1
    unaccounted = lead - warming
    allowed = calls * between + slack
    if unaccounted <= allowed:
        unaccounted = ended - began - warming - sum(b - a for a, b in zip(known[1:-1:2], known[2:-1:2]))
        allowed += UNTIMED_CALLS * (UNTIMED_FACTOR * max(m.e2e.times) + between)
        allowed += sum(_hashing(record, part) for part in (m.e2e, m.ttft))
        if record.energy is None and any(one.kind == "energy" for one in m.trial.left_out or []):
            allowed += ENERGY_LOST * SECOND + max(m.e2e.times)
    if unaccounted > allowed:
        if _slowed_outside(context, m.trial):
            if not m.trial.disturbed:
                yield "time.excused", unaccounted, dict(what="cell")
            return
        yield (
            "time.unaccounted",
            unaccounted,
            dict(what="cell", seconds=unaccounted / SECOND, of=(ended - began) / SECOND),
        )


def _between(part: Pass) -> float:
    """Nanoseconds a call that stood between the calls of a pass."""
    return max(0, (window_of(part) or 0) - sum(part.times)) / len(part.times)
