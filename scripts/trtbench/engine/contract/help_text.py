"""What a tool's --help says it accepts: flags, choices and shown defaults, from argparse's text and from click's."""

from __future__ import annotations

import dataclasses
import re

_FLAG = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*")


@dataclasses.dataclass
class HelpFlag:
    """One flag as the help shows it; None where the help shows nothing."""

    choices: list[str] | None = None
    default: str | None = None


def flags_in(text: str) -> dict[str, HelpFlag]:
    """Flags that the help defines. A flag that another one's description only mentions does not count.

    argparse lists every flag in the usage (up to the first empty line), and both parsers begin a flag's paragraph with
    the flag, indented; lines of description are indented deeper or begin otherwise.
    """
    flags: dict[str, HelpFlag] = {}
    usage = re.search(r"(?im)^usage:.*?(?:\n\s*\n|\Z)", text, re.DOTALL)
    for flag in _FLAG.findall(usage.group() if usage else ""):
        flags.setdefault(flag, HelpFlag())
    heads = list(re.finditer(r"(?m)^ {2,6}(?=-)(.*)$", text))
    for head, following in zip(heads, [*heads[1:], None]):
        names = _names(head.group(1))
        paragraph = text[head.start() : following.start() if following else len(text)]
        choices = re.search(r"\{([^{}]*)\}|\[([\w.-]+(?:\|[\w.-]+)+)\]", head.group(1))
        default = re.search(r"[(\[]default: ([^)\]]*)[)\]]", paragraph)
        for name in names:
            shown = flags.setdefault(name, HelpFlag())
            if choices:
                listed = choices.group(1).split(",") if choices.group(1) else choices.group(2).split("|")
                shown.choices = list(dict.fromkeys(part.strip() for part in listed))
            if default:
                shown.default = " ".join(default.group(1).split())
    return flags


def _names(head: str) -> list[str]:
    """The flags at the head of a paragraph: `-s X, --long X  text` and `--long, -s TEXT  text`."""
    names = []
    for part in re.split(r" {2,}", head)[0].split(", "):
        word = part.split(" ")[0].split("=")[0]
        if not word.startswith("-"):
            continue  # a choice inside braces
        if word.startswith("--"):
            names.append(word)
    return names
