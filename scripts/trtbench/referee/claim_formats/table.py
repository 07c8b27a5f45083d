"""Every format that is understood, one row each; the first that fits is taken, a table of one's own last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trtbench.referee.claim_formats import (
    layout,
    llama_bench,
    optimum_benchmark,
    own_report,
    plain,
    serving_means,
    tensorrt_llm,
    vllm_bench,
)
from trtbench.referee.claim_formats.layout import Document
from trtbench.referee.claim_formats.row import Reading


@dataclass(frozen=True)
class Format:
    """`fits` says whether a document is of the format, `read` takes its rows. `source` is where its figures' meaning was looked
    up, in the tool's own repository."""

    tool: str
    source: str
    fits: Callable[[Document], bool]
    read: Callable[[Document], Reading]


FORMATS = (
    Format("this program", "comparison/result.py", own_report.matches, own_report.read),
    Format(
        "TensorRT-LLM benchmark.py",
        "NVIDIA/TensorRT-LLM benchmarks/python/gpt_benchmark.py",
        tensorrt_llm.is_table,
        tensorrt_llm.table,
    ),
    Format(
        "trtllm-bench",
        "NVIDIA/TensorRT-LLM tensorrt_llm/bench/dataclasses/reporting.py",
        tensorrt_llm.is_report,
        tensorrt_llm.report,
    ),
    Format(
        "llama-bench", "ggml-org/llama.cpp tools/llama-bench/llama-bench.cpp", llama_bench.matches, llama_bench.read
    ),
    Format("vllm bench serve", "vllm-project/vllm vllm/benchmarks/serve.py", vllm_bench.is_serve, vllm_bench.serve),
    Format(
        "vllm bench throughput",
        "vllm-project/vllm vllm/benchmarks/throughput.py",
        vllm_bench.is_throughput,
        vllm_bench.throughput,
    ),
    Format(
        "vllm bench latency",
        "vllm-project/vllm vllm/benchmarks/latency.py",
        vllm_bench.is_latency,
        vllm_bench.latency,
    ),
    Format(
        "guidellm", "vllm-project/guidellm src/guidellm/benchmark", serving_means.is_guidellm, serving_means.guidellm
    ),
    Format(
        "genai-perf, AIPerf",
        "triton-inference-server/perf_analyzer genai-perf; ai-dynamo/aiperf",
        serving_means.is_genai_perf,
        serving_means.genai_perf,
    ),
    Format(
        "optimum-benchmark",
        "huggingface/optimum-benchmark optimum_benchmark/scenarios/inference",
        optimum_benchmark.matches,
        optimum_benchmark.read,
    ),
    Format("a table or JSON of one's own", "", lambda document: True, plain.read),
)


def read(file: Path) -> Reading:
    """Read a file of any of these formats; a UserError says in one sentence what isn't understood."""
    return rows(layout.read(file))


def rows(document: Document) -> Reading:
    """The rows of a document."""
    return next(format.read(document) for format in FORMATS if format.fits(document))
