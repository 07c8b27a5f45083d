"""`tensorrt-pytorch`: the Hugging Face folder in TensorRT-LLM's own PyTorch runtime, with its own modules and kernels."""

from __future__ import annotations

from typing import Any

from trtbench import contract, engine_plan, tool_folder
from trtbench.lanes.base import Unsupported
from trtbench.lanes.tensorrt import TensorRTLLM
from trtbench.models import read_config
from trtbench.records import Memory, Statement


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

        sizes = engine_plan.sizes_for(self.plan.cells)
        # One token more for each sequence: the overlap scheduler starts a step before it knows that it was the last.
        self.pool = engine_plan.kv_tokens(self.plan.cells, engine_plan.TOKENS_PER_BLOCK, beyond=1)
        self.batches = sorted({cell.batch for cell in self.plan.cells})
        return LLM(
            model=str(tool_folder.for_tools(self.plan.model, self.plan.cache)),
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
        config = read_config(self.plan.model)
        heads = config["num_attention_heads"]
        head = config.get("head_dim") or config["hidden_size"] // heads
        per_token = 2 * config["num_hidden_layers"] * (config.get("num_key_value_heads") or heads) * head * 2
        return Memory(kv_pool=self.pool * per_token)
