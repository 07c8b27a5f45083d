"""ceiling: nothing faster than the machine's memory and arithmetic allow (law 8), and no time that cannot be one."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec

from trtbench.figures.base import Key
from trtbench.figures.summary import Where
from trtbench.records.trial import Pass, Trial
from trtbench.referee import record_roofline, roofline
from trtbench.referee.audit.context import Context, Measured, numbers
from trtbench.referee.audit.findings import Finding, found
from trtbench.referee.record_roofline import NOMINAL, Hardware, Roof, known_precision

FEWEST_BITS = "int4"  # of a precision that a lane may state
SAME = 3  # so many calls of equal length to the nanosecond were not measured
# Two passes of the same work, which those of a single new token are, differ by chance; what voids a run is beyond it.
ABOVE_SAMPLES = 3
ABOVE_BY = 1.1
MOMENT = 10**9  # ns of a pass: who disturbs for longer is there in the other pass too


def check(context: Context) -> list[Finding]:
    findings = [
        found("ceiling.zero", key, where, trials=numbers(trials)) for (key, where), trials in context.zero.items()
    ]
    ran_on = record_roofline.hardware(context.trials)
    unknown: dict[Key, str] = {}
    no_peak: dict[Key, str] = {}
    for key, where, measured in context.by_cell():
        findings += _senseless(key, where, measured)
        roofs = [(m, record_roofline.roof(m.trial, context.run, ran_on)) for m in measured]
        reasons = [roof for _, roof in roofs if isinstance(roof, str)]
        if reasons:
            unknown[key] = reasons[0]
            roofs = [(m, _least_roof(m, context, ran_on) if isinstance(roof, str) else roof) for m, roof in roofs]
        with_roof = [(m, roof) for m, roof in roofs if isinstance(roof, Roof)]
        findings += _packed(key, where, with_roof)
        if any(roof.basis == NOMINAL and roof.peak is None for _, roof in with_roof):
            no_peak[key] = with_roof[0][0].trial.statement.device_name if with_roof[0][0].trial.statement else "?"
        findings += _too_fast(key, where, with_roof)
    findings += [found("ceiling.unknown", key, reason=reason.rstrip(".")) for key, reason in unknown.items()]
    findings += [found("ceiling.no_peak", key, device=device) for key, device in no_peak.items()]
    return findings


def _packed(key: Key, where: Where, with_roof: Sequence[tuple[Measured, Roof]]) -> list[Finding]:
    """A ceiling that is drawn for fewer bits than the lane states, since its checkpoint is quantised."""
    for measured, roof in with_roof:
        statement = measured.trial.statement
        if statement is not None and known_precision(statement.weight_precision):
            stated = roofline.precision(statement.weight_precision)
            if roof.precision.weight_bits < stated.weight_bits:
                return [found("ceiling.packed", key, where, bits=roof.precision.weight_bits, precision=stated.name)]
    return []


def _least_roof(m: Measured, context: Context, ran_on: Hardware) -> Roof | str:
    """What bounds a lane that states a precision which nobody knows: that of the fewest bits there are."""
    statement = m.trial.statement
    if statement is None or known_precision(statement.weight_precision):
        return ""
    least = msgspec.structs.replace(statement, weight_precision=FEWEST_BITS)
    return record_roofline.roof(msgspec.structs.replace(m.trial, statement=least), context.run, ran_on)


def _senseless(key: Key, where: Where, measured: Sequence[Measured]) -> list[Finding]:
    """Times that contradict themselves, whatever the machine."""
    findings = []
    same_times = [m for m in measured if any(_all_equal(part) for part in (m.e2e, m.ttft))]
    if same_times:
        part = next(part for part in (same_times[0].e2e, same_times[0].ttft) if _all_equal(part))
        trials = numbers([m.trial for m in same_times])
        findings.append(found("ceiling.same_times", key, where, times=len(part.times), ns=part.times[0], trials=trials))
    # A neighbour who came for a moment may have slowed all calls of a short pass and none of the other.
    quiet = [m for m in measured if not m.trial.disturbed or sum(m.ttft.times) > MOMENT]
    above = [group for group in _told_together(quiet) if _first_tokens_above(group)]
    if above:
        findings.append(
            found(
                "ceiling.ttft_above_whole",
                key,
                where,
                ttft=min(t for m in above[0] for t in m.ttft.times) / 1e6,
                whole=max(t for m in above[0] for t in m.e2e.times) / 1e6,
                trials=numbers([m.trial for group in above for m in group]),
            )
        )
    else:
        ttft = statistics.fmean(t for m in measured for t in m.ttft.times) / 1e6
        whole = statistics.fmean(t for m in measured for t in m.e2e.times) / 1e6
        if ttft >= whole:
            findings.append(found("ceiling.tpot_negative", key, where, ttft=ttft, whole=whole))
    return findings


def _told_together(measured: Sequence[Measured]) -> list[list[Measured]]:
    """Groups of trials with enough calls to tell by: each trial alone, and those with a call or two as one group."""
    few = [m for m in measured if min(len(m.ttft.times), len(m.e2e.times)) < ABOVE_SAMPLES]
    return [[m] for m in measured if m not in few] + ([few] if len(few) >= ABOVE_SAMPLES else [])


def _first_tokens_above(group: Sequence[Measured]) -> bool:
    first_tokens, wholes = (t for m in group for t in m.ttft.times), (t for m in group for t in m.e2e.times)
    return min(first_tokens) > ABOVE_BY * max(wholes)


def _all_equal(part: Pass) -> bool:
    return len(part.times) >= SAME and len(set(part.times)) == 1


def _too_fast(key: Key, where: Where, with_roof: Sequence[tuple[Measured, Roof]]) -> list[Finding]:
    """The fastest whole generation, the fastest first token, and the slowest that the decode steps can have been."""
    batch, prompt, new = where
    findings = []
    floors: dict[Roof, tuple[roofline.Floor, ...]] = {}
    faults: dict[str, list[tuple[float, roofline.Floor, float, Roof, Trial]]] = {}
    for measured, roof in with_roof:
        if roof not in floors:
            floors[roof] = (roof.generation(*where), roof.prefill(batch, prompt))
            if new > 1:
                floors[roof] += (roof.decode(*where),)
        whole, first_token, *steps = floors[roof]
        timings: list[tuple[str, roofline.Floor, float]] = [
            ("ceiling.generation", whole, min(measured.e2e.times)),
            ("ceiling.prefill", first_token, min(measured.ttft.times)),
        ]
        # From the mean, with the fastest first token: noise of the other pass must not make steps look fast.
        timings += [
            ("ceiling.decode", floor, statistics.fmean(measured.e2e.times) - min(measured.ttft.times))
            for floor in steps
        ]
        for code, floor, nanoseconds in timings:
            seconds = max(nanoseconds, 1) / 1e9
            if floor.refutes(seconds):
                faults.setdefault(code, []).append(
                    (floor.least_seconds / seconds, floor, seconds, roof, measured.trial)
                )
    for code, refuted in faults.items():
        ratio, floor, seconds, roof, _ = max(refuted, key=lambda fault: (fault[0], -fault[4].index))
        figures: dict[str, int | float | str] = dict(
            measured=seconds * 1e3,
            least=floor.least_seconds * 1e3,
            ratio=ratio,
            gb=floor.traffic / 1e9,
            gbs=roof.machine.bandwidth / 1e9,
            weights=roof.precision.name,
            trials=numbers([fault[4] for fault in refuted]),
        )
        if roof.basis == NOMINAL:
            findings.append(found(code, key, where, None, **figures))
        else:
            findings.append(found("ceiling.measured", key, where, None, what=code.split(".")[1], **figures))
    return findings
