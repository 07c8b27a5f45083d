"""The lines of a `.env` file, and the variables that a value may name. Standard library only and Python 3.8 syntax: the doctor
reads it before anything is installed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

from trtbench.errors import UserError, why

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BRACED = re.compile(rf"({_NAME.pattern})(?:(:?[-+?])(.*))?", re.DOTALL)


class NotExpandable(ValueError):
    """A value that can't be expanded: why, and the same without a word of the value, which may be a secret."""

    def __init__(self, why: str, discreet: str) -> None:
        super().__init__(why)
        self.discreet = discreet


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
    """The text with $NAME and ${NAME} as Compose and a shell have them, also with :- (else), :+ (instead) and :? (or refuse), one
    within another; $$ is one dollar sign. Raises NotExpandable for a variable that is not set, and for what is none."""
    done, rest = "", text
    while "$" in rest:
        before, _, rest = rest.partition("$")
        done += before
        name = _NAME.match(rest)
        if name:
            done += _value(name[0], "", "", variables)
            rest = rest[name.end() :]
        elif rest.startswith("{"):
            end = _closing(rest)
            braced = _BRACED.fullmatch(rest, 1, end)
            if braced is None:
                wanted = "none that is understood: it takes a name, and :-, -, :+, +, :? or ? after it"
                raise NotExpandable(
                    f"has the variable ${rest[: end + 1]}, {wanted}", f"has a variable in ${{}}, {wanted}"
                )
            done += _value(braced[1], braced[2] or "", braced[3] or "", variables)
            rest = rest[end + 1 :]
        else:
            done += "$"
            rest = rest[1:] if rest.startswith("$") else rest
    return done + rest


def _closing(text: str) -> int:
    """Where the brace ends that the text begins with."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return place
    raise NotExpandable("has a ${ without its end", "has a ${ without its end")


def _value(name: str, rule: str, instead: str, variables: Mapping[str, str]) -> str:
    found = variables.get(name)
    there = bool(found) if rule.startswith(":") else found is not None
    if rule.endswith("+"):
        return expanded(instead, variables) if there else ""
    if there:
        return found or ""
    if rule.endswith("-"):
        return expanded(instead, variables)
    raise NotExpandable(f"names the variable {name}, which is not set", "names a variable that is not set")
