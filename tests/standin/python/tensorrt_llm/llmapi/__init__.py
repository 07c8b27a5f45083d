"""The names that the product imports from tensorrt_llm.llmapi."""

from __future__ import annotations

from tensorrt_llm.llmapi.llm import LLM
from tensorrt_llm.llmapi.llm_args import (
    CudaGraphConfig,
    ExtendedRuntimePerfKnobConfig,
    KvCacheConfig,
    TorchLlmArgs,
    TrtLlmArgs,
)
from tensorrt_llm.llmapi.results import CompletionOutput, RequestError, RequestOutput
from tensorrt_llm.sampling_params import SamplingParams

__all__ = [
    "LLM",
    "CompletionOutput",
    "CudaGraphConfig",
    "ExtendedRuntimePerfKnobConfig",
    "KvCacheConfig",
    "RequestError",
    "RequestOutput",
    "SamplingParams",
    "TorchLlmArgs",
    "TrtLlmArgs",
]
