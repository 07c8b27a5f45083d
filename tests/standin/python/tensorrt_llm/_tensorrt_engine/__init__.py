"""The engine runtime's LLM, which releases after the last with the TensorRT backend no longer have."""

from __future__ import annotations

from tensorrt_llm._standin.hardware import HAS_ENGINE_BACKEND, VERSION

if not HAS_ENGINE_BACKEND:
    raise ModuleNotFoundError(
        f"No module named 'tensorrt_llm._tensorrt_engine' (TensorRT-LLM {VERSION})",
        name="tensorrt_llm._tensorrt_engine",
    )

from tensorrt_llm.llmapi.llm import _TrtLLM as LLM

__all__ = ["LLM"]
