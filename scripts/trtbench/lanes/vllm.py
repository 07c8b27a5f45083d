"""`vllm`: vLLM's offline `LLM` on the model folder, its defaults kept except where they would bend the measurement.

The engine runs in a process of its own (vLLM's default) or in the calling one, whichever was found faster for the cell; its
memory is what NVML says of the trial's processes. Arguments as in vLLM 0.24.0 to 0.33.0, `vllm/entrypoints/llm.py`,
`vllm/engine/arg_utils.py` and `vllm/sampling_params.py`: every one of those releases has them, with the same meaning.
"""

from __future__ import annotations

import os
from typing import Any

from trtbench.errors import Unsupported
from trtbench.lanes.lane import Lane
from trtbench.model import kv_cache
from trtbench.model.files import read_config
from trtbench.records.trial import Memory, Statement

PRECISIONS = ("float16", "bfloat16")
BLOCK = 16  # tokens in a block of the KV cache, vLLM's default
GRAPHS = 512  # tokens in a step up to which a CUDA graph is recorded: vLLM's default for its default of sequences (since 0.28
# 1024 on cards of compute capability 10.x)


class Vllm(Lane):
    """Greedy or sampled, exactly N ids, no text, nothing kept between calls."""

    llm: Any = None

    def load(self) -> None:
        if self.plan.precision not in PRECISIONS:
            raise Unsupported(f"vLLM runs {' and '.join(PRECISIONS)} here, not {self.plan.precision}")
        os.environ["VLLM_CACHE_ROOT"] = str(self.plan.cache / "vllm")
        os.environ["VLLM_NO_USAGE_STATS"] = "1"
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = self.plan.value or "1"
        # It would compile kernels at the start, for sampling by top-k and top-p alone.
        os.environ.setdefault("VLLM_USE_FLASHINFER_SAMPLER", "0")
        if reason := kv_cache.unsplittable(read_config(self.plan.model), self.plan.tp_size):
            raise Unsupported(reason)
        from vllm import LLM, SamplingParams

        self._params = SamplingParams
        cells = self.plan.cells
        # A token more for each sequence, since a step is scheduled before the last one is known; a block that vLLM keeps
        # for itself; and room for one longest sequence, which it insists on.
        tokens = max(kv_cache.kv_tokens(cells, BLOCK, beyond=1), self.plan.max_length + BLOCK) + 2 * BLOCK
        self.llm = LLM(
            model=str(self.plan.model),
            skip_tokenizer_init=True,
            dtype=self.plan.precision,
            seed=self.plan.sampling.seed,
            max_model_len=self.plan.max_length + 1,
            max_num_seqs=self.plan.max_batch,
            enable_prefix_caching=False,
            **({"tensor_parallel_size": self.plan.tp_size} if self.plan.tp_size > 1 else {}),
            # Of each card, as vllm/config/cache.py says: "Size of KV Cache per GPU in bytes".
            kv_cache_memory_bytes=tokens * self._bytes_per_token() // self.plan.tp_size,
            # With a pool of a given size this only says how much of the card must be free at the start.
            gpu_memory_utilization=0.05,
            compilation_config={"max_cudagraph_capture_size": max(GRAPHS, self.plan.max_batch)},
        )

    def _bytes_per_token(self) -> int:
        """Of all cards together."""
        return kv_cache.bytes_per_token_of(read_config(self.plan.model), ranks=self.plan.tp_size)

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        sampling = self.plan.sampling
        choice: dict[str, Any] = {"temperature": 0.0}
        if sampling.temperature > 0:
            choice = {"temperature": sampling.temperature, "top_p": sampling.top_p, "seed": sampling.seed}
        # The end is ignored, so max_tokens is the length. min_tokens would mask the logit of the end id meanwhile.
        params = self._params(max_tokens=new_tokens, ignore_eos=True, detokenize=False, **choice)
        results = self.llm.generate([{"prompt_token_ids": row} for row in prompts], params, use_tqdm=False)
        return [list(result.outputs[0].token_ids) for result in results]

    def statement(self) -> Statement:
        import torch
        import vllm

        config = self.llm.llm_engine.vllm_config
        precision = str(config.model_config.dtype).removeprefix("torch.")
        cached = config.cache_config.cache_dtype
        mode = getattr(config.compilation_config.cudagraph_mode, "name", None)
        graphs = None if mode is None else mode != "NONE"
        asynchronous = config.scheduler_config.async_scheduling
        ranks = config.parallel_config.tensor_parallel_size
        return Statement(
            runtime="vLLM",
            runtime_version=str(vllm.__version__),
            device="cuda:0",
            device_name=torch.cuda.get_device_name(),
            compute_precision=precision,
            weight_precision=precision,
            kv_precision=precision if cached == "auto" else str(cached),
            cuda_graphs=graphs,
            prefix_reuse=bool(config.cache_config.enable_prefix_caching),
            tensor_parallel=ranks if ranks > 1 else None,
            versions={"vllm": str(vllm.__version__), "torch": str(torch.__version__)},
            notes=[
                f"CUDA graphs {mode}, up to {config.compilation_config.max_cudagraph_capture_size} tokens in a step",
                f"asynchronous scheduling {'on' if asynchronous else 'off'}; the engine {self._place()}",
            ],
        )

    def _place(self) -> str:
        """Where the engine runs, asked of the client that vLLM made for it."""
        name = type(self.llm.llm_engine.engine_core).__name__
        return "in the calling process" if name == "InprocClient" else "in a process of its own"

    def memory(self) -> Memory:
        blocks = self.llm.llm_engine.vllm_config.cache_config.num_gpu_blocks
        return Memory(kv_pool=blocks * BLOCK * self._bytes_per_token() if blocks else None)

    def close(self) -> None:
        if self.llm is not None:
            self.llm.llm_engine.engine_core.shutdown()
