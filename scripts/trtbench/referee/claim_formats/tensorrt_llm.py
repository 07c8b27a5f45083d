"""TensorRT-LLM's own benchmarks: the CSV and the lines of benchmark.py, and the report of trtllm-bench.

`records/trtllm_report.py` reads the report that a run of ours made, strictly; here it is a stranger's, of any version.
"""

from __future__ import annotations

from typing import Any

from trtbench.errors import UserError
from trtbench.referee.claim_formats.layout import Document
from trtbench.referee.claim_formats.numbers import at, count, figure, positive
from trtbench.referee.claim_formats.numbers import cards as cards_of
from trtbench.referee.claim_formats.row import Reading, Row, Sum


def is_table(document: Document) -> bool:
    """benchmark.py --csv, its `[BENCHMARK]` lines, or those of gptSessionBenchmark."""
    head = document.table[0] if document.table else {}
    return {"batch_size", "input_length", "output_length", "latency(ms)"} <= head.keys()


def table(document: Document) -> Reading:
    """benchmarks/python/gpt_benchmark.py, report(): tokens_per_sec is batch x output_length over latency(ms), and
    generation_tokens_per_second counts the steps after the first token over generation_time(ms)."""
    rows = []
    for number, cells in enumerate(document.table or (), 1):

        def at_least_one(name: str, where: str = f"Row {number}: ", cells: dict[str, str] = cells) -> int | None:
            return count(cells.get(name), f"{where}{name}", document.comma)

        def above_zero(name: str, where: str = f"Row {number}: ", cells: dict[str, str] = cells) -> float | None:
            return positive(cells.get(name), f"{where}{name}", document.comma)

        latency = above_zero("latency(ms)")
        steps, seconds = above_zero("generation_tokens_per_second"), above_zero("generation_time(ms)")
        made = above_zero("total_generated_tokens")
        sums: tuple[Sum, ...] = (
            (Sum(steps, seconds / 1e3, made, "generated tokens"),) if steps and seconds and made else ()
        )
        batch, new = at_least_one("batch_size"), at_least_one("output_length")
        rate = above_zero("tokens_per_sec") or above_zero("tokensPerSec")
        if sums and rate and latency and batch and new:
            sums = (Sum(rate, latency / 1e3, batch * new, "new tokens"), *sums)
        rows.append(
            Row(
                name=f"{cells.get('model_name', 'benchmark')[:60]}, batch {batch}, {cells['input_length']}+{new}",
                batch=batch,
                prompt=at_least_one("input_length"),
                new_tokens=new,
                latency=latency,
                throughput=rate,
                decode=seconds,
                sums=sums,
                cards=cards_of(cells.get("world_size"), f"Row {number}: world_size", document.comma),
                precision=_stored(cells),
            )
        )
    return Reading("the table of TensorRT-LLM's benchmark.py", tuple(rows))


def _stored(cells: dict[str, str]) -> str | None:
    """The precision, or the quantisation where there is one (QuantMode.0 is none)."""
    quantised = cells.get("quantization", "")
    return cells.get("precision") if quantised in ("", "0", "QuantMode.0", "None", "n/a") else quantised


def is_report(document: Document) -> bool:
    """trtllm-bench throughput or latency --report_json."""
    return at(document.value, "performance") is not None and at(document.value, "request_info") is not None


def report(document: Document) -> Reading:
    """tensorrt_llm/bench/dataclasses/reporting.py: rates are over total_latency_ms, from the first request's start to the
    last one's end, and lengths are means."""
    value: Any = document.value
    requests = count(at(value, "request_info.num_requests"), "num_requests")
    prompt, new = figure(value, "request_info.avg_input_length"), figure(value, "request_info.avg_output_length")
    seconds = figure(value, "performance.total_latency_ms")
    rate = figure(value, "performance.system_output_throughput_tok_s")
    every = figure(value, "performance.system_total_throughput_tok_s")
    if rate is None and figure(value, "performance.avg_request_latency_ms") is None:
        raise UserError("The report of trtllm-bench holds neither an output rate nor a latency; give a whole one.")
    sums = []
    if seconds and requests and new:
        sums += [Sum(rate, seconds / 1e3, requests * new, "output tokens")] if rate else []
        sums += [Sum(every, seconds / 1e3, requests * (prompt + new), "tokens in all")] if every and prompt else []
    limits = [n for n in (requests, count(at(value, "world_info.max_batch_size"), "max_batch_size")) if n]
    ranks = cards_of(at(value, "world_info.world_size"), "world_size")
    tp, pp = (cards_of(at(value, f"world_info.{name}"), name) or 1 for name in ("tp_size", "pp_size"))
    quantised = at(value, "engine.quantization")
    row = Row(
        name="trtllm-bench",
        batch=min(limits) if limits else None,
        at_most=True,
        prompt=prompt,
        new_tokens=new,
        latency=figure(value, "performance.avg_request_latency_ms"),
        throughput=rate,
        sums=tuple(sums),
        cards=ranks or cards_of(tp * pp, "tp_size x pp_size"),
        precision=str(quantised or at(value, "engine.dtype") or "")[:60] or None,
        speculative=bool(at(value, "decoding_stats")),
        cache=(str(kept)[:60],) if (kept := at(value, "engine.kv_cache_dtype")) else (),
    )
    return Reading("the report of trtllm-bench", (row,))
