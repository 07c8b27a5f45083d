"""How fast PyTorch multiplies on this CPU: what pytorch-tuned does there rests on it.

    PYTHONPATH=scripts python benchmarks/cpu_products.py [--write]

Prefill and batches: `F.linear` of so many rows with a fused matrix, whole and in the slices of lanes/tuned/decoder.py, in GFLOP/s.
Decode of one sequence: one row with a matrix that no cache holds, by `F.linear` (the matrix library) with one thread and with
all, and by a compiled sum over rows as lanes/tuned/steps.py has it, in GB/s. Decode of a few sequences: so many rows by
`F.linear` and by the sums of lanes/tuned/decoder.py, in µs. Medians; the two ways take turns.
--write puts them into benchmarks/cpu_products.json, which docs/performance.md shows.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from trtbench.lanes.tuned.decoder import WIDEST_ON_CPU, linear, sums
from trtbench.machine import host

ROUNDS = 15
FUSED = ((11264, 2048, "TinyLlama, gate and up"), (3072, 576, "SmolLM2, gate and up"))
ROWS = (8, 32, 64, 128, 512)
BEYOND_CACHE = 256 * 2**20  # bytes of matrices that are gone through before one comes again


def seconds(ways: Sequence[Callable[[], object]]) -> list[float]:
    """Median seconds of each way, by turns."""
    times: list[list[float]] = [[] for _ in ways]
    for turn in range(ROUNDS + 2):
        for way, kept in zip(ways, times):
            start = time.perf_counter()
            way()
            if turn >= 2:
                kept.append(time.perf_counter() - start)
    return [statistics.median(kept) for kept in times]


def matrices(rows: int, columns: int) -> itertools.cycle[torch.Tensor]:
    return itertools.cycle([torch.randn(rows, columns) for _ in range(max(2, BEYOND_CACHE // (4 * rows * columns)))])


def using(way: Callable[..., object], x: torch.Tensor, weights: Iterator[torch.Tensor]) -> Callable[[], object]:
    """One product of `x` with the next matrix."""
    return lambda: way(x, next(weights))


def products() -> list[dict[str, Any]]:
    made = []
    for (rows, columns, of), count in itertools.product(FUSED, ROWS):
        x, weights = torch.randn(1, count, columns), matrices(rows, columns)
        whole, sliced = seconds([using(way, x, weights) for way in (F.linear, linear)])
        work = 2e-9 * rows * columns * count
        made.append({"matrix": of, "rows": count, "whole_gflops": work / whole, "sliced_gflops": work / sliced})
    return made


def single_rows(threads: int) -> list[dict[str, Any]]:
    compiled = torch.compile(lambda x, w: (w.float() * x.float()).sum(-1), dynamic=False)
    made = []
    for rows, columns, of in ((11264, 2048, FUSED[0][2]), (3072, 576, FUSED[1][2]), (49152, 576, "SmolLM2, head")):
        x, weights = torch.randn(columns), matrices(rows, columns)
        compiled(x, next(weights))
        found: dict[str, Any] = {"matrix": of}
        for used in sorted({1, threads}):
            torch.set_num_threads(used)
            by_library, by_sum = seconds([using(way, x, weights) for way in (F.linear, compiled)])
            size = 4e-9 * rows * columns
            found |= {f"library_gb_s_{used}": size / by_library, f"sum_gb_s_{used}": size / by_sum}
        made.append(found)
    return made


def few_rows() -> list[dict[str, Any]]:
    made = []
    for rows, columns, of in (*FUSED, (576, 1536, "SmolLM2, down")):
        for count in (2, 4, 8, 16):
            torch.compiler.reset()
            compiled = torch.compile(sums, dynamic=False)
            x, weights = torch.randn(count, columns), matrices(rows, columns)
            compiled(x, next(weights))
            library, by_sums = seconds([using(way, x, weights) for way in (F.linear, compiled)])
            made.append({"matrix": of, "rows": count, "library_us": library * 1e6, "sums_us": by_sums * 1e6})
    return made


def main(write: bool) -> None:
    threads = host.usable_cores()
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    found = {
        "cpu": f"{threads} x {host.cpu_model()}",
        "torch": torch.__version__,
        "threads": threads,
        "slice_rows": WIDEST_ON_CPU,
        "products": products(),
        "single_rows": single_rows(threads),
        "few_rows": few_rows(),
    }
    print(json.dumps(found, indent=1))
    if write:
        Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main("--write" in sys.argv)
