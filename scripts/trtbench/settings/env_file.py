"""The lines of a `.env` file. Standard library only and Python 3.8 syntax: the doctor reads it before anything is installed."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from trtbench.errors import UserError


@dataclasses.dataclass(frozen=True)
class Line:
    """One line that is neither empty nor a comment; `value` is None where it is not NAME=value."""

    number: int
    name: str
    value: str | None


def lines(path: Path) -> list[Line]:
    """The lines of the file with quotes and comments taken off; none where it is not there. Raises UserError where it
    cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the settings file {path} cannot be read: {error}.") from None
    return [_line(n, line.strip()) for n, line in enumerate(text.splitlines(), 1) if not re.match(r"\s*(#|$)", line)]


def _line(number: int, line: str) -> Line:
    if line.startswith("export "):
        line = line[len("export ") :]
    name, equals, value = line.partition("=")
    value = value.strip()
    quoted = re.fullmatch(r"""(["'])(.*?)\1(\s+#.*)?""", value)
    plain = quoted.group(2) if quoted else value.split(" #")[0].rstrip()
    return Line(number, name.strip(), plain if equals else None)
