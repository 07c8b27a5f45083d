"""optimum-benchmark: benchmark.json (settings and report), or benchmark_report.json alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trtbench.errors import UserError
from trtbench.referee.claim_formats.layout import Document
from trtbench.referee.claim_formats.numbers import at, cards, count, figure
from trtbench.referee.claim_formats.row import Reading, Row, Sum


def matches(document: Document) -> bool:
    """A report with a latency under one of its parts; the settings may stand above it."""
    report = _report(document.value)
    parts = ("prefill", "decode", "forward", "generate", "call")
    return any(at(report, f"{part}.latency.mean") is not None for part in parts)


def _report(value: Any) -> Any:
    report = at(value, "report")
    return report if isinstance(report, Mapping) else value


def read(document: Document) -> Reading:
    """optimum_benchmark/scenarios/inference: `prefill` is the first token, `decode` the time of all others, so its rate leaves
    out the first token of each sequence as well; a generation takes both."""
    report, config = _report(document.value), at(document.value, "config") or {}
    if at(report, "decode.latency") is None:
        raise UserError("This report of optimum-benchmark measures no generation: it has no decode.")
    scenario = config.get("scenario") or config.get("benchmark") if isinstance(config, Mapping) else None
    batch = count(at(scenario, "input_shapes.batch_size"), "batch_size")
    new = count(at(scenario, "generate_kwargs.max_new_tokens") or at(scenario, "new_tokens"), "max_new_tokens")
    prefill, decode = _seconds(report, "prefill"), _seconds(report, "decode")
    rate = figure(report, "decode.throughput.value")
    beams = at(scenario, "generate_kwargs.num_beams") or 1
    sums: tuple[Sum, ...] = ()
    if rate and decode and batch and new and new > 1 and beams == 1:
        sums = (Sum(rate, decode, batch * (new - 1), "tokens after the first"),)
    row = Row(
        name=str(at(config, "name") or "optimum-benchmark")[:60],
        batch=batch,
        prompt=count(at(scenario, "input_shapes.sequence_length"), "sequence_length"),
        new_tokens=new,
        latency=(prefill + decode) * 1e3 if prefill and decode else None,
        decode=decode * 1e3 if decode else None,
        throughput=rate,
        rate_unit="decode",
        sums=sums,
        cards=_cards(at(config, "backend.device_ids")),
        precision=_stored(at(config, "backend")),
    )
    return Reading("the report of optimum-benchmark", (row,))


def _seconds(report: Any, part: str) -> float | None:
    unit = at(report, f"{part}.latency.unit") or "s"
    if unit != "s":
        raise UserError(f"{part}.latency is in {str(unit)[:20]!r}; optimum-benchmark writes s.")
    return figure(report, f"{part}.latency.mean")


def _cards(devices: Any) -> int | None:
    """How many ids of devices these are: "0,1", [0, 1] or 0."""
    ids = devices if isinstance(devices, list) else [part for part in str(devices or "").split(",") if part.strip()]
    return cards(len(ids), "the number of device_ids") if ids else None


def _stored(backend: Any) -> str | None:
    scheme = at(backend, "quantization_scheme")
    dtype = scheme or at(backend, "torch_dtype") or at(backend, "dtype")
    return None if dtype is None else str(dtype)[:60]
