"""What a fleet came to: the typed result that its report files are printed from."""

from __future__ import annotations

import msgspec

from trtbench.figures.speedup import Interval

SCHEMA = 1
BACK = "back"  # the status of a run that came back; the others are in trtbench.fleet.ran
Name = tuple[str, str, str]  # kind, lane and precision of what stands in a table


class _Part(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What is strictly read and never changed."""


class Unit(_Part, frozen=True):
    """One machine of a kind, or one card of it where each run takes some. Figures are geometric means over its runs that count;
    `energy` is in J per token. Comparisons are between machines: the geometric means of these."""

    machine: str
    card: str
    runs: int
    latency: float
    throughput: float
    energy: float | None


class Standing(_Part, frozen=True):
    """Where an entry stands by one measure. `rank` counts from 1. `word`: first, among (not told apart from the first), behind (told
    apart from it), few (too few machines on a side to tell). `ratio` is this one's time over the first's, so above 1 it is behind;
    None for the first itself, and by any other measure than speed."""

    rank: int
    word: str
    value: float
    ratio: Interval | None = None


class Entry(_Part, frozen=True):
    """One lane on one kind of machine in one cell. `refused`: empty where the figures count; simulated, or the code of the finding
    that refuses them, and then nothing of it is ranked. `throughput` and `latency` are geometric means over machines, of each the one
    over its `units`. `low`, `high` and `spread` (high over low, less 1; None for a single unit) are over the throughputs of `units`:
    of machines, or of cards where each run takes some of a machine's. `cards` are those of all units together. `watt` is in tokens/s
    per watt, `money` in tokens per unit of the plan's currency."""

    kind: str
    lane: str
    precision: str
    refused: str
    place: str
    machines: int
    cards: int
    runs: int
    throughput: float
    low: float
    high: float
    spread: float | None
    latency: float
    disturbed: int
    speed: Standing | None
    watt: Standing | None
    money: Standing | None
    units: list[Unit]

    @property
    def name(self) -> Name:
        return self.kind, self.lane, self.precision


class Best(_Part, frozen=True):
    """Who is first in a table by one measure. `alike` are those not told apart from it, `open` those of which (or of the first) too
    few machines are there to tell. `fewest` is the least number of machines on a side of those comparisons, `one_each` whether it
    is a single one on every side."""

    first: Name
    value: float
    others: int
    alike: list[Name]
    open: list[Name]
    fewest: int
    one_each: bool


class Own(_Part, frozen=True):
    """What the runs of a kind say of themselves in one cell: a lane against the best PyTorch lane of the same machine. From the lowest
    to the highest machine, and how many runs said which word. No ratio (None) where all of them are void or simulated."""

    kind: str
    lane: str
    precision: str
    bases: list[str]
    low: float | None
    high: float | None
    machines: int
    runs: int
    words: dict[str, int]


class Table(_Part, frozen=True):
    """One cell of a model in a precision. `variant` counts the conditions that its runs were made under (`Aside`); 1 are those of
    most runs. Entries are ranked by speed, those without rank last."""

    model: str
    precision: str
    variant: int
    batch: int
    prompt_length: int
    new_tokens: int
    entries: list[Entry]
    speed: Best | None
    watt: Best | None
    money: Best | None
    own: list[Own]


class Differs(_Part, frozen=True):
    """A condition (model, workload, program, commit, or a setting by its name) of runs that are not ranked with the others."""

    name: str
    here: str
    there: str


class Aside(_Part, frozen=True):
    """Runs of a model and precision that were made under other conditions than most: they have tables of their own."""

    model: str
    precision: str
    variant: int
    runs: int
    kinds: list[str]
    differs: list[Differs]


class Line(_Part, frozen=True):
    """One run that was wanted and what became of it. `number` counts the machines of its kind, and `card_number` the cards of that
    machine; both are 0 where it is not known. `word` is the run's own headline over `cells` that have a ratio: of a single one `ratio`
    and its interval, of several the lowest and the highest ratio."""

    id: str
    kind: str
    model: str
    precision: str
    repeat: int
    status: str
    reason: str
    machine: str
    card: str
    number: int
    card_number: int
    attempts: int
    losses: int
    variant: int
    word: str
    lane: str
    base: str
    cells: int
    ratio: float | None
    low: float | None
    high: float | None
    weak: bool
    fails: int
    warns: int


class Fleet(msgspec.Struct, kw_only=True, frozen=True, tag="fleet", tag_field="kind", forbid_unknown_fields=True):
    """All of it. `prices` are those of the kinds that have one, of one hour of what a run takes; `places` what
    the machines of a kind say that they are. `simulated`, `demonstration`, `synthetic`,
    `refused`, `disturbed` and `failing` count runs: with a stand-in, with the demonstration model, with
    another model of random weights, with a figure that the audit refuses, with a disturbed trial that counts, with a finding that fails."""

    schema: int
    program: str
    name: str
    currency: str
    prices: dict[str, float]
    kinds: list[str]
    places: dict[str, list[str]]
    statuses: dict[str, int]
    machines: int
    simulated: int
    demonstration: int
    synthetic: int
    refused: int
    disturbed: int
    failing: int
    asides: list[Aside]
    tables: list[Table]
    runs: list[Line]
