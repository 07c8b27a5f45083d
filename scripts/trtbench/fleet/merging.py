"""All runs of a fleet to one result: a table a model, precision and cell, and what became of every run."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from trtbench import __version__
from trtbench.figures.summary import Where, geometric_mean
from trtbench.fleet import conditions, outcome, ranking
from trtbench.fleet.conditions import Group
from trtbench.fleet.plan import Plan
from trtbench.fleet.ran import Ran
from trtbench.fleet.result import BACK, SCHEMA, Entry, Fleet, Line, Name, Own, Standing, Table, Unit

SIMULATED = "simulated"
_Place = tuple[str, str, int, Where]  # model, precision, variant, cell
_Key = tuple[str, str, str, str]  # kind, lane, precision, why it is refused
_Of = tuple[str, str]  # machine and card


class _Run(NamedTuple):
    """A run that is back, with what it holds."""

    ran: Ran
    outcome: outcome.Outcome

    @property
    def unit(self) -> _Of:
        return self.ran.machine, self.ran.card


def merge(plan: Plan, runs: Sequence[Ran]) -> Fleet:
    """Put runs together. Nothing depends on their order."""
    runs = sorted(runs, key=_order)
    back = [_Run(ran, ran.outcome) for ran in runs if ran.status == BACK and ran.outcome is not None]
    variants, asides = conditions.sorted_out(
        (Group(r.wanted.model, r.wanted.precision), r.wanted.kind, o) for r, o in back
    )
    numbers = _numbers(runs)
    return Fleet(
        schema=SCHEMA,
        program=__version__,
        name=plan.name,
        currency=plan.currency,
        prices={name: kind.price for name, kind in plan.kinds.items() if kind.price is not None},
        kinds=list(plan.kinds),
        places=_places(back),
        statuses=dict(sorted(Counter(ran.status for ran in runs).items())),
        machines=len({ran.machine for ran in runs if ran.machine}),
        simulated=sum(r.outcome.simulated for r in back),
        demonstration=sum(r.outcome.demonstration for r in back),
        synthetic=sum(r.outcome.synthetic and not r.outcome.demonstration for r in back),
        refused=sum(any(m.refused for m in r.outcome.measured) for r in back),
        disturbed=sum(any(m.disturbed for m in r.outcome.measured) for r in back),
        failing=sum(r.outcome.fails > 0 for r in back),
        asides=asides,
        tables=_tables(plan, back, variants),
        runs=[_line(ran, variants, numbers) for ran in runs],
    )


def _order(ran: Ran) -> tuple[str, str, str, int, str, str]:
    """What is different between any two runs."""
    wanted = ran.wanted
    return wanted.model, wanted.precision, wanted.kind, wanted.repeat, ran.machine, ran.card


def _tables(plan: Plan, back: Iterable[_Run], variants: conditions.Variants) -> list[Table]:
    """The tables, models and precisions as the plan has them, cells from the smallest."""
    measured: dict[_Place, dict[_Key, dict[_Of, list[tuple[_Run, outcome.Measured]]]]] = {}
    own: dict[_Place, dict[Name, list[tuple[_Run, outcome.Own]]]] = {}
    for run in back:
        kind, group = run.ran.wanted.kind, Group(run.ran.wanted.model, run.ran.wanted.precision)
        variant = variants[group][conditions.of(run.outcome)]
        for m in run.outcome.measured:
            place = (*group, variant, (m.batch, m.prompt_length, m.new_tokens))
            key = (kind, m.lane, m.precision, SIMULATED if m.simulated else m.refused)
            measured.setdefault(place, {}).setdefault(key, {}).setdefault(run.unit, []).append((run, m))
        for o in run.outcome.own:
            place = (*group, variant, (o.batch, o.prompt_length, o.new_tokens))
            own.setdefault(place, {}).setdefault((kind, o.lane, o.precision), []).append((run, o))
    order = {group: i for i, group in enumerate((m, p) for m in plan.models for p in plan.precisions)}
    places = sorted(measured, key=lambda place: (order.get(place[:2], len(order)), place))
    return [_table(place, measured[place], own.get(place, {}), plan) for place in places]


def _table(
    place: _Place,
    measured: Mapping[_Key, Mapping[_Of, Sequence[tuple[_Run, outcome.Measured]]]],
    own: Mapping[Name, Sequence[tuple[_Run, outcome.Own]]],
    plan: Plan,
) -> Table:
    model, precision, variant, (batch, prompt_length, new_tokens) = place
    tokens = batch * new_tokens
    entries = {key: _entry(key, units) for key, units in measured.items()}
    counting = {entry.name: entry for key, entry in entries.items() if not key[3]}
    prices = {name: plan.kinds[name].price for name in plan.kinds}
    speed, fastest = ranking.ranked(
        {name: _by_machine(entry.units, lambda unit: unit.latency) for name, entry in counting.items()},
        lambda name, latency: tokens / latency * 1e3,
        ratios=True,
    )
    energies = {name: _by_machine(entry.units, lambda unit: unit.energy) for name, entry in counting.items()}
    watt, thriftiest = ranking.ranked(
        {name: taken for name, taken in energies.items() if taken},
        lambda name, joules: 1 / joules,
    )
    costs = {
        name: [latency * price for latency in _by_machine(entry.units, lambda unit: unit.latency)]
        for name, entry in counting.items()
        if (price := prices.get(name[0])) is not None
    }
    money, cheapest = ranking.ranked(costs, lambda name, cost: tokens / cost * 3600e3)
    lines = [
        entry if key[3] else _standing(entry, speed[entry.name], watt.get(entry.name), money.get(entry.name))
        for key, entry in entries.items()
    ]
    return Table(
        model=model,
        precision=precision,
        variant=variant,
        batch=batch,
        prompt_length=prompt_length,
        new_tokens=new_tokens,
        entries=sorted(lines, key=lambda e: (e.speed.rank if e.speed else len(lines) + 1, e.name, e.refused)),
        speed=fastest,
        watt=thriftiest,
        money=cheapest,
        own=[_own(name, members) for name, members in sorted(own.items())],
    )


def _by_machine(units: Iterable[Unit], figure: Callable[[Unit], float | None]) -> list[float]:
    """One figure a machine: cards of one share all that is particular to it, and say no more of their kind than it does."""
    taken = defaultdict(list)
    for unit in units:
        value = figure(unit)
        if value is not None:
            taken[unit.machine].append(value)
    return [geometric_mean(values) for values in taken.values()]


def _standing(entry: Entry, speed: Standing, watt: Standing | None, money: Standing | None) -> Entry:
    return msgspec.structs.replace(entry, speed=speed, watt=watt, money=money)


def _entry(key: _Key, members: Mapping[_Of, Sequence[tuple[_Run, outcome.Measured]]]) -> Entry:
    kind, lane, precision, refused = key
    units = [_unit(of, [m for _, m in pairs]) for of, pairs in sorted(members.items())]
    rates = [unit.throughput for unit in units]
    outcomes = [run.outcome for pairs in members.values() for run, _ in pairs]
    cards = sum(max(run.outcome.cards for run, _ in pairs) for pairs in members.values())
    return Entry(
        kind=kind,
        lane=lane,
        precision=precision,
        refused=refused,
        place=_most([o.place or o.cpu for o in outcomes]),
        machines=len({machine for machine, _ in members}),
        cards=cards,
        runs=len(outcomes),
        throughput=geometric_mean(_by_machine(units, lambda unit: unit.throughput)),
        low=min(rates),
        high=max(rates),
        spread=max(rates) / min(rates) - 1 if len(rates) > 1 else None,
        latency=geometric_mean(_by_machine(units, lambda unit: unit.latency)),
        disturbed=sum(m.disturbed for pairs in members.values() for _, m in pairs),
        speed=None,
        watt=None,
        money=None,
        units=units,
    )


def _unit(of: _Of, measured: Sequence[outcome.Measured]) -> Unit:
    energies = [m.energy for m in measured if m.energy is not None]
    return Unit(
        machine=of[0],
        card=of[1],
        runs=len(measured),
        latency=geometric_mean([m.latency for m in measured]),
        throughput=geometric_mean([m.throughput for m in measured]),
        energy=geometric_mean(energies) if energies else None,
    )


def _own(name: Name, members: Sequence[tuple[_Run, outcome.Own]]) -> Own:
    ratios: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run, own in members:
        if own.word != "void" and not run.outcome.simulated:
            ratios[run.ran.machine][run.ran.card].append(own.ratio)
    means = [geometric_mean([geometric_mean(of) for of in cards.values()]) for cards in ratios.values()]
    return Own(
        kind=name[0],
        lane=name[1],
        precision=name[2],
        bases=sorted({own.base for _, own in members}),
        low=min(means, default=None),
        high=max(means, default=None),
        machines=len(means),
        runs=len(members),
        words=dict(sorted(Counter("simulated" if r.outcome.simulated else o.word for r, o in members).items())),
    )


def _line(ran: Ran, variants: conditions.Variants, numbers: Mapping[tuple[str, str, str], tuple[int, int]]) -> Line:
    wanted, of = ran.wanted, ran.outcome if ran.status == BACK else None
    own = [] if of is None or of.simulated else [own for own in of.own if own.word != "void"]
    ratios = [one.ratio for one in own]
    number, card_number = numbers.get((wanted.kind, ran.machine, ran.card), (0, 0))
    return Line(
        id=wanted.id,
        kind=wanted.kind,
        model=wanted.model,
        precision=wanted.precision,
        repeat=wanted.repeat,
        status=ran.status,
        reason=ran.reason,
        machine=ran.machine,
        card=ran.card,
        number=number,
        card_number=card_number,
        attempts=ran.attempts,
        losses=ran.losses,
        variant=variants[Group(wanted.model, wanted.precision)][conditions.of(of)] if of is not None else 0,
        word=of.word if of is not None else "",
        lane=own[0].lane if own else "",
        base=own[0].base if own else "",
        cells=len(own),
        ratio=ratios[0] if len(own) == 1 else None,
        low=own[0].low if len(own) == 1 else min(ratios, default=None),
        high=own[0].high if len(own) == 1 else max(ratios, default=None),
        weak=any(one.weak for one in own),
        fails=of.fails if of is not None else 0,
        warns=of.warns if of is not None else 0,
    )


def _numbers(runs: Iterable[Ran]) -> dict[tuple[str, str, str], tuple[int, int]]:
    """Kind, machine and card → the number of the machine within its kind, and that of the card on it where several were used."""
    cards: dict[tuple[str, str], set[str]] = defaultdict(set)
    for ran in runs:
        if ran.machine:
            cards[ran.wanted.kind, ran.machine].add(ran.card)
    numbers, within = {}, Counter[str]()
    for (kind, machine), used in sorted(cards.items()):
        within[kind] += 1
        for place, card in enumerate(sorted(used), 1):
            numbers[kind, machine, card] = within[kind], place if len(used) > 1 else 0
    return numbers


def _places(back: Iterable[_Run]) -> dict[str, list[str]]:
    """What the machines of each kind say they are: one text where they are alike."""
    said: dict[str, set[str]] = defaultdict(set)
    for ran, of in back:
        said[ran.wanted.kind].add(of.place or of.cpu)
    return {kind: sorted(places) for kind, places in sorted(said.items())}


def _most(texts: Sequence[str]) -> str:
    """The text that stands there most often."""
    counts = Counter(texts)
    return min(counts, key=lambda text: (-counts[text], text))
