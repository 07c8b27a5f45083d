"""ceiling: nothing faster than the machine's memory and arithmetic allow (law 8), and no time that cannot be one."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from trtbench.figures.summary import Where
from trtbench.records.trial import Trial
from trtbench.referee import ceilings, roofline
from trtbench.referee.audit.context import Context, Key, Measured, numbers
from trtbench.referee.audit.findings import Finding, found
from trtbench.referee.ceilings import NOMINAL, Roof

SAME = 3  # so many calls of equal length to the nanosecond were not measured


def check(context: Context) -> list[Finding]:
    made = [found("ceiling.zero", key, where, trials=numbers(those)) for (key, where), those in context.zero.items()]
    unknown: dict[Key, str] = {}
    no_peak: dict[Key, str] = {}
    for key, where, measured in context.by_cell():
        made += _senseless(key, where, measured)
        roofs = [(m, ceilings.roof(m.trial, context.run)) for m in measured]
        reasons = [at for _, at in roofs if isinstance(at, str)]
        if reasons:
            unknown[key] = reasons[0]
        known = [(m, at) for m, at in roofs if isinstance(at, Roof)]
        if any(at.basis == NOMINAL and at.peak is None for _, at in known):
            no_peak[key] = known[0][0].trial.statement.device_name if known[0][0].trial.statement else "?"
        made += _too_fast(key, where, known)
    made += [found("ceiling.unknown", key, reason=reason.rstrip(".")) for key, reason in unknown.items()]
    made += [found("ceiling.no_peak", key, device=device) for key, device in no_peak.items()]
    return made


def _senseless(key: Key, where: Where, measured: Sequence[Measured]) -> list[Finding]:
    """Times that contradict themselves, whatever the machine."""

    def those(wrong: Callable[[Measured], bool]) -> list[Trial]:
        return [m.trial for m in measured if wrong(m)]

    made = []
    same = those(lambda m: any(len(p.times) >= SAME and len(set(p.times)) == 1 for p in (m.e2e, m.ttft)))
    if same:
        part = next(p for m in measured for p in (m.e2e, m.ttft) if len(p.times) >= SAME and len(set(p.times)) == 1)
        made.append(
            found("ceiling.same_times", key, where, times=len(part.times), ns=part.times[0], trials=numbers(same))
        )
    above = those(lambda m: min(m.ttft.times) > max(m.e2e.times))
    if above:
        m = next(m for m in measured if min(m.ttft.times) > max(m.e2e.times))
        made.append(
            found(
                "ceiling.ttft_above_whole",
                key,
                where,
                ttft=min(m.ttft.times) / 1e6,
                whole=max(m.e2e.times) / 1e6,
                trials=numbers(above),
            )
        )
    else:
        ttft = statistics.fmean(t for m in measured for t in m.ttft.times) / 1e6
        whole = statistics.fmean(t for m in measured for t in m.e2e.times) / 1e6
        if ttft >= whole:
            made.append(found("ceiling.tpot_negative", key, where, ttft=ttft, whole=whole))
    return made


def _too_fast(key: Key, where: Where, known: Sequence[tuple[Measured, Roof]]) -> list[Finding]:
    """The fastest whole generation, the fastest first token, and the slowest that the decode steps can have been."""
    batch, prompt, new = where
    made = []
    floors: dict[Roof, tuple[roofline.Floor, ...]] = {}
    faults: dict[str, list[tuple[float, roofline.Floor, float, Roof, Trial]]] = {}
    for m, at in known:
        if at not in floors:
            floors[at] = (at.generation(*where), at.prefill(batch, prompt))
            if new > 1:
                floors[at] += (at.decode(*where),)
        whole, first, *steps = floors[at]
        seen: list[tuple[str, roofline.Floor, float]] = [
            ("ceiling.generation", whole, min(m.e2e.times)),
            ("ceiling.prefill", first, min(m.ttft.times)),
        ]
        # From the mean, with the fastest first token: noise of the other pass must not make steps look fast.
        seen += [("ceiling.decode", floor, statistics.fmean(m.e2e.times) - min(m.ttft.times)) for floor in steps]
        for code, floor, nanoseconds in seen:
            seconds = max(nanoseconds, 1) / 1e9
            if floor.refutes(seconds):
                faults.setdefault(code, []).append((floor.seconds / seconds, floor, seconds, at, m.trial))
    for code, wrong in faults.items():
        ratio, floor, seconds, at, _ = max(wrong, key=lambda fault: (fault[0], -fault[4].index))
        figures: dict[str, int | float | str] = dict(
            measured=seconds * 1e3,
            least=floor.seconds * 1e3,
            ratio=ratio,
            gb=floor.traffic / 1e9,
            gbs=at.bandwidth / 1e9,
            weights=at.precision.name,
            trials=numbers([fault[4] for fault in wrong]),
        )
        if at.basis == NOMINAL:
            made.append(found(code, key, where, None, **figures))
        else:
            made.append(found("ceiling.measured", key, where, None, what=code.split(".")[1], **figures))
    return made
