"""`tensorrt-pytorch`: the Hugging Face folder in TensorRT-LLM's own PyTorch runtime, with its own modules and kernels."""

from __future__ import annotations

from typing import Any

from trtbench.engine import contract, model_folder, plan
from trtbench.errors import Unsupported
from trtbench.lanes.tensorrt.runtime import TensorRTLLM
from trtbench.model import kv_cache
from trtbench.model.files import read_config
from trtbench.records.trial import Memory, Statement


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

        sizes = plan.sizes_for(self.plan.cells)
        # One token more for each sequence: the overlap scheduler starts a step before it knows that it was the last.
        self.pool = kv_cache.kv_tokens(self.plan.cells, plan.TOKENS_PER_BLOCK, beyond=1)
        self.batches = sorted({cell.batch for cell in self.plan.cells})
        return LLM(
            model=str(model_folder.for_tools(self.plan.model, self.plan.cache)),
            dtype=self.plan.precision,
            skip_tokenizer_init=True,
            max_batch_size=sizes.batch,
            max_seq_len=sizes.sequence,
            max_num_tokens=sizes.num_tokens,
            kv_cache_config=KvCacheConfig(enable_block_reuse=False, max_tokens=self.pool),
            cuda_graph_config=CudaGraphConfig(batch_sizes=self.batches),
            disable_overlap_scheduler=False,
            enable_autotuner=True,
        )

    def statement(self) -> Statement:
        import tensorrt_llm

        return self.state(
            "TensorRT-LLM PyTorch",
            compute_precision=self.plan.precision,
            weight_precision=self.plan.precision,
            kv_precision=self.plan.precision,
            cuda_graphs=None if self.plan.device == "cpu" else True,
            attention="TRTLLM",
            versions={"tensorrt_llm": tensorrt_llm.__version__},
            notes=[
                f"CUDA graphs for batch {', '.join(map(str, self.batches))}, overlap scheduler on, autotuner on",
                "the precision is what was asked for; this runtime does not tell it",
            ],
        )

    def memory(self) -> Memory:
        return Memory(kv_pool=self.pool * kv_cache.bytes_per_token_of(read_config(self.plan.model)))
