"""Tables with a header, one column of which holds prompts: commas, semicolons, tabs or bars between the cells."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import re
from collections.abc import Iterator

from trtbench.errors import counted
from trtbench.model.prompt_records import BESIDE, IDS, MESSAGES, SUCH, TEXTS, Malformed

DELIMITERS = ",;\t|"
SIGNS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
NAME = re.compile(r"[^\W\d][\w .()/-]{0,39}")  # of a column
WORD = re.compile(r"[^\W\d]\w*")  # a name as programs write it
KNOWN = {*TEXTS, *MESSAGES}
READ = KNOWN.union(*BESIDE.values())
SEEN = 2**16  # letters, and …
LOOK = 4  # … rows in them that tell whether a text is a table
LONGEST = 2**24  # letters of a cell


def is_table(text: str) -> bool:
    """Whether a text is a table by its content: its first line has cells with no blank around their delimiters, as no prose has,
    and two of these hold: nothing but names in it, one of a column that is known, as many cells in the next rows."""
    for delimiter in DELIMITERS:
        rows = _first_rows(text[:SEEN], delimiter, LOOK)
        header = rows[0] if rows else []
        bare = all(NAME.fullmatch(cell) for cell in header)
        known = bool(KNOWN & {*_names(header)})
        if len(header) > 1 and _tight(header) and (bare + known + _alike(rows)) > 1:
            return True
    return False


def is_name_alone(text: str) -> bool:
    """Whether a text has the name of a column that is known as its first line, and text right below it."""
    first, _, rest = text.strip().partition("\n")
    return first.strip().strip('"').lower() in KNOWN and bool(rest.partition("\n")[0].strip())


def unclear_table(text: str) -> str | None:
    """Why a text that is no table by `is_table` may well be one, and is no prose either; None for prose."""
    for delimiter in DELIMITERS:
        rows = _first_rows(text[:SEEN], delimiter, LOOK)
        if len(rows) < 2 or len(rows[0]) < 2:
            continue
        names = [cell.strip().strip('"') for cell in rows[0]]
        plain = all(WORD.fullmatch(name) for name in names) and not KNOWN.isdisjoint(_names(names))
        # `Question, answer` begins a sentence; `question, answer` seldom does.
        if plain and (delimiter == "|" or _numbered(rows[1:]) or all(name.islower() for name in names)):
            return "looks like a table with blanks around its delimiters; leave them out, or name the file .csv"
        # 1,000 and 1,5 are numbers and no cells.
        if (
            _alike(rows)
            and all(map(_tight, rows))
            and _numbered(rows)
            and not any(row[1][:1].isdigit() for row in rows)
        ):
            return f"looks like a table without a header; begin with one that has a column such as {SUCH}"
    return None


def _tight(row: list[str]) -> bool:
    return all(cell == cell.strip() for cell in row)


def _alike(rows: list[list[str]]) -> bool:
    """Whether there are rows, and all have as many cells, two or more."""
    return len(rows) > 1 and len(rows[0]) > 1 and all(len(row) == len(rows[0]) for row in rows)


def _numbered(rows: list[list[str]]) -> bool:
    return all(row[0].strip().strip('"').isdecimal() for row in rows)


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
        raise Malformed(
            f", line {line}: {counted(len(row), 'cell')} in a row where the header has {len(names)}; text with {SIGNS[delimiter]} "
            "or a line's end in it stands in double quotes."
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
        return max(known, key=lambda each: (_tight(headers[each]), len(headers[each])))
    header = max(headers.values(), key=len)
    names = ", ".join(cell.strip()[:40] for cell in header[:8])
    ids = "; token ids do not say by which tokenizer they were made" if {*IDS} & {*_names(header)} else ""
    raise Malformed(f", line 1: a table wants a header with a column such as {SUCH}; it has {names or 'none'}{ids}.")
