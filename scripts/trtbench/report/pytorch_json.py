"""The PyTorch benchmark database's JSON (schema v3), which vLLM's benchmarks write too: one record a metric.

Fields as in https://github.com/pytorch/pytorch/wiki/How-to-integrate-with-PyTorch-OSS-benchmark-database; `extra_info`
holds strings only, as the database does. `benchmark_values` are one value a trial.
"""

from __future__ import annotations

import json
from typing import Any

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Comparison, Row, Software
from trtbench.comparison.software import by_lane
from trtbench.figures.summary import Figures
from trtbench.report.names import listed
from trtbench.report.remarks import NO_BASE, without_base
from trtbench.report.spread import rates
from trtbench.settings.knobs import PRECISIONS
from trtbench.settings.lanes import LANES

BENCHMARK = "trtbench generation"


def render(comparison: Comparison) -> str:
    """A JSON list of records in ASCII, which every stream can write, ending in a newline."""
    return json.dumps(records(comparison), indent=1, allow_nan=False) + "\n"


def records(comparison: Comparison) -> list[dict[str, Any]]:
    """One record for each lane, cell and metric with figures."""
    runners, software = [_runner(comparison)], by_lane(comparison)
    return [
        {
            "benchmark": benchmark,
            "model": model,
            "metric": {"name": name, "benchmark_values": values, "extra_info": {"unit": unit}},
            "runners": runners,
            "dependencies": _dependencies(software[f.lane, f.precision], comparison),
        }
        for row in comparison.cells
        for f in row.figures
        for benchmark, model in [(_benchmark(f, row, software[f.lane, f.precision], comparison), _model(f, comparison))]
        for name, unit, values in _metrics(f, row)
    ]


def _model(f: Figures, comparison: Comparison) -> dict[str, Any]:
    model = comparison.model
    return {
        "name": plain(model.name, NAME),
        "type": "synthetic model" if model.synthetic else "OSS model",
        "backend": f.lane,
        "origins": [plain(model.source, NAME)],
        "extra_info": {
            "digest": plain(model.digest, NAME),
            **({"dequantised_from": plain(model.dequantised, NAME)} if model.dequantised else {}),
        },
    }


def _benchmark(f: Figures, row: Row, software: Software, comparison: Comparison) -> dict[str, Any]:
    extra = {
        "run": plain(comparison.run, NAME),
        "lane": f.lane,
        "label": LANES[f.lane].label,
        "runtime": plain(f.runtime, NAME),
        "batch_size": str(row.batch),
        "input_len": str(row.prompt_length),
        "output_len": str(row.new_tokens),
        "weight_precision": plain(f.weight_precision, NAME),
        "requested_precision": plain(f.precision, NAME),
        "interleaved": _flag(f.interleaved),
        "simulated": _flag(f.simulated),
        "demonstration": _flag(comparison.demonstration),
        "untried": _flag(LANES[f.lane].untried),
        "workload_digest": plain(comparison.workload_digest, NAME),
    }
    ran_in = {"torch": software.torch, "python": software.python, "environment": software.venv}
    extra |= {name: plain(value, NAME) for name, value in ran_in.items() if value}
    a = row.by_lane.get((f.lane, f.precision))
    if without_base(row):
        extra |= {"verdict": "none", "verdict_reason": NO_BASE}
    if a is not None:
        extra |= {"base": a.base, "speedup": f"{a.speedup.ratio:.6g}", "verdict": a.verdict.word}
        extra |= {"verdict_reason": a.verdict.reason, "candidates": listed(a.candidates), "weak": " ".join(a.weak)}
        bounds = {"speedup_low": a.speedup.low, "speedup_high": a.speedup.high}
        extra |= {name: f"{bound:.6g}" for name, bound in bounds.items() if bound is not None}
        if a.torches:
            extra["torches"] = " ".join(
                plain(f"{lane}/{precision}={torch}", 2 * NAME) for lane, precision, torch in a.torches
            )
    return {
        "name": " ".join([*_marks(f, row, comparison), BENCHMARK]),
        "mode": "inference",
        "dtype": f.compute_precision if f.compute_precision in PRECISIONS else plain(f.compute_precision, NAME),
        "extra_info": extra,
    }


def _marks(f: Figures, row: Row, comparison: Comparison) -> list[str]:
    """Whoever collects these files looks at the name at least: what must not be quoted bears it in capitals."""
    voided = {(a.lane, a.precision) for a in row.against if a.verdict.word == "void"}
    marks = [("SIMULATED", f.simulated), ("VOID", (f.lane, f.precision) in voided)]
    marks += [("UNTRIED", LANES[f.lane].untried), ("DEMONSTRATION", comparison.demonstration)]
    return [mark for mark, holds in marks if holds]


def _metrics(f: Figures, row: Row) -> list[tuple[str, str, list[float]]]:
    per_trial = [
        ("latency", "s", [ms / 1e3 for ms in f.latency_trials]),
        ("output_throughput", "tok/s", rates(f, row)),
        ("ttft_ms", "ms", list(f.ttft_trials)),
    ]
    per_lane = (
        ("tpot_ms", "ms", f.tpot, 1),
        ("load_time_ms", "ms", f.load_ms, 1),
        ("peak_rss_mib", "MiB", f.peak_rss, 2**20),
        ("peak_gpu_memory_mib", "MiB", f.gpu_memory, 2**20),
        ("energy_per_token", "J", f.energy, 1),
    )
    return per_trial + [(name, unit, [value / scale]) for name, unit, value, scale in per_lane if value is not None]


def _runner(comparison: Comparison) -> dict[str, Any]:
    machine = comparison.environment
    gpus = [plain(name, NAME) for name in machine.gpus or []]
    extra = {
        "kernel": plain(machine.kernel, NAME),
        "driver": plain(machine.driver or "", NAME),
        "cuda": plain(machine.cuda or "", NAME),
    }
    return {
        "name": ", ".join(gpus) or plain(machine.cpu_model, NAME),
        "type": plain(machine.os, NAME),
        "cpu_info": plain(machine.cpu_model, NAME),
        "cpu_count": machine.cores,
        "avail_mem_in_gb": machine.memory // 10**9,
        "gpu_info": ", ".join(gpus),
        "gpu_count": len(gpus),
        "extra_info": {name: value for name, value in extra.items() if value},
    }


def _dependencies(software: Software, comparison: Comparison) -> dict[str, dict[str, str]]:
    """What was installed where the lane ran."""
    libraries = {plain(name, NAME): {"version": plain(v, NAME)} for name, v in software.libraries.items()}
    machine = comparison.environment
    ours = {"version": machine.program, "sha": machine.git_commit and plain(machine.git_commit, NAME)}
    known = {name: value for name, value in ours.items() if value}
    return libraries | ({"trtbench": known} if known else {})


def _flag(value: bool) -> str:
    return "true" if value else "false"
