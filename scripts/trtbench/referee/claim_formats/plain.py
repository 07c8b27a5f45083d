"""Tables and JSON of one's own, under the names that people use: rows of cells, or objects with a time or a rate in them.

What stands above the rows of JSON (`{"config": {"batch_size": 8}, "results": […]}`) holds for each of them that doesn't say
it itself. A list without times and rates (of cards, of packages) is not the rows, wherever it stands.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from trtbench.errors import UserError
from trtbench.referee.claim_formats import names, numbers
from trtbench.referee.claim_formats.layout import Document
from trtbench.referee.claim_formats.row import Reading, Row

SHARED = ("batch", "prompt", "new_tokens", "cards", "precision")
_FIGURES = ("latency", "throughput")
_MEANS = ("mean", "avg", "average", "value")  # of a figure given as an object of statistics
_DEEPEST = 12
_NAME = 80  # characters of a row's name
Cells = Mapping[str, Any]


def read(document: Document) -> Reading:
    """The rows of a table or of JSON. Raises UserError where there are none."""
    found: list[tuple[str, Cells, Cells]]
    if document.table is not None:
        # A Markdown file may hold other tables beside; the lines of a CSV all have the same names.
        found = [("", row, {}) for row in document.table if _has_figures(row)]
    else:
        found = list(_objects(document.value, {}, "", 0))
    if not found:
        raise UserError(_none(_first(document.table if document.table is not None else document.value)))
    rows: list[Row] = []
    unread: dict[str, None] = {}
    for number, (path, own, above) in enumerate(found, 1):
        row, unknown = _row(own, above, path, number, document.comma)
        rows.append(row)
        unread |= dict.fromkeys(unknown)
    notes = []
    if unread:
        listed = ", ".join(str(name)[:40] for name in list(unread)[:12])
        notes.append(f"Not read: {listed}{f' and {len(unread) - 12} more' if len(unread) > 12 else ''}.")
    return Reading(
        "a table of one's own" if document.table is not None else "JSON of one's own", _named(rows), tuple(notes)
    )


def _none(names_there: Any) -> str:
    seen = [str(name)[:40] for name in list(names_there)[:8]] if isinstance(names_there, Mapping) else []
    there = f" (it names {', '.join(seen)})" if seen else ""
    return (
        f"No rows{there}: nothing in it is named as a time or a rate; name columns batch, new_tokens, latency_ms and tokens_per_s, "
        "or give the file of a tool that docs/methodology.md lists."
    )


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, (list, tuple)) and value else value


def _objects(value: Any, above: Cells, path: str, depth: int) -> Iterator[tuple[str, Cells, Cells]]:
    """Every object with a time or a rate in it, with the settings above it; not those that only sum up others."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for part in value:
            yield from _objects(part, above, path, depth + 1)
    if not isinstance(value, dict):
        return
    below = {key: part for key, part in value.items() if not _is_figure(key, part) and _any_figures(part, depth)}
    if below:
        settings = {**above, **_settings(value)}
        for key, part in below.items():
            yield from _objects(part, settings, str(key), depth + 1)
    elif _has_figures(value):
        beside = {key: part for key, part in value.items() if isinstance(part, dict) and not _is_figure(key, part)}
        yield path, value, {**above, **_settings(beside)}


def _settings(value: Cells) -> dict[str, Any]:
    """What an object and the objects in it without figures say of all rows; twice is refused where it differs."""
    shared: dict[str, tuple[int, Any]] = {}
    for key, part in _scalars(value, 0):
        column = names.column(key)
        if column is None or column.quantity not in SHARED or not _is_setting(column.quantity, part):
            continue
        rank, first = shared.setdefault(column.quantity, (column.rank, part))
        if (
            column.quantity == "precision" and rank != column.rank
        ):  # a quantisation beside the precision it was made from
            shared[column.quantity] = min((rank, first), (column.rank, part), key=lambda said: said[0])
        elif first is not part and first != part:
            raise UserError(
                f"above the rows {column.quantity} is said twice, {str(first)[:40]} and {str(part)[:40]}; say it in the rows."
            )
    return {quantity: part for quantity, (_, part) in shared.items()}


def _is_setting(quantity: str, part: Any) -> bool:
    """Whether a value can be what its name says: numbers for counts, so that a file's name under `tokens` is none."""
    return isinstance(part, str) == (quantity == "precision") or (isinstance(part, str) and part.strip().isdigit())


def _scalars(value: Cells, depth: int) -> Iterator[tuple[str, Any]]:
    for key, part in value.items():
        if isinstance(part, dict):
            if depth < 3 and not _any_figures(part, 0):
                yield from _scalars(part, depth + 1)
        elif not isinstance(part, list) and part is not None:
            yield str(key), part


def _any_figures(value: Any, depth: int) -> bool:
    if depth > _DEEPEST:
        return False
    if isinstance(value, list):
        return any(_any_figures(part, depth + 1) for part in value)
    return isinstance(value, dict) and (_has_figures(value) or any(_any_figures(v, depth + 1) for v in value.values()))


def _has_figures(value: Cells) -> bool:
    return any(_is_figure(key, part) for key, part in value.items())


def _is_figure(key: Any, part: Any) -> bool:
    """Whether a key names a time or a rate, and what lies there can be one: a scalar, or statistics with a mean."""
    column = names.column(str(key))
    if column is None or column.quantity not in _FIGURES or isinstance(part, list):
        return False
    return not isinstance(part, dict) or any(mean in part for mean in _MEANS)


def _row(own: Cells, above: Cells, path: str, number: int, comma: bool | None) -> tuple[Row, list[str]]:
    """One row, and the names in it that are not read."""
    best: dict[str, tuple[int, str, str | None, Any]] = {}
    unread = []
    for key, value in own.items():
        name = str(key)
        column = names.column(name)
        if isinstance(value, dict) and column is not None:
            stated = str(value.get("unit") or "")
            column = names.column(f"{name} ({stated})") if stated and column.unit is None else column
            value = next((value[mean] for mean in _MEANS if mean in value), None)
        if column is None or isinstance(value, list):
            unread.append(name)
        elif column.quantity in best and best[column.quantity][0] <= column.rank:
            if column.quantity != "name":
                unread.append(name)
        elif value is not None and (not isinstance(value, str) or value.strip().lower() not in numbers.UNSAID):
            if column.quantity in best and column.quantity != "name":
                unread.append(best[column.quantity][1])
            best[column.quantity] = (column.rank, name, column.unit, value)
    label = str(best["name"][3])[:_NAME] if "name" in best else path[:_NAME] or f"row {number}"
    where = f"Row {number} ({label}): "

    def whole(quantity: str, least: int = 1) -> int | None:
        if quantity in best:
            return numbers.count(best[quantity][3], f"{where}{best[quantity][1][:40]}", comma, least)
        return numbers.count(above.get(quantity), f"above the rows, {quantity}", comma, least)

    if "cards" in best:
        together = numbers.cards(best["cards"][3], f"{where}{best['cards'][1][:40]}", comma)
    else:
        together = numbers.cards(above.get("cards"), "above the rows, cards", comma)
    time, rate = best.get("latency"), best.get("throughput")
    latency = None if time is None else numbers.positive(time[3], f"{where}{time[1][:40]}", comma)
    unit = None if time is None else time[2]
    if latency is not None and unit is not None:
        latency, unit = latency * names.TIMES[unit], "ms"
    return Row(
        name=label,
        batch=whole("batch"),
        new_tokens=whole("new_tokens"),
        prompt=whole("prompt", 0),
        latency=latency,
        latency_unit=unit if latency is not None else "ms",
        throughput=None if rate is None else numbers.positive(rate[3], f"{where}{rate[1][:40]}", comma),
        rate_unit="tokens" if rate is None else rate[2],
        cards=together,
        precision=str(best["precision"][3] if "precision" in best else above["precision"])[:_NAME]
        if "precision" in best or "precision" in above
        else None,
    ), unread


def _named(rows: list[Row]) -> tuple[Row, ...]:
    """Rows that can be told apart: a name that several have gets the row's number."""
    times = Counter(row.name for row in rows)
    return tuple(
        dataclasses.replace(row, name=f"{row.name} (row {number})") if times[row.name] > 1 else row
        for number, row in enumerate(rows, 1)
    )
