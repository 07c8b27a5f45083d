"""CSV: one line a lane and cell, plain numbers in fixed units, so that a spreadsheet or a script goes on from here."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Against, CardState, Comparison, Row, Software
from trtbench.comparison.software import by_lane, differ
from trtbench.figures.base import Key
from trtbench.figures.summary import Figures
from trtbench.records.trtllm_report import LANE
from trtbench.report import asked
from trtbench.report.names import listed, place
from trtbench.report.remarks import NO_BASE, without_base
from trtbench.settings.lanes import LANES

FIGURES = (
    ("trials", "trials"),
    ("iterations", "iterations"),
    ("latency_ms", "latency"),
    ("median_ms", "median"),
    ("minimum_ms", "minimum"),
    ("maximum_ms", "maximum"),
    ("outliers", "outliers"),
    ("ttft_ms", "ttft"),
    ("tpot_ms", "tpot"),
    ("throughput_tok_s", "throughput"),
    ("ceiling_tok_s", "ceiling_tok_s"),
    ("ceiling_basis", "ceiling_basis"),
    ("mbu", "mbu"),
    ("mfu", "mfu"),
    ("peak_rss_bytes", "peak_rss"),
    ("gpu_memory_bytes", "gpu_memory"),
    ("weights_bytes", "weights"),
    ("kv_pool_bytes", "kv_pool"),
    ("gpu_processes_bytes", "gpu_processes"),
    ("torch_allocated_bytes", "torch_allocated"),
    ("torch_reserved_bytes", "torch_reserved"),
    ("joules_per_token", "energy"),
    ("idle_joules_per_token", "idle_energy"),
    ("import_ms", "import_ms"),
    ("load_ms", "load_ms"),
    ("prepare_ms", "prepare_ms"),
    ("prepare_cached", "prepare_cached"),
    ("first_call_ms", "first_call_ms"),
    ("near", "near"),
    ("equal", "equal"),
    ("exact", "exact"),
    ("bleu", "bleu"),
    ("perplexity", "perplexity"),
    ("settled", "settled"),
    ("interleaved", "interleaved"),
    ("simulated", "simulated"),
    ("runtime", "runtime"),
    ("compute_precision", "compute_precision"),
    ("weight_precision", "weight_precision"),
    ("left_after_round", "left"),
)
# Beside the figures: what other clocks than ours say.
OTHER_CLOCKS = (
    ("engine_queued_ms", "engine_queued"),
    ("engine_ttft_ms", "engine_ttft"),
    ("engine_latency_ms", "engine_latency"),
    ("engine_reused_kv_blocks", "reused_blocks"),
)
CARD = (
    ("sm_clock_mhz", "sm_clock"),
    ("sm_clock_low_mhz", "sm_clock_low"),
    ("sm_clock_high_mhz", "sm_clock_high"),
    ("sm_clock_max_mhz", "sm_clock_max"),
    ("temperature_c", "temperature"),
    ("power_w", "power"),
    ("power_cap_low_w", "power_cap_low"),
    ("power_cap_high_w", "power_cap_high"),
    ("power_cap_default_w", "power_cap_default"),
)
HEAD = (
    *("run", "created", "model", "revision", "synthetic", "dequantised", "place", "workload_digest"),
    *("batch", "prompt_tokens", "new_tokens", "lane", "precision", "state", "reason"),
    *(name for name, _ in FIGURES),
    *("latency_trials_ms", "base", "base_precision", "headline", "speedup", "speedup_low", "speedup_high", "level"),
    *("verdict", "verdict_reason", "candidates", "weak"),
    *(name for name, _ in OTHER_CLOCKS),
    *("trtllm_bench_latency_ms", "trtllm_bench_ttft_ms"),
    *(name for name, _ in CARD),
    *("clock_held_back", "asked_for"),
    *("torch", "python", "environment", "base_torch", "torch_differs"),
    "untried",
    "program",
    "tensor_parallel",
)


def render(comparison: Comparison) -> str:
    """All lines with their head. `state` is measured, hole (not in this cell) or failed (nowhere)."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, HEAD, restval="", lineterminator="\r\n")
    writer.writeheader()
    common = {
        "run": comparison.run,
        "created": comparison.created,
        "model": plain(comparison.model.name, NAME),
        "revision": comparison.model.revision,
        "synthetic": comparison.model.synthetic,
        "dequantised": plain(comparison.model.dequantised or "", NAME),
        "place": place(comparison),
        "workload_digest": comparison.workload_digest,
        "program": comparison.environment.program,
    }
    states = {(state.lane, state.precision): state for state in comparison.cards}
    asked_for = asked.of_lanes(comparison)
    ranks = {(s.lane, s.precision): s.statement.tensor_parallel or 1 for s in comparison.statements}
    software = by_lane(comparison)
    for row in comparison.cells:
        where = {"batch": row.batch, "prompt_tokens": row.prompt_length, "new_tokens": row.new_tokens}
        against = row.by_lane
        for f in row.figures:
            compared = _against(against.get((f.lane, f.precision)))
            alone = {"verdict": "none", "verdict_reason": NO_BASE} if without_base(row) else {}
            beside = {**_trtllm_bench(f, row), **_card(states.get((f.lane, f.precision)))}
            only_asked = {
                "asked_for": " ".join(asked_for.get((f.lane, f.precision), [])),
                "tensor_parallel": ranks.get((f.lane, f.precision)),
            }
            ran_in = _software((f.lane, f.precision), against.get((f.lane, f.precision)), software)
            _line(writer, {**common, **where, **_figures(f), **alone, **compared, **beside, **only_asked, **ran_in})
        for h in row.holes:
            state = {"lane": h.lane, "precision": h.precision, "state": "hole", "reason": h.reason}
            _line(writer, {**common, **where, **state})
    for a in comparison.failed:
        state = {"lane": a.lane, "precision": a.precision, "state": "failed", "reason": a.failure.reason}
        _line(writer, {**common, **state})
    return buffer.getvalue()


def _figures(f: Figures) -> dict[str, object]:
    columns: dict[str, object] = {name: getattr(f, field) for name, field in (*FIGURES, *OTHER_CLOCKS)}
    trials = " ".join(f"{ms:.6g}" for ms in f.latency_trials)
    columns |= {"latency_trials_ms": trials, "untried": f.lane in LANES and LANES[f.lane].untried}
    return {"lane": f.lane, "precision": f.precision, "state": "measured", **columns}


def _trtllm_bench(f: Figures, row: Row) -> dict[str, object]:
    """What NVIDIA's own benchmark says of the lane's engine."""
    for report in row.trtllm_bench:
        if (f.lane, f.precision) == (LANE, report.precision):
            return {"trtllm_bench_latency_ms": report.latency, "trtllm_bench_ttft_ms": report.ttft}
    return {}


def _card(state: CardState | None) -> dict[str, object]:
    if state is None:
        return {}
    columns: dict[str, object] = {name: getattr(state, field) for name, field in CARD}
    return {**columns, "clock_held_back": " ".join(state.held_back or ())}


def _software(key: Key, a: Against | None, software: Mapping[Key, Software]) -> dict[str, object]:
    """What the lane ran in, and the torch of its base; `torch_differs` where both have one."""
    of = software.get(key)
    if of is None:
        return {}
    columns: dict[str, object] = {"torch": of.torch, "python": of.python, "environment": of.venv}
    base = software.get((a.base, a.base_precision)) if a is not None else None
    if a is not None and base is not None:
        columns |= {
            "base_torch": base.torch,
            "torch_differs": differ(of.torch, base.torch) if of.torch and base.torch else None,
        }
    return columns


def _against(a: Against | None) -> dict[str, object]:
    if a is None:
        return {}
    return {
        "base": a.base,
        "base_precision": a.base_precision,
        "headline": a.headline,
        "speedup": a.speedup.ratio,
        "speedup_low": a.speedup.low,
        "speedup_high": a.speedup.high,
        "level": a.speedup.level,
        "verdict": a.verdict.word.upper() if a.verdict.word == "void" else a.verdict.word,
        "verdict_reason": a.verdict.reason,
        "candidates": listed(a.candidates),
        "weak": " ".join(a.weak),
    }


def _line(writer: csv.DictWriter[str], values: Mapping[str, object]) -> None:
    writer.writerow({name: cell(value) for name, value in values.items()})


def cell(value: object) -> str:
    """A value as a spreadsheet may take it. Text that a spreadsheet would run as a formula gets a leading apostrophe
    (OWASP, "CSV injection"); numbers are never text here, so a minus sign stays one."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"{value:.10g}" if isinstance(value, float) else str(value)
    text = plain(str(value))
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@", "|", "%", "＝", "＋", "－", "＠") else text
