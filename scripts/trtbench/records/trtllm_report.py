"""What NVIDIA's `trtllm-bench latency` wrote into a run's folder: one report for each engine and cell of batch 1.

It is a file of NVIDIA's and no record of ours: of its keys those few are read that a figure is made of, strictly, and what
cannot be read is a sentence beside our figures and costs none of them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import msgspec

from trtbench.errors import UserError
from trtbench.records import run_folder
from trtbench.records.files import decode_as, plain_bytes
from trtbench.settings.cells import MOST, Cell, Positive

LANE = "tensorrt-engine"  # the lane whose engine it runs
LARGEST = 2**20  # bytes of a report that is read; one has a few kilobytes
_NAME = re.compile(r"trtllm-bench-(?P<precision>[a-z0-9_]{1,40})-(?P<prompt>\d{1,9})\+(?P<new>\d{1,9})\.json", re.ASCII)
_Time = Annotated[float, msgspec.Meta(gt=0, le=MOST)]  # ms


class Latency(msgspec.Struct, kw_only=True, frozen=True):
    """Its figures of one cell of batch 1, by its own clock: the mean `latency` and time to first token of a request, ms.
    Where the report can't be read there are none, and `problem` says why."""

    precision: str
    prompt_length: int
    new_tokens: int
    latency: float | None = None
    ttft: float | None = None
    requests: int | None = None
    problem: str | None = None


class _Performance(msgspec.Struct):
    avg_request_latency_ms: _Time


class _Requests(msgspec.Struct):
    num_requests: Positive
    avg_input_length: float
    avg_output_length: float


class _Streaming(msgspec.Struct):
    avg_ttft_ms: _Time


class Report(msgspec.Struct):
    """NVIDIA's report, as far as it is read; the rest of it is passed over."""

    performance: _Performance
    request_info: _Requests
    streaming_metrics: _Streaming | None = None


def name(precision: str, cell: Cell) -> str:
    """File name of the report of one engine and cell."""
    return f"trtllm-bench-{precision}-{cell.prompt_length}+{cell.new_tokens}.json"


def read(path: Path) -> Latency:
    """Read one report. Raises UserError, which names the file alone, where it can't be read or is of another cell than its
    name says."""
    named = _NAME.fullmatch(path.name)
    if named is None:
        raise UserError(f"{path.name} is not named as a report of trtllm-bench is (trtllm-bench-float16-128+200.json).")
    try:
        report = decode_as(Report, plain_bytes(path, LARGEST, links=False), path.name)
    except UserError as error:
        # A report of ours is handed on, and where its files lay is nobody's business.
        raise UserError(str(error).replace(str(path), path.name)) from None
    asked = int(named["prompt"]), int(named["new"])
    counted = report.request_info.avg_input_length, report.request_info.avg_output_length
    if counted != asked:
        raise UserError(
            f"{path.name} counts {counted[0]:g} prompt and {counted[1]:g} new tokens a request, and the cell has "
            f"{asked[0]} and {asked[1]}."
        )
    return Latency(
        precision=named["precision"],
        prompt_length=asked[0],
        new_tokens=asked[1],
        latency=report.performance.avg_request_latency_ms,
        ttft=report.streaming_metrics.avg_ttft_ms if report.streaming_metrics else None,
        requests=report.request_info.num_requests,
    )


def found(results: Path, run: str) -> list[Latency]:
    """All reports of a run in the order of their names; never raises for what one of them holds."""
    latencies = []
    for path in sorted(run_folder.folder(results, run).glob("trtllm-bench-*.json")):
        named = _NAME.fullmatch(path.name)
        if named is None:
            continue
        try:
            latencies.append(read(path))
        except UserError as error:
            latencies.append(
                Latency(
                    precision=named["precision"],
                    prompt_length=int(named["prompt"]),
                    new_tokens=int(named["new"]),
                    problem=str(error),
                )
            )
    return latencies
