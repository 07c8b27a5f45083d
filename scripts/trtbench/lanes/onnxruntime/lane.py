"""`onnxruntime`: ONNX Runtime GenAI on a CPU, or on a card by ONNX Runtime's CUDA provider."""

from __future__ import annotations

import importlib.metadata
import json
from typing import Any

from trtbench.errors import Unsupported
from trtbench.lanes import prepared
from trtbench.lanes.onnxruntime import libraries
from trtbench.lanes.onnxruntime.genai import GenAi
from trtbench.records.trial import Statement
from trtbench.settings.lanes import LANES

SPINNING = "session.intra_op.allow_spinning"


class OnnxRuntime(GenAi):
    """The engine's defaults but for threads on a CPU and CUDA graphs on a card."""

    name = "onnxruntime"
    engine = "ONNX Runtime GenAI"

    @property
    def provider(self) -> str:
        return self.plan.device

    @property
    def package(self) -> str:
        return LANES[self.name].distribution_on(self.plan.device)

    @property
    def precisions(self) -> tuple[str, ...]:
        return LANES[self.name].precisions[self.plan.device]

    def load(self) -> None:
        prepared.require(self.folder())
        if self.plan.device == "cpu":
            self._load_on_cpu()
            return
        libraries.preload()
        import onnxruntime_genai as og

        config = og.Config(str(self.folder()))
        config.set_provider_option("cuda", "enable_cuda_graph", "1" if self.graphs() else "0")
        self.load_on_card(og, config)

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        # Seen on an H200 with release 0.18.0: GroupQueryAttention ends in "batch_size must be 1 when sequence_length > 1 and past
        # context is given", since the mask for a graph is as wide as the whole cache.
        if len(prompts) > 1 and self.plan.device != "cpu" and self.graphs():
            raise Unsupported("with CUDA graphs, ONNX Runtime GenAI takes the prompt of one sequence only")
        return super().generate(prompts, new_tokens)

    def _load_on_cpu(self) -> None:
        import onnxruntime_genai as og

        config = og.Config(str(self.folder()))
        # Without this the engine behaves like one thread.
        options: dict[str, Any] = {"intra_op_num_threads": self.plan.threads, "inter_op_num_threads": 1}
        if self.plan.value:
            options[SPINNING] = self.plan.value
        config.overlay(json.dumps({"model": {"decoder": {"session_options": options}}}))
        self.model = og.Model(config)
        self.ready(og)

    def statement(self) -> Statement:
        import onnxruntime_genai

        on_card = self.plan.device != "cpu"
        runtime = "onnxruntime-gpu" if on_card else "onnxruntime"
        place: dict[str, Any] = dict(device="cpu", device_name="CPU", threads=self.plan.threads, cuda_graphs=False)
        if on_card:
            place = dict(device="cuda:0", device_name=self.card.name, cuda_graphs=self.graphs(), asked=["cuda_graphs"])
        return self.stated(
            runtime="ONNX Runtime GenAI",
            runtime_version=onnxruntime_genai.__version__,
            versions={
                self.package: onnxruntime_genai.__version__,
                runtime: importlib.metadata.version(runtime),
            },
            notes=["provider CUDA", self.graphs_for()] if on_card else [],
            **place,
        )
