"""Runs of a fleet put together: means of machines, who is first and who cannot be told from it, what is not ranked."""

from __future__ import annotations

import math
import random
import re
import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fleets
from trtbench.figures.speedup import MIN_EFFECT, interval
from trtbench.fleet import csv_table, markdown, text
from trtbench.fleet.merging import merge
from trtbench.fleet.ran import Ran
from trtbench.fleet.ranking import ranked
from trtbench.fleet.result import Entry, Fleet, Table
from trtbench.records.files import encode
from trtbench.report.language import LANGUAGES

LATENCIES = st.lists(st.floats(1, 1e5), min_size=1, max_size=6)
KINDS = ("h200", "h100")


def table(runs: list[Ran], **more: object) -> Table:
    """The one table that these runs make."""
    (only,) = merge(fleets.plan(**more), runs).tables  # type: ignore[arg-type]
    return only


def by_kind(of: Table) -> dict[str, Entry]:
    return {entry.kind: entry for entry in of.entries}


def near(middle: float, n: int, seed: int, spread: float = 0.02) -> list[float]:
    draw = random.Random(seed)
    return [middle * math.exp(draw.gauss(0, spread)) for _ in range(n)]


# Means, and the order of runs


@given(st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_the_order_of_runs_does_not_matter(draw: random.Random) -> None:
    plan, runs = fleets.large(models=2, kinds=2, on=3, repeats=2, cells=2)
    other = runs[:]
    draw.shuffle(other)
    assert encode(merge(plan, other)) == encode(merge(plan, runs))


@given(LATENCIES, LATENCIES)
@settings(deadline=None)
def test_figures_are_geometric_means_over_machines(ours: list[float], theirs: list[float]) -> None:
    entries = by_kind(table(fleets.machines(ours, "h200") + fleets.machines(theirs, "h100")))
    for kind, latencies in (("h200", ours), ("h100", theirs)):
        entry = entries[kind]
        assert entry.latency == pytest.approx(math.exp(sum(map(math.log, latencies)) / len(latencies)))
        assert entry.throughput == pytest.approx(200e3 / entry.latency)
        assert (entry.low, entry.high) == (pytest.approx(200e3 / max(latencies)), pytest.approx(200e3 / min(latencies)))
        assert (entry.machines, entry.cards, entry.runs) == (len(latencies),) * 3
        if len(latencies) > 1:
            assert entry.spread == pytest.approx(max(latencies) / min(latencies) - 1)
        else:
            assert entry.spread is None


def test_runs_of_one_machine_are_one_figure_of_it() -> None:
    """A hundred runs on a slow machine weigh as much as one on a fast one."""
    slow = [fleets.ran([fleets.measured(400.0)], machine="slow", repeat=i) for i in range(1, 101)]
    (entry,) = table([*slow, fleets.ran([fleets.measured(100.0)], machine="fast", repeat=101)]).entries
    assert entry.latency == pytest.approx(200.0)
    assert (entry.machines, entry.runs) == (2, 101)


def test_cards_of_one_machine_are_listed_and_are_one_machine() -> None:
    runs = fleets.cards([[100.0, 101.0, 102.0, 103.0]]) + fleets.machines([300.0, 301.0, 302.0], "h100")
    of = table(runs)
    entry = by_kind(of)["h200"]
    assert (entry.machines, entry.cards, len(entry.units)) == (1, 4, 4)
    assert entry.spread == pytest.approx(0.03)
    assert of.speed and (of.speed.fewest, [name[0] for name in of.speed.open]) == (1, ["h100"])
    assert "from 1 machine on a side there is no verdict" in markdown.render(merge(fleets.plan(), runs), "en")


def test_a_machine_weighs_the_same_however_many_of_its_cards_ran() -> None:
    """By every measure, and what a line shows is what it is ranked by."""
    of = table(fleets.cards([[400.0] * 8, [100.0]], "h200") + fleets.machines([250.0, 250.0], "h100"))
    entry = by_kind(of)["h200"]
    assert entry.latency == pytest.approx(200.0) and entry.throughput == pytest.approx(1000.0)
    assert (entry.low, entry.high) == (pytest.approx(500.0), pytest.approx(2000.0))
    assert of.speed and of.speed.first[0] == "h200" and of.speed.value == pytest.approx(entry.throughput)
    assert entry.watt and entry.watt.value == pytest.approx(1 / 0.2)
    assert entry.money and entry.money.value == pytest.approx(1000 * 3600 / 2)


@pytest.mark.parametrize("on", [2, 3, 4])
def test_kinds_truly_alike_are_seldom_told_apart_by_the_cards_of_few_machines(on: int) -> None:
    """Eight cards a machine, machines 5 % apart and cards of one 1 %. From two machines nobody is told apart; from more, were 5 %
    wrong, more than 12 % in 200 draws would come once in ten thousand times."""
    behind = 0
    for seed in range(200):
        draw = random.Random(seed)
        runs = []
        for kind in KINDS:
            middles = [100 * math.exp(draw.gauss(0, 0.05)) for _ in range(on)]
            runs += fleets.cards([near(ms, 8, draw.randrange(2**32), 0.01) for ms in middles], kind)
        words = [entry.speed.word for entry in table(runs).entries if entry.speed]
        assert words[0] == "first" and (words[1] == "few") == (on < 3)
        behind += words[1] == "behind"
    assert behind < 0.12 * 200
    assert (behind > 0) == (on > 2)


def test_the_cards_of_a_whole_machine_are_counted() -> None:
    runs = [fleets.ran([fleets.measured(100.0)], machine=f"m{i}", repeat=i, cards=8) for i in (1, 2)]
    (entry,) = table(runs).entries
    assert (entry.machines, entry.cards, len(entry.units)) == (2, 16, 2)


def test_watts_and_money() -> None:
    """h100 costs 3 an hour, h200 2; the slower takes less energy."""
    ours = [fleets.ran([fleets.measured(100.0, energy=0.5)], "h200")]
    theirs = [fleets.ran([fleets.measured(125.0, energy=0.25)], "h100")]
    of = table(ours + theirs)
    entries = by_kind(of)
    assert [e.watt.value for e in entries.values() if e.watt] == [pytest.approx(2.0), pytest.approx(4.0)]
    assert entries["h200"].money is not None and entries["h100"].money is not None
    assert entries["h200"].money.value == pytest.approx(2000 * 3600 / 2)
    assert entries["h100"].money.value == pytest.approx(1600 * 3600 / 3)
    assert of.speed and of.watt and of.money
    assert (of.speed.first[0], of.watt.first[0], of.money.first[0]) == ("h200", "h100", "h200")


def test_without_energy_or_a_price_nothing_is_said_of_them() -> None:
    plan = fleets.plan()
    free = msgspec.structs.replace(
        plan, kinds={n: msgspec.structs.replace(k, price=None) for n, k in plan.kinds.items()}, currency=""
    )
    fleet = merge(free, [fleets.ran([fleets.measured(100.0, energy=None)])])
    (of,) = fleet.tables
    assert (of.watt, of.money, of.entries[0].watt, of.entries[0].money) == (None, None, None, None)
    for said in (markdown.render(fleet, "en"), text.render(fleet, "en")):
        assert "per watt" not in said.replace("Per watt: of all cards", "") and "Tokens per" not in said


# Who is first


@pytest.mark.parametrize(("ours", "theirs"), [(1, 1), (2, 9), (9, 2), (1, 9)])
def test_too_few_machines_give_no_verdict(ours: int, theirs: int) -> None:
    """However far apart."""
    of = table(fleets.machines([100.0] * ours, "h200") + fleets.machines([900.0] * theirs, "h100"))
    other = by_kind(of)["h100"].speed
    assert of.speed and other
    assert (other.word, of.speed.alike, [name[0] for name in of.speed.open]) == ("few", [], ["h100"])
    assert other.ratio is not None and other.ratio.low is None


def test_one_machine_each_is_said_in_words() -> None:
    fleet = merge(fleets.plan(), fleets.machines([100.0], "h200") + fleets.machines([900.0], "h100"))
    said = " ".join(text.render(fleet, "en").split())
    assert "from one machine each there is no verdict" in said
    assert (
        "machines of one kind of card differ, so this difference between machines is not told apart from that" in said
    )
    more = merge(fleets.plan(), fleets.machines([100.0] * 3, "h200") + fleets.machines([900.0], "h100"))
    assert "from 1 machine on a side" in " ".join(text.render(more, "en").split())


def test_many_runs_on_one_machine_each_are_still_one_machine_each() -> None:
    runs = [
        fleets.ran([fleets.measured(ms + i)], kind, kind, repeat=i)
        for kind, ms in (("h200", 100.0), ("h100", 900.0))
        for i in range(1, 11)
    ]
    of = table(runs)
    assert of.speed and of.speed.fewest == 1 and of.speed.one_each
    assert [e.speed.word for e in of.entries if e.speed] == ["first", "few"]


def test_kinds_far_apart_are_told_apart_and_alike_ones_are_not() -> None:
    runs = [
        *fleets.machines(near(100, 6, 1), "h200"),
        *fleets.machines(near(100.5, 6, 2), "h100"),
        *fleets.machines(near(200, 6, 3), "old"),
    ]
    of = table(runs, kinds=("h200", "h100", "old"))
    assert of.speed is not None
    words = {e.kind: e.speed.word for e in of.entries if e.speed}
    assert words["old"] == "behind"
    assert sorted(words.values()) == ["among", "behind", "first"]
    assert of.speed.others == 2 and len(of.speed.alike) == 1 and not of.speed.open


@given(st.integers(0, 10_000), st.integers(3, 8))
@settings(max_examples=60, deadline=None)
def test_equal_kinds_are_never_far_apart_in_rank(seed: int, n: int) -> None:
    """The very same figures on both kinds."""
    latencies = near(100, n, seed)
    of = table(fleets.machines(latencies, "h200") + fleets.machines(latencies, "h100"))
    assert of.speed and len(of.speed.alike) == 1


@pytest.mark.parametrize("better", [0.0, 0.02])
def test_the_fastest_kind_is_seldom_called_behind_and_another_seldom_the_fastest(better: float) -> None:
    """Ten kinds of five machines each, the first of them truly the best or as good as all. In 400 draws 33 would be too many by
    chance once in a hundred times, were 5 % wrong."""
    behind = wrong = 0
    for seed in range(400):
        draw = random.Random(seed)
        samples = {
            (str(kind), "lane", "p"): [math.exp(draw.gauss(-better * (kind == 0), 0.05)) for _ in range(5)]
            for kind in range(10)
        }
        standings, best = ranked(samples, lambda name, taken: taken)
        assert best is not None
        behind += standings["0", "lane", "p"].word == "behind"
        wrong += not best.alike and best.first[0] != "0"
    assert behind <= 33 and wrong <= 33


@given(st.lists(st.floats(50, 150), min_size=3, max_size=8), st.lists(st.floats(50, 150), min_size=3, max_size=8))
@settings(deadline=None)
def test_what_decides_quickly_decides_as_the_interval_does(ours: list[float], theirs: list[float]) -> None:
    samples = {("a", "", ""): ours, ("b", "", ""): theirs}
    quick, best = ranked(samples, lambda name, taken: taken)
    whole, _ = ranked(samples, lambda name, taken: taken, ratios=True)
    assert best is not None
    (other,) = set(samples) - {best.first}
    of = interval(samples[best.first], samples[other])
    assert of.low is not None
    expected = "behind" if of.low > 1 and of.ratio >= 1 + MIN_EFFECT else "among"
    assert quick[other].word == whole[other].word == expected


def test_a_ratio_whose_limits_no_number_holds_has_none() -> None:
    samples = {("first", "", ""): [1e-6] * 3}
    samples |= {(str(i), "", ""): [1e-6, 1e12, 1e12 + i] for i in range(2000)}
    for ratios in (True, False):
        standings, best = ranked(samples, lambda name, taken: taken, ratios)
        assert best is not None and len(best.alike) == 2000
        ratio = standings["0", "", ""].ratio
        assert ratio is None if not ratios else ratio and (ratio.low, ratio.high, ratio.trials) == (None, None, 3)


# What is not ranked


@given(LATENCIES, st.sampled_from(["simulated", "refused"]))
@settings(deadline=None)
def test_what_is_refused_or_simulated_is_never_first(latencies: list[float], how: str) -> None:
    """Even where it is the fastest by far."""
    what = {"simulated": True} if how == "simulated" else {"refused": "count.new_ids"}
    lies = [fleets.ran([fleets.measured(0.001, **what)], "h100", f"liar {i}", repeat=i) for i in (1, 2, 3)]
    fleet = merge(fleets.plan(), fleets.machines(latencies, "h200") + lies)
    (of,) = fleet.tables
    for best in (of.speed, of.watt, of.money):
        assert best is not None and best.first[0] == "h200" and not best.others
    last = of.entries[-1]
    assert (last.kind, last.speed, last.watt, last.money) == ("h100", None, None, None)
    assert (fleet.simulated, fleet.refused) == ((3, 0) if how == "simulated" else (0, 3))
    for code in LANGUAGES:
        mark = {"en": ("SIMULATED", "VOID"), "fr": ("SIMULÉ", "NUL")}[code][how == "refused"]
        assert mark in markdown.render(fleet, code) and mark in text.render(fleet, code)
    assert (last.refused.upper() if how == "simulated" else "count.new_ids") in csv_table.render(fleet)


def test_a_refused_run_beside_good_ones_leaves_those_ranked() -> None:
    bad = fleets.ran([fleets.measured(1.0, refused="rate.above")], machine="bad", repeat=9)
    of = table([*fleets.machines([100.0, 101.0]), bad])
    good, refused = of.entries
    assert (good.refused, good.runs, refused.refused, refused.runs) == ("", 2, "rate.above", 1)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("model_digest", "x" * 64, "digest of the weights xxxxxxxxxxxx in place of mmmmmmmmmmmm"),
        ("workload_digest", "x" * 64, "digest of the workload"),
        ("program", "0.9", "version of this program 0.9 in place of 1.0.0"),
        ("commit", "d" * 40, "commit of this program"),
        ("settings", {"TRIALS": "9"}, "TRIALS 9 in place of 5"),
        ("settings", {}, "TRIALS auto in place of 5"),
    ],
)
def test_other_conditions_are_not_ranked_together_and_told(field: str, value: object, told: str) -> None:
    most = fleets.machines([100.0, 101.0, 102.0], "h200")
    fleet = merge(fleets.plan(), most + fleets.machines([1.0], "h100", **{field: value}))
    first, second = fleet.tables
    assert [{e.kind for e in of.entries} for of in (first, second)] == [{"h200"}, {"h100"}]
    assert (first.variant, second.variant) == (1, 2)
    (aside,) = fleet.asides
    assert (aside.runs, aside.kinds, len(aside.differs)) == (1, ["h100"], 1)
    assert told in " ".join(text.render(fleet, "en").split())
    assert "other conditions" in markdown.render(fleet, "en")
    assert {line.kind: line.variant for line in fleet.runs} == {"h200": 1, "h100": 2}


def test_models_and_precisions_of_the_plan_have_tables_of_their_own_in_its_order() -> None:
    plan = fleets.plan(models=("zeta", "alpha"), precisions=["float16", "bfloat16"])
    runs = [
        fleets.ran([fleets.measured(100.0)], model=model, precision=precision, workload_digest=precision)
        for model in ("alpha", "zeta")
        for precision in ("bfloat16", "float16")
    ]
    fleet = merge(plan, runs)
    assert [(of.model, of.precision) for of in fleet.tables] == [
        ("zeta", "float16"),
        ("zeta", "bfloat16"),
        ("alpha", "float16"),
        ("alpha", "bfloat16"),
    ]
    assert not fleet.asides


# Between machines, and on one


RATIO = re.compile(r"\d[.,]\d\dx")


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("on", [1, 5])
def test_a_ratio_of_two_kinds_is_always_called_one_between_machines(code: str, on: int) -> None:
    """Every ratio of the table of entries, and every other one names the machine that it is of."""
    plan, runs = fleets.large(models=1, kinds=3, on=on, cells=1)
    fleet = merge(plan, runs)
    (of,) = fleet.tables
    assert of.speed is not None
    between, within = {"en": ("between machines", "on the same kind"), "fr": ("entre machines", "sur le même type")}[
        code
    ]
    lines = [line for line in markdown.render(fleet, code).splitlines() if RATIO.search(line)]
    own = [line for line in lines if line.startswith("- ")]
    compared = [line for line in lines if line.startswith("| ")]
    assert len(own) + len(compared) == len(lines)
    assert len(compared) == len(of.entries) - 1 and len(own) == 3
    for line in compared:
        same = f" {of.speed.first[0]} " in line
        assert (within if same else between) in line and (between if same else within) not in line
    for line in own:
        assert re.search(rf"(?:on|over|sur) {on} machine", line)
    assert RATIO.search(text.render(fleet, code))
    assert not re.search(rf"(?:{between}).*{RATIO.pattern}", text.render(fleet, code))


def test_what_runs_say_of_their_own_machines_is_counted_by_word() -> None:
    runs = [
        fleets.ran([fleets.measured(100.0)], machine=f"m{i}", repeat=i, own=[fleets.own(ratio, word)])
        for i, (ratio, word) in enumerate([(2.0, "faster"), (1.5, "faster"), (1.0, "inconclusive"), (9.0, "void")], 1)
    ]
    (own,) = table(runs).own
    assert (own.low, own.high, own.machines, own.runs) == (1.0, 2.0, 3, 4)
    assert own.words == {"faster": 2, "inconclusive": 1, "void": 1}
    said = text.render(merge(fleets.plan(), runs), "en")
    assert "1.00x-2.00x over 3 machines" in " ".join(said.split())
    assert "faster in 2 runs, inconclusive in 1 run, VOID in 1 run" in " ".join(said.split())


def test_what_cards_of_a_machine_say_of_themselves_is_of_one_machine() -> None:
    runs = fleets.cards([[100.0] * 8] * 2, own=[fleets.own(2.0)])
    fleet = merge(fleets.plan(), runs)
    (own,) = fleet.tables[0].own
    assert (own.machines, own.runs) == (2, 16)
    assert "2.00x-2.00x over 2 machines (faster in 16 runs)" in " ".join(text.render(fleet, "en").split())


# Runs that are not back


def test_runs_that_are_not_back_are_counted_first_and_listed_with_their_reasons() -> None:
    lost = [
        fleets.not_back("failed", "The engine was not built.", 2),
        fleets.not_back("lost", "Its machine went away.", 3),
        fleets.not_back("missing", "", 4),
    ]
    fleet = merge(fleets.plan(), [*fleets.machines([100.0]), *lost])
    assert fleet.statuses == {"back": 1, "failed": 1, "lost": 1, "missing": 1}
    said = text.render(fleet, "en")
    assert said.splitlines()[3] == "1 of 4 runs is back (1 machine, 1 failed, 1 lost with its machine, 1 missing)"
    for of in (said, markdown.render(fleet, "en")):
        assert "The engine was not built" in of and "Its machine went away" in of and "INCOMPLETE" in of
    assert {line.status: line.reason for line in fleet.runs}["failed"] == "The engine was not built."


def test_an_outcome_of_a_run_that_is_not_back_counts_for_nothing() -> None:
    kept = msgspec.structs.replace(
        fleets.ran([fleets.measured(1.0)], repeat=2), status="refused", reason="Not its run."
    )
    (entry,) = table([*fleets.machines([100.0]), kept]).entries
    assert entry.runs == 1 and entry.latency == pytest.approx(100.0)


def test_nothing_at_all_is_told_too() -> None:
    fleet = merge(fleets.plan(), [fleets.not_back("missing", "")])
    assert (fleet.tables, fleet.machines) == ([], 0)
    for code in LANGUAGES:
        assert text.render(fleet, code) and markdown.render(fleet, code)


def test_machines_are_numbered_within_their_kind() -> None:
    runs = fleets.machines([1.0, 2.0], "h200") + fleets.machines([3.0], "h100")
    both = [fleets.ran([fleets.measured(5.0)], "h100", "h100 1", card=card, repeat=7) for card in ("0", "1")]
    lines = merge(fleets.plan(), runs + both).runs
    assert sorted((line.kind, line.number, line.card_number) for line in lines) == [
        ("h100", 1, 1),
        ("h100", 1, 1),
        ("h100", 1, 2),
        ("h200", 1, 0),
        ("h200", 2, 0),
    ]


# All of it


def test_it_reads_back_as_it_was_written() -> None:
    fleet = merge(*fleets.large(models=2, kinds=2, on=3, cells=1))
    assert msgspec.json.decode(encode(fleet), type=Fleet) == fleet


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_text_fits_into_80_columns(lang: str) -> None:
    said = text.render(merge(*fleets.large(models=2, kinds=3, on=4, cells=2)), lang)
    assert max(map(len, said.splitlines())) <= 80


def test_the_time_grows_no_faster_than_the_runs() -> None:
    """Five times the runs of the same tables: measured against each other, as machines differ."""

    def seconds(repeats: int) -> float:
        plan, runs = fleets.large(models=4, kinds=2, on=10, repeats=repeats, cells=1)
        began = time.process_time()
        merge(plan, runs)
        return time.process_time() - began

    seconds(1)
    few, many = min(seconds(4) for _ in range(3)), min(seconds(20) for _ in range(3))
    assert many < 10 * few
