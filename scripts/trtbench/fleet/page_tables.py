"""What the page of a fleet shows, as facts in one language; page.html.jinja draws them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from trtbench.fleet import names
from trtbench.fleet.result import BACK, Best, Entry, Fleet, Line, Standing, Table
from trtbench.report.language import Language
from trtbench.report.notices import mark


class Column(NamedTuple):
    """A column of a table by its head."""

    head: str
    numeric: bool = False


class Field(NamedTuple):
    """A field of a line: text, the word of a badge before it (`kind` is its look), small text below, and whether it is no result."""

    text: str
    small: str = ""
    badge: str = ""
    kind: str = ""
    struck: bool = False
    wide: bool = False


Row = Sequence["str | Field"]


class Notice(NamedTuple):
    """A sentence with its capitals apart."""

    mark: str
    sentence: str
    grave: bool


class Cell(NamedTuple):
    """One table: its name, who is first for sure or not, the lines, what runs say of their own machines."""

    name: str
    sentences: Sequence[str]
    rows: Sequence[Row]
    cut: int
    own: Sequence[str]


class Model(NamedTuple):
    """The cells of a model."""

    name: str
    key: str
    cells: Sequence[Cell]


class Choice(NamedTuple):
    """What the runs can be filtered by: a column and the texts in it."""

    label: str
    column: int
    values: Sequence[str]


class Article(NamedTuple):
    """The page in one language."""

    say: Language
    title: str
    lead: str
    kind: str
    counts: str
    notices: Sequence[Notice]
    columns: dict[str, Sequence[Column]]
    overview: Sequence[Row]
    models: Sequence[Model]
    cut_cells: int
    table_note: str
    runs: Sequence[Row]
    choices: Sequence[Choice]
    cut_runs: int
    program: str


def article(fleet: Fleet, say: Language, cells: int, lines: int, runs: int) -> Article:
    """The page in a language, with so many cells in full, lines a table, and runs at most."""
    shown = fleet.tables[:cells]
    # Those that are not back come first: they are what a reader has to know of.
    listed = sorted(fleet.runs, key=lambda line: line.status == BACK)[:runs]
    watt = any(table.watt for table in fleet.tables)
    all_of_them = len(fleet.runs)
    return Article(
        say=say,
        title=names.title(fleet, say),
        lead=names.back(fleet, say),
        kind="equivalent" if fleet.statuses.get(BACK, 0) == all_of_them else "inconclusive",
        counts=names.counted(fleet, say),
        notices=[_notice(sentence) for sentence in names.notices(fleet, say)],
        columns=_columns(fleet, watt, say),
        overview=[_overview(table, fleet, watt, say) for table in shown],
        models=[
            Model(names.model(name), f"{say.code}-{i}", [_cell(table, fleet, lines, watt, say) for table in tables])
            for i, (name, tables) in enumerate(_by_model(shown))
        ],
        cut_cells=len(fleet.tables) - len(shown),
        table_note=_table_note(fleet, say),
        runs=[_run(line, say) for line in listed],
        choices=_choices(listed, say),
        cut_runs=all_of_them - len(listed),
        program=fleet.program,
    )


def _columns(fleet: Fleet, watt: bool, say: Language) -> dict[str, Sequence[Column]]:
    money = [Column(say("fleet.money", currency=fleet.currency), True)] if fleet.prices else []
    per_watt = [Column(say("fleet.watt"), True)] if watt else []
    overview = [("fleet.model", False), ("fleet.precision", False), ("overview_cell", False), ("fleet.fastest", False)]
    return {
        "all": [
            *(Column(say(key), numeric) for key, numeric in overview),
            Column(say("fleet.rate"), True),
            *([Column(say("fleet.thriftiest"))] if watt else []),
            *([Column(say("fleet.cheapest", currency=fleet.currency))] if fleet.prices else []),
        ],
        "cell": [
            *(Column(say(key)) for key in ("fleet.who", "fleet.against")),
            Column(say("fleet.rate"), True),
            Column(say("fleet.spread"), True),
            Column(say("fleet.of"), True),
            Column(say("fleet.latency"), True),
            *per_watt,
            *money,
        ],
        "runs": [
            *(Column(say(key)) for key in ("fleet.model", "fleet.kind", "fleet.precision")),
            Column(say("fleet.number"), True),
            *(Column(say(key)) for key in ("fleet.machine", "fleet.status", "fleet.verdict")),
            *(Column(say(key), True) for key in ("fleet.speedup", "fleet.findings", "fleet.attempts")),
        ],
    }


def _by_model(tables: Iterable[Table]) -> list[tuple[str, list[Table]]]:
    grouped: dict[str, list[Table]] = {}
    for table in tables:
        grouped.setdefault(table.model, []).append(table)
    return list(grouped.items())


def _notice(sentence: str) -> Notice:
    capitals = mark(sentence)
    return Notice(capitals, sentence[len(capitals) :], bool(capitals))


def _table_note(fleet: Fleet, say: Language) -> str:
    note = say("fleet.table_note")
    if fleet.prices:
        note += " " + say("fleet.table_note_money", currency=fleet.currency, prices=names.prices(fleet, say))
    return note


def _overview(table: Table, fleet: Fleet, watt: bool, say: Language) -> Row:
    row: list[str | Field] = [names.model(table.model), table.precision, names.cell(table, say)]
    if table.speed is None:
        row += [say("fleet.nobody"), ""]
    else:
        row += [
            _first(table.speed, table, say, names.alike(table.speed, table, say)),
            names.amount(table.speed.value, say),
        ]
    bests = [*([table.watt] if watt else []), *([table.money] if fleet.prices else [])]
    return [*row, *("" if best is None else _first(best, table, say, names.amount(best.value, say)) for best in bests)]


def _first(best: Best, table: Table, say: Language, small: str) -> Field:
    """Who is first, and in a word whether it is for sure."""
    kind = _sure(best)
    word = say("fleet.sure") if kind == "first" else say(f"fleet.standing.{kind}")
    return Field(names.who(best.first, table.precision, say), small, word if best.others else "", kind)


def _sure(best: Best) -> str:
    """Whether what is first is so for sure: first, among those that are not told apart, few where that can't be told."""
    return "few" if best.open else "among" if best.alike else "first"


def _cell(table: Table, fleet: Fleet, lines: int, watt: bool, say: Language) -> Cell:
    return Cell(
        name=f"{names.model(table.precision)}, {names.cell(table, say)}",
        sentences=names.sentences(table, fleet.currency, say) or [say("fleet.nobody")],
        rows=[_entry(entry, table, watt, bool(fleet.prices), say) for entry in table.entries[:lines]],
        cut=max(0, len(table.entries) - lines),
        own=[names.own(own, table, say) for own in table.own],
    )


def _entry(entry: Entry, table: Table, watt: bool, money: bool, say: Language) -> Row:
    struck, first = bool(entry.refused), table.speed.first if table.speed else ("", "", "")
    kind = entry.speed.word if entry.speed else "void"
    alone = kind == "first" and table.speed is not None and not table.speed.others
    if kind == "first" and table.speed is not None:
        kind = _sure(table.speed)
    counts = (
        f"{say.number(entry.machines)} / {say.number(entry.cards) if entry.cards else '-'} / {say.number(entry.runs)}"
    )
    row: list[str | Field] = [
        Field(names.who(entry.name, table.precision, say), names.place(entry, say)),
        "" if alone else Field("", names.against(entry, first, say), names.rank(entry, say), kind),
        Field(names.amount(entry.throughput, say), names.span(entry, say), struck=struck)
        if entry.spread is not None or struck
        else names.amount(entry.throughput, say),
        say.percent(entry.spread) if entry.spread is not None else "",
        counts,
        Field(say.number(entry.latency), struck=True) if struck else say.number(entry.latency),
    ]
    others = [*([(entry.watt, table.watt)] if watt else []), *([(entry.money, table.money)] if money else [])]
    return [*row, *(_other(standing, best, say) for standing, best in others)]


def _other(standing: Standing | None, best: Best | None, say: Language) -> str | Field:
    """A figure by another measure than speed, with a word where it is the best, or may be."""
    if standing is None or best is None:
        return ""
    value = names.amount(standing.value, say)
    if not best.others or standing.word not in ("first", "among"):
        return value
    sure = standing.word == "first" and _sure(best) == "first"
    word = say("fleet.best") if sure else names.standing(standing, say)
    return Field(value, word)


def _run(line: Line, say: Language) -> Row:
    ratio, span = names.speedup(line, say)
    status = line.status if line.status in ("back", "missing") else "void"
    return [
        names.model(line.model),
        line.kind,
        line.precision,
        say.number(line.repeat),
        names.machine(line, say),
        names.status(line.status, say)
        if status == "back"
        else Field("", badge=names.status(line.status, say), kind=status),
        names.headline(line, say) if line.word else Field(names.reason(line, say), wide=True) if line.reason else "",
        Field(ratio, span) if span else ratio,
        f"{line.fails} / {line.warns}" if line.status == BACK else "",
        say.number(line.attempts) if line.attempts else "",
    ]


def _choices(listed: Sequence[Line], say: Language) -> list[Choice]:
    """Kinds, models and what became of runs, each value once."""
    return [
        Choice(say("fleet.kind"), 1, sorted({line.kind for line in listed})),
        Choice(say("fleet.model"), 0, sorted({names.model(line.model) for line in listed})),
        Choice(say("fleet.status"), 5, sorted({names.status(line.status, say) for line in listed})),
    ]
