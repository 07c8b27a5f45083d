"""Stands in for vLLM in the lane's test: takes only arguments that the real one has (0.24.0 to 0.32.0), and refuses the rest.

Read in vLLM 0.24.0 and 0.32.0: `vllm/entrypoints/llm.py` (LLM.__init__, LLM.generate), `vllm/engine/arg_utils.py` (EngineArgs, which
takes what LLM does not name), `vllm/config/compilation.py` (CompilationConfig) and `vllm/sampling_params.py`. It computes
no model: an id is made from the prompt and the position.
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

__version__ = "0.24.0+standin"

# Those of the real ones that could matter to a benchmark; a name that is not here is an error, as it is there.
LLM_ARGUMENTS = {
    *(
        "model",
        "tokenizer",
        "skip_tokenizer_init",
        "trust_remote_code",
        "tensor_parallel_size",
        "dtype",
        "quantization",
    ),
    *("seed", "gpu_memory_utilization", "enforce_eager", "kv_cache_memory_bytes", "compilation_config"),
    *("attention_config", "disable_custom_all_reduce"),
    *("max_model_len", "max_num_seqs", "max_num_batched_tokens", "enable_prefix_caching", "block_size"),
    *("num_gpu_blocks_override", "enable_chunked_prefill", "async_scheduling", "disable_log_stats", "kv_cache_dtype"),
    *("load_format", "generation_config"),
}
COMPILATION = {"mode", "cudagraph_mode", "cudagraph_capture_sizes", "max_cudagraph_capture_size", "compile_sizes"}
SAMPLING = {
    *("n", "temperature", "top_p", "top_k", "min_p", "seed", "stop", "stop_token_ids", "ignore_eos", "max_tokens"),
    *("min_tokens", "logprobs", "prompt_logprobs", "detokenize", "skip_special_tokens", "output_kind"),
}
MADE: list[LLM] = []
ASKED: list[tuple[list[Any], SamplingParams]] = []


def _refuse_others(what: str, given: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise TypeError(f"{what} got an unexpected keyword argument {unknown[0]!r}")


class SamplingParams:
    def __init__(self, **given: Any) -> None:
        _refuse_others("SamplingParams", given, SAMPLING)
        self.given = {"max_tokens": 16, "temperature": 1.0, "detokenize": True, "ignore_eos": False, **given}
        if not 0 < self.given.get("top_p", 1.0) <= 1:
            raise ValueError("top_p must be in (0, 1]")


class LLM:
    def __init__(self, model: str, **given: Any) -> None:
        _refuse_others("LLM", given, LLM_ARGUMENTS)
        _refuse_others("CompilationConfig", given.get("compilation_config") or {}, COMPILATION)
        self.model, self.given, self.ended = model, given, False
        self.environment = {name: value for name, value in os.environ.items() if name.startswith("VLLM_")}
        MADE.append(self)

        def shutdown() -> None:
            self.ended = True

        self.llm_engine = SimpleNamespace(
            engine_core=SimpleNamespace(shutdown=shutdown),
            vllm_config=SimpleNamespace(
                model_config=SimpleNamespace(dtype=f"torch.{given['dtype']}"),
                cache_config=SimpleNamespace(
                    cache_dtype="auto",
                    enable_prefix_caching=given.get("enable_prefix_caching", True),
                    num_gpu_blocks=100,
                ),
                compilation_config=SimpleNamespace(
                    cudagraph_mode=SimpleNamespace(name="FULL_AND_PIECEWISE"), max_cudagraph_capture_size=512
                ),
                scheduler_config=SimpleNamespace(async_scheduling=True),
                parallel_config=SimpleNamespace(tensor_parallel_size=given.get("tensor_parallel_size", 1)),
            ),
        )

    def generate(self, prompts: list[Any], sampling_params: SamplingParams, *, use_tqdm: bool = True) -> list[Any]:
        ASKED.append((prompts, sampling_params))
        results = []
        for prompt in prompts:
            row = prompt["prompt_token_ids"]
            count = sampling_params.given["max_tokens"]
            # A model that chooses its end id early, which ends the sequence unless that is ignored.
            if not sampling_params.given["ignore_eos"]:
                count = min(count, 3)
            ids = tuple((row[-1] + i) % 97 for i in range(count))
            results.append(SimpleNamespace(outputs=[SimpleNamespace(token_ids=ids)], num_cached_tokens=0))
        return results
