"""Stand-in for TensorRT-LLM 1.2.1: the contract's names and traps, the model on the CPU. Never a measurement."""

from __future__ import annotations

from tensorrt_llm._standin import failures
from tensorrt_llm._standin.hardware import SIMULATED as SIMULATED
from tensorrt_llm._standin.hardware import VERSION

failures.at_import()

__version__ = VERSION
# The real package announces itself on standard output whenever it is imported, by tools and workers too.
print(f"[TensorRT-LLM] TensorRT LLM version: {__version__}", flush=True)

from tensorrt_llm.llmapi.llm import LLM  # noqa: E402
from tensorrt_llm.sampling_params import SamplingParams  # noqa: E402

__all__ = ["LLM", "SIMULATED", "SamplingParams", "__version__"]
