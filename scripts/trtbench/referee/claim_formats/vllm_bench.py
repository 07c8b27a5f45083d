"""vLLM's benchmarks (`vllm bench serve`, `latency`, `throughput`, formerly benchmarks/*.py), and SGLang's bench_serving, which
writes the first one's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trtbench.referee.claim_formats.layout import Document
from trtbench.referee.claim_formats.numbers import cards, count, figure
from trtbench.referee.claim_formats.row import Reading, Row, Sum

_SERVE = {"duration", "completed", "total_output_tokens", "output_throughput"}
_THROUGHPUT = {"elapsed_time", "num_requests", "total_num_tokens", "tokens_per_second"}
_PEAK = (
    "max_output_tokens_per_s is below output_throughput: it counts pieces of streams in whole seconds, so that it says nothing of "
    "runs under a second and of pieces with several tokens; not judged."
)
_SPECULATIVE = ("spec_decode_acceptance_rate", "spec_decode_acceptance_length", "accept_length")  # the last is SGLang's
_LATENCY = {"avg_latency", "latencies", "percentiles"}


def _all(document: Document, keys: set[str]) -> list[Mapping[str, Any]]:
    """The objects of the file (one, or one a line) where each has these keys, else none."""
    parts = document.value if isinstance(document.value, list) else [document.value]
    return parts if parts and all(isinstance(part, Mapping) and keys <= part.keys() for part in parts) else []


def is_serve(document: Document) -> bool:
    """--save-result, or --append-result with a line a run."""
    return bool(_all(document, _SERVE))


def serve(document: Document) -> Reading:
    """vllm/benchmarks/serve.py: rates are over `duration` (s), the whole run; the mean latency of a request is there only
    with --percentile-metrics e2el."""
    rows, below = [], False
    parts = _all(document, _SERVE)
    for number, part in enumerate(parts, 1):
        done, seconds = count(part["completed"], "completed"), figure(part, "duration")
        rate, every = figure(part, "output_throughput"), figure(part, "total_token_throughput")
        new, prompt = figure(part, "total_output_tokens"), figure(part, "total_input_tokens")
        sums = [Sum(rate, seconds, new, "output tokens")] if rate and seconds and new else []
        if every and seconds and new and prompt:
            sums.append(Sum(every, seconds, new + prompt, "tokens in all"))
        most = count(part.get("max_concurrency"), "max_concurrency")
        rows.append(
            Row(
                name=_label(part, number, len(parts)),
                batch=min(most, done) if most and done else most or done,
                at_most=True,
                prompt=prompt / done if prompt and done else None,
                new_tokens=new / done if new and done else None,
                latency=figure(part, "mean_e2el_ms") or figure(part, "mean_e2e_latency_ms"),
                throughput=rate,
                sums=tuple(sums),
                cards=_cards(part),
                speculative=any(part.get(name) is not None for name in _SPECULATIVE),
            )
        )
        peak = figure(part, "max_output_tokens_per_s")
        below = below or bool(rate and peak and peak < rate)
    notes = (_PEAK,) if below else ()
    return Reading("the result of a serving benchmark (vLLM, SGLang)", tuple(rows), notes)


def _cards(part: Mapping[str, Any]) -> int | None:
    """Of the server nothing is in the file but what --metadata puts there."""
    name = next((name for name in ("tensor_parallel_size", "tp") if name in part), "")
    return cards(part.get(name), name)


def _label(part: Mapping[str, Any], number: int, parts: int) -> str:
    name = str(part.get("label") or part.get("backend") or "serve")[:60]
    return name if parts == 1 else f"{name} (row {number})"


def is_throughput(document: Document) -> bool:
    """--output-json of the offline throughput."""
    return bool(_all(document, _THROUGHPUT))


def throughput(document: Document) -> Reading:
    """vllm/benchmarks/throughput.py: tokens_per_second counts prompts too; how many tokens were new is not in the file."""
    rows = []
    for number, part in enumerate(_all(document, _THROUGHPUT), 1):
        rate, seconds = figure(part, "tokens_per_second"), figure(part, "elapsed_time")
        tokens = figure(part, "total_num_tokens")
        rows.append(
            Row(
                name=f"throughput (row {number})",
                batch=count(part["num_requests"], "num_requests"),
                at_most=True,
                throughput=figure(part, "requests_per_second"),
                rate_unit="requests",
                sums=(Sum(rate, seconds, tokens, "tokens in all"),) if rate and seconds and tokens else (),
            )
        )
    note = "tokens_per_second counts prompt and output tokens together; the requests a second are judged, by --tokens each."
    return Reading("the result of vllm bench throughput", tuple(rows), (note,))


def is_latency(document: Document) -> bool:
    """--output-json of the latency of one batch."""
    return bool(_all(document, _LATENCY))


def latency(document: Document) -> Reading:
    """vllm/benchmarks/latency.py: avg_latency in seconds; batch and lengths were options and are not in the file."""
    rows = []
    for number, part in enumerate(_all(document, _LATENCY), 1):
        seconds = figure(part, "avg_latency")
        rows.append(Row(name=f"latency (row {number})", latency=None if seconds is None else seconds * 1e3))
    return Reading("the result of vllm bench latency, in seconds", tuple(rows))
