"""The lines of a `.env` file, and the variables that a value may name. Standard library only and Python 3.8 syntax: the doctor
reads it before anything is installed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

from trtbench.errors import UserError, why

_VARIABLE = re.compile(
    r"""\$(?:(?P<dollar>\$)
    |(?P<plain>[A-Za-z_][A-Za-z0-9_]*)
    |\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<rule>:?[-+?])(?P<instead>(?:[^{}]|\{[^{}]*\})*))?\}
    |(?P<broken>\{))""",
    re.VERBOSE,
)


class NotExpandable(ValueError):
    """A value names a variable that is not set (`variable`), or the name is not well written (None)."""

    def __init__(self, variable: str | None) -> None:
        super().__init__(f"names the variable {variable}, which is not set" if variable else "has a ${ without its end")
        self.variable = variable


@dataclasses.dataclass(frozen=True)
class Line:
    """One line that is neither empty nor a comment; `value` is None where it is not NAME=value. Variables in it are to be
    expanded unless it is `literal`: in single quotes."""

    number: int
    name: str
    value: str | None
    literal: bool = False


def lines(path: Path) -> list[Line]:
    """The lines of the file with quotes and comments taken off; none where it is not there. Raises UserError where it
    cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"the settings file {path} cannot be read: {why(error, path)}.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"the settings file {path} cannot be read: {error}.") from None
    return [_line(n, line.strip()) for n, line in enumerate(text.splitlines(), 1) if not re.match(r"\s*(#|$)", line)]


def _line(number: int, line: str) -> Line:
    if line.startswith("export "):
        line = line[len("export ") :]
    name, equals, value = line.partition("=")
    value = value.strip()
    quoted = re.fullmatch(r"""(["'])(.*?)\1(\s+#.*)?""", value)
    plain = quoted.group(2) if quoted else value.split(" #")[0].rstrip()
    quote = quoted.group(1) if quoted else ""
    if quote == '"':
        plain = plain.replace(r"\$", "$$")
    return Line(number, name.strip(), plain if equals else None, quote == "'")


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """The text with $NAME and ${NAME} as Compose and a shell have them, also with :- (else), :+ (instead) and :? (or refuse); $$
    is one dollar sign. Raises NotExpandable for a variable that is not set."""

    def value(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        if match["broken"]:
            raise NotExpandable(None)
        name, rule = match["plain"] or match["name"], match["rule"] or ""
        found = variables.get(name)
        there = bool(found) if rule.startswith(":") else found is not None
        if rule.endswith("+"):
            return expanded(match["instead"], variables) if there else ""
        if there:
            return found or ""
        if rule.endswith("-"):
            return expanded(match["instead"], variables)
        raise NotExpandable(name)

    return _VARIABLE.sub(value, text)
