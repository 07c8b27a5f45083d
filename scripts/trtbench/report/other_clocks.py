"""What other clocks than ours say of a cell, beside our figures: an engine's own, and NVIDIA's trtllm-bench's. The same columns
for the text, the Markdown and the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Comparison, Row
from trtbench.records.trtllm_report import LANE
from trtbench.report.columns import maybe_number
from trtbench.report.language import Language
from trtbench.report.names import label, several_precisions
from trtbench.report.recorded import told
from trtbench.report.text_layout import headed, wrapped

BENCH = "trtllm-bench latency"


class _Line(NamedTuple):
    """Times in ms; `our_latency` and `our_ttft` are the lane's as timed by us."""

    name: str
    latency: float | None
    our_latency: float
    ttft: float | None
    our_ttft: float
    queued: float | None = None
    reused: int | None = None


def note(row: Row, say: Language) -> str:
    """By whose clock, and what else is not as in the lane; nothing where no other clock says anything."""
    sentences = [say("clocks.engine")] if any(f.engine_latency is not None for f in row.figures) else []
    if any(report.latency is not None for report in row.trtllm_bench):
        sentences.append(say("clocks.trtllm_bench"))
    return " ".join(sentences)


def table(row: Row, comparison: Comparison, say: Language) -> tuple[list[str], list[list[str]]]:
    """Head and lines, with a column for each of which anything is known; no lines where no other clock says anything."""
    lines = [*_engines(row, comparison, say), *_benches(row, comparison)]
    columns: list[tuple[str, Callable[[_Line], float | None]]] = [
        ("page_latency", lambda line: line.latency),
        ("clocks.ours", lambda line: line.our_latency),
        ("clocks.ttft", lambda line: line.ttft),
        ("clocks.ours", lambda line: line.our_ttft if any(other.ttft is not None for other in lines) else None),
        ("clocks.queued", lambda line: line.queued),
        ("clocks.reused", lambda line: line.reused),
    ]
    kept = [(key, pick) for key, pick in columns if any(pick(line) is not None for line in lines)]
    body = [[line.name, *(maybe_number(pick(line), say) or "-" for _, pick in kept)] for line in lines]
    return [say(key) for key in ("lane", *(key for key, _ in kept))], body


def text(row: Row, comparison: Comparison, say: Language) -> list[str]:
    """The block of the text report; nothing where no other clock says anything."""
    head, lines = table(row, comparison, say)
    if not lines:
        return []
    if say("clocks.reused") in head:  # the one column that is no time, and the least that 80 columns have room for
        head, lines = head[:-1], [line[:-1] for line in lines]
    return ["", *wrapped(f"{say('clocks.title').upper()} ({note(row, say)})"), *headed(head, lines)]


def problems(row: Row, say: Language) -> list[str]:
    """Reports of trtllm-bench that cannot be read, each with why."""
    return [
        say("clocks.problem", precision=report.precision, reason=told(report.problem, say))
        for report in row.trtllm_bench
        if report.problem
    ]


def _engines(row: Row, comparison: Comparison, say: Language) -> Iterator[_Line]:
    for f in row.figures:
        if f.engine_latency is not None:
            name = label(f.lane, f.precision, comparison)
            yield _Line(name, f.engine_latency, f.latency, f.engine_ttft, f.ttft, f.engine_queued, f.reused_blocks)


def _benches(row: Row, comparison: Comparison) -> Iterator[_Line]:
    engines = {f.precision: f for f in row.figures if f.lane == LANE}
    for report in row.trtllm_bench:
        if report.latency is not None and report.precision in engines:
            f = engines[report.precision]
            name = f"{BENCH} {plain(report.precision, NAME)}" if several_precisions(comparison) else BENCH
            yield _Line(name, report.latency, f.latency, report.ttft, f.ttft)
