"""Texts that are data of a kind that is not read, told by their content: named and refused, so that nobody measures their marks."""

from __future__ import annotations

import re

from trtbench.model.prompt_records import MESSAGES, TEXTS
from trtbench.model.prompt_tables import unclear_table

AS_LINES = 'make JSON lines of it, {"prompt": "…"} on each'
OR_TEXT = f"{AS_LINES}, or begin with a line of plain text"
HEAD = 4096  # letters that are looked at where the beginning tells
MARKUP = re.compile(r"<(?:\?xml|!doctype|html|svg|rss)\b", re.IGNORECASE)
ELEMENT = re.compile(r"<([A-Za-z][\w:.-]*)(?:\s[^<>]*)?>")
KEYS = "|".join((*TEXTS, *MESSAGES, "turns", "role", "id"))
LISTS = "prompts|questions|messages|conversations|texts|inputs|data|items"
BLOCK = r"[|>][+-]?[ ]*\n"  # YAML's mark of a text of several lines
YAML = re.compile(
    r"(?:#[^\n]*\n|---[ \t]*\n|[ \t\n])*"
    rf"(?:-[ ]+(?:{KEYS}):[ \n]|(?:{LISTS}):[ ]*\n[ ]*-[ ]|-[ ]+{BLOCK}|(?:{KEYS}):[ ]+{BLOCK})"
)
QUOTED = re.compile(r"-[ ]+(?:\"[^\n]*\"|'[^\n]*')")  # an item of a YAML list
RULE = re.compile(r"\|?[ ]*:?-+:?[ ]*(?:\|[ ]*:?-+:?[ ]*)+\|?|\|[ ]*:?-+:?[ ]*\|")  # below a Markdown table's header
SECTION = re.compile(r"\[\[?[\w.\"' -]+\]?\]")
ASSIGNED = re.compile(r"[\w.\"'-]+[ ]*=[ ]*\S.*")
OPENED = re.compile(r"(?:(?:const|let|var)[ ]+)?\w+[ ]*=[ ]*([\[{(])[ ]*(?:[\"'{\n]|\Z)")
NAMED = re.compile(rf"(?:{KEYS}|{LISTS})[ ]*=[ ]*[\"'\[{{]")
CLOSING = {"[": "]", "{": "}", "(": ")"}
NUMBERS = re.compile(r"[\d\s,;]+")


def other_data(text: str) -> str | None:
    """What a text is that is no prose, with what would be right, as a sentence goes on after `line 1, `; None for prose. Its
    line ends are LF."""
    head = text.lstrip()
    if MARKUP.match(head) or ((element := ELEMENT.match(head)) and head.rstrip().endswith(f"</{element[1]}>")):
        return f"is XML or HTML; {OR_TEXT}"
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if YAML.match(text[:HEAD]) or all(map(QUOTED.fullmatch, lines)):
        return f"is YAML; {OR_TEXT}"
    if len(lines) > 1 and "|" in lines[0] and RULE.fullmatch(lines[1]) and all("|" in line for line in lines):
        return f"is a Markdown table; save it as CSV or {OR_TEXT}"
    told = [line for line in lines if line[0] not in "#;"]  # no comments
    if _has_section(told) or (NAMED.match(told[0] if told else "") and all(map(ASSIGNED.fullmatch, told))):
        return f"is TOML or INI; {OR_TEXT}"
    if (opened := OPENED.match(head[:HEAD])) and head.rstrip().rstrip(";").endswith(CLOSING[opened[1]]):
        return f"is a list in a program or TOML; {OR_TEXT}"
    if NUMBERS.fullmatch(text) and len(re.findall(r"\d+", text[:HEAD])) > 1:
        return "holds numbers alone; token ids do not say by which tokenizer they were made: give their text"
    return unclear_table(text)


def _has_section(lines: list[str]) -> bool:
    """Whether lines, comments left out, begin with a section and an assignment in it, or have these behind assignments."""
    for line, following in zip(lines, lines[1:]):
        if SECTION.fullmatch(line):
            return bool(ASSIGNED.fullmatch(following))
        if not ASSIGNED.fullmatch(line):
            return False
    return False
