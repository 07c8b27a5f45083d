"""The unit of a time or rate whose name says none: told by the only unit in which the two agree, else asked for.

Rate x time is the number of tokens made in one unit and a thousand times as many, or as few, in the other. Where only one of the
two fits in rows of the file, all of its times of that name are in it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from trtbench.errors import UserError, counted
from trtbench.referee.claim_formats.row import Row
from trtbench.referee.claim_rate import AGREEMENT

MS = {"ms": 1.0, "s": 1e3}  # a unit of time in ms
_WORDS = {"ms": "milliseconds", "s": "seconds"}


def settled(
    rows: Sequence[Row], latency_unit: str | None = None, throughput_unit: str | None = None
) -> tuple[list[Row], list[str]]:
    """The rows with every time in ms and every rate in output tokens/s where the unit is said, asked for or told, and sentences
    on what was taken for what. What stays open has the unit None.

    `latency_unit` (ms, s) and `throughput_unit` (tokens, requests) are what the user says of names without a unit. Raises
    UserError where they say it of a file that has none.
    """
    notes: list[str] = []
    rows = [_told(row, throughput_unit) for row in rows]
    open_rows = [row for row in rows if row.latency is not None and row.latency_unit is None]
    if latency_unit is not None and not open_rows:
        raise UserError(
            f"--latency-unit {latency_unit} is of no use: no latency of this file lacks its unit; leave it out."
        )
    unit = latency_unit
    if open_rows and unit is None:
        fits = {name: sum(_fits(row, name) for row in open_rows) for name in MS}
        certain = [name for name, number in fits.items() if number]
        if len(certain) == 1:
            unit = certain[0]
            notes.append(
                f"latency says no unit: taken as {_WORDS[unit]}, the only unit in which rate x time is the tokens made "
                f"({fits[unit]} of {counted(len(open_rows), 'row')}); --latency-unit says otherwise."
            )
    elif open_rows:
        notes.append(f"latency says no unit: taken as {_WORDS[unit or 'ms']}, as --latency-unit says.")
    settled_rows = []
    for row in rows:
        if row.latency is not None and row.latency_unit is None and unit is not None:
            row = dataclasses.replace(row, latency=row.latency * MS[unit], latency_unit="ms")
        settled_rows.append(_as_tokens(row))
    return settled_rows, notes


def _told(row: Row, throughput_unit: str | None) -> Row:
    return dataclasses.replace(row, rate_unit=throughput_unit) if row.rate_unit is None and throughput_unit else row


def _fits(row: Row, unit: str) -> bool:
    """Whether rate x time comes out right in this unit, whatever a rate without a unit counts."""
    if row.batch is None or not row.new_tokens or row.latency is None or row.throughput is None:
        return False
    product = row.throughput * row.latency * MS[unit] / 1e3
    return any(_close(product, made) for made in _made(row))


def _made(row: Row) -> Iterable[float]:
    batch, new = row.batch or 0, row.new_tokens or 0
    if row.rate_unit != "requests":
        yield batch * new
    if row.rate_unit in (None, "requests"):
        yield batch
    if row.prompt and row.rate_unit in (None, "tokens", "total"):
        yield batch * (row.prompt + new)


def _as_tokens(row: Row) -> Row:
    """Requests/s as output tokens/s, where the new tokens of a request are known."""
    if row.rate_unit != "requests" or row.throughput is None or not row.new_tokens:
        return row
    return dataclasses.replace(row, throughput=row.throughput * row.new_tokens, rate_unit="tokens")


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=AGREEMENT)
