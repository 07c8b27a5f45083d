"""`tensorrt-rtx`: TensorRT for RTX, through ONNX Runtime GenAI and NVIDIA's plugin for ONNX Runtime. Not TensorRT-LLM.

Provider options as in the plugin 0.5.0, tensorrt_rtx_provider_options.h.
"""

from __future__ import annotations

import importlib.metadata
import json
from typing import Any

from trtbench.lanes import prepared
from trtbench.lanes.onnxruntime import rtx_plugin as plugin
from trtbench.lanes.onnxruntime.genai import GenAi
from trtbench.lanes.prepared import Prepared
from trtbench.records.trial import Statement
from trtbench.settings.lanes import LANES


class TensorRtRtx(GenAi):
    """The engine is built when the model is loaded, for the longest and largest cell; what it compiles for the card is kept."""

    name = "tensorrt-rtx"
    engine = "TensorRT for RTX"
    provider = "NvTensorRtRtx"
    package = "onnxruntime-genai-cuda"

    @property
    def precisions(self) -> tuple[str, ...]:
        return LANES[self.name].precisions[self.plan.device]

    def prepare(self) -> Prepared:
        self.refuse_precision()
        plugin.register()  # a card that it does not list is told before minutes are spent
        return super().prepare()

    def load(self) -> None:
        folder = self.folder()
        prepared.require(folder)
        og = plugin.register()
        config = og.Config(str(folder))
        # GenAI builds the engine for 1 to batch_size sequences of 1 to context_length tokens.
        cells = self.plan.all_cells
        sizes: dict[str, Any] = {
            "model": {"context_length": max(cell.prompt_length + cell.new_tokens for cell in cells)},
            "search": {"batch_size": max(cell.batch for cell in cells)},
        }
        config.overlay(json.dumps(sizes))
        cache = self.plan.cache / "tensorrt-rtx"
        cache.mkdir(parents=True, exist_ok=True)
        config.set_provider_option(self.provider, "enable_cuda_graph", "1" if self.graphs() else "0")
        config.set_provider_option(self.provider, "nv_runtime_cache_path", str(cache))
        self.load_on_card(og, config)

    def statement(self) -> Statement:
        names = (plugin.DISTRIBUTION, "onnxruntime-gpu", self.package)
        return self.stated(
            runtime="TensorRT for RTX",
            runtime_version=plugin.version(),
            device="cuda:0",
            device_name=self.card.name,
            cuda_graphs=self.graphs(),
            asked=["cuda_graphs"],
            versions={name: importlib.metadata.version(name) for name in names},
            notes=[
                self.graphs_for(),
                "the kernels that it compiled for this card are kept between trials (nv_runtime_cache_path)",
            ],
        )
