"""What every lane does alike whose model ONNX Runtime GenAI runs, whatever provider computes it."""

from __future__ import annotations

import abc
from pathlib import Path
from typing import Any, ClassVar

from trtbench.errors import Unsupported, first_line
from trtbench.lanes import prepared
from trtbench.lanes.lane import Lane, choice_of
from trtbench.lanes.onnxruntime import conversion, generation, graph
from trtbench.lanes.onnxruntime.card import Card, refusal
from trtbench.lanes.prepared import Prepared
from trtbench.records.trial import Memory, Statement


class GenAi(Lane):
    """One call a token; the model is converted once by the builder of the package that runs it."""

    name: ClassVar[str]  # of the lane
    engine: ClassVar[str]  # in sentences
    model: Any = None
    seen_on_card: ClassVar[bool] = (
        False  # in this process: what an engine keeps of one model it need not take for the next
    )
    weights: int = 0  # bytes
    free_before: int | None = None  # bytes of the card, until it is known what the engine took
    refused: str = ""  # why the engine does not compute on the card

    @property
    @abc.abstractmethod
    def provider(self) -> str:
        """The builder's name for what computes the model."""

    @property
    @abc.abstractmethod
    def package(self) -> str:
        """The distribution that has GenAI."""

    @property
    @abc.abstractmethod
    def precisions(self) -> tuple[str, ...]:
        """Those that the lane runs on this device."""

    def prepare(self) -> Prepared:
        self.refuse_precision()
        return prepared.made(self.folder(), lambda folder: conversion.convert(folder, self.plan, self.provider))

    def refuse_precision(self) -> None:
        if self.plan.precision not in self.precisions:
            words = f"{', '.join(self.precisions[:-1])} and {self.precisions[-1]}"
            place = "a CPU" if self.plan.device == "cpu" else "a card"
            raise Unsupported(f"{self.engine} runs {words} on {place}, not {self.plan.precision}")

    def folder(self) -> Path:
        """Where the converted model lies."""
        return conversion.folder_of(self.plan, self.package, self.provider)

    def graphs(self) -> bool:
        """Whether CUDA graphs are asked of the engine: the value of the lane's choice, else its makers' default."""
        choice = choice_of(self.name, self.plan.device)
        return (self.plan.value or (choice.values[0] if choice else "")) == "1"

    def graphs_for(self) -> str:
        """For which cells CUDA graphs are asked for or not: the value of the choice may differ between those of one trial."""
        batches = ", ".join(str(batch) for batch in sorted({cell.batch for cell in self.plan.cells}))
        return f"CUDA graphs {'on' if self.graphs() else 'off'} at batch {batches}"

    def load_on_card(self, og: Any, config: Any) -> None:
        """Load the model, and refuse an engine that does not compute on the card."""
        self.card, self.weights = Card(), conversion.weights(self.folder())
        self.free_before = None if GenAi.seen_on_card else self.card.free()
        try:
            self.model = og.Model(config)
        except Exception as error:
            raise Unsupported(f"{self.engine} does not start on this card: {first_line(error)}") from error
        self.ready(og)
        self.refuse_elsewhere(None)

    def refuse_elsewhere(self, taken: int | None) -> None:
        self.refused = refusal(self.engine, str(self.model.device_type), taken, self.weights)
        if self.refused:
            raise Unsupported(self.refused)

    def ready(self, og: Any) -> None:
        """Keep what a generation needs beside the model."""
        self.og, self.end = og, conversion.end_of(self.folder())

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        if self.refused:
            raise Unsupported(self.refused)
        rows = generation.generate(self.og, self.model, self.end, prompts, new_tokens, self.plan.sampling)
        # The first call is no timed one: an engine may lay weights out only then.
        if self.free_before is not None:
            taken, self.free_before = self.free_before - self.card.free(), None
            self.refuse_elsewhere(taken)
            GenAi.seen_on_card = True
        return rows

    def stated(self, **more: Any) -> Statement:
        """The statement, with precisions and attention read off the graph."""
        read = graph.read(self.folder())
        fields: dict[str, Any] = dict(
            compute_precision=read.computes,
            weight_precision=f"int{read.bits}" if read.bits else read.computes,
            kv_precision=read.cache,
            prefix_reuse=False,
            attention=read.attention,
        )
        return Statement(**{**fields, **more, "notes": [*read.notes, *more.get("notes", [])]})

    def memory(self) -> Memory:
        return Memory(weights=conversion.weights(self.folder()))

    def close(self) -> None:
        self.model = None
