"""who: do lane, runtime, libraries, what was prepared, card, machine and model agree with each other. Part of provenance."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from trtbench.errors import UserError
from trtbench.figures.base import Key
from trtbench.model.config_shape import COMPOSITE
from trtbench.model.shape import ModelShape
from trtbench.records.identity import UNNAMED, card_name, machine_name, model_digest, recorded, release
from trtbench.records.telemetry import Card, Gpu
from trtbench.records.trial import CONFIG_TEXT, Environment, Model, Statement, Trial
from trtbench.referee.audit.context import Context, numbers
from trtbench.referee.audit.findings import WARN, Finding, found
from trtbench.referee.record_roofline import on_gpu
from trtbench.settings.lanes import LANES

# Stored parameters over those of the shape: checkpoints may hold a tied head, masks or rotary tables besides.
FEWEST, MOST = 0.95, 2.5
LARGEST_TOWER = 20_000  # of each size of a tower that sees
PACKED = 8  # parameters that a stored number of a quantised checkpoint holds at most: of 4 bits in one of 32
SHORT = CONFIG_TEXT // 8  # characters of a config, without blanks, whose text no record leaves out for its length
CONSTANTS = {
    "memory bus width": "memory_bus_width",
    "memory clock": "memory_clock_max",
    "SM clock": "sm_clock_max",
    "memory of the card": "memory_total",
}
TAKEN_OUT = ("[name]", "[path]", "[id]", "[address]", "[token]")  # comparison/sieve.py, in a run that was handed on


def check(context: Context) -> list[Finding]:
    findings: list[Finding] = []
    for key, members in context.groups.items():
        findings += _runtime(key, members)
        findings += _card_of_lane(key, members)
        findings += _machine(key, members)
    findings += _one_card(context)
    findings += _model(context)
    return findings


def _runtime(key: Key, members: Sequence[Trial]) -> Iterator[Finding]:
    """The lane's statement against the lane's row and against what was installed."""
    row = LANES[key[0]]
    if not row.distribution:
        return
    stated = [(t, t.statement) for t in members if t.statement is not None]
    others = [(t, s.runtime) for t, s in stated if s.runtime != row.runtime]
    if others:
        yield found(
            "provenance.runtime", key, found=others[0][1], wanted=row.runtime, trials=numbers([t for t, _ in others])
        )
    strangers = [(t, other) for t in members for other in _others_announced(t)]
    if strangers:
        _, other = strangers[0]
        yield found("provenance.announced", key, found=other, trials=numbers([t for t, _ in strangers]))
    differing = [(t, *difference) for t, s in stated for difference in _other_versions(t, s)]
    # A build from sources may call itself no version at all ("dev"): that contradicts nothing, and proves nothing.
    unread = [d for d in differing if not (release(d[2]) and release(d[3]))]
    for level, entries in ((None, [d for d in differing if d not in unread]), (WARN, unread)):
        if entries:
            _, name, one, other = entries[0]
            trials = numbers([t for t, *_ in entries])
            yield found("provenance.library", key, level=level, name=name, found=one, wanted=other, trials=trials)
            break
    unlisted = [t for t in members if _distribution(t) not in t.environment.libraries]
    if unlisted:
        yield found("provenance.not_installed", key, name=_distribution(unlisted[0]), trials=numbers(unlisted))
    if row.built:
        unsaid = [t for t, s in stated if not s.built_from or not {"model", "version"} <= s.built_from.keys()]
        if unsaid:
            yield found("provenance.artefact", key, trials=numbers(unsaid))


def _distribution(trial: Trial) -> str:
    """The distribution whose version is the runtime's, on the device of this trial: a card wherever the environment has one."""
    on_card = bool(trial.environment.gpus) or (trial.statement is not None and on_gpu(trial.statement))
    return LANES[trial.lane].distribution_on("cuda" if on_card else "cpu")


def _other_versions(trial: Trial, statement: Statement) -> Iterator[tuple[str, str, str]]:
    """Software whose version the lane states otherwise than the environment lists it: its name, and the two. What packages
    of the same release differ in does not count. A distribution that only brings the runtime along has a version of its own,
    which the lane states beside the runtime's."""
    distribution, libraries = _distribution(trial), trial.environment.libraries
    own = {distribution: statement.runtime_version}
    if LANES[trial.lane].carried:
        own = {distribution: statement.versions.get(distribution, "unsaid")}
    versions = {**statement.versions, **own}
    for name, version in sorted(versions.items()):
        if name in libraries and release(version) != release(libraries[name]):
            yield name, version, libraries[name]
    announced = (trial.announced or {}).get(distribution)
    if announced is not None and release(announced) != release(statement.runtime_version):
        yield distribution, statement.runtime_version, announced


def _others_announced(trial: Trial) -> Iterator[str]:
    """Engines of other lanes that announced themselves in the trial's log. In a run that was handed on a name may have been
    taken out, for it was somebody's too."""
    own = _distribution(trial)
    for name, version in (trial.announced or {}).items():
        if name != own and not _taken_out(name):
            yield f"{name} {version}"


def _card_of_lane(key: Key, members: Sequence[Trial]) -> Iterator[Finding]:
    """What the lane, telemetry and the environment say of the card of one trial."""
    faults: dict[str, list[tuple[Trial, str, str]]] = {}
    for trial in members:
        for what, one, other in _differences(trial):
            faults.setdefault(what, []).append((trial, one, other))
    for what, seen in faults.items():
        named = [entry for entry in seen if entry[1] != UNNAMED]
        _, one, other = (named or seen)[0]
        trials = numbers([t for t, *_ in named or seen])
        level = None if named else WARN
        yield found("provenance.card", key, level=level, what=what, found=one, wanted=other, trials=trials)


def _differences(trial: Trial) -> Iterator[tuple[str, str, str]]:
    """What is said otherwise than the environment has it: what, as found, and as the environment has it."""
    environment, statement = trial.environment, trial.statement
    names = [card_name(name) for name in environment.gpus or []]
    shown = ", ".join(environment.gpus or []) or "-"
    if statement is not None and on_gpu(statement) and card_name(statement.device_name) not in names:
        yield "GPU", statement.device_name, shown
    cards = environment.cards or []
    if cards and sorted(card_name(card.name) for card in cards) != sorted(names):
        yield "GPU", ", ".join(card.name for card in cards), shown
    seen = (trial.telemetry.gpus if trial.telemetry else None) or []
    if seen and sorted(card_name(gpu.name) for gpu in seen) != sorted(names):
        yield "GPU", ", ".join(gpu.name for gpu in seen), shown
        return
    by_uuid = {card.uuid: card for card in cards}
    for gpu in seen if cards else ():
        card = by_uuid.get(gpu.uuid)
        if card is None:
            yield "uuid", gpu.uuid, ", ".join(sorted(by_uuid))
        else:
            yield from _other_constants(gpu, card)


def _other_constants(gpu: Gpu, card: Card) -> Iterator[tuple[str, str, str]]:
    for what, field in CONSTANTS.items():
        one, other = getattr(gpu, field), getattr(card, field, None)
        if one is not None and other is not None and one != other:
            yield what, str(one), str(other)


def _one_card(context: Context) -> Iterator[Finding]:
    """What is a card's own is the same in all trials of a run: bus, clocks and memory, and which card it is."""
    values: dict[str, Counter[str]] = {}
    uuids: set[tuple[str, ...]] = set()
    caches: set[str] = set()
    for trial in (t for members in context.groups.values() for t in members):
        seen = (trial.telemetry.gpus if trial.telemetry else None) or []
        cards: list[Card | Gpu] = [*(trial.environment.cards or []), *seen]
        for card in cards:
            for what, field in CONSTANTS.items():
                value = getattr(card, field, None)
                if value is not None:
                    values.setdefault(f"{what}\0{card_name(card.name)}", Counter())[str(value)] += 1
        if cards:
            uuids.add(tuple(sorted({card.uuid for card in cards})))
        if trial.environment.last_level_cache is not None:
            caches.add(str(trial.environment.last_level_cache))
    for name, counted in values.items():
        if len(counted) > 1:
            (one, _), (other, _) = counted.most_common(2)
            what = name.partition("\0")[0]
            yield found("provenance.cards", what=what, one=one, other=other)
    if len(uuids) > 1:
        one, other = (", ".join(ids) for ids in sorted(uuids)[:2])
        yield found("provenance.cards", level=WARN, what="uuid", one=one, other=other)
    if len(caches) > 1:
        one, other = sorted(caches, key=int)[:2]
        yield found("provenance.cards", level=WARN, what="CPU cache", one=one, other=other)


def _machine(key: Key, members: Sequence[Trial]) -> Iterator[Finding]:
    """The machine's name follows from what the machine is."""
    wrong = [t for t in members if _name_of(t.environment) != t.environment.machine]
    # What was taken out of a run that was handed on can't be made a name of.
    hidden = [t for t in wrong if _partly_taken_out(t.environment)]
    for level, trials in ((None, [t for t in wrong if t not in hidden]), (WARN, hidden)):
        if trials:
            environment = trials[0].environment
            yield found(
                "provenance.machine",
                key,
                level=level,
                found=environment.machine[:16],
                wanted=_name_of(environment),
                trials=numbers(trials),
            )
            return


def _name_of(environment: Environment) -> str:
    return machine_name(environment.cpu_model, environment.cores, environment.memory, environment.gpus)


def _partly_taken_out(environment: Environment) -> bool:
    return any(map(_taken_out, (environment.cpu_model, *(environment.gpus or []))))


def _taken_out(text: str) -> bool:
    """Whether something was taken out of a text of a run that was handed on."""
    return any(mark in text for mark in TAKEN_OUT)


def _model(context: Context) -> Iterator[Finding]:
    """The shape that figures are held against is that of the files that the digest is over. Records of one run share what
    they say of the model, so each is looked at once."""
    faults_of: dict[bytes, list[str]] = {}
    configs: dict[str, dict[str, Any]] = {}
    unknown: dict[Key, list[Trial]] = {}
    for key, members in context.groups.items():
        wrong: dict[str, list[Trial]] = {}
        for trial in members:
            model, described = trial.model, msgspec.json.encode(trial.model)
            if described not in faults_of:
                faults_of[described] = list(faults(model))
                if configs.setdefault(model.digest, model.config) != model.config:
                    faults_of[described].append("config")
            for what in dict.fromkeys(faults_of[described]):
                wrong.setdefault(what, []).append(trial)
            if model.config_text is None or model.files is None:
                unknown.setdefault(key, []).append(trial)
        for what, trials in wrong.items():
            yield found("provenance.config", key, what=what, trials=numbers(trials))
    if unknown and unknown.keys() == context.groups.keys():
        yield found("provenance.config_unknown")
        return
    for key in unknown:
        yield found("provenance.config_unknown", key)


def faults(model: Model) -> Iterator[str]:
    """What of a model's description does not follow from its files: names of parts."""
    if model.files is not None and model_digest(model.files) != model.digest:
        yield "digest"
    if model.config_text is not None:
        digest = hashlib.sha256(model.config_text.encode("utf-8", "surrogatepass")).hexdigest()
        if model.files is not None and model.files.get("config.json") != digest:
            yield "config.json"
        if _parsed(model.config_text) != recorded(model.config):
            yield "config"
    elif model.files is not None and len(json.dumps(model.config)) < SHORT:
        yield "config.json"
    names = model.config.get("architectures")
    if isinstance(names, list) and names and str(names[0]) != model.architecture:
        yield "architecture"
    try:
        parameters = ModelShape.from_config(model.config).parameters
    except UserError:
        return  # ceiling.unknown says that the shape is not known
    fewest = FEWEST / PACKED if model.config.get("quantization_config") else FEWEST
    if not fewest * parameters <= model.parameters <= MOST * parameters + _tower(model.config):
        yield "parameters"


def _tower(config: Mapping[str, Any]) -> float:
    """Parameters that a model which sees has beside its decoder at most: half as much again as layers of these sizes, and what
    leads from one to the other. None where config.json gives no sizes."""
    sees, text = config.get("vision_config"), config.get("text_config")
    if config.get("model_type") not in COMPOSITE or not isinstance(sees, Mapping) or not isinstance(text, Mapping):
        return 0.0
    sizes = [sees.get(name) for name in ("hidden_size", "intermediate_size", "num_hidden_layers")]
    sizes.append(text.get("hidden_size"))
    if not all(isinstance(size, int) and not isinstance(size, bool) and 0 < size < LARGEST_TOWER for size in sizes):
        return 0.0
    hidden, inner, layers, decoder = (float(size or 0) for size in sizes)
    return 1.5 * layers * (4 * hidden**2 + 3 * hidden * inner) + 8 * hidden * decoder + 5e7


def _parsed(text: str) -> dict[str, Any] | None:
    """What a record holds of this config.json; None where it is none. A record has no Infinity and no NaN: they are null."""
    try:
        config = msgspec.json.decode(msgspec.json.encode(json.loads(text)))
    except (ValueError, OverflowError, RecursionError):
        return None
    return recorded(config) if isinstance(config, dict) else None
