"""CSV of a fleet: one line a cell, kind and lane, plain numbers in fixed units."""

from __future__ import annotations

import csv
import io

from trtbench.fleet.result import Entry, Fleet, Standing, Table
from trtbench.report.csv_table import cell

COLUMNS = (
    *(
        "model",
        "precision",
        "batch",
        "prompt_length",
        "new_tokens",
        "conditions",
        "kind",
        "lane",
        "lane_precision",
        "place",
    ),
    *(
        "machines",
        "cards",
        "runs",
        "throughput_tok_s",
        "lowest_tok_s",
        "highest_tok_s",
        "spread",
    ),
    *("latency_ms", "tok_s_per_watt", "price_hour", "currency", "tokens_per_currency", "rank", "standing"),
    *("ratio_to_first", "ratio_low", "ratio_high", "ratio_level", "ratio_between_machines"),
    *("rank_per_watt", "standing_per_watt", "rank_per_currency", "standing_per_currency", "refused", "disturbed"),
)


def render(fleet: Fleet) -> str:
    """The whole text; a line ends as RFC 4180 has it."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, restval="")
    writer.writeheader()
    for table in fleet.tables:
        for entry in table.entries:
            values = _line(entry, table, fleet)
            writer.writerow({name: cell(value) for name, value in values.items()})
    return stream.getvalue()


def _line(entry: Entry, table: Table, fleet: Fleet) -> dict[str, object]:
    ratio = entry.speed.ratio if entry.speed else None
    between = None if ratio is None or table.speed is None else entry.kind != table.speed.first[0]
    return {
        "model": table.model,
        "precision": table.precision,
        "batch": table.batch,
        "prompt_length": table.prompt_length,
        "new_tokens": table.new_tokens,
        "conditions": table.variant,
        "kind": entry.kind,
        "lane": entry.lane,
        "lane_precision": entry.precision,
        "place": entry.place,
        "machines": entry.machines,
        "cards": entry.cards,
        "runs": entry.runs,
        "throughput_tok_s": entry.throughput,
        "lowest_tok_s": entry.low,
        "highest_tok_s": entry.high,
        "spread": entry.spread,
        "latency_ms": entry.latency,
        "tok_s_per_watt": _value(entry.watt),
        "price_hour": fleet.prices.get(entry.kind),
        "currency": fleet.currency if entry.kind in fleet.prices else None,
        "tokens_per_currency": _value(entry.money),
        **_standing(entry.speed, "rank", "standing"),
        "ratio_to_first": ratio.ratio if ratio else None,
        "ratio_low": ratio.low if ratio else None,
        "ratio_high": ratio.high if ratio else None,
        "ratio_level": ratio.level if ratio else None,
        "ratio_between_machines": between,
        **_standing(entry.watt, "rank_per_watt", "standing_per_watt"),
        **_standing(entry.money, "rank_per_currency", "standing_per_currency"),
        "refused": entry.refused.upper() if entry.refused == "simulated" else entry.refused,
        "disturbed": entry.disturbed,
    }


def _value(of: Standing | None) -> float | None:
    return of.value if of else None


def _standing(of: Standing | None, rank: str, word: str) -> dict[str, object]:
    return {rank: of.rank, word: of.word} if of else {}
