"""The report as text, at most 80 columns."""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.comparison.clean_text import NAME, plain, safe
from trtbench.comparison.result import Against, Comparison, Row
from trtbench.figures.summary import memory_of
from trtbench.report import (
    answers,
    asked,
    audit_text,
    cards,
    disturbed,
    failed_attempts,
    history,
    other_clocks,
    recorded,
    software,
    tried,
)
from trtbench.report.explained import Explained
from trtbench.report.headline import verdict_sentence
from trtbench.report.language import Language, language
from trtbench.report.names import bare_label, cell_name, gpus, label, of_cards, program, several_precisions, split
from trtbench.report.notices import stopped, warnings
from trtbench.report.remarks import counts, remarks
from trtbench.report.text_layout import WIDTH as WIDTH
from trtbench.report.text_layout import named, ruled, wrapped
from trtbench.settings.lanes import LANES


def render(comparison: Comparison, lang: str) -> str:
    """The whole text, ending in a newline."""
    say = language(lang)
    lines = [*_top(comparison, say), *notices(comparison, say)]
    explained = Explained(say)
    for row in comparison.cells:
        lines += ["", *_cell(row, comparison, say, explained)]
    lines += _told("failed_attempts.title", failed_attempts.sentences(comparison, say), say)
    lines += _told("disturbed.title", disturbed.sentences(comparison, say), say)
    lines += _told("tried.title", tried.sentences(comparison, say), say)
    lines += _told(of_cards("card.title", comparison), cards.sentences(comparison, say), say)
    lines += _told("software.title", software.sentences(comparison, say), say)
    lines += _told("asked.title", asked.sentences(comparison, say), say)
    lines += audit_text.block(comparison.findings, say, several_precisions(comparison))
    lines += history.text(comparison, say)
    lines += _absent(comparison, say)
    return "\n".join(safe(line).rstrip() for line in lines) + "\n"


def _top(comparison: Comparison, say: Language) -> list[str]:
    """Title, model, machine and run."""
    model, machine = comparison.model, comparison.environment
    # A commit is told by its beginning, a package only by its whole name and version.
    told = model.revision if model.source == "package" else (model.revision or "")[:12]
    revision = f" @ {plain(told, NAME)}" if told else ""
    threads = comparison.settings.get("THREADS")
    limited = ", " + say("threads", threads=threads) if type(threads) is int and threads > 0 else ""
    why = stopped(comparison.stopped, say) if comparison.stopped else ""
    end = f" ({say.pair(say('stopped').lower(), why)})" if why else ""
    named_model = f"{plain(model.name, NAME)}{revision}, {say.number(model.parameters / 1e6, 1)} M"
    parts = (gpus(comparison), plain(machine.cpu_model, NAME), plain(machine.os, NAME), split(comparison, say))
    place = ", ".join(part for part in parts if part) + limited
    return [
        "=" * WIDTH,
        say("title"),
        "=" * WIDTH,
        *wrapped(say.pair(say("model"), named_model)),
        *wrapped(say.pair(say("machine"), place)),
        *wrapped(say.pair(say("run"), f"{comparison.run}{end}")),
        *wrapped(say.pair(say("program"), program(comparison, say))),
    ]


def notices(comparison: Comparison, say: Language) -> list[str]:
    """What must be read before any figure."""
    return [line for warning in warnings(comparison, say) for line in ["", *wrapped("! " + warning)]]


def _cell(row: Row, comparison: Comparison, say: Language, explained: Explained) -> list[str]:
    lines = [ruled(cell_name(row, say))]
    for a in row.against:
        if a.headline:
            lines += wrapped(headline(a, comparison, say))
    if row.figures:
        lines += _latency(row, comparison, say)
        lines += _throughput(row, comparison, say)
        lines += _memory(row, comparison, say)
        lines += _energy(row, comparison, say)
        lines += _phases(row, comparison, say, explained)
        lines += other_clocks.text(row, comparison, say)
        names = [label(f.lane, f.precision, comparison) for f in row.figures]
        lines += audit_text.evidence(row.figures, names, comparison, say)
        lines += answers.text(row, comparison, say, explained)
    sentences = remarks(row, comparison, say)
    if sentences:
        lines += ["", *(line for sentence in sentences for line in wrapped("* " + sentence))]
    return lines


def _told(title: str, sentences: Sequence[str], say: Language) -> list[str]:
    """Sentences under their title; nothing where there are none."""
    head = ["", ruled(say(title).upper())] if sentences else []
    return [*head, *(line for sentence in sentences for line in wrapped("* " + sentence))]


def _latency(row: Row, comparison: Comparison, say: Language) -> list[str]:
    against = row.by_lane
    lines = ["", f"{say('latency')} ({say('latency_note')})"]
    for f in row.figures:
        figure = f"{say.number(f.latency):>12} ms   ({counts(f, say)})"
        lines += named(label(f.lane, f.precision, comparison), 24, figure)
        a = against.get((f.lane, f.precision))
        if a is None:
            continue
        void = f" {say('void').upper()}" if a.verdict.word == "void" else ""
        ratio = say.pair(say("speedup"), f"{say.times(a.speedup.ratio)}{say.in_brackets(a.speedup)}{void}")
        lines.append(f"    {ratio}   {change(a.reduction, 'reduction', 'increase', say)}")
        if a.speedup.low is None:
            lines.append(f"    {say('minmax', low=f.minimum, mid=f.median, high=f.maximum)}")
    return lines


def _throughput(row: Row, comparison: Comparison, say: Language) -> list[str]:
    against = row.by_lane
    lines = ["", f"{say('throughput')} ({say('throughput_note')})"]
    for f in row.figures:
        lines += named(label(f.lane, f.precision, comparison), 24, f"{say.number(f.throughput):>12} tok/s")
        a = against.get((f.lane, f.precision))
        if a is not None:
            ratio = say.pair(say("ratio"), say.times(a.speedup.ratio))
            lines.append(f"    {change(a.gain, 'gain', 'loss', say)}   {ratio}")
    return lines


def _memory(row: Row, comparison: Comparison, say: Language) -> list[str]:
    against = row.by_lane
    gpu = any(f.gpu_memory is not None for f in row.figures)
    lines = ["", f"{say('gpu_memory' if gpu else 'memory')} ({say('gpu_memory_note' if gpu else 'memory_note')})"]
    for f in row.figures:
        held = memory_of(f)
        size = f"{say.number(held / 2**20)} {say('mebibytes')}" if held is not None else "-"
        lines += named(label(f.lane, f.precision, comparison), 24, f"{size:>16}")
        a = against.get((f.lane, f.precision))
        if a is not None and a.memory_variation is not None:
            lines.append(f"    {say.pair(say('variation'), say.percent(a.memory_variation, '+'))}")
    return lines


def _energy(row: Row, comparison: Comparison, say: Language) -> list[str]:
    """Joules per token of the lanes for which they were measured; nothing where there are none."""
    lines: list[str] = []
    for f in row.figures:
        if f.energy is not None:
            idle = f.idle_energy
            of_it = f"   ({say('energy_idle', joules=idle)})" if idle is not None else ""
            lines += named(label(f.lane, f.precision, comparison), 24, f"{say.number(f.energy):>12} J{of_it}")
    return ["", f"{say('energy')} ({say(of_cards('energy_note', comparison))})", *lines] if lines else []


def _phases(row: Row, comparison: Comparison, say: Language, explained: Explained) -> list[str]:
    """The first token and what is spent once."""
    widths = (9, 9, 12, 14, 12)
    head = [say(name) for name in ("ttft", "tpot", "load", "first_call", "prepare")]
    lines = [
        "",
        f"{say('phases')} ({say('phases_note')})",
        " " * 24 + "".join(f"{name:>{width}}" for name, width in zip(head, widths)),
    ]
    for f in row.figures:
        figures = [f.ttft, f.tpot, f.load_ms, f.first_call_ms, f.prepare_ms]
        columns = [say.number(ms) if ms is not None else "-" for ms in figures]
        aligned = "".join(f"{column:>{width}}" for column, width in zip(columns, widths))
        lines += named(label(f.lane, f.precision, comparison), 22, aligned)
    return lines + [line for sentence in explained.heads(head) for line in wrapped(sentence)]


def headline(a: Against, comparison: Comparison, say: Language) -> str:
    """The verdict's sentence with its title."""
    return say.pair(say("headline"), verdict_sentence(a, comparison, say))


def change(share: float, better: str, worse: str, say: Language) -> str:
    """`Reduction: 58.5%` or, when the sign turns, `Increase: 12.0%`."""
    return say.pair(say(better if share >= 0 else worse), say.percent(abs(share)))


def _absent(comparison: Comparison, say: Language) -> list[str]:
    lines = []
    if comparison.failed:
        lines += ["", say.pair(say("failed"))]
        for a in comparison.failed:
            hint = f". {recorded.told(a.failure.hint, say)}" if a.failure.hint else ""
            who = f"  {bare_label(a.lane)} {plain(a.precision, NAME)}"
            lines += wrapped(say.pair(who, f"{recorded.told(a.failure.reason, say)}{hint}"), "    ")
    if comparison.not_run:
        lines += ["", say.pair(say("missing"))]
        for lane in (name for name in comparison.not_run if name in LANES):
            lines.append(f"  {LANES[lane].label} (bash scripts/{LANES[lane].script})")
    return lines
