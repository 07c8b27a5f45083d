"""What a file is made of: JSON, JSON lines, cells between commas, semicolons or tabs, a Markdown table, or `[BENCHMARK]` lines.

What looks like data and is none of these is refused with a sentence.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trtbench.errors import UserError, counted
from trtbench.referee.claim_formats import numbers

LARGEST = 64 * 2**20  # bytes of a file that is read
TRTLLM_LINE = "[BENCHMARK]"
_KNOWN = "give JSON, JSON lines, CSV (commas, semicolons or tabs) or a Markdown table."


@dataclass(frozen=True)
class Document:
    """A file's content. `value` is what JSON holds, None of a table; `table` its rows, each by the names of its head, and
    `comma` whether commas in its cells are decimal signs (None: nothing tells)."""

    value: Any = None
    table: tuple[dict[str, str], ...] | None = None
    comma: bool | None = None


def read(file: Path) -> Document:
    """Read a file of any layout. Raises UserError with one sentence for one that can't be read or isn't understood."""
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise UserError(f"{file} has more than {LARGEST // 2**20} MiB; no table of claims does.")
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise UserError(f"{file} can't be read ({error}); {_KNOWN}") from None
    try:
        return parse(text, file.suffix.lower())
    except UserError as error:
        raise UserError(f"{file}: {error}") from None


def parse(text: str, suffix: str = "") -> Document:
    """Take text apart; `suffix` is the file's ending in small letters, and decides only where the text looks like prose."""
    start = text.lstrip()
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise UserError(f"nothing is in it; {_KNOWN}")
    marked = [line.strip() for line in lines if line.lstrip().startswith(TRTLLM_LINE)]
    if marked:
        return _table(_marked(marked))
    if start[0] in "[{" or suffix in (".json", ".jsonl", ".ndjson"):
        return Document(value=_json(text, lines))
    markdown = _markdown(lines)
    return _table(markdown) if markdown else _cells(text)


def _json(text: str, lines: list[str]) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise UserError("its JSON is nested too deeply.") from None
    except ValueError as error:
        try:
            if len(lines) > 1:
                return [json.loads(line) for line in lines]
        except (ValueError, RecursionError):
            pass
        raise UserError(f"it is not JSON ({error}); {_KNOWN}") from None


def _table(rows: list[dict[str, str]], semicolons: bool = False) -> Document:
    cells = [cell for row in rows for cell in row.values()]
    comma = numbers.decimal_comma(cells)
    if comma is None and semicolons:
        comma = True  # who separates cells by semicolons does so because commas are decimal signs
    elif comma is None and any(re.fullmatch(r"\d+\.(\d{1,2}|\d{4,})", cell.strip()) for cell in cells):
        comma = False  # points are the decimal signs
    return Document(table=tuple(rows), comma=comma)


def _marked(lines: list[str]) -> list[dict[str, str]]:
    """Rows of names and values in turn, as TensorRT-LLM's benchmarks print them."""
    rows = []
    for line in lines:
        words = line.removeprefix(TRTLLM_LINE).split()
        if len(words) % 2 or not words:
            raise UserError(f"the line {line[:60]!r} does not hold names and values in turn.")
        rows.append(dict(zip(words[::2], words[1::2])))
    return rows


def _markdown(lines: list[str]) -> list[dict[str, str]]:
    """The rows of all Markdown tables; empty where there is none."""
    rows: list[dict[str, str]] = []
    head: list[str] | None = None
    for before, line in zip(["", *lines], lines):
        if re.fullmatch(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*", line) and "|" in before:
            head = _parts(before)
            _unlike(head)
        elif head is not None and "|" in line:
            cells = _parts(line)
            if any(cells):
                rows.append(_row(head, cells, line))
        else:
            head = None
    return rows


def _parts(line: str) -> list[str]:
    parts = re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))
    return [part.strip().strip("*`").strip() for part in parts]


def _cells(text: str) -> Document:
    first, _, rest = text.lstrip("\r\n").partition("\n")
    separator = None
    if re.fullmatch(r"sep=.\s*", first, re.IGNORECASE):  # what Excel writes and reads
        separator, text = first[4], rest
    else:
        bare = re.sub(r'"[^"]*"', "", first)
        separator = max("\t;,", key=bare.count)  # the first of them where they are equal
        if separator not in bare:
            raise UserError(f"it is neither JSON nor a table; {_KNOWN}")
    try:
        rows = [
            row
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
            if any(map(str.strip, row))
        ]
    except csv.Error as error:
        raise UserError(f"it is no table of cells ({error}); {_KNOWN}") from None
    if not rows:
        raise UserError(f"nothing is in it; {_KNOWN}")
    head = [cell.strip() for cell in rows[0]]
    while head and not head[-1]:
        head.pop()
    _unlike(head)
    return _table([_row(head, row, separator.join(row)) for row in rows[1:]], semicolons=separator == ";")


def _row(head: list[str], cells: list[str], line: str) -> dict[str, str]:
    if any(cell.strip() for cell in cells[len(head) :]):
        raise UserError(
            f"the line {line.strip()[:60]!r} has {counted(len(cells), 'cell')} under {counted(len(head), 'name')}; if commas "
            "are decimal signs in it, separate cells by semicolons."
        )
    return {name: cell.strip() for name, cell in zip(head, cells) if name}


def _unlike(head: list[str]) -> None:
    twice = sorted({name for name in head if name and head.count(name) > 1})
    if twice:
        raise UserError(f"the name {twice[0][:60]!r} stands twice in its head; give each column a name of its own.")
