"""provenance: are these the records that this run wrote, unchanged. Whether they are all there says presence.py, whether they
were fixed before the run sealed.py, whether parts of them were taken out stripped.py, whether each lane ran in one and the same
software software.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trtbench.figures.base import Key
from trtbench.machine.disturbance import disturbances, early_clocks, limits
from trtbench.records.files import DECISIONS
from trtbench.records.identity import card_name
from trtbench.records.run_folder import trial_name
from trtbench.records.trial import Trial, checksum, simulated
from trtbench.referee.audit import presence, sealed, software, stripped
from trtbench.referee.audit.context import Context, numbers
from trtbench.referee.audit.findings import WARN, Finding, found
from trtbench.referee.record_roofline import on_gpu

COPIED_CALLS = 5  # with fewer calls chance could make two trials proportional
DIGITS = 6  # of the ratio of two times that have to agree


def check(context: Context) -> list[Finding]:
    findings: list[Finding] = []
    for key, members in context.groups.items():
        findings += _lane(key, members)
    workload = context.workload
    if workload is not None and workload.digest() != context.run.workload_digest:
        findings.append(found("provenance.changed", file="workload.json"))
    findings += _schema(context)
    findings += _decisions(context)
    findings += _mixed(context)
    findings += _copied(context)
    findings += presence.check(context)
    findings += sealed.check(context)
    findings += stripped.check(context)
    findings += software.check(context)
    return findings


def _lane(key: Key, members: Sequence[Trial]) -> Iterator[Finding]:
    stand_ins = [t for t in members if simulated(t)]
    if stand_ins:
        yield found("provenance.simulated", key, trials=numbers(stand_ins))
    changed = [t for t in members if t.checksum != checksum(t)]
    if changed:
        yield found("provenance.changed", key, file=", ".join(trial_name(t) for t in changed[:3]))
    yield from _engine(key, members)


def _schema(context: Context) -> Iterator[Finding]:
    """All records of a run are of one version: an older one among them would hide what it lacks."""
    wanted = context.run.schema
    for key, members in context.groups.items():
        others = [t for t in members if t.schema != wanted]
        if others:
            yield found("provenance.schema", key, found=others[0].schema, wanted=wanted, trials=numbers(others))
    if wanted < DECISIONS:
        yield found("provenance.old", schema=wanted)


def _decisions(context: Context) -> Iterator[Finding]:
    """What the run said of who disturbed its trials, decided again from telemetry under the run's rules. The clock that is
    normal for the card is that of the trials up to each one."""
    rules = context.run.rules
    if rules is None:
        return
    own = context.own
    stated = [t.statement for t in own if t.statement is not None]
    device = "cuda" if stated and all(map(on_gpu, stated)) else "cpu"
    for name, limit in limits(device).items():
        if getattr(rules, name) != limit:
            yield found("provenance.rules", name=name, found=getattr(rules, name), wanted=limit)
    otherwise: dict[Key, list[Trial]] = {}
    clocks: dict[str, int] = {}
    for trial in sorted(own, key=lambda t: t.position):
        clocks |= {uuid: max(clock, clocks.get(uuid, 0)) for uuid, clock in early_clocks([trial]).items()}
        if trial.failure is None and (trial.disturbed or []) != disturbances(trial, rules, clocks):
            otherwise.setdefault((trial.lane, trial.precision), []).append(trial)
    for key, members in otherwise.items():
        yield found("provenance.disturbed", key, trials=numbers(members))


def _engine(key: Key, members: Sequence[Trial]) -> Iterator[Finding]:
    for trial in members:
        statement = trial.statement
        if statement is None or not statement.built_from:
            continue
        present = {"model": [trial.model.digest], "version": [statement.runtime_version]}
        present["gpu"] = trial.environment.gpus or [statement.device_name]
        capabilities = [card.compute_capability for card in trial.environment.cards or ()]
        if None not in capabilities and capabilities:
            present["compute_capability"] = [str(capability) for capability in capabilities]
        for name, values in present.items():
            built_from = statement.built_from.get(name)
            # An engine is built on a card, and may run on a slice of one that calls itself so.
            alike = card_name if name == "gpu" else str
            if built_from is not None and alike(built_from) not in map(alike, values):
                yield found("provenance.engine", key, what=name, found=built_from[:24], wanted=values[0][:24])
                return


def _mixed(context: Context) -> Iterator[Finding]:
    """Trials of another run may stand beside these only when everything that bears on a figure is the same."""
    run = context.run
    for key, members in context.groups.items():
        foreign = [t for t in members if t.run != run.id]
        if not foreign:
            continue
        same_conditions = all(
            t.workload_digest == run.workload_digest
            and t.model.digest == run.model_digest
            and t.environment.machine == run.machine
            and all(t.settings.get(n) == run.settings.get(n) for n in ("NUM_ITERATIONS", "WARMUP_LIMIT", "THREADS"))
            for t in foreign
        )
        runs = sorted({t.run for t in foreign})
        yield found(
            "provenance.mixed",
            key,
            level=WARN if same_conditions else None,
            runs=", ".join(runs),
            trials=numbers(foreign),
        )


def _copied(context: Context) -> Iterator[Finding]:
    """Times that are another trial's, as they are or times a factor: their ratios to the first agree in DIGITS digits.

    Two grids, half a step apart: values on the edge of a step of one lie inside a step of the other."""
    first_with: dict[tuple[int, tuple[int, ...]], tuple[Trial, int]] = {}
    for trial in (t for members in context.groups.values() for t in members):
        for record in trial.cells:
            if record.e2e is None or len(record.e2e.times) < COPIED_CALLS or record.e2e.times[0] <= 0:
                continue
            if len(set(record.e2e.times)) == 1:
                continue  # ceiling.same_times says more
            ratios = [time / record.e2e.times[0] * 10**DIGITS for time in record.e2e.times[1:]]
            for grid in (0, 1):
                fingerprint = (grid, tuple(int(ratio + grid / 2) for ratio in ratios))
                original, other_first_time = first_with.setdefault(fingerprint, (trial, record.e2e.times[0]))
                if original is trial:
                    continue
                yield found(
                    "provenance.copied",
                    (trial.lane, trial.precision),
                    trial=trial.index,
                    other=original.index,
                    other_lane=original.lane,
                    factor=record.e2e.times[0] / other_first_time,
                )
                break
