"""The report as text, at most 80 columns."""

from __future__ import annotations

from trtbench.comparison.clean_text import NAME, plain, safe
from trtbench.comparison.result import Against, Comparison, Row
from trtbench.figures.summary import memory_of
from trtbench.report import answers, audit_text, history
from trtbench.report.headline import verdict_sentence
from trtbench.report.names import bare_label, cell_name, label, several_precisions
from trtbench.report.notices import stopped, warnings
from trtbench.report.numbers import in_brackets, number, percent, times
from trtbench.report.remarks import counts, remarks
from trtbench.report.text_layout import WIDTH as WIDTH
from trtbench.report.text_layout import named, ruled, wrapped
from trtbench.report.words.report import words
from trtbench.settings.lanes import LANES


def render(comparison: Comparison, lang: str) -> str:
    """The whole text, ending in a newline."""
    lines = [*_top(comparison, lang), *notices(comparison, lang)]
    for row in comparison.cells:
        lines += ["", *_cell(row, comparison, lang)]
    lines += audit_text.block(comparison.findings, lang, several_precisions(comparison))
    lines += history.text(comparison, lang)
    lines += _absent(comparison, lang)
    return "\n".join(safe(line).rstrip() for line in lines) + "\n"


def _top(comparison: Comparison, lang: str) -> list[str]:
    """Title, model, machine and run."""
    say, model, machine = words(lang), comparison.model, comparison.environment
    revision = f" @ {plain(model.revision[:12], NAME)}" if model.revision else ""
    gpus = ", ".join(plain(name, NAME) for name in machine.gpus) + ", " if machine.gpus else ""
    threads = comparison.settings.get("THREADS")
    limited = ", " + say["threads"].format(threads=threads) if threads else ""
    end = f" ({say['stopped'].lower()}: {stopped(comparison.stopped, lang)})" if comparison.stopped else ""
    return [
        "=" * WIDTH,
        say["title"],
        "=" * WIDTH,
        *wrapped(f"{say['model']}: {plain(model.name, NAME)}{revision}, {model.parameters / 1e6:,.1f} M"),
        *wrapped(f"{say['machine']}: {gpus}{plain(machine.cpu_model, NAME)}, {plain(machine.os, NAME)}{limited}"),
        *wrapped(f"{say['run']}: {comparison.run}{end}"),
    ]


def notices(comparison: Comparison, lang: str) -> list[str]:
    """What must be read before any figure."""
    return [line for warning in warnings(comparison, lang) for line in ["", *wrapped("! " + warning)]]


def _cell(row: Row, comparison: Comparison, lang: str) -> list[str]:
    lines = [ruled(cell_name(row, lang))]
    for a in row.against:
        if a.headline:
            lines += wrapped(headline(a, comparison, lang))
    if row.figures:
        lines += _latency(row, comparison, lang)
        lines += _throughput(row, comparison, lang)
        lines += _memory(row, comparison, lang)
        lines += _energy(row, comparison, lang)
        lines += _phases(row, comparison, lang)
        names = [label(f.lane, f.precision, comparison) for f in row.figures]
        lines += audit_text.evidence(row.figures, names, lang)
        lines += answers.text(row, comparison, lang)
    sentences = remarks(row, comparison, lang)
    if sentences:
        lines += ["", *(line for sentence in sentences for line in wrapped("* " + sentence))]
    return lines


def _latency(row: Row, comparison: Comparison, lang: str) -> list[str]:
    say, against = words(lang), row.by_lane
    lines = ["", f"{say['latency']} ({say['latency_note']})"]
    for f in row.figures:
        figure = f"{number(f.latency, lang):>12} ms   ({counts(f, lang)})"
        lines += named(label(f.lane, f.precision, comparison), 24, figure)
        a = against.get((f.lane, f.precision))
        if a is None:
            continue
        void = f" {say['void'].upper()}" if a.verdict.word == "void" else ""
        ratio = f"{say['speedup']}: {times(a.speedup.ratio, lang)}{in_brackets(a.speedup, lang)}{void}"
        lines.append(f"    {ratio}   {change(a.reduction, 'reduction', 'increase', lang)}")
        if a.speedup.low is None:
            spread = say["minmax"].format(
                low=number(f.minimum, lang), mid=number(f.median, lang), high=number(f.maximum, lang)
            )
            lines.append(f"    {spread}")
    return lines


def _throughput(row: Row, comparison: Comparison, lang: str) -> list[str]:
    say, against = words(lang), row.by_lane
    lines = ["", f"{say['throughput']} ({say['throughput_note']})"]
    for f in row.figures:
        lines += named(label(f.lane, f.precision, comparison), 24, f"{number(f.throughput, lang):>12} tok/s")
        a = against.get((f.lane, f.precision))
        if a is not None:
            lines.append(f"    {change(a.gain, 'gain', 'loss', lang)}   {say['ratio']}: {times(a.speedup.ratio, lang)}")
    return lines


def _memory(row: Row, comparison: Comparison, lang: str) -> list[str]:
    say, against = words(lang), row.by_lane
    gpu = any(f.gpu_memory is not None for f in row.figures)
    lines = ["", f"{say['gpu_memory' if gpu else 'memory']} ({say['gpu_memory_note' if gpu else 'memory_note']})"]
    for f in row.figures:
        held = memory_of(f)
        size = f"{number(held / 2**20, lang)} {say['mebibytes']}" if held is not None else "-"
        lines += named(label(f.lane, f.precision, comparison), 24, f"{size:>16}")
        a = against.get((f.lane, f.precision))
        if a is not None and a.memory_variation is not None:
            lines.append(f"    {say['variation']}: {percent(a.memory_variation, lang, '+')}")
    return lines


def _energy(row: Row, comparison: Comparison, lang: str) -> list[str]:
    """Joules per token of the lanes for which they were measured; nothing where there are none."""
    say = words(lang)
    lines: list[str] = []
    for f in row.figures:
        if f.energy is not None:
            idle = f.idle_energy
            of_it = f"   ({say['energy_idle'].format(joules=number(idle, lang))})" if idle is not None else ""
            lines += named(label(f.lane, f.precision, comparison), 24, f"{number(f.energy, lang):>12} J{of_it}")
    return ["", f"{say['energy']} ({say['energy_note']})", *lines] if lines else []


def _phases(row: Row, comparison: Comparison, lang: str) -> list[str]:
    """The first token and what is spent once."""
    say = words(lang)
    widths = (9, 9, 12, 14, 12)
    head = [say[name] for name in ("ttft", "tpot", "load", "first_call", "prepare")]
    lines = [
        "",
        f"{say['phases']} ({say['phases_note']})",
        " " * 24 + "".join(f"{name:>{width}}" for name, width in zip(head, widths)),
    ]
    for f in row.figures:
        figures = [f.ttft, f.tpot, f.load_ms, f.first_call_ms, f.prepare_ms]
        columns = [number(ms, lang) if ms is not None else "-" for ms in figures]
        aligned = "".join(f"{column:>{width}}" for column, width in zip(columns, widths))
        lines += named(label(f.lane, f.precision, comparison), 22, aligned)
    return lines


def headline(a: Against, comparison: Comparison, lang: str) -> str:
    """The verdict's sentence with its title."""
    return f"{words(lang)['headline']}: {verdict_sentence(a, comparison, lang)}"


def change(share: float, better: str, worse: str, lang: str) -> str:
    """`Reduction: 58.5%` or, when the sign turns, `Increase: 12.0%`."""
    return f"{words(lang)[better if share >= 0 else worse]}: {percent(abs(share), lang)}"


def _absent(comparison: Comparison, lang: str) -> list[str]:
    say = words(lang)
    lines = []
    if comparison.failed:
        lines += ["", f"{say['failed']}:"]
        for a in comparison.failed:
            hint = f". {plain(a.failure.hint)}" if a.failure.hint else ""
            lines += wrapped(
                f"  {bare_label(a.lane)} {plain(a.precision, NAME)}: {plain(a.failure.reason)}{hint}", "    "
            )
    if comparison.not_run:
        lines += ["", f"{say['missing']}:"]
        for lane in (name for name in comparison.not_run if name in LANES):
            lines.append(f"  {LANES[lane].label} (bash scripts/{LANES[lane].script})")
    return lines
