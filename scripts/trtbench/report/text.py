"""The report as text, at most 80 columns."""

from __future__ import annotations

import textwrap

from trtbench.comparison import Against, Comparison, Row, memory_of
from trtbench.lanes import LANES
from trtbench.report.words import words

WIDTH = 80


def label(lane: str, precision: str, comparison: Comparison) -> str:
    """A lane's name for people; with its precision where the run has several."""
    several = len({f.precision for row in comparison.cells for f in row.figures}) > 1
    return LANES[lane].label + (f" {precision}" if several else "")


def render(comparison: Comparison, lang: str) -> str:
    """The whole text, ending in a newline."""
    say = words(lang)
    lines = ["=" * WIDTH, say["title"], "=" * WIDTH]
    lines += _wrapped(
        f"{say['model']}: {comparison.model.name}"
        + (f" @ {comparison.model.revision[:12]}" if comparison.model.revision else "")
        + f", {comparison.model.parameters / 1e6:,.1f} M"
    )
    machine = comparison.environment
    gpus = ", ".join(machine.gpus) + ", " if machine.gpus else ""
    threads = next((f for f in (comparison.settings.get("THREADS"),) if f), None)
    lines += _wrapped(
        f"{say['machine']}: {gpus}{machine.cpu_model}, {machine.os}"
        + (", " + say["threads"].format(threads=threads) if threads else "")
    )
    lines += _wrapped(
        f"{say['run']}: {comparison.run}"
        + (f" ({say['stopped'].lower()}: {comparison.stopped})" if comparison.stopped else "")
    )
    lines += notices(comparison, lang)
    for row in comparison.cells:
        lines += ["", *_cell(row, comparison, lang)]
    lines += _absent(comparison, say)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def notices(comparison: Comparison, lang: str) -> list[str]:
    """What must be read before any figure."""
    say = words(lang)
    found = []
    if comparison.simulated:
        found.append(say["simulated"])
    if comparison.model.synthetic:
        found.append(
            say["demonstration" if comparison.model.name == "demo" else "synthetic"].format(model=comparison.model.name)
        )
    if not comparison.interleaved:
        found.append(say["not_interleaved"])
    return [line for notice in found for line in ["", *_wrapped("! " + notice, "  ")]]


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
    lines += ["", f"{say['latency']} ({say['latency_note']})"]
    for f in row.figures:
        trials = say["trials" if f.trials > 1 else "trials_one"].format(
            trials=f.trials, iterations=f.iterations // f.trials
        )
        lines.append(f"  {label(f.lane, f.precision, comparison):<24}{number(f.latency, lang):>12} ms   ({trials})")
        if (f.lane, f.precision) in against:
            a = against[f.lane, f.precision]
            ratio = f"{say['speedup']}: {times(a.speedup.ratio, lang)}{_span(a, lang)}"
            lines.append(f"    {ratio}   {change(a.reduction, 'reduction', 'increase', say)}")
            if a.speedup.low is None:
                spread = say["minmax"].format(
                    low=number(f.minimum, lang), mid=number(f.median, lang), high=number(f.maximum, lang)
                )
                lines.append(f"    {spread}")
    lines += ["", f"{say['throughput']} ({say['throughput_note']})"]
    for f in row.figures:
        lines.append(f"  {label(f.lane, f.precision, comparison):<24}{number(f.throughput, lang):>12} tok/s")
        if (f.lane, f.precision) in against:
            a = against[f.lane, f.precision]
            lines.append(f"    {change(a.gain, 'gain', 'loss', say)}   {say['ratio']}: {times(a.speedup.ratio, lang)}")
    gpu = any(f.gpu_memory is not None for f in row.figures)
    lines += ["", f"{say['gpu_memory' if gpu else 'memory']} ({say['gpu_memory_note' if gpu else 'memory_note']})"]
    for f in row.figures:
        held = memory_of(f)
        size = f"{number(held / 2**20, lang)} MiB" if held is not None else "-"
        lines.append(f"  {label(f.lane, f.precision, comparison):<24}{size:>16}")
        variation = against[f.lane, f.precision].memory_variation if (f.lane, f.precision) in against else None
        if variation is not None:
            lines.append(f"    {say['variation']}: {variation:+.1%}")
    lines += [
        "",
        f"{say['phases']} ({say['phases_note']})",
        f"  {'':<22}{say['ttft']:>9}{say['tpot']:>9}{say['load']:>12}{say['first_call']:>14}{say['prepare']:>13}",
    ]
    for f in row.figures:
        cells = [f.ttft, f.tpot, f.load_ms, f.first_call_ms, f.prepare_ms]
        shown = [number(value, lang) if value is not None else "-" for value in cells]
        lines.append(
            f"  {label(f.lane, f.precision, comparison):<22}{shown[0]:>9}{shown[1]:>9}{shown[2]:>12}{shown[3]:>14}{shown[4]:>13}"
        )
    lines += _remarks(row, comparison, lang)
    return lines


def _remarks(row: Row, comparison: Comparison, lang: str) -> list[str]:
    say = words(lang)
    found = [f"{label(h.lane, h.precision, comparison)}: {say['hole'].format(reason=h.reason)}" for h in row.holes]
    if len(row.figures) == 1 and not row.holes:
        found.append(say["no_comparison"])
    elif not row.against and len(row.figures) > 1:
        found.append(say["no_base"])
    for a in row.against:
        if not a.same_precision:
            found.append(
                say["not_same_precision"].format(
                    lane=LANES[a.lane].label,
                    precision=a.precision,
                    base=LANES[a.base].label,
                    base_precision=a.base_precision,
                )
            )
    for f in row.figures:
        if not f.settled:
            found.append(say["not_settled"].format(lane=label(f.lane, f.precision, comparison)))
        if f.outliers:
            found.append(
                say["outliers"].format(lane=label(f.lane, f.precision, comparison), n=f.outliers, of=f.iterations)
            )
    return [""] + [line for remark in found for line in _wrapped("* " + remark)] if found else []


def headline(a: Against, comparison: Comparison, lang: str) -> str:
    """One sentence: the verdict and its interval, or why there is none."""
    say = words(lang)
    lane, base, word = (
        label(a.lane, a.precision, comparison),
        label(a.base, a.base_precision, comparison),
        a.verdict.word,
    )
    if comparison.simulated:
        return f"{say['headline']}: {say['none']} ({say['simulated']})"
    if word in ("faster", "slower"):
        ratio = a.speedup.ratio if word == "faster" else 1 / a.speedup.ratio
        sentence = say["headline_says"].format(lane=lane, ratio=times(ratio, lang), word=say[word], base=base)
    elif word == "equivalent":
        sentence = say["headline_equivalent"].format(lane=lane, base=base)
    else:
        sentence = say["headline_open"].format(lane=lane, base=base, word=say[word])
    reason = say[a.verdict.reason]
    if a.verdict.more_trials is not None:
        reason += "; " + say["more_trials"].format(n=a.verdict.more_trials)
    if a.speedup.low is not None and a.speedup.weak:
        reason += "; " + say["weak"]
    return f"{say['headline']}: {sentence}{_span(a, lang)} - {reason}"


def _span(a: Against, lang: str) -> str:
    if a.speedup.low is None or a.speedup.high is None:
        return ""
    return f" ({number(a.speedup.low, lang, 2)}-{number(a.speedup.high, lang, 2)})"


def change(share: float, better: str, worse: str, say: dict[str, str]) -> str:
    """`Reduction: 58.5%` or, when the sign turns, `Increase: 12.0%`."""
    return f"{say[better if share >= 0 else worse]}: {abs(share):.1%}"


def times(ratio: float, lang: str) -> str:
    """A ratio the way people write it: 2.41x."""
    return f"{number(ratio, lang, 2)}x"


def number(value: float, lang: str, digits: int | None = None) -> str:
    """A number with as many digits as mean something; a comma for the decimal point in French."""
    if digits is None:
        digits = 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 3
    shown = f"{value:,.{digits}f}"
    return shown.replace(",", "\u202f").replace(".", ",") if lang == "fr" else shown


def _absent(comparison: Comparison, say: dict[str, str]) -> list[str]:
    lines = []
    if comparison.failed:
        lines += ["", f"{say['failed']}:"]
        for a in comparison.failed:
            hint = f" {a.failure.hint}" if a.failure.hint else ""
            lines += _wrapped(f"  {LANES[a.lane].label} {a.precision}: {a.failure.reason}{hint}", "    ")
    if comparison.not_run:
        lines += ["", f"{say['missing']}:"]
        for lane in comparison.not_run:
            lines.append(f"  {LANES[lane].label} (bash scripts/{LANES[lane].script})")
    return lines
