"""`tensorrt-pytorch`: the Hugging Face folder in TensorRT-LLM's own PyTorch runtime, with its own modules and kernels.

This runtime takes no notice of `dtype`: it computes in what the folder's config.json says, and keeps keys and values in the
same. So it gets a folder that says the precision, and what it read there is read back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trtbench.engine import contract, model_folder, plan
from trtbench.errors import Unsupported
from trtbench.lanes.tensorrt.runtime import TensorRTLLM
from trtbench.model import kv_cache
from trtbench.model.files import read_config
from trtbench.records.trial import Memory, Statement

PRECISIONS = ("compute_precision", "weight_precision", "kv_precision")
UNSTATED = "bfloat16"  # what this runtime computes in where config.json states nothing
GRAPHS = (1, 2, 4, *range(8, 129, 8))  # batches that it records CUDA graphs for by itself when it pads, up to a largest


class TensorRTPyTorch(TensorRTLLM):
    """TensorRT-LLM's PyTorch runtime on the model folder, its defaults kept and stated."""

    def prepare(self) -> None:
        architecture = read_config(self.plan.model)["architectures"][0]
        row = contract.load()["architectures"].get(architecture, {})
        if not row.get("pytorch_runtime", True):
            raise Unsupported(
                f"TensorRT-LLM's own PyTorch runtime does not know {architecture}; tensorrt-engine runs it, so leave "
                "tensorrt-pytorch out of LANES"
            )

    def start(self) -> Any:
        from tensorrt_llm import LLM
        from tensorrt_llm.llmapi import CudaGraphConfig, KvCacheConfig

        sizes = plan.sizes_for(self.plan.all_cells)
        # One token more for each sequence: the overlap scheduler starts a step before it knows that it was the last. And one
        # block for the sequence that batches are padded with, which keeps it.
        self.pool = kv_cache.kv_tokens(self.plan.all_cells, plan.TOKENS_PER_BLOCK, beyond=1) + plan.TOKENS_PER_BLOCK
        self.folder = model_folder.for_tools(self.plan.model, self.plan.cache, dtype=self.plan.precision)
        return LLM(
            model=str(self.folder),
            skip_tokenizer_init=True,
            max_batch_size=sizes.batch,
            max_seq_len=sizes.sequence,
            max_num_tokens=sizes.num_tokens,
            **({"tensor_parallel_size": self.plan.tp_size} if self.plan.tp_size > 1 else {}),
            kv_cache_config=KvCacheConfig(enable_block_reuse=False, max_tokens=self.pool),
            cuda_graph_config=CudaGraphConfig(**graphs_for([cell.batch for cell in self.plan.all_cells])),
            disable_overlap_scheduler=False,
            enable_autotuner=True,
        )

    def statement(self) -> Statement:
        import tensorrt_llm

        told = self.engine_dtype()
        precision = told or model_folder.stated_dtype(read_config(self.folder)) or UNSTATED
        return self.state(
            "TensorRT-LLM PyTorch",
            **dict.fromkeys(PRECISIONS, precision),
            asked=[] if told else list(PRECISIONS),
            cuda_graphs=None if self.plan.device == "cpu" else True,
            attention="TRTLLM",
            versions={"tensorrt_llm": tensorrt_llm.__version__},
            notes=[
                f"CUDA graphs for batch {self.recorded()}, smaller batches padded; overlap scheduler on, autotuner on",
                "the precision is the engine's own word"
                if told
                else "the precision is that of the config.json that this runtime read; it does not tell it",
            ],
        )

    def engine_dtype(self) -> str | None:
        """What the engine says it computes in, which it does in the calling process alone."""
        found: Any = self.llm
        for name in ("_executor", "engine", "model_engine", "dtype"):
            found = getattr(found, name, None)
        return None if found is None else str(found).removeprefix("torch.")

    def recorded(self) -> str:
        """The batches that have a CUDA graph, as the runtime completed its own arguments, where it lets see them."""
        batches: Any = self.llm
        for name in ("args", "cuda_graph_config", "batch_sizes"):
            batches = getattr(batches, name, None)
        return ", ".join(map(str, batches)) if batches else "sizes that the runtime does not tell"

    def memory(self) -> Memory:
        per_token = kv_cache.bytes_per_token_of(read_config(self.plan.model), ranks=self.ranks())
        return Memory(kv_pool=self.pool * per_token)


def graphs_for(batches: Sequence[int]) -> dict[str, Any]:
    """Arguments of CudaGraphConfig: its own batches up to the largest of the cells, smaller ones padded to the next, since a
    batch begins and ends with fewer sequences. A cell whose batch would be padded throughout gets a graph of its own; both
    arguments at once are an error."""
    largest = max(batches)
    if all(batch in GRAPHS or batch == largest for batch in batches):
        return {"max_batch_size": largest, "enable_padding": True}
    return {"batch_sizes": sorted({*(size for size in GRAPHS if size < largest), *batches}), "enable_padding": True}
