"""The contract of a lane: one way to run the model."""

from __future__ import annotations

import abc
import dataclasses
import importlib
from pathlib import Path
from typing import Any

from trtbench.lanes.prepared import Prepared
from trtbench.records.trial import EngineMetrics, Memory, Sampling, Statement
from trtbench.settings.cells import Cell
from trtbench.settings.lanes import LANES, Choice


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a lane is told before it loads: the model folder, how to compute, and all cells of the trial."""

    model: Path
    model_digest: str
    precision: str
    device: str
    threads: int
    sampling: Sampling
    cells: tuple[Cell, ...]
    cache: Path
    model_name: str = ""  # as the user wrote it, for sentences
    value: str = ""  # of the lane's choice (settings/lanes.py); empty: its makers' default, or nothing to choose
    tp_size: int = 1  # ranks that the model is split over, each with a card or, on a CPU, a process
    rank: int = 0  # which of them this process is
    others: tuple[Cell, ...] = ()  # cells of the same trial for which another value was chosen

    @property
    def all_cells(self) -> tuple[Cell, ...]:
        """What an engine is built and sized for: it was tried so, whatever value a cell then takes."""
        return (*self.cells, *self.others)

    @property
    def max_batch(self) -> int:
        return max(cell.batch for cell in self.cells)

    @property
    def max_length(self) -> int:
        """Longest sequence of any cell: prompt and new ids, in tokens."""
        return max(cell.prompt_length + cell.new_tokens for cell in self.cells)


class Lane(abc.ABC):
    """One way to run the model, in this process. The constructor must not import the engine."""

    profile_steps = 32  # decode steps that PROFILE=1 looks at, at most

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def prepare(self) -> Prepared | None:
        """Convert, build or compile into `plan.cache`, unless that is done; None where nothing is needed."""
        return None

    @classmethod
    def environment(cls) -> dict[str, str]:
        """Variables that the engine's modules read when they are imported; what the user has set stays."""
        return {}

    @abc.abstractmethod
    def load(self) -> None:
        """Load the model so that the next call can generate. Raises Unsupported with the reason."""

    def begin(self, cell: Cell) -> None:  # noqa: B027 - most lanes keep nothing that bears on another cell
        """The calls of a cell begin: forget what those of another one would leave to it. Untimed."""

    def wait_idle(self) -> None:  # noqa: B027 - most lanes do all in the calling process
        """Return once nothing of the last call goes on any more, in whatever process. Before each timed call, untimed."""

    @abc.abstractmethod
    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        """Return exactly `new_tokens` new ids for each prompt, once they are all in host memory.

        `prompts` are equally long lists of token ids, one a sequence of the batch. End-of-sequence is ignored.
        Nothing is kept from one call to the next.
        """

    @abc.abstractmethod
    def statement(self) -> Statement:
        """Say what runs: runtime, version, device, computing precision, threads, graphs, cache reuse."""

    def engine_metrics(self, prompts: list[list[int]], new_tokens: int) -> EngineMetrics | None:
        """The engine's own times of one more generation, untimed by us; None where it gives none."""
        return None

    def memory(self) -> Memory:
        """Bytes by part, as far as the engine can tell; asked after the memory pass."""
        return Memory()

    def close(self) -> None:  # noqa: B027 - most lanes have nothing to give back
        """Give back processes and memory."""


def choice_of(name: str, device: str, tp_size: int = 1) -> Choice | None:
    """What can be chosen for the lane on this device, over so many cards, and on this machine."""
    choice = LANES[name].choices.get(device)
    if choice is not None and choice.one_card and tp_size > 1:
        return None
    if choice is None or not choice.offered:
        return choice
    return choice if _function(choice.offered)() else None


def unable(choice: Choice, *where: Any) -> str:
    """Why a value of the choice can't compute a cell; empty where it can. `where` is what Choice.unable says."""
    return str(_function(choice.unable)(*where)) if choice.unable else ""


def _function(name: str) -> Any:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def create(name: str) -> type[Lane]:
    """Import the lane's module and return its class."""
    return _function(LANES[name].where)  # type: ignore[no-any-return]
