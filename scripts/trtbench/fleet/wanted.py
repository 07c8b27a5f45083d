"""What a fleet is to measure: kinds of machine, and whole runs on them."""

from __future__ import annotations

import hashlib
import json
import re

import msgspec

NAME = re.compile(
    r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?"
)  # of a plan and of a kind: they stand in file names and in Ray's
_SLUG = 24  # characters of a model's name in the name of a run


class Kind(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Machines that are alike. Ray finds them by `accelerator` (its own name of a card, as H200), `resource` (a name given to
    `ray start --resources`) and `labels` (those of `ray start --labels`); all that are given have to fit, and without any
    every machine does.

    A run takes `cards` cards, or `cpus` processors where that is 0, for itself: None for all that such a machine has, so that a
    run has no neighbour. `machines` are how many there may be in a cluster that grows. `price` is of one hour of what a run
    takes, in the plan's currency. `docker` has the run made in containers (scripts/up.sh) in place of what is installed there."""

    accelerator: str = ""
    resource: str = ""
    labels: dict[str, str] = {}
    cards: int | None = None
    cpus: int | None = None
    machines: int = 0
    price: float | None = None
    docker: bool = False

    @property
    def means(self) -> str:
        """All of it that a figure depends on."""
        found = self.accelerator, self.resource, sorted(self.labels.items())
        return json.dumps([*found, self.cards, self.cpus, self.docker])


class Wanted(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """One whole run: a model in one precision on a machine of one kind, with the plan's settings; `repeat` counts from 1 where
    the plan wants several of them. `settings` are texts as a person types them, by their names; `means` is what the kind's name
    stands for (`Kind.means`), so that a run is another one where that is another kind."""

    kind: str
    means: str = ""
    model: str
    precision: str
    repeat: int
    settings: dict[str, str]

    @property
    def id(self) -> str:
        """Its name in files and in Ray: readable, and another for everything that makes it another run."""
        content = json.dumps(
            [self.kind, self.means, self.model, self.precision, self.repeat, sorted(self.settings.items())]
        )
        slug = re.sub(r"[^a-z0-9]+", "-", self.model.rpartition("/")[2].lower()).strip("-")[:_SLUG].strip("-")
        digest = hashlib.sha256(content.encode()).hexdigest()[:8]
        return f"{self.kind}-{slug or 'model'}-{self.precision}-{self.repeat}-{digest}"
