"""The sections of the page, in one language each. Figures stay numbers until here; every string passes through markup."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Against, Comparison, Row
from trtbench.figures.summary import Figures
from trtbench.report import answers
from trtbench.report.names import known, label
from trtbench.report.notices import mark, warnings
from trtbench.report.numbers import number, percent, times
from trtbench.report.page import plot
from trtbench.report.page.markup import Html, join, tag
from trtbench.report.spread import rates, span
from trtbench.report.story import Lead, why
from trtbench.report.words.report import words
from trtbench.settings.lanes import LANES

MIB = 2**20
Column = tuple[str, Callable[[Figures], "str | None"]]


def word(kind: str, text: str) -> Html:
    """A verdict or a level; what is void stands in capitals."""
    return tag("span", text.upper() if kind in ("void", "fail", "simulated") else text, class_=f"word w-{kind}")


def opening(found: Lead, notes: Sequence[str], lang: str) -> Html:
    """The one sentence, and what must be read before any figure."""
    say = words(lang)
    shown = say["simulated"].split(":")[0].strip() if found.word == "simulated" else say[found.word].upper()
    boxes = []
    for note in notes:
        capitals = mark(note)
        rest = note[len(capitals) :]
        grave = " grave" if note in (say["simulated"], say["void_notice"]) else ""
        boxes.append(tag("p", tag("strong", capitals, class_="mark"), rest, class_="note" + grave))
    lead = tag("div", tag("strong", shown), tag("p", found.sentence), class_=f"lead w-{found.word}")
    return join([lead, *boxes])


def table(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[int], key: str, note: str = ""
) -> Html:
    """A table whose first column names its rows; `numeric` columns are set to the right. It scrolls on a narrow screen
    and can be reached by keyboard then. The caption is for ears: to the eye the heading above it says the same."""
    cells = [tag("th", name, scope="col", class_="n" if i in numeric else None) for i, name in enumerate(head)]
    body = []
    for first, *rest in rows:
        made = [tag("td", part, class_="n" if i in numeric else None) for i, part in enumerate(rest, 1)]
        body.append(tag("tr", tag("th", first, scope="row"), *made))
    title = tag("caption", tag("span", caption, class_="heard"), id=key)
    inner = tag("table", title, tag("thead", tag("tr", *cells)), tag("tbody", *body))
    scroll = tag("div", inner, class_="scroll", tabindex=0, role="region", aria_labelledby=key)
    return join([tag("p", note, class_="soft"), scroll]) if note else scroll


def heading(row: Row, lang: str) -> str:
    return words(lang)["cell"].format(batch=row.batch, prompt=row.prompt_length, new=row.new_tokens)


def overview(rows: Sequence[Row], comparison: Comparison, lang: str, key: str) -> Html:
    """One line a cell: what the headline says there."""
    say = words(lang)
    lines = []
    for row in rows:
        for a in (a for a in row.against if a.headline):
            lines.append([heading(row, lang), label(a.lane, a.precision, comparison), *_ratio(a, lang)])
    head = [say["overview_cell"], say["lane"], say["speedup"], say["page_interval"], say["verdict"]]
    return table(say["overview"], head, lines, (2, 3), key) if lines else Html("")


def _ratio(a: Against, lang: str) -> list[str]:
    low, high = a.speedup.low, a.speedup.high
    shown = f"{number(low, lang, 2)}-{number(high, lang, 2)}" if low is not None and high is not None else "-"
    figures = [times(a.speedup.ratio, lang), shown]
    if a.verdict.word == "void":
        figures = [tag("s", each) for each in figures]
    return [*figures, word(a.verdict.word, words(lang)[a.verdict.word])]


def cell(row: Row, comparison: Comparison, remarks: Sequence[str], lang: str, key: str) -> Html:
    """All of one cell: lanes, plots, times, one-off costs, memory, answers."""
    parts: list[str] = [tag("h2", heading(row, lang))]
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


def _spread(f: Figures, values: Sequence[float], lang: str) -> Html:
    found = span(values) or (min(values), max(values))
    return tag("small", f"{number(found[0], lang)}-{number(found[1], lang)}")


def _lanes(row: Row, comparison: Comparison, lang: str, key: str) -> Html:
    say = words(lang)
    against = {(a.lane, a.precision): a for a in row.against}
    bases = {(a.base, a.base_precision) for a in row.against}
    head = [say["lane"], say["page_latency"], say["page_throughput"]]
    shares = [(say["ceiling_share"], _of_ceiling), (say["mbu"], _mbu), (say["mfu"], _mfu)]
    shares = [(name, pick) for name, pick in shares if any(pick(f) is not None for f in row.figures)]
    head += [name for name, _ in shares]
    head += [say["speedup"], say["page_interval"], say["verdict"]]
    lines: list[list[str]] = []
    for f in row.figures:
        line: list[str] = [
            _named(f, comparison, lang),
            join([number(f.latency, lang), _spread(f, f.latency_trials, lang)]),
            join([number(f.throughput, lang), _spread(f, rates(f, row), lang)]),
        ]
        found = [pick(f) for _, pick in shares]
        line += [percent(share, lang) if share is not None else "-" for share in found]
        a = against.get((f.lane, f.precision))
        if a is not None:
            line += _ratio(a, lang)
            if not a.headline:
                line[-1] = join([line[-1], tag("small", " " + say["descriptive"])])
        else:
            line += ["-", "-", say["base"] if (f.lane, f.precision) in bases else "-"]
        lines.append(line)
    firm = all(span(f.latency_trials) for f in row.figures)
    small = say["page_interval"] if firm else f"{say['page_interval']}, {say['plot_range']}"
    note = f"{say['latency_note']}; {small}"
    made = table(say["lanes"], head, lines, range(1, len(head) - 1), key, note)
    basis = next((f.ceiling_basis for f in row.figures if f.ceiling_basis), None)
    limit = say.get(f"ceiling_{basis}") if basis else None
    return join([made, tag("p", limit, class_="soft")]) if limit else made


def _of_ceiling(f: Figures) -> float | None:
    return f.throughput / f.ceiling_tok_s if f.ceiling_tok_s else None


def _mbu(f: Figures) -> float | None:
    return f.mbu


def _mfu(f: Figures) -> float | None:
    return f.mfu


def _named(f: Figures, comparison: Comparison, lang: str) -> Html:
    say = words(lang)
    counts = say["trials" if f.trials > 1 else "trials_one"].format(
        trials=f.trials, iterations=f.iterations // f.trials
    )
    mark = join([" ", word("simulated", say["simulated"].split(":")[0].strip())]) if f.simulated else ""
    return join([label(f.lane, f.precision, comparison), mark, tag("br"), tag("small", counts, class_="soft")])


def _plots(row: Row, comparison: Comparison, lang: str, key: str) -> list[Html]:
    say = words(lang)
    drawn = (("plot_throughput", plot.rate_plot, False), ("plot_time", plot.time_plot, True))
    return [
        tag(
            "figure",
            tag("figcaption", *_marks(comparison, lang), say[title]),
            draw(row, comparison, lang, f"{key}-{title[5:]}"),
            plot.legend(row, lang, time),
        )
        for title, draw, time in drawn
    ]


def _marks(comparison: Comparison, lang: str) -> list[str]:
    """The capitals of what must be read first, so that a picture of the plot alone carries them too."""
    marks = [m for m in (mark(warning) for warning in warnings(comparison, lang)) if m]
    return [tag("strong", " · ".join(marks), class_="mark"), " "] if marks else []


def _columns(
    row: Row, comparison: Comparison, columns: Sequence[Column], title: tuple[str, str], lang: str, key: str
) -> Html:
    """A table of figures; columns that no lane fills are left out."""
    filled = [(name, pick) for name, pick in columns if any(pick(f) is not None for f in row.figures)]
    head = [words(lang)["lane"], *(name for name, _ in filled)]
    lines = [[label(f.lane, f.precision, comparison), *(pick(f) or "-" for _, pick in filled)] for f in row.figures]
    return table(title[0], head, lines, range(1, len(head)), key, title[1])


def _times(row: Row, comparison: Comparison, lang: str, key: str) -> list[str]:
    say = words(lang)

    def ms(value: float | None) -> str | None:
        return number(value, lang) if value is not None else None

    def prepared(f: Figures) -> str | None:
        shown = ms(f.prepare_ms)
        return join([shown, tag("small", say["cached"])]) if shown and f.prepare_cached else shown

    phases: list[Column] = [
        (say["prefill"], lambda f: join([number(f.ttft, lang), _spread(f, f.ttft_trials, lang)])),
        (say["decode"], lambda f: ms(f.latency - f.ttft)),
        (say["tpot_ms"], lambda f: ms(f.tpot)),
    ]
    once: list[Column] = [
        (say["imports"], lambda f: ms(f.import_ms)),
        (say["load_ms"], lambda f: ms(f.load_ms)),
        (say["prepare_ms"], prepared),
        (say["first_call_ms"], lambda f: ms(f.first_call_ms)),
    ]
    return [
        tag("h3", say["time"]),
        _columns(row, comparison, phases, (say["time"], say["time_note"]), lang, f"{key}-phases"),
        tag("h3", say["once"]),
        _columns(row, comparison, once, (say["once"], say["once_note"]), lang, f"{key}-once"),
    ]


def _memory(row: Row, comparison: Comparison, lang: str, key: str) -> list[str]:
    say = words(lang)
    against = {(a.lane, a.precision): a for a in row.against}

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
    if not any(pick(f) is not None for _, pick in columns for f in row.figures):
        return []
    gpu = any(f.gpu_memory is not None for f in row.figures)
    note = say["gpu_memory_note" if gpu else "memory_note"]
    return [
        tag("h3", say["page_memory"]),
        _columns(row, comparison, columns, (say["page_memory"], note), lang, f"{key}-memory"),
    ]


def _energy(row: Row, comparison: Comparison, lang: str, key: str) -> list[str]:
    say = words(lang)

    def joules(value: float | None) -> str | None:
        return number(value, lang) if value is not None else None

    def net(f: Figures) -> float | None:
        return f.energy - f.idle_energy if f.energy is not None and f.idle_energy is not None else None

    columns: list[Column] = [
        (say["energy_token"], lambda f: joules(f.energy)),
        (say["energy_idle_part"], lambda f: joules(f.idle_energy)),
        (say["energy_net"], lambda f: joules(net(f))),
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


def failed(comparison: Comparison, lang: str) -> Html:
    """Lanes that were asked for and have no figures, with their reasons."""
    say = words(lang)
    if comparison.failed:
        items = [
            tag("li", tag("strong", f"{known(a.lane)} {plain(a.precision, NAME)}"), f": {why(a.failure)}")
            for a in comparison.failed
        ]
        return tag("section", tag("h2", say["failed"]), tag("ul", *items))
    return Html("")


def not_run(comparison: Comparison, lang: str) -> Html:
    """Lanes that were not asked for, with the command that adds them."""
    items = [
        tag("li", known(lane), " (", tag("code", f"bash scripts/{LANES[lane].script}"), ")")
        for lane in comparison.not_run
        if lane in LANES
    ]
    return tag("section", tag("h2", words(lang)["missing"]), tag("ul", *items)) if items else Html("")
