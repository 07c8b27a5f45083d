"""Which value of an engine's setting a lane is timed with, cell by cell: what the run has, what was found before on the same
machine for the same work, or what is tried now. It stands in the run before its first timed trial and stays."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from trtbench.errors import UserError, counted
from trtbench.figures.summary import Where, shape
from trtbench.lanes import lane
from trtbench.measure import trying
from trtbench.measure.progress import Progress
from trtbench.records.files import encode, hash_content, read_as, write_whole
from trtbench.records.run import Run, Tried
from trtbench.records.trial import Environment, Sampling, Trial
from trtbench.settings.cells import Cell, shapes
from trtbench.settings.choosing import Entrant
from trtbench.settings.knobs import Settings
from trtbench.settings.lanes import LANES, Choice

DISTURBED = "others on this machine disturbed what was tried"


@dataclasses.dataclass(frozen=True)
class Conditions:
    """What a choice rests on besides the settings: machine, card, driver and versions by lane, the model, threads, device."""

    environments: dict[str, Environment]
    model_digest: str
    threads: int
    device: str
    sampling: Sampling


class Choosing:
    """The choices of a run. `known` are its trials so far; `try_out` times the cells of an entrant with a value, in the round
    that is given, and returns None where the machine did not become quiet; `save` writes the run."""

    def __init__(
        self,
        record: Run,
        known: Sequence[Trial],
        settings: Settings,
        conditions: Conditions,
        progress: Progress,
        try_out: Callable[[Entrant, str, int], Trial | None],
        save: Callable[[], None],
    ) -> None:
        self.record, self.known, self.settings, self.conditions = record, known, settings, conditions
        self.progress, self.try_out, self.save = progress, try_out, save
        self.disturbed = False  # a lane's tries were in vain: those of the next would be, after as long a wait

    def choice(self, entrant: Entrant) -> Choice | None:
        """What can be chosen for the lane here. Nothing where the run has trials of it without a choice."""
        known = any((t.lane, t.precision) == (entrant.lane, entrant.precision) for t in self.known)
        if self.record.tried is None or (known and not self.tried(entrant)):
            return None
        return lane.choice_of(entrant.lane, self.conditions.device, self.settings.tp_size)

    def tried(self, entrant: Entrant) -> list[Tried]:
        """The run's lines about the lane's choice."""
        return [t for t in self.record.tried or () if (t.lane, t.precision) == (entrant.lane, entrant.precision)]

    def chosen(self, entrant: Entrant, cells: Sequence[Cell]) -> list[str]:
        """The value of the lane's choice for each cell; empty where there is none."""
        values = {(t.batch, t.prompt_length, t.new_tokens): t.value for t in self.tried(entrant) if t.chosen}
        return [values.get(shape(cell), "") for cell in cells]

    def to_time(self, entrant: Entrant) -> list[str]:
        """The values that the lane will be timed with: those chosen before, else all that are to be tried."""
        choice = self.choice(entrant)
        if choice is None:
            return [""]
        found = [line.value for line in self.tried(entrant) or self.kept(entrant, choice) if line.chosen]
        to_try = self.settings.try_settings and bool(self.cells(entrant, choice)[0])
        values = found or (choice.values if to_try else choice.values[:1])
        return list(dict.fromkeys(values))

    def cells(self, entrant: Entrant, choice: Choice) -> tuple[list[Where], list[Where]]:
        """The lane's cells that the choice bears on, and the others."""
        cells = [shape(cell) for cell in shapes(self.settings, entrant.precision)]
        bears = [where for where in cells if choice.sequences is None or where[0] <= choice.sequences]
        return bears, [where for where in cells if where not in bears]

    def choose(self, entrant: Entrant) -> None:
        """Find the lane's settings, unless the run has them: kept from an earlier run of the same kind, or tried now."""
        choice = self.choice(entrant)
        if choice is None or self.tried(entrant):
            return
        lines = self.kept(entrant, choice) or self.try_all(entrant, choice)
        assert self.record.tried is not None
        self.record.tried += lines
        self.save()

    def try_all(self, entrant: Entrant, choice: Choice) -> list[Tried]:
        """Try the values of the choice; where that can't be done, the makers' default stands and the reason with it."""
        cells, others = self.cells(entrant, choice)
        name = (entrant.lane, entrant.precision)
        nothing = trying.Values(choice, [*cells, *others])

        def unable(value: str, where: Where) -> str:
            cache = (self.settings.data / "cache").absolute()
            return lane.unable(
                choice, cache, self.conditions.model_digest, entrant.precision, value, where[1] + where[2]
            )

        same = trying.told(
            *name, trying.Values(choice, others), f"it bears on {counted(choice.sequences or 0, 'sequence')} at most"
        )
        if not self.settings.try_settings:
            return trying.told(*name, nothing, "TRY_SETTINGS=0", unable)
        if not cells:
            return same
        if self.disturbed:
            return trying.told(*name, nothing, DISTURBED, unable)
        self.progress.note(f"{entrant}: trying {choice.setting}={' and '.join(choice.values)}")
        values = trying.find(
            choice, cells, self.settings.seed, lambda value, number: self.try_out(entrant, value, number)
        )
        if values is None:
            self.disturbed = True
            self.progress.note(f"{DISTURBED}: engines run with their makers' defaults, where those can compute a cell")
            return trying.told(*name, nothing, DISTURBED, unable)
        lines = trying.told(*name, values) + same
        if len(values.failures) < len(choice.values):  # where none ran, something else is wrong that may be mended
            key = self.key(entrant, choice)
            write_whole(self.file(key), encode(Kept(key=key, tried=lines)))
        return lines

    def kept(self, entrant: Entrant, choice: Choice) -> list[Tried]:
        """What an earlier run of the same kind found; empty where there is nothing, or nothing that can be read."""
        key = self.key(entrant, choice)
        if not self.settings.try_settings or not self.file(key).is_file():
            return []
        try:
            found = read_as(Kept, self.file(key))
        except UserError:
            return []
        return found.tried if found.key == key else []

    def file(self, key: str) -> Path:
        return self.settings.data / "cache" / "settings" / f"{key[:32]}.json"

    def key(self, entrant: Entrant, choice: Choice) -> str:
        """All that a choice rests on, and how it was tried."""
        on, settings = self.conditions, self.settings
        environment = on.environments[entrant.lane]
        parts = [
            [environment.machine, environment.gpus, environment.driver, environment.kernel],
            [environment.python, sorted(environment.libraries.items())],
            [on.model_digest, on.threads, on.device, entrant.lane, entrant.precision],
            sorted(shape(cell) for cell in shapes(settings, entrant.precision)),
            [on.sampling.temperature, on.sampling.top_p],
            [choice.setting, choice.values, settings.num_iterations, settings.warmup_limit],
            code_of(entrant.lane),
            *([settings.tp_size] if settings.tp_size > 1 else []),
        ]
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()


def code_of(lane: str) -> str:
    """Digest of the lane's own files: what was found for other code says nothing."""
    module = LANES[lane].where.partition(":")[0]
    spec = importlib.util.find_spec(module)
    origin = Path(spec.origin) if spec is not None and spec.origin else None
    if origin is None:
        return ""
    apart = module.count(".") > 2  # a lane with parts has a folder of its own
    state = hashlib.sha256()
    for file in sorted(origin.parent.glob("*.py")) if apart else [origin]:
        hash_content(state, file)
    return state.hexdigest()


class Kept(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What was found for one key."""

    key: str
    tried: list[Tried]
