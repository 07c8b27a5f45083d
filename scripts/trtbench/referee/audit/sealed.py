"""provenance, of what was fixed before the first trial: what run.json says of it is what each trial carried."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from trtbench.figures.base import Key, may_be_base
from trtbench.records.files import DECISIONS
from trtbench.records.trial import Sealed, Trial
from trtbench.referee.audit.context import Context, listed, numbers
from trtbench.referee.audit.fairness import SAME_SETTINGS
from trtbench.referee.audit.findings import WARN, Finding, found
from trtbench.settings.knobs import show
from trtbench.settings.lanes import LANES
from trtbench.settings.sealed import FIXED, headline_of, rival

Part = TypeVar("Part", bound=Hashable)


def check(context: Context) -> Iterator[Finding]:
    own = context.own
    if context.run.schema >= DECISIONS:  # what earlier ones lack is told once (provenance.old)
        yield from _unsealed(context, own)
    yield from _settings(context, own)
    yield from _headline(context, own)
    yield from _listed(context, own)
    yield from _bandwidth(context, own)


def _unsealed(context: Context, own: Sequence[Trial]) -> Iterator[Finding]:
    """Trials that don't carry what the run had fixed: by them its headline, lanes, candidates and bandwidth can't be told."""
    measured = context.run.read_bandwidth is not None
    bare = [t for t in own if t.sealed is None or (measured and t.telemetry and t.telemetry.read_bandwidth is None)]
    if bare:
        yield found("provenance.unsealed", trials=_places(bare))


def _settings(context: Context, own: Sequence[Trial]) -> Iterator[Finding]:
    """Settings that are fixed when a run opens, in the run and in each of its trials. Those that bear on a lane's own time are
    told of the lane (fairness.settings); these bear on the run: a margin, an order, a stop."""
    run = context.run
    first = min(own, key=lambda t: t.position, default=None)  # its call opened the run
    differing: dict[str, list[Trial]] = {}
    names: dict[int, list[str]] = {}  # by the settings, which trials share
    for trial in own:
        if id(trial.settings) not in names:
            names[id(trial.settings)] = _differing(run.settings, trial.settings, run.schema == trial.schema)
        for name in names[id(trial.settings)]:
            differing.setdefault(name, []).append(trial)
    for name, trials in differing.items():
        # Earlier versions let a run that was taken up again have another target, or name another margin than the one it kept.
        earlier = all(t.sealed is None for t in trials) and (
            name == "TARGET_PRECISION" or (name == "EQUIVALENCE_MARGIN" and all(t is not first for t in trials))
        )
        yield found(
            "provenance.setting",
            level=WARN if earlier else None,
            name=name,
            found=_shown(name, run.settings),
            wanted=_shown(name, trials[0].settings),
            trials=_places(trials),
        )


def _differing(of_run: Mapping[str, Any], of_trial: Mapping[str, Any], one_schema: bool) -> list[str]:
    """The fixed settings that are not the same. One that only one of them has counts, unless they are of different versions,
    which is told apart (provenance.schema)."""
    return [
        name
        for name in FIXED
        if name not in SAME_SETTINGS
        and (one_schema or (name in of_run and name in of_trial))
        and of_run.get(name) != of_trial.get(name)
    ]


def _shown(name: str, settings: Mapping[str, Any]) -> str:
    return show(name, settings[name])[:40] if name in settings else "-"


def _places(trials: list[Trial]) -> str:
    """The first trials by their places in the run: of several lanes, so that trial numbers would say nothing."""
    return listed(sorted(t.position for t in trials))


def _headline(context: Context, own: Sequence[Trial]) -> Iterator[Finding]:
    """The headline is what the trials carried, and follows from HEADLINE and the lanes of the run."""
    run = context.run
    cards = _cards(run.settings)
    carried = [t for t in own if t.sealed is not None and _other(t.sealed, run.headline, cards)]
    if carried:
        assert carried[0].sealed is not None
        yield _other_headline(run.headline, carried[0].sealed.headline)
        return
    declared = _declared(run.settings)
    # The first trial's call opened the run, or is all that is known of the call that did.
    first = next((t for t in own if "HEADLINE" in t.settings), None)
    if first is not None and first.sealed is None and _declared(first.settings) != declared:
        yield _other_headline(run.headline, _declared(first.settings))
        return
    named = [declared] if declared else _declared_later(own)
    if named:
        if run.headline not in named:
            yield _other_headline(run.headline, named[0])
        return
    # None was declared: that of the run's first rival, or of the engine. Lanes may have come later, in the order they stand.
    rivals = [name for name in dict.fromkeys(run.lanes) if name in LANES and rival(name, cards)]
    possible = {headline_of("", rivals[: i + 1], cards) for i in range(len(rivals))}
    # A step may have named it of which no trial is left: then those of later steps carried it.
    possible |= {t.sealed.headline for t in own if t.sealed is not None}
    if run.headline is not None and run.headline not in possible:
        yield _other_headline(run.headline, headline_of("", run.lanes, cards))


def _cards(settings: Mapping[str, Any]) -> int:
    """Cards that lanes split the model over; earlier records name none, and had one."""
    named = settings.get("TP_SIZE")
    return named if isinstance(named, int) else 1


def _other(sealed: Sealed, headline: str | None, cards: int) -> bool:
    """Whether a trial carried another headline. None is carried before the first rival is among the run's lanes, and only then."""
    return sealed.headline != headline and (
        sealed.headline is not None or headline_of("", sealed.lanes, cards) is not None
    )


def _declared_later(own: Sequence[Trial]) -> list[str]:
    """The headlines that steps of the run named, which it took where it had none. Trials that carry what was fixed say so by
    that; earlier ones may have named one that was not taken."""
    return sorted({_declared(t.settings) for t in own if t.sealed is not None} - {""})


def _declared(settings: Mapping[str, Any]) -> str:
    """HEADLINE, empty where none is named."""
    name = settings.get("HEADLINE")
    return name if isinstance(name, str) else ""


def _other_headline(of_run: str | None, carried: str | None) -> Finding:
    return found("provenance.headline", found=of_run or "-", wanted=carried or "-")


def _listed(context: Context, own: Sequence[Trial]) -> Iterator[Finding]:
    """Lanes that ran, or that trials were to run beside, are among those of the run, and PyTorch lanes that may be the base
    among its candidates: nothing would miss one that was taken off the lists together with its trials."""
    run = context.run
    lanes = _told(own, lambda t: [t.lane, *(t.sealed.lanes if t.sealed else ()), *_named(t)])
    for lane in [name for name in lanes if name in LANES and name not in run.lanes]:
        yield found("provenance.unlisted", what="lanes", other_lane=lane)
    for trial in own:
        named = _named(trial)
        if named and trial.lane not in named:
            yield found("provenance.unasked", (trial.lane, trial.precision), trials=numbers([trial]))
            break
    if run.candidates is None:
        return
    known = {tuple(key) for key in run.candidates}
    missing = [key for key in _told(own, _candidates) if key not in known and key[0] in LANES]
    for lane in dict.fromkeys(lane for lane, _ in missing):
        yield found("provenance.unlisted", what="candidates", other_lane=lane)


def _candidates(trial: Trial) -> list[Key]:
    """The lanes that may be the base, as a trial tells: itself, and those that the run had fixed by then."""
    key = trial.lane, trial.precision
    carried = trial.sealed.candidates if trial.sealed else []
    return [*([key] if may_be_base(key, key[1]) else []), *((lane, precision) for lane, precision in carried)]


def _told(own: Sequence[Trial], parts: Callable[[Trial], list[Part]]) -> list[Part]:
    """What trials tell, each once."""
    return list(dict.fromkeys(part for trial in own for part in parts(trial)))


def _named(trial: Trial) -> list[str]:
    """The lanes that the call of a trial was told to run by name; none where it was to find them (auto), and none of a step,
    which runs the lanes of its family alone."""
    names = trial.settings.get("LANES")
    if (
        not trial.interleaved
        or not isinstance(names, (list, tuple))
        or not all(isinstance(name, str) and name in LANES for name in names)
    ):
        return []
    return list(names)


def _bandwidth(context: Context, own: Sequence[Trial]) -> Iterator[Finding]:
    """The measured bandwidth, from which a CPU's ceiling follows: it is measured once, and each trial carries it."""
    sealed = context.run.read_bandwidth
    if sealed is None:
        return  # then no ceiling is checked by it, which is told (ceiling.unknown)
    carried = [(t, t.telemetry.read_bandwidth) for t in own if t.telemetry and t.telemetry.read_bandwidth is not None]
    other = [(t, bandwidth) for t, bandwidth in carried if bandwidth != sealed]
    if other:
        # Before schema 2 a run that was cut off early and taken up again measured it again.
        yield found(
            "provenance.bandwidth",
            level=WARN if context.run.schema < DECISIONS else None,
            found=sealed / 1e9,
            wanted=other[0][1] / 1e9,
            trials=_places([t for t, _ in other]),
        )
