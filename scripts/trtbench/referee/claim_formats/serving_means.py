"""Load generators that report means over requests: guidellm, and genai-perf with its successor AIPerf.

Their rates and latencies are means of their own, over times that need not be the same, so that a rate is held against a latency
only where the whole run's time and tokens are there too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from trtbench.errors import UserError
from trtbench.referee.claim_formats.layout import Document
from trtbench.referee.claim_formats.names import TIMES
from trtbench.referee.claim_formats.numbers import at, figure
from trtbench.referee.claim_formats.row import Reading, Row, Sum


def is_guidellm(document: Document) -> bool:
    """guidellm benchmark --output-path …json."""
    runs = at(document.value, "benchmarks")
    return isinstance(runs, list) and bool(runs) and all(at(run, "metrics.output_tokens_per_second") for run in runs)


def guidellm(document: Document) -> Reading:
    """guidellm's benchmarks.json: statistics of successful requests; request_latency is in seconds."""
    rows = []
    for number, run in enumerate(at(document.value, "benchmarks"), 1):
        metrics = run["metrics"]
        seconds = _mean(metrics, "request_latency")
        strategy: Any = next(
            (s for s in (at(run, f"{place}.strategy") for place in ("config", "args", "scheduler")) if s), {}
        )
        kind = at(strategy, "type_") or "benchmark"
        streams = figure(strategy, "streams") or _mean(metrics, "request_concurrency", "max")
        rows.append(
            Row(
                name=f"{str(kind)[:40]} {number}",
                batch=math.ceil(streams) if streams else None,
                at_most=True,
                prompt=_mean(metrics, "prompt_token_count"),
                new_tokens=_mean(metrics, "output_token_count"),
                latency=_mean(metrics, "request_latency_ms") if seconds is None else seconds * 1e3,
                throughput=_mean(metrics, "output_tokens_per_second"),
            )
        )
    return Reading("the benchmarks of guidellm", tuple(rows))


def _mean(metrics: Any, name: str, statistic: str = "mean") -> float | None:
    values = (figure(metrics, f"{name}.{status}.{statistic}") for status in ("successful", "completed", "total"))
    return next((value for value in values if value is not None), None)


def is_genai_perf(document: Document) -> bool:
    """profile_export_genai_perf.json or profile_export_aiperf.json."""
    return all(
        isinstance(at(document.value, name), Mapping) and at(document.value, f"{name}.avg") is not None
        for name in ("output_token_throughput", "request_latency")
    )


def genai_perf(document: Document) -> Reading:
    """Statistics with their unit; benchmark_duration and total_output_tokens are in newer files alone."""
    value = document.value
    unit = str(at(value, "request_latency.unit") or "ms")
    if unit not in TIMES:
        raise UserError(f"request_latency is in {unit[:20]!r}, which is none of {', '.join(TIMES)}.")
    latency, rate = figure(value, "request_latency.avg"), figure(value, "output_token_throughput.avg")
    seconds, tokens = figure(value, "benchmark_duration.avg"), figure(value, "total_output_tokens.avg")
    at_once = next(
        (
            n
            for place in ("loadgen", "perf_analyzer.stimulus")
            if (n := figure(value, f"input_config.{place}.concurrency")) is not None
        ),
        figure(value, "request_count.avg"),
    )
    row = Row(
        name="genai-perf",
        batch=math.ceil(at_once) if at_once else None,
        at_most=True,
        prompt=figure(value, "input_sequence_length.avg"),
        new_tokens=figure(value, "output_sequence_length.avg"),
        latency=None if latency is None else latency * TIMES[unit],
        throughput=rate,
        sums=(Sum(rate, seconds, tokens, "output tokens"),) if rate and seconds and tokens else (),
    )
    return Reading("the export of genai-perf or AIPerf", (row,))
