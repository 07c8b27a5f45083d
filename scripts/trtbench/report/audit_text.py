"""The audit as text: one line for what passed, two for each warning and failure."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from trtbench.comparison.clean_text import plain
from trtbench.figures.summary import Figures
from trtbench.referee.audit.findings import FAIL, PASS, THEMES, WARN, Finding
from trtbench.report.names import bare_label
from trtbench.report.numbers import number, percent
from trtbench.report.text_layout import WIDTH, named, ruled, wrapped
from trtbench.report.words.audit import AUDIT, HEADINGS, TERMS


class _Formatted:
    """A figure in a sentence: `{x:n}` a number, `{x:p}` a share, `{x}` as it is (terms in the language)."""

    def __init__(self, value: Any, lang: str) -> None:
        self.value, self.lang = value, lang

    def __format__(self, kind: str) -> str:
        if kind == "p":
            return percent(float(self.value), self.lang)
        if kind == "n":
            if isinstance(self.value, int):
                return number(self.value, self.lang, 0)
            return number(self.value, self.lang)
        return TERMS[self.lang].get(str(self.value), plain(str(self.value)))


def sentence(finding: Finding, lang: str) -> str:
    """What was found, with its figures."""
    return AUDIT[lang][finding.code][0].format(**{k: _Formatted(v, lang) for k, v in finding.figures.items()})


def advice(finding: Finding, lang: str) -> str:
    """What to do about it."""
    return AUDIT[lang][finding.code][1].format(**{k: _Formatted(v, lang) for k, v in finding.figures.items()})


def reason(findings: Sequence[Finding], code: str, lane: tuple[str, str], base: tuple[str, str], lang: str) -> str:
    """The sentence of the finding that voids a comparison; the bare code when it is not among the findings."""
    for finding in findings:
        if finding.code == code and finding.level == FAIL and (finding.touches(*lane) or finding.touches(*base)):
            return f"{code}: {sentence(finding, lang)}"
    return code


def block(findings: Sequence[Finding], lang: str, several: bool) -> list[str]:
    """The lines of the audit, at most 80 columns; `several`: the run has several precisions, so lanes name theirs."""
    say = HEADINGS[lang]
    lines = ["", ruled(say["title"])]
    if not findings:
        return [*lines, say["not_audited"]]
    for level in (FAIL, WARN):
        for group in merged([f for f in findings if f.level == level]):
            lines += _entry(group, lang, several)
    passed = passes(findings, several)
    if passed:
        lines += wrapped(f"{say['passed']}: {', '.join(passed)}")
    return lines


def evidence(figures: Sequence[Figures], names: Sequence[str], lang: str) -> list[str]:
    """How far each lane is from its ceiling; nothing where that is not known."""
    if all(f.ceiling_tok_s is None for f in figures):
        return []
    say = HEADINGS[lang]
    basis = next((f.ceiling_basis for f in figures if f.ceiling_basis), None) or "unknown"
    head = f"{say['evidence']} ({say['evidence_note'].format(basis=say[basis])})"
    columns = (say["ceiling"], "MBU", "MFU")
    widths = (11, 9, 8)
    lines = ["", *wrapped(head)]
    lines.append(" " * 22 + "".join(f"{column:>{width}}" for column, width in zip(columns, widths)))
    for f, name in zip(figures, names):
        ceiling = number(f.ceiling_tok_s, lang) if f.ceiling_tok_s is not None else "-"
        texts = (ceiling, *(percent(share, lang) if share is not None else "-" for share in (f.mbu, f.mfu)))
        lines += named(name, 20, "".join(f"{text:>{width}}" for text, width in zip(texts, widths)))
    return lines


def merged(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Findings of one code and lane together, and with them those of other lanes that say the very same."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        lane = f"{finding.lane} {finding.precision}"
        alike = sentence(finding, "en") if finding.cell is None else lane
        groups.setdefault((finding.code, alike), []).append(finding)
    return list(groups.values())


def _entry(group: Sequence[Finding], lang: str, several: bool) -> list[str]:
    say = HEADINGS[lang]
    first = group[0]
    who = ", ".join(dict.fromkeys(lane_name(f, lang, several) for f in group))
    cells = cells_of(group, lang)
    where = f" ({cells})" if cells else ""
    text = f"{say[first.level]} {first.code} - {who}{where}: {sentence(first, lang)}"
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False) + textwrap.wrap(
        f"> {advice(first, lang)}", WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
    )


def cells_of(group: Sequence[Finding], lang: str) -> str:
    """The first cell of the findings and how many more there are; nothing where they concern no cell."""
    say = HEADINGS[lang]
    cells = list(dict.fromkeys(f.cell for f in group if f.cell is not None))
    if not cells:
        return ""
    batch, prompt, new = cells[0]
    first = say["cell"].format(batch=batch, prompt=prompt, new=new)
    if len(cells) == 1:
        return first
    return f"{first}, {say['more_one' if len(cells) == 2 else 'more'].format(n=len(cells) - 1)}"


def lane_name(finding: Finding, lang: str, several: bool) -> str:
    """The lane for people, or that all are meant."""
    if finding.lane is None:
        return HEADINGS[lang]["everywhere"]
    name = bare_label(finding.lane)
    return f"{name} {finding.precision}" if several else name


def passes(findings: Sequence[Finding], several: bool) -> list[str]:
    """Themes that passed: bare where every lane did, else with the lanes that did."""
    lanes = {(f.lane, f.precision) for f in findings if f.lane is not None}
    themes = []
    for theme in THEMES:
        passed = [f for f in findings if f.code == theme and f.level == PASS]
        if not passed:
            continue
        every_lane = theme == "aa" or {(f.lane, f.precision) for f in passed} == lanes
        themes.append(theme if every_lane else f"{theme} ({', '.join(lane_name(f, 'en', several) for f in passed)})")
    return themes
