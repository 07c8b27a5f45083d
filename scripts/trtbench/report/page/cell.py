"""One cell on the page: lanes, plots, times, one-off costs, memory, energy, answers."""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.comparison.result import Comparison, Row
from trtbench.figures.summary import Figures
from trtbench.report import answers
from trtbench.report.columns import Column, filled, maybe_number, maybe_share
from trtbench.report.columns import table as table_of
from trtbench.report.names import cell_name, label
from trtbench.report.notices import mark, marks
from trtbench.report.numbers import number, percent
from trtbench.report.page import plot
from trtbench.report.page.elements import ratio, table, word
from trtbench.report.page.markup import Html, join, tag
from trtbench.report.remarks import counts
from trtbench.report.scale import share_of_ceiling
from trtbench.report.spread import edges, rates
from trtbench.report.words.report import words

MIB = 2**20


def cell(row: Row, comparison: Comparison, remarks: Sequence[str], lang: str, key: str) -> Html:
    """All of one cell: lanes, plots, times, one-off costs, memory, answers."""
    parts: list[str] = [tag("h2", cell_name(row, lang))]
    if row.figures:
        parts += [
            tag("h3", words(lang)["lanes"]),
            _lanes(row, comparison, lang, f"{key}-lanes"),
            tag("div", *_plots(row, comparison, lang, key), class_="plots"),
            *_times(row, comparison, lang, key),
            *_memory(row, comparison, lang, key),
            *_energy(row, comparison, lang, key),
            *_answers(row, comparison, lang, key),
        ]
    if remarks:
        parts.append(tag("ul", *(tag("li", remark) for remark in remarks)))
    return tag("section", *parts)


def _spread(values: Sequence[float], lang: str) -> Html:
    whisker = edges(values)
    return tag("small", f"{number(whisker.low, lang)}-{number(whisker.high, lang)}")


def _lanes(row: Row, comparison: Comparison, lang: str, key: str) -> Html:
    say = words(lang)
    against = row.by_lane
    bases = {(a.base, a.base_precision) for a in row.against}
    shares = filled(row, [
        (say["ceiling_share"], lambda f: maybe_share(share_of_ceiling(f), lang)),
        (say["mbu"], lambda f: maybe_share(f.mbu, lang)),
        (say["mfu"], lambda f: maybe_share(f.mfu, lang)),
    ])  # fmt: skip
    head = [say["lane"], say["page_latency"], say["page_throughput"], *(name for name, _ in shares)]
    head += [say["speedup"], say["page_interval"], say["verdict"]]
    lines: list[list[str]] = []
    for f in row.figures:
        line: list[str] = [
            _named(f, comparison, lang),
            join([number(f.latency, lang), _spread(f.latency_trials, lang)]),
            join([number(f.throughput, lang), _spread(rates(f, row), lang)]),
            *(pick(f) or "-" for _, pick in shares),
        ]
        a = against.get((f.lane, f.precision))
        if a is not None:
            line += ratio(a, lang)
            if not a.headline:
                line[-1] = join([line[-1], tag("small", " " + say["descriptive"])])
        else:
            line += ["-", "-", say["base"] if (f.lane, f.precision) in bases else "-"]
        lines.append(line)
    firm = all(edges(f.latency_trials).firm for f in row.figures)
    whiskers = say["page_interval"] if firm else f"{say['page_interval']}, {say['plot_range']}"
    note = f"{say['latency_note']}; {whiskers}"
    lanes = table(say["lanes"], head, lines, range(1, len(head) - 1), key, note)
    basis = next((f.ceiling_basis for f in row.figures if f.ceiling_basis), None)
    limit = say.get(f"ceiling_{basis}") if basis else None
    return join([lanes, tag("p", limit, class_="soft")]) if limit else lanes


def _named(f: Figures, comparison: Comparison, lang: str) -> Html:
    say = words(lang)
    simulated = join([" ", word("simulated", mark(say["simulated"]))]) if f.simulated else ""
    return join(
        [label(f.lane, f.precision, comparison), simulated, tag("br"), tag("small", counts(f, lang), class_="soft")]
    )


def _plots(row: Row, comparison: Comparison, lang: str, key: str) -> list[Html]:
    say = words(lang)
    plots = (("plot_throughput", plot.rate_plot, False), ("plot_time", plot.time_plot, True))
    return [
        tag(
            "figure",
            tag("figcaption", *_marks(comparison, lang), say[title]),
            draw(row, comparison, lang, f"{key}-{title[5:]}"),
            plot.legend(row, lang, time),
        )
        for title, draw, time in plots
    ]


def _marks(comparison: Comparison, lang: str) -> list[str]:
    """The capitals of what must be read first, so that a picture of the plot alone carries them too."""
    capitals = marks(comparison, lang)
    return [tag("strong", " · ".join(capitals), class_="mark"), " "] if capitals else []


def _columns(
    row: Row, comparison: Comparison, columns: Sequence[Column], title: tuple[str, str], lang: str, key: str
) -> Html:
    """A table of figures; columns that no lane fills are left out."""
    head, lines = table_of(row, filled(row, columns), comparison, lang)
    return table(title[0], head, lines, range(1, len(head)), key, title[1])


def _times(row: Row, comparison: Comparison, lang: str, key: str) -> list[str]:
    say = words(lang)

    def prepared(f: Figures) -> str | None:
        prepare = maybe_number(f.prepare_ms, lang)
        return join([prepare, tag("small", say["cached"])]) if prepare and f.prepare_cached else prepare

    phases: list[Column] = [
        (say["prefill"], lambda f: join([number(f.ttft, lang), _spread(f.ttft_trials, lang)])),
        (say["decode"], lambda f: number(f.latency - f.ttft, lang)),
        (say["tpot_ms"], lambda f: maybe_number(f.tpot, lang)),
    ]
    once: list[Column] = [
        (say["imports"], lambda f: maybe_number(f.import_ms, lang)),
        (say["load_ms"], lambda f: maybe_number(f.load_ms, lang)),
        (say["prepare_ms"], prepared),
        (say["first_call_ms"], lambda f: maybe_number(f.first_call_ms, lang)),
    ]
    return [
        tag("h3", say["time"]),
        _columns(row, comparison, phases, (say["time"], say["time_note"]), lang, f"{key}-phases"),
        tag("h3", say["once"]),
        _columns(row, comparison, once, (say["once"], say["once_note"]), lang, f"{key}-once"),
    ]


def _memory(row: Row, comparison: Comparison, lang: str, key: str) -> list[str]:
    say = words(lang)
    against = row.by_lane

    def mib(value: int | None) -> str | None:
        return number(value / MIB, lang) if value is not None else None

    def variation(f: Figures) -> str | None:
        a = against.get((f.lane, f.precision))
        return percent(a.memory_variation, lang, "+") if a and a.memory_variation is not None else None

    columns: list[Column] = [
        (say["gpu_peak"], lambda f: mib(f.gpu_memory)),
        (say["peak_rss"], lambda f: mib(f.peak_rss)),
        (say["weights"], lambda f: mib(f.weights)),
        (say["kv_pool"], lambda f: mib(f.kv_pool)),
        (say["gpu_processes"], lambda f: mib(f.gpu_processes)),
        (say["torch_allocated"], lambda f: mib(f.torch_allocated)),
        (say["torch_reserved"], lambda f: mib(f.torch_reserved)),
        (say["page_variation"], variation),
    ]
    if not filled(row, columns):
        return []
    gpu = any(f.gpu_memory is not None for f in row.figures)
    note = say["gpu_memory_note" if gpu else "memory_note"]
    return [
        tag("h3", say["page_memory"]),
        _columns(row, comparison, columns, (say["page_memory"], note), lang, f"{key}-memory"),
    ]


def _energy(row: Row, comparison: Comparison, lang: str, key: str) -> list[str]:
    say = words(lang)

    def net(f: Figures) -> float | None:
        return f.energy - f.idle_energy if f.energy is not None and f.idle_energy is not None else None

    columns: list[Column] = [
        (say["energy_token"], lambda f: maybe_number(f.energy, lang)),
        (say["energy_idle_part"], lambda f: maybe_number(f.idle_energy, lang)),
        (say["energy_net"], lambda f: maybe_number(net(f), lang)),
    ]
    if all(f.energy is None for f in row.figures):
        return []
    note = (say["page_energy"], say["page_energy_note"])
    return [tag("h3", say["page_energy"]), _columns(row, comparison, columns, note, lang, f"{key}-energy")]


def _answers(row: Row, comparison: Comparison, lang: str, key: str) -> list[str]:
    say = words(lang)
    head, lines = answers.table(row, comparison, lang)
    if not lines:
        return []
    note = answers.note(comparison, lang)
    return [
        tag("h3", say["answers"]),
        table(say["answers"], head, lines, range(1, len(head)), f"{key}-answers", note),
    ]
