"""Tables with a header, one column of which holds prompts: commas, semicolons or tabs between the cells."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import re
from collections.abc import Iterator

from trtbench.errors import counted
from trtbench.model.prompt_records import BESIDE, IDS, MESSAGES, SUCH, TEXTS, Malformed

DELIMITERS = ",;\t"
NAME = re.compile(r"[^\W\d][\w .()/-]{0,39}")  # of a column
KNOWN = {*TEXTS, *MESSAGES}
READ = KNOWN.union(*BESIDE.values())
SEEN = 2**16  # letters, and …
LOOK = 4  # … rows in them that tell whether a text is a table
LONGEST = 2**24  # letters of a cell


def is_table(text: str) -> bool:
    """Whether a text is a table by its content: its first line has two names or more and nothing else between delimiters, one
    of them of a column that is known; or its next rows have as many cells."""
    for delimiter in DELIMITERS:
        rows = _first_rows(text[:SEEN], delimiter, LOOK)
        header = rows[0] if rows else []
        bare = all(NAME.fullmatch(cell) for cell in header)
        known = bool(KNOWN & {*_names(header)})
        alike = len(rows) > 1 and all(len(row) == len(header) for row in rows)
        if len(header) > 1 and (bare + known + alike) > 1:
            return True
    return False


def table_records(text: str, cut: bool) -> Iterator[tuple[str, object]]:
    """The rows as objects of what the header names, each with its last line; blank ones are left out, and the last one of a text
    that is cut off. A row with other cells than the header is refused, because its text would be cut. Raises Malformed."""
    delimiter = _delimiter(text)
    rows = _table(text, delimiter)
    line, header = next(rows)
    names = _names(header)
    held: tuple[int, list[str]] | None = None  # the row before, which is whole where another follows
    try:
        for line, row in rows:
            if held is not None:
                yield _record(*held, names, delimiter)
            held = line, row
    except csv.Error as error:
        if not cut:
            raise Malformed(f", the row after line {line}: {error}.") from None
    if held is not None and not cut:
        yield _record(*held, names, delimiter)


def _record(line: int, row: list[str], names: list[str], delimiter: str) -> tuple[str, object]:
    if len(row) != len(names):
        sign = {",": "a comma", ";": "a semicolon", "\t": "a tab"}[delimiter]
        raise Malformed(
            f", line {line}: {counted(len(row), 'cell')} in a row where the header has {len(names)}; text with {sign} or a line's "
            "end in it stands in double quotes."
        )
    return f"line {line}", {name: cell for name, cell in zip(names, row) if name in READ}


def _table(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows with their last lines, blank ones left out. Raises csv.Error."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        usual = csv.field_size_limit(LONGEST)
        try:
            row = next(reader, None)
        finally:
            csv.field_size_limit(usual)
        if row is None:
            return
        if any(cell.strip() for cell in row):
            yield reader.line_num, row


def _first_rows(text: str, delimiter: str, number: int) -> list[list[str]]:
    """The first rows, or fewer where one of them is none."""
    rows: list[list[str]] = []
    with contextlib.suppress(csv.Error):
        for _, row in itertools.islice(_table(text, delimiter), number):
            rows.append(row)
    return rows


def _names(row: list[str]) -> list[str]:
    return [cell.strip().lower() for cell in row]


def _delimiter(text: str) -> str:
    """What stands between the columns where one of them is known to hold prompts."""
    headers = {delimiter: (_first_rows(text, delimiter, 1) or [[]])[0] for delimiter in DELIMITERS}
    known = [delimiter for delimiter in DELIMITERS if KNOWN & {*_names(headers[delimiter])}]
    if known:
        return max(known, key=lambda each: len(headers[each]))
    header = max(headers.values(), key=len)
    names = ", ".join(cell.strip()[:40] for cell in header[:8])
    ids = "; token ids do not say by which tokenizer they were made" if {*IDS} & {*_names(header)} else ""
    raise Malformed(f", line 1: a table wants a header with a column such as {SUCH}; it has {names or 'none'}{ids}.")
