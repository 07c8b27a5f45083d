"""One cell on the page, as facts: lanes, plots, times, one-off costs, memory, energy, answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from trtbench.comparison.result import Comparison, Row
from trtbench.figures.summary import Figures
from trtbench.report import answers, ceiling, other_clocks
from trtbench.report.columns import Column, filled, maybe_number, maybe_share
from trtbench.report.columns import table as columns_of
from trtbench.report.explained import Explained
from trtbench.report.headline import VERDICTS, headlines, refused
from trtbench.report.language import Language
from trtbench.report.names import cell_name, label, of_cards
from trtbench.report.notices import mark
from trtbench.report.page.fields import Field, Table, ratio
from trtbench.report.page.plot import Plot, rate_plot, time_plot
from trtbench.report.remarks import counts, remarks
from trtbench.report.spread import edges, rates

MIB = 2**20


class Measured(NamedTuple):
    """The figures of a cell; a table is None where no lane has a figure for it."""

    lanes: Table
    lanes_note: str
    lanes_explained: Sequence[str]
    ceiling_notes: Sequence[str]
    rates: Plot
    times: Plot
    phases: Table
    phases_explained: Sequence[str]
    other_clocks: Table | None
    other_clocks_note: str
    clocks_explained: Sequence[str]
    once: Table
    memory: Table | None
    memory_explained: Sequence[str]
    on_gpu: bool  # the memory of a GPU is among the figures
    energy: Table | None
    energy_note: str
    answers: Table | None
    answers_explained: Sequence[str]


class Cell(NamedTuple):
    """All of one cell."""

    name: str
    measured: Measured | None
    remarks: Sequence[str]


def cell(row: Row, comparison: Comparison, say: Language, explained: Explained) -> Cell:
    """What the page says of one cell; `explained` has what stood above it."""
    measured = _measured(row, comparison, say, explained) if row.figures else None
    return Cell(cell_name(row, say), measured, remarks(row, comparison, say))


def _measured(row: Row, comparison: Comparison, say: Language, explained: Explained) -> Measured:
    def table(columns: Sequence[Column[str | Field]]) -> Table:
        lines: Sequence[Sequence[str | Field]]
        head, lines = columns_of(row, columns, comparison, say)
        return Table(head, lines, range(1, len(head)))

    memory = table(_memory(row, say))
    clocks_head, clocks = other_clocks.table(row, comparison, say)
    head, lines = answers.table(row, comparison, say)
    lanes, phases = _lanes(row, comparison, say), table(_phases(row, say))
    # In the order in which they stand on the page, for a term is explained where it stands first.
    return Measured(
        lanes=lanes,
        lanes_note=_lanes_note(row, say),
        lanes_explained=[*ceiling.utilisation_notes(row.figures, comparison, say), *explained.heads(lanes.head)],
        ceiling_notes=ceiling.notes(row.figures, comparison, say),
        rates=rate_plot(row, comparison, say),
        times=time_plot(row, comparison, say),
        phases=phases,
        phases_explained=explained.heads(phases.head),
        other_clocks=Table(clocks_head, clocks, range(1, len(clocks_head))) if clocks else None,
        other_clocks_note=other_clocks.note(row, say),
        clocks_explained=explained.heads(clocks_head),
        once=table(_once(say)),
        memory=memory if len(memory.head) > 1 else None,
        memory_explained=explained.heads(memory.head),
        on_gpu=any(f.gpu_memory is not None for f in row.figures),
        energy=table(_energy(row, say)) if any(f.energy is not None for f in row.figures) else None,
        energy_note=of_cards("page_energy_note", comparison),
        answers=Table(head, lines, range(1, len(head))) if lines else None,
        answers_explained=explained.heads(head) if lines else [],
    )


def _with_spread(value: float, values: Sequence[float], say: Language, void: bool = False) -> Field:
    whisker = edges(values)
    # Of a single trial both ends are the figure itself.
    return Field(
        "void figure" if void else "figure",
        say.number(value),
        say.span(whisker.low, whisker.high) if len(values) > 1 else "",
    )


def _struck(text: str | None, void: bool) -> str | Field | None:
    return Field("void", text) if text is not None and void else text


def _usual(row: Row, say: Language) -> str:
    """The numbers of trials and iterations that most lanes have, which are said once; nothing where each has its own."""
    [(usual, lanes)] = Counter(counts(f, say) for f in row.figures).most_common(1)
    return usual if lanes > 1 else ""


def _lanes_note(row: Row, say: Language) -> str:
    parts, reach = [say("latency_note")], [(edges(f.latency_trials), f.trials) for f in row.figures]
    if usual := _usual(row, say):
        alike = all(counts(f, say) == usual for f in row.figures)
        parts.append(say("counts_all" if alike else "counts_most", counts=usual))
    parts += [say("page_interval")] if any(each.firm for each, _ in reach) else []
    parts += [say("plot_range")] if any(not each.firm and trials > 1 for each, trials in reach) else []
    return say.clauses(parts)


def _lanes(row: Row, comparison: Comparison, say: Language) -> Table:
    against = row.by_lane
    bases = {(a.base, a.base_precision) for a in row.against}
    shares: list[Column[str]] = [
        ("ceiling_share", lambda f: ceiling.share_text(f, say)),
        ("mbu", lambda f: maybe_share(f.mbu, say)),
        ("mfu", lambda f: maybe_share(f.mfu, say)),
    ]
    keys, fields = filled(row, shares)
    head = ["lane", "page_latency", "page_throughput", *keys, "speedup", "interval_head", "verdict"]
    lines: list[list[str | Field]] = []
    usual, void, settled = _usual(row, say), refused(row), _any_verdict(comparison)
    for i, f in enumerate(row.figures):
        counted = counts(f, say)
        simulated = mark(say("simulated")) if f.simulated else ""
        line: list[str | Field] = [
            Field("lane", label(f.lane, f.precision, comparison), "" if counted == usual else counted, simulated),
            _with_spread(f.latency, f.latency_trials, say, (f.lane, f.precision) in void),
            _with_spread(f.throughput, rates(f, row), say, (f.lane, f.precision) in void),
            *(_struck(field[i], (f.lane, f.precision) in void) or "-" for field in fields),
        ]
        a = against.get((f.lane, f.precision))
        if a is not None:
            line += ratio(a, say, void, "" if a.headline else say("descriptive"), badge=a.headline or settled)
        else:
            line += ["-", "-", say("base") if (f.lane, f.precision) in bases else "-"]
        lines.append(line)
    return Table([say(name) for name in head], lines, range(1, len(head) - 1))


def _any_verdict(comparison: Comparison) -> bool:
    """Whether the run has a verdict: on a page without one no lane wears the badge of a comparison that was not the headline."""
    return (
        any(a.verdict.word in (*VERDICTS, "inconclusive") for a in headlines(comparison)) and not comparison.simulated
    )


def _phases(row: Row, say: Language) -> list[Column[str | Field]]:
    void = refused(row)

    def struck(f: Figures, value: float | None) -> str | Field | None:
        return _struck(maybe_number(value, say), (f.lane, f.precision) in void)

    return [
        ("prefill", lambda f: _with_spread(f.ttft, f.ttft_trials, say, (f.lane, f.precision) in void)),
        ("decode", lambda f: struck(f, f.latency - f.ttft)),
        ("tpot_ms", lambda f: struck(f, f.tpot)),
    ]


def _once(say: Language) -> list[Column[str | Field]]:
    def prepared(f: Figures) -> str | Field | None:
        prepare = maybe_number(f.prepare_ms, say)
        return Field("figure", prepare, say("cached")) if prepare and f.prepare_cached else prepare

    return [
        ("imports", lambda f: maybe_number(f.import_ms, say)),
        ("load_ms", lambda f: maybe_number(f.load_ms, say)),
        ("prepare_ms", prepared),
        ("first_call_ms", lambda f: maybe_number(f.first_call_ms, say)),
    ]


def _memory(row: Row, say: Language) -> list[Column[str | Field]]:
    against = row.by_lane

    def mib(value: int | None) -> str | None:
        return say.number(value / MIB) if value is not None else None

    def variation(f: Figures) -> str | None:
        a = against.get((f.lane, f.precision))
        return say.percent(a.memory_variation, "+") if a and a.memory_variation is not None else None

    return [
        ("gpu_peak", lambda f: mib(f.gpu_memory)),
        ("peak_rss", lambda f: mib(f.peak_rss)),
        ("weights", lambda f: mib(f.weights)),
        ("kv_pool", lambda f: mib(f.kv_pool)),
        ("gpu_processes", lambda f: mib(f.gpu_processes)),
        ("torch_allocated", lambda f: mib(f.torch_allocated)),
        ("torch_reserved", lambda f: mib(f.torch_reserved)),
        ("page_variation", variation),
    ]


def _energy(row: Row, say: Language) -> list[Column[str | Field]]:
    void = refused(row)

    def struck(f: Figures, value: float | None) -> str | Field | None:
        return _struck(maybe_number(value, say), (f.lane, f.precision) in void)

    def net(f: Figures) -> float | None:
        return f.energy - f.idle_energy if f.energy is not None and f.idle_energy is not None else None

    return [
        ("energy_token", lambda f: struck(f, f.energy)),
        ("energy_idle_part", lambda f: struck(f, f.idle_energy)),
        ("energy_net", lambda f: struck(f, net(f))),
    ]
