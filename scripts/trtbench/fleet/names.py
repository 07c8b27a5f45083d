"""What the reports of a fleet call things, and how they say who is first: the same for the page, Markdown and the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.comparison.clean_text import NAME, plain
from trtbench.fleet.result import BACK, Aside, Best, Entry, Fleet, Line, Name, Own, Standing, Table
from trtbench.report import recorded
from trtbench.report.language import NO_BREAK, RANGE, Language
from trtbench.report.names import bare_label

NAMED = 3  # of those not told apart; the rest are counted
NOTICES = 12  # sentences on runs under other conditions
FACTS = 4  # that differ, of one of these sentences
WORDS = ("faster", "slower", "equivalent", "inconclusive", "none", "void", "simulated", "mixed")


def title(fleet: Fleet, say: Language) -> str:
    """The name of the fleet."""
    return say("fleet.title", name=fleet.name)


def back(fleet: Fleet, say: Language) -> str:
    """How many of all runs are back."""
    return say("fleet.back", back=fleet.statuses.get(BACK, 0), n=len(fleet.runs))


def counted(fleet: Fleet, say: Language) -> str:
    """On how many machines runs were made, and what became of those that are not back."""
    others = []
    for word, n in fleet.statuses.items():
        key = f"fleet.count.{word}" if f"fleet.count.{word}" in say else "fleet.count.other"
        others += [say(key, n=n, word=plain(word, NAME))] if word != BACK else []
    return ", ".join([say("fleet.machines", n=fleet.machines), *others])


def status(word: str, say: Language) -> str:
    """What became of a run."""
    return say(f"fleet.status.{word}") if f"fleet.status.{word}" in say else plain(word, NAME)


def notices(fleet: Fleet, say: Language) -> list[str]:
    """What must be read before any figure; some begin with capitals."""
    missing = len(fleet.runs) - fleet.statuses.get(BACK, 0)
    told = [say("fleet.incomplete", n=missing)] if missing else []
    counts = (
        ("fleet.simulated", fleet.simulated),
        ("fleet.demonstration", fleet.demonstration),
        ("fleet.synthetic", fleet.synthetic),
        ("fleet.refused", fleet.refused),
        ("fleet.disturbed", fleet.disturbed),
    )
    told += [say(key, n=n) for key, n in counts if n]
    if len({entry.kind for table in fleet.tables for entry in table.entries}) > 1:
        told.append(say("fleet.between"))
    for kind, places in fleet.places.items():
        if len(places) > 1:
            told.append(say("fleet.unlike", kind=kind, places=", ".join(map(_shown, places))))
    told += [_aside(aside, say) for aside in fleet.asides[:NOTICES]]
    if len(fleet.asides) > NOTICES:
        told.append(say("fleet.cut_notices", n=len(fleet.asides) - NOTICES))
    return told


def _aside(aside: Aside, say: Language) -> str:
    facts = [
        say(
            "fleet.differs",
            name=say(f"fleet.what.{d.name}") if f"fleet.what.{d.name}" in say else _shown(d.name),
            here=_shown(d.here) or say("fleet.nothing"),
            there=_shown(d.there) or say("fleet.nothing"),
        )
        for d in aside.differs[:FACTS]
    ]
    cut = len(aside.differs) - FACTS
    return (
        say(
            "fleet.aside",
            n=aside.runs,
            model=_shown(aside.model),
            precision=_shown(aside.precision),
            kinds=", ".join(aside.kinds),
            differs=", ".join([*facts, *([f"… (+{cut})"] if cut > 0 else [])]),
        )
        + "."
    )


def _shown(text: str) -> str:
    return plain(text, NAME)


def model(name: str) -> str:
    """A model's name as the plan has it; of a folder the end, which tells them apart."""
    return plain(name, NAME)


def cell(table: Table, say: Language) -> str:
    """Batch, prompt and new tokens of a table; its conditions where they are not those of most runs."""
    named = say("cell", batch=table.batch, prompt=table.prompt_length, new=table.new_tokens)
    return named if table.variant == 1 else f"{named} ({say('fleet.variant', n=table.variant)})"


def who(name: Name, precision: str, say: Language) -> str:
    """A lane and its kind; with the lane's precision where that is not the one of the table."""
    kind, lane, of = name
    label = bare_label(lane) + (f" {_shown(of)}" if of != precision else "")
    return say("fleet.on", lane=label, kind=kind)


def sentences(table: Table, currency: str, say: Language) -> list[str]:
    """Who is first by speed, per watt and per unit of money, and whether for sure; those of which the same is to be said are named
    together."""
    heads: dict[tuple[str, str], list[str]] = {}
    for best, key in (
        (table.speed, "fleet.fastest"),
        (table.watt, "fleet.thriftiest"),
        (table.money, "fleet.cheapest"),
    ):
        if best is not None:
            told = who(best.first, table.precision, say), said_of(best, table, say)
            head, others = say(key, currency=currency), heads.setdefault(told, [])
            others.append(head[:1].lower() + head[1:] if others else head)
    return [say.pair(", ".join(of), say.clauses(told)) + "." for told, of in heads.items()]


def said_of(best: Best, table: Table, say: Language) -> str:
    """Whether the first of a table is the first for sure, and what it is not told from."""
    if not best.others:
        return say("fleet.alone")
    clauses = []
    apart = best.others - len(best.alike) - len(best.open)
    if apart:
        clauses.append(say("fleet.told" if apart == best.others else "fleet.told_some", n=apart))
    if best.alike:
        clauses.append(say("fleet.alike", names=_named(best.alike, table, say)))
    within = [name for name in best.open if name[0] == best.first[0]]
    between = [name for name in best.open if name[0] != best.first[0]]
    if between:
        key = "fleet.open_between_one" if best.one_each else "fleet.open_between"
        clauses.append(say(key, n=best.fewest, names=_named(between, table, say)))
    if within:
        clauses.append(say("fleet.open_within", names=_named(within, table, say)))
    return say.clauses(clauses)


def alike(best: Best, table: Table, say: Language) -> str:
    """What is not told apart from the first, by name; empty where nothing is."""
    return _named(best.alike, table, say) if best.alike else ""


def _named(names: Sequence[Name], table: Table, say: Language) -> str:
    told = [who(name, table.precision, say) for name in names[:NAMED]]
    if len(names) > NAMED:
        return say("fleet.alike_more", names=", ".join(told), n=len(names) - NAMED)
    return told[0] if len(told) == 1 else say("listed", first=", ".join(told[:-1]), last=told[-1])


def against(entry: Entry, first: Name, say: Language) -> str:
    """The ratio of an entry's time to the first's, which always says whether it is one between machines; empty without."""
    standing = entry.speed
    if standing is None or standing.ratio is None:
        return ""
    key = "fleet.ratio_between" if entry.kind != first[0] else "fleet.ratio_within"
    return say(key, ratio=say.times(standing.ratio.ratio), interval=say.in_brackets(standing.ratio))


def standing(of: Standing, say: Language) -> str:
    """Where an entry stands, in a word."""
    return say(f"fleet.standing.{of.word}")


def rank(entry: Entry, say: Language) -> str:
    """Where it stands by speed, or in capitals why it is not ranked."""
    if entry.speed is not None:
        return standing(entry.speed, say)
    if entry.refused == "simulated":
        return say("simulated").split(":")[0].strip().upper()
    return f"{say('void').upper()} ({plain(entry.refused, NAME)})"


def span(entry: Entry, say: Language) -> str:
    """From the lowest to the highest machine (or card, where each run takes some), where there are several."""
    return f"{say.number(entry.low)}{RANGE}{say.number(entry.high)}" if entry.spread is not None else ""


def own(of: Own, table: Table, say: Language) -> str:
    """What the runs of a kind say on their own machines: the ratios, and how many said which word."""
    counts = ", ".join(
        say("fleet.own_count", word=verdict(word, say), n=of.words[word])
        for word in sorted(of.words, key=lambda word: (WORDS.index(word) if word in WORDS else len(WORDS), word))
    )
    name = who((of.kind, of.lane, of.precision), table.precision, say)
    if of.low is None or of.high is None:
        return say("fleet.own_none", name=name, counts=counts)
    key = "fleet.own_says" if of.machines > 1 else "fleet.own_one"
    return say(key, name=name, low=of.low, high=of.high, n=of.machines, counts=counts)


def verdict(word: str, say: Language) -> str:
    """The word of a run's headline; what is void or simulated in capitals."""
    if word == "simulated":
        return say("simulated").split(":")[0].strip(f" {NO_BREAK}")
    text = say(word) if word in WORDS else plain(word, NAME)
    return text.upper() if word == "void" else text


def headline(line: Line, say: Language) -> str:
    """A run's own verdict, and whether little hangs on it; empty where it is not back."""
    word = verdict(line.word, say) if line.word else ""
    return say("fleet.verdict_weak", word=word, weak=say("weak")) if word and line.weak else word


def place(entry: Entry, say: Language) -> str:
    """What an entry was measured on, and in how many runs others disturbed it."""
    where = plain(entry.place, 2 * NAME)
    return say("fleet.place_disturbed", place=where, n=entry.disturbed) if entry.disturbed else where


def amount(value: float, say: Language) -> str:
    """A number for a table; a large one without digits behind the point."""
    return say.number(value, 0 if value >= 10_000 else None)


def machine(line: Line, say: Language) -> str:
    """The machine of a run by its number within its kind, with the card where its runs took several."""
    if not line.number:
        return ""
    key = "fleet.machine_card" if line.card_number else "fleet.machine_no"
    return say(key, n=line.number, card=line.card_number)


def speedup(line: Line, say: Language) -> tuple[str, str]:
    """A run's own speed-up and its interval; of several cells from which to which it goes, and over how many."""
    if line.low is None or line.high is None:
        return (say.times(line.ratio), "") if line.ratio is not None else ("", "")
    if line.ratio is None:
        return f"{say.times(line.low)}{RANGE}{say.times(line.high)}", say("fleet.over_cells", n=line.cells)
    return say.times(line.ratio), f"({say.ratio(line.low)}{RANGE}{say.ratio(line.high)})"


def reason(line: Line, say: Language) -> str:
    """Why a run is not back."""
    return recorded.told(line.reason, say)


def prices(fleet: Fleet, say: Language) -> str:
    """The prices of an hour, kind by kind."""
    return ", ".join(say("fleet.price", kind=kind, price=price) for kind, price in fleet.prices.items())


def without(line: Line, say: Language) -> str:
    """A run that is not back, and why."""
    told = say(
        "fleet.without_says",
        kind=line.kind,
        model=model(line.model),
        precision=line.precision,
        repeat=line.repeat,
        status=status(line.status, say),
    )
    return f"{told} ({reason(line, say).rstrip('.')})" if line.reason else told
