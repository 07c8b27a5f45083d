"""The report as text, at most 80 columns."""

from __future__ import annotations

import textwrap

from trtbench.comparison.clean_text import NAME, plain, safe
from trtbench.comparison.result import Against, Comparison, Row
from trtbench.figures.summary import memory_of
from trtbench.report import answers, audit_text, history
from trtbench.report.names import known, label
from trtbench.report.notices import stopped, warnings
from trtbench.report.numbers import number as number
from trtbench.report.numbers import percent as percent
from trtbench.report.numbers import times as times
from trtbench.report.words.report import words
from trtbench.settings.lanes import LANES

WIDTH = 80


def render(comparison: Comparison, lang: str) -> str:
    """The whole text, ending in a newline."""
    say = words(lang)
    lines = ["=" * WIDTH, say["title"], "=" * WIDTH]
    lines += _wrapped(
        f"{say['model']}: {plain(comparison.model.name, NAME)}"
        + (f" @ {plain(comparison.model.revision[:12], NAME)}" if comparison.model.revision else "")
        + f", {comparison.model.parameters / 1e6:,.1f} M"
    )
    machine = comparison.environment
    gpus = ", ".join(plain(name, NAME) for name in machine.gpus) + ", " if machine.gpus else ""
    threads = next((f for f in (comparison.settings.get("THREADS"),) if f), None)
    lines += _wrapped(
        f"{say['machine']}: {gpus}{plain(machine.cpu_model, NAME)}, {plain(machine.os, NAME)}"
        + (", " + say["threads"].format(threads=threads) if threads else "")
    )
    lines += _wrapped(
        f"{say['run']}: {comparison.run}"
        + (f" ({say['stopped'].lower()}: {stopped(comparison.stopped, lang)})" if comparison.stopped else "")
    )
    lines += notices(comparison, lang)
    for row in comparison.cells:
        lines += ["", *_cell(row, comparison, lang)]
    several = len({f.precision for row in comparison.cells for f in row.figures}) > 1
    lines += audit_text.block(comparison.findings, lang, several)
    lines += history.text(comparison, lang)
    lines += _absent(comparison, say)
    return "\n".join(safe(line).rstrip() for line in lines) + "\n"


def notices(comparison: Comparison, lang: str) -> list[str]:
    """What must be read before any figure."""
    return [line for notice in warnings(comparison, lang) for line in ["", *_wrapped("! " + notice, "  ")]]


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent) or [""]


def _cell(row: Row, comparison: Comparison, lang: str) -> list[str]:
    say = words(lang)
    title = say["cell"].format(batch=row.batch, prompt=row.prompt_length, new=row.new_tokens)
    lines = [f"--- {title} " + "-" * max(0, WIDTH - 5 - len(title))]
    against = {(a.lane, a.precision): a for a in row.against}
    for a in row.against:
        if a.headline:
            lines += _wrapped(headline(a, comparison, lang), "  ")
    if not row.figures:
        return lines + _remarks(row, comparison, lang)
    lines += ["", f"{say['latency']} ({say['latency_note']})"]
    for f in row.figures:
        trials = say["trials" if f.trials > 1 else "trials_one"].format(
            trials=f.trials, iterations=f.iterations // f.trials
        )
        lines += _named(label(f.lane, f.precision, comparison), 24, f"{number(f.latency, lang):>12} ms   ({trials})")
        if (f.lane, f.precision) in against:
            a = against[f.lane, f.precision]
            void = f" {say['void'].upper()}" if a.verdict.word == "void" else ""
            ratio = f"{say['speedup']}: {times(a.speedup.ratio, lang)}{_span(a, lang)}{void}"
            lines.append(f"    {ratio}   {change(a.reduction, 'reduction', 'increase', lang)}")
            if a.speedup.low is None:
                spread = say["minmax"].format(
                    low=number(f.minimum, lang), mid=number(f.median, lang), high=number(f.maximum, lang)
                )
                lines.append(f"    {spread}")
    lines += ["", f"{say['throughput']} ({say['throughput_note']})"]
    for f in row.figures:
        lines += _named(label(f.lane, f.precision, comparison), 24, f"{number(f.throughput, lang):>12} tok/s")
        if (f.lane, f.precision) in against:
            a = against[f.lane, f.precision]
            lines.append(f"    {change(a.gain, 'gain', 'loss', lang)}   {say['ratio']}: {times(a.speedup.ratio, lang)}")
    gpu = any(f.gpu_memory is not None for f in row.figures)
    lines += ["", f"{say['gpu_memory' if gpu else 'memory']} ({say['gpu_memory_note' if gpu else 'memory_note']})"]
    for f in row.figures:
        held = memory_of(f)
        size = f"{number(held / 2**20, lang)} {say['mebibytes']}" if held is not None else "-"
        lines += _named(label(f.lane, f.precision, comparison), 24, f"{size:>16}")
        variation = against[f.lane, f.precision].memory_variation if (f.lane, f.precision) in against else None
        if variation is not None:
            lines.append(f"    {say['variation']}: {percent(variation, lang, '+')}")
    lines += _energy(row, comparison, lang)
    lines += [
        "",
        f"{say['phases']} ({say['phases_note']})",
        f"  {'':<22}{say['ttft']:>9}{say['tpot']:>9}{say['load']:>12}{say['first_call']:>14}{say['prepare']:>12}",
    ]
    for f in row.figures:
        cells = [f.ttft, f.tpot, f.load_ms, f.first_call_ms, f.prepare_ms]
        shown = [number(value, lang) if value is not None else "-" for value in cells]
        rest = f"{shown[0]:>9}{shown[1]:>9}{shown[2]:>12}{shown[3]:>14}{shown[4]:>12}"
        lines += _named(label(f.lane, f.precision, comparison), 22, rest)
    names = [label(f.lane, f.precision, comparison) for f in row.figures]
    lines += audit_text.evidence(row.figures, names, lang)
    lines += answers.text(row, comparison, lang)
    lines += _remarks(row, comparison, lang)
    return lines


def _energy(row: Row, comparison: Comparison, lang: str) -> list[str]:
    """Joules per token of the lanes for which they were measured; nothing where there are none."""
    say = words(lang)
    lines: list[str] = []
    for f in row.figures:
        if f.energy is not None:
            idle = f.idle_energy
            rest = f"   ({say['energy_idle'].format(joules=number(idle, lang))})" if idle is not None else ""
            lines += _named(label(f.lane, f.precision, comparison), 24, f"{number(f.energy, lang):>12} J{rest}")
    return ["", f"{say['energy']} ({say['energy_note']})", *lines] if lines else []


def _named(name: str, width: int, rest: str) -> list[str]:
    """A line of a table; a name that is too long stands on a line of its own."""
    if len(name) <= width:
        return [f"  {name:<{width}}{rest}"]
    return [f"  {name}", " " * (2 + width) + rest]


def _remarks(row: Row, comparison: Comparison, lang: str) -> list[str]:
    found = remarks(row, comparison, lang)
    return [""] + [line for remark in found for line in _wrapped("* " + remark)] if found else []


def remarks(row: Row, comparison: Comparison, lang: str) -> list[str]:
    """What must be known about the figures of one cell."""
    say = words(lang)
    found = [
        f"{label(h.lane, h.precision, comparison)}: {say['hole'].format(reason=plain(h.reason))}" for h in row.holes
    ]
    if len(row.figures) == 1 and not row.holes:
        found.append(say["no_comparison"])
    elif not row.against and len(row.figures) > 1:
        found.append(say["no_base"])
    for a in row.against:
        if not a.same_precision:
            found.append(
                say["not_same_precision"].format(
                    lane=known(a.lane),
                    precision=a.precision,
                    base=known(a.base),
                    base_precision=a.base_precision,
                )
            )
    for f in row.figures:
        if f.outliers:
            found.append(
                say["outliers"].format(lane=label(f.lane, f.precision, comparison), n=f.outliers, of=f.iterations)
            )
    return found


def headline(a: Against, comparison: Comparison, lang: str) -> str:
    return f"{words(lang)['headline']}: {verdict_sentence(a, comparison, lang)}"


def verdict_sentence(a: Against, comparison: Comparison, lang: str) -> str:
    """One sentence: the verdict and its interval, or why there is none."""
    say = words(lang)
    lane, base, word = (
        label(a.lane, a.precision, comparison),
        label(a.base, a.base_precision, comparison),
        a.verdict.word,
    )
    if comparison.simulated:
        return f"{say['none']} ({say['simulated']})"
    if word in ("faster", "slower"):
        ratio = a.speedup.ratio if word == "faster" else 1 / a.speedup.ratio
        sentence = say["headline_says"].format(lane=lane, ratio=times(ratio, lang), word=say[word], base=base)
    elif word == "equivalent":
        sentence = say["headline_equivalent"].format(lane=lane, base=base)
    else:
        sentence = say["headline_open"].format(lane=lane, base=base, word=say[word])
    if word == "void":
        why = audit_text.reason(
            comparison.findings, a.verdict.reason, (a.lane, a.precision), (a.base, a.base_precision), lang
        )
        return f"{sentence} - {why}"
    reason = say[a.verdict.reason]
    if a.verdict.more_trials is not None:
        reason += "; " + say["more_trials"].format(n=a.verdict.more_trials)
    if a.speedup.low is not None and a.speedup.weak:
        reason += "; " + say["weak"]
    return f"{sentence}{_span(a, lang)} - {reason}"


def _span(a: Against, lang: str) -> str:
    if a.speedup.low is None or a.speedup.high is None:
        return ""
    return f" ({number(a.speedup.low, lang, 2)}-{number(a.speedup.high, lang, 2)})"


def change(share: float, better: str, worse: str, lang: str) -> str:
    """`Reduction: 58.5%` or, when the sign turns, `Increase: 12.0%`."""
    return f"{words(lang)[better if share >= 0 else worse]}: {percent(abs(share), lang)}"


def _absent(comparison: Comparison, say: dict[str, str]) -> list[str]:
    lines = []
    if comparison.failed:
        lines += ["", f"{say['failed']}:"]
        for a in comparison.failed:
            hint = f". {plain(a.failure.hint)}" if a.failure.hint else ""
            lines += _wrapped(f"  {known(a.lane)} {plain(a.precision, NAME)}: {plain(a.failure.reason)}{hint}", "    ")
    if comparison.not_run:
        lines += ["", f"{say['missing']}:"]
        for lane in (name for name in comparison.not_run if name in LANES):
            lines.append(f"  {LANES[lane].label} (bash scripts/{LANES[lane].script})")
    return lines
