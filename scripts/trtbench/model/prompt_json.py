"""JSON as files of prompts have it: a list, one object with a list in it, JSON lines, values in a row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NoReturn

from trtbench.model.prompt_records import Malformed, Unknown, Unreadable, is_messages, prompts_of

END = r"\s*(?:\n|\Z)"  # of a line
DATA = re.compile(
    r"(?:\[\s*)*\{\s*(?:\"[^\"\n]*(?:\"\s*:|\"?" + END + r")|'[^'\n]*'\s*:|\n\s*\w+\s*:)"  # {"name":
    r"|(?:\[\s*)+(?:\"[^\"\n]*(?:\"\s*[,\]]|\"?" + END + r")|'[^'\n]*'\s*[,\]])"  # ["a",
    r"|(?:\[\s*)+-?\d[\d.eE+-]*(?:\s*,\s*(?:-?\d|\Z)|" + END + ")"  # [1, 2
    r"|[\[{]" + END
)
BLANKS = re.compile(r"[ \t\r\n]*")
HEAD = 4096  # letters of a broken text that are looked at


def is_json(text: str) -> bool:
    """Whether a text, which begins with no blank, is JSON or meant to be. `[Scene 1]`, `{note}`, `[1] A footnote` are not."""
    if text[0] in "[{":
        try:
            _, end = json.JSONDecoder().raw_decode(text)
        except RecursionError:
            return True
        except ValueError:
            if DATA.match(text[:HEAD]):
                return True
        else:
            rest = text[end : end + HEAD].partition("\n")[0].strip()
            return rest in ("", ",") or (text[0] == "{" and rest[0] == "{")
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if text[0] == '"' and all(line[0] == '"' and _decodes(line) for line in lines):
        return True
    return 2 * sum(line.startswith('{"') and line.endswith(("}", "},")) for line in lines) > len(lines)


def _decodes(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def json_records(text: str, cut: bool) -> Iterator[tuple[str, object]]:
    """The records of a text that holds JSON, each with its place. Of a text that is cut off, those that are whole. Raises
    Malformed, which names the line."""
    at = _skip(text, 0)
    if text[at : at + 1] == "[":
        items, end = _values(text, at + 1, cut, listed=True)
        if _skip(text, end) == len(text):
            if is_messages([item for _, item in items]):
                return iter([(f"line {items[0][0]}", [item for _, item in items])])
            return ((f"item {number} (line {line})", item) for number, (line, item) in enumerate(items, 1))
    values, _ = _values(text, at, cut, listed=False)
    if len(values) == 1 and isinstance(single := values[0][1], dict):
        return _in_object(values[0][0], single)
    return ((f"line {line}", value) for line, value in values)


def _skip(text: str, at: int) -> int:
    match = BLANKS.match(text, at)
    return match.end() if match else at


def _values(text: str, at: int, cut: bool, listed: bool) -> tuple[list[tuple[int, object]], int]:
    """Values from a place on, with their lines, and where they end: behind the list's bracket, or with the text."""
    values: list[tuple[int, object]] = []
    line, seen = 1, 0
    decoder = json.JSONDecoder()
    while True:
        at = _skip(text, at)
        if listed and text[at : at + 1] == "]":
            return values, at + 1
        if listed and values and at < len(text):
            if text[at] != ",":
                _refuse(line, "no comma after the item that begins there")
            at = _skip(text, at + 1)
        if at == len(text):
            if listed and not cut:
                _refuse(line, "the list that it is in does not end")
            return values, at
        line, seen = line + text.count("\n", seen, at), at
        try:
            value, at = decoder.raw_decode(text, at)
        except RecursionError:
            _refuse(line, "nested too deeply")
        except json.JSONDecodeError as error:
            if cut and (error.msg.startswith("Unterminated") or error.pos > len(text) - 10):
                return values, len(text)
            there = "" if error.lineno == line else f" on line {error.lineno}"
            quotes = "; JSON takes double quotes" if text[error.pos : error.pos + 1] == "'" else ""
            _refuse(line, f"{error.msg.removesuffix(' at').removesuffix(' starting')}{there}{quotes}")
        except ValueError:
            _refuse(line, "a number that is too long")
        values.append((line, value))


def _refuse(line: int, reason: str) -> NoReturn:
    raise Malformed(f", line {line}, is not JSON ({reason}).")


def _in_object(line: int, value: dict[str, object]) -> Iterator[tuple[str, object]]:
    """The one object of a file: a prompt itself, or around the one list of prompts in it."""
    try:
        prompts_of(value)
    except Unknown as reason:
        lists = {name: items for name, items in value.items() if isinstance(items, list) and items}
        told = {name: items for name, items in lists.items() if _understood(items[0])}
        if len(told) > 1:
            raise Malformed(
                f" holds several lists of prompts ({', '.join(sorted(told)[:8])}); keep one of them."
            ) from None
        if not told and len(lists) != 1:
            raise Malformed(f", line {line}: {reason}.") from None
        ((name, items),) = (told or lists).items()
        return ((f"item {number} of {name}", item) for number, item in enumerate(items, 1))
    except Unreadable:
        pass  # told with its place, like any other record
    return iter([(f"line {line}", value)])


def _understood(record: object) -> bool:
    try:
        prompts_of(record)
    except Unreadable:
        return False
    return True
