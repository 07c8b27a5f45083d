"""Arguments of both runtimes and their configuration classes, from the contract."""

from __future__ import annotations

from typing import Any

from tensorrt_llm._standin import release
from tensorrt_llm._standin.contract import fields
from tensorrt_llm._standin.strict import StrictModel, model

KvCacheConfig: Any = model("KvCacheConfig", __name__, fields("tensorrt_llm.llmapi.KvCacheConfig"))
ExtendedRuntimePerfKnobConfig: Any = model(
    "ExtendedRuntimePerfKnobConfig", __name__, fields("tensorrt_llm.llmapi.ExtendedRuntimePerfKnobConfig")
)


class CudaGraphConfig(
    model("CudaGraphConfig", __name__, fields("tensorrt_llm.llmapi.CudaGraphConfig"))  # type: ignore[misc]
):
    """Batch sizes to capture decoding graphs for. Versions of the real one refuse different combinations of both arguments;
    here whatever one of them refuses is refused. What is left out is filled in with the LLM's arguments, no earlier."""

    batch_sizes: list[int] | None
    max_batch_size: int
    enable_padding: bool

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        if self.batch_sizes and self.max_batch_size and sorted(self.batch_sizes) != self._up_to(self.max_batch_size):
            raise ValueError(
                "Please don't set both cuda_graph_config.batch_sizes and cuda_graph_config.max_batch_size: "
                f"{self.batch_sizes} and {self.max_batch_size}"
            )

    def fill_in(self) -> None:
        """Complete what was left out, as the validation of the LLM's arguments does."""
        if self.batch_sizes:
            self.batch_sizes, self.max_batch_size = sorted(self.batch_sizes), max(self.batch_sizes)
        else:
            self.max_batch_size = self.max_batch_size or 128
            self.batch_sizes = self._up_to(self.max_batch_size)

    def _up_to(self, largest: int) -> list[int]:
        sizes = [1, 2, 4, *range(8, 129, 8)] if self.enable_padding else [*range(1, 32), 32, 64, 128]
        sizes += [2**power for power in range(8, 20)]
        return sorted({size for size in sizes if size <= largest} | {largest})


CONFIGS: tuple[type[StrictModel], ...] = (KvCacheConfig, ExtendedRuntimePerfKnobConfig, CudaGraphConfig)
TrtLlmArgs: Any = model("TrtLlmArgs", __name__, fields("tensorrt_llm._tensorrt_engine.LLM"), CONFIGS)


class TorchLlmArgs(model("TorchLlmArgs", __name__, release.torch_arguments(fields("tensorrt_llm.LLM")), CONFIGS)):  # type: ignore[misc]
    """Arguments of the PyTorch runtime. `dtype` is among them, and that runtime takes no notice of it."""

    cuda_graph_config: Any

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        if self.cuda_graph_config is not None:
            self.cuda_graph_config.fill_in()


# Arguments that the stand-in acts on, or that change speed only, which it doesn't pretend to have.
IMPLEMENTED = {
    "model",
    "tokenizer",
    "tokenizer_mode",
    "skip_tokenizer_init",
    "trust_remote_code",
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "context_parallel_size",
    "gpus_per_node",
    "dtype",
    "revision",
    "tokenizer_revision",
    "kv_cache_config",
    "enable_chunked_prefill",
    "max_batch_size",
    "max_input_len",
    "max_seq_len",
    "max_beam_width",
    "max_num_tokens",
    "backend",
    "return_perf_metrics",
    "enable_tqdm",
    "workspace",
    "scheduler_config",
    "batching_type",
    "extended_runtime_perf_knob_config",
    "cuda_graph_config",
    "disable_overlap_scheduler",
    "attn_backend",
    "enable_autotuner",
    "garbage_collection_gen0_threshold",
    "fail_fast_on_attention_window_too_large",
}


def refuse_unimplemented(args: StrictModel) -> None:
    """Raise NotImplementedError for an argument whose effect the stand-in doesn't have."""
    for name, row in args._rows.items():
        if name not in IMPLEMENTED and getattr(args, name) != row["default"]:
            raise NotImplementedError(f"the stand-in does not implement LLM({name}=...)")
