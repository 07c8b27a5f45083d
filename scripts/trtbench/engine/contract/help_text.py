"""What a tool's --help says it accepts: flags, choices and shown defaults, from argparse's text and from click's."""

from __future__ import annotations

import dataclasses
import re

_FLAG = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*")


@dataclasses.dataclass
class Said:
    """One flag as the help shows it; None where the help shows nothing."""

    choices: list[str] | None = None
    default: str | None = None


def flags_in(text: str) -> dict[str, Said]:
    """Flags that the help defines. A flag that another one's description only mentions does not count.

    argparse lists every flag in the usage (up to the first empty line), and both parsers begin a flag's paragraph with
    the flag, indented; lines of description are indented deeper or begin otherwise.
    """
    found: dict[str, Said] = {}
    usage = re.search(r"(?im)^usage:.*?(?:\n\s*\n|\Z)", text, re.DOTALL)
    for flag in _FLAG.findall(usage.group() if usage else ""):
        found.setdefault(flag, Said())
    heads = list(re.finditer(r"(?m)^ {2,6}(?=-)(.*)$", text))
    for head, after in zip(heads, [*heads[1:], None]):
        names = _names(head.group(1))
        paragraph = text[head.start() : after.start() if after else len(text)]
        choices = re.search(r"\{([^{}]*)\}|\[([\w.-]+(?:\|[\w.-]+)+)\]", head.group(1))
        default = re.search(r"[(\[]default: ([^)\]]*)[)\]]", paragraph)
        for name in names:
            said = found.setdefault(name, Said())
            if choices:
                listed = choices.group(1).split(",") if choices.group(1) else choices.group(2).split("|")
                said.choices = list(dict.fromkeys(part.strip() for part in listed))
            if default:
                said.default = " ".join(default.group(1).split())
    return found


def _names(head: str) -> list[str]:
    """The flags at the head of a paragraph: `-s X, --long X  text` and `--long, -s TEXT  text`."""
    names = []
    for part in re.split(r" {2,}", head)[0].split(", "):
        first = part.split(" ")[0].split("=")[0]
        if not first.startswith("-"):
            continue  # a choice inside braces
        if first.startswith("--"):
            names.append(first)
    return names
