"""`tensorrt-engine`: the engine that scripts/build_engine.sh built, in TensorRT-LLM's C++ runtime."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from trtbench.engine import contract, on_disk, plan, preflight
from trtbench.engine.runtime_folder import RuntimeFolder
from trtbench.errors import Unsupported
from trtbench.lanes.prepared import Prepared
from trtbench.lanes.tensorrt.runtime import TensorRTLLM
from trtbench.model import kv_cache
from trtbench.records.trial import Memory, Statement

GRAPH_CACHE = 1000  # CUDA graphs that the engine runtime keeps: what trtllm-bench takes


class TensorRTEngine(TensorRTLLM):
    """The engine built by trtllm-build, all sizes as its own config.json says them."""

    folder: RuntimeFolder | None = None

    def prepare(self) -> Prepared:
        folder, engine = self.find_engine()
        damage = on_disk.damage(folder, engine, self.plan.cache)
        if damage:
            raise Unsupported(f"the TensorRT engine is damaged: {damage}; build it again: {self.command()} --rebuild")
        return Prepared(round(engine.build_seconds * 1e9), True, engine.bytes)

    def find_engine(self) -> tuple[Path, on_disk.Engine]:
        """The engine's folder and note. Raises Unsupported with the command that builds it."""
        import tensorrt
        import tensorrt_llm

        versions = [
            ("tensorrt_llm", "TensorRT-LLM", tensorrt_llm.__version__),
            ("tensorrt", "TensorRT", tensorrt.__version__),
            ("gpu", "compute capability", preflight.capability(preflight.gpu_in_use())),
        ]
        engines = on_disk.home(self.plan.cache.parent)
        sizes = plan.sizes_for(self.plan.all_cells)
        engine = on_disk.find(engines, self.plan.model_digest, self.plan.precision, sizes, versions, self.plan.tp_size)
        if isinstance(engine, str):
            raise Unsupported(f"TensorRT engine not found: {engine}; build it: {self.command()}")
        return engine

    def command(self) -> str:
        """The command line that builds the engine of this plan."""
        cells = self.plan.all_cells
        flags = {
            "--model-name": self.plan.model_name,
            "--precision": self.plan.precision,
            "--batch-sizes": ",".join(str(n) for n in sorted({cell.batch for cell in cells})),
            "--prompt-lengths": ",".join(str(n) for n in sorted({cell.prompt_length for cell in cells})),
            "--new-tokens": ",".join(str(n) for n in sorted({cell.new_tokens for cell in cells})),
            **({"--tp-size": str(self.plan.tp_size)} if self.plan.tp_size > 1 else {}),
        }
        return "bash scripts/build_engine.sh " + shlex.join([word for pair in flags.items() for word in pair])

    def start(self) -> Any:
        from tensorrt_llm._tensorrt_engine import LLM
        from tensorrt_llm.llmapi import ExtendedRuntimePerfKnobConfig, KvCacheConfig

        folder, self.engine = self.find_engine()
        self.built = on_disk.read_config(folder)
        self.pool = kv_cache.kv_tokens(self.plan.all_cells, self.built.tokens_per_block)
        # Over how many cards stands in the engine's config.json, where the runtime reads it: nothing is passed.
        return LLM(
            model=str(self.on_local_disk(folder)),
            skip_tokenizer_init=True,
            max_batch_size=self.built.sizes.batch,
            max_num_tokens=self.built.sizes.num_tokens,
            kv_cache_config=KvCacheConfig(enable_block_reuse=False, max_tokens=self.pool),
            extended_runtime_perf_knob_config=ExtendedRuntimePerfKnobConfig(
                cuda_graph_mode=True, cuda_graph_cache_size=GRAPH_CACHE
            ),
        )

    def on_local_disk(self, engine: Path) -> Path:
        """The folder that the runtime reads at every request: one in the temporary folder, or the engine's own where that
        cannot be."""
        try:
            self.folder = RuntimeFolder(engine)
        except OSError as error:
            print(f"the engine is read from its own folder: {error}", file=sys.stderr)
            return engine
        return self.folder.path

    def close(self) -> None:
        try:
            super().close()
        finally:
            if self.folder is not None:
                self.folder.remove()

    def ranks(self) -> int:
        return self.built.tp_size

    def statement(self) -> Statement:
        built, sizes = self.built, self.built.sizes
        compute, weights = precision_of(built.dtype, built.quant_algo)
        return self.state(
            "TensorRT engine",
            compute_precision=compute,
            weight_precision=weights,
            kv_precision=(built.kv_cache_quant_algo or built.dtype).lower(),
            cuda_graphs=None if self.plan.device == "cpu" else True,
            attention="GPTAttention plugin",
            built_from=self.built_from(),
            **({"simulated": True} if self.engine.simulated else {}),
            versions={"tensorrt_llm": built.version, "tensorrt": self.engine.inputs.tensorrt},
            notes=[
                f"engine {self.engine.name}",
                f"built for batch {sizes.batch}, {sizes.input} prompt tokens, {sizes.sequence} in all, "
                f"{sizes.num_tokens} tokens a step; gemm plugin {built.gemm_plugin or 'off'}, multiple profiles "
                f"{'on' if built.multiple_profiles else 'off'}",
                f"CUDA graphs asked for (cache of {GRAPH_CACHE}); the runtime does not say which steps ran in one",
                "config.json, which the runtime reads at every request, is read from "
                + ("the temporary folder" if self.folder else "DATA_DIR"),
            ],
        )

    def built_from(self) -> dict[str, str]:
        """What the engine's note says that it was built from, to be held against what is here."""
        origins = {"model": self.engine.inputs.model, "version": self.engine.inputs.tensorrt_llm}
        if self.engine.inputs.gpu:
            origins["compute_capability"] = self.engine.inputs.gpu
        if self.engine.gpu_name and self.plan.device != "cpu":
            origins["gpu"] = self.engine.gpu_name
        return origins

    def memory(self) -> Memory:
        per_token = self.built.kv_bytes_per_token
        return Memory(weights=self.engine.weights_bytes, kv_pool=self.pool * per_token if per_token else None)


def precision_of(dtype: str, quant_algo: str | None) -> tuple[str, str]:
    """What an engine computes in and what its weights are stored in, from its data type and quantisation algorithm."""
    rows = contract.load()["precisions"]
    stored = next((name for name, row in rows.items() if quant_algo and row["quant_algo"] == quant_algo), None)
    if quant_algo and stored is None:
        return dtype, quant_algo.lower()
    return ("fp8" if stored == "fp8" else dtype), stored or dtype
