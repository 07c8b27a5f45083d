"""The audit as text: one line for what passed, two for each warning and failure."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from trtbench.comparison.clean_text import plain
from trtbench.comparison.result import Against, Comparison
from trtbench.figures.summary import Figures
from trtbench.referee.audit.findings import FAIL, PASS, THEMES, WARN, Finding, refusing
from trtbench.report import ceiling
from trtbench.report.language import ENGLISH, Language
from trtbench.report.names import bare_label, label
from trtbench.report.recorded import told
from trtbench.report.text_layout import WIDTH, named, ruled, wrapped
from trtbench.report.words.audit import FINDINGS


def sentence(finding: Finding, say: Language) -> str:
    """What was found, with its figures."""
    return say.fill(FINDINGS[finding.code].sentence, **_figures(finding, say))


def advice(finding: Finding, say: Language) -> str:
    """What to do about it."""
    return say.fill(FINDINGS[finding.code].advice, **_figures(finding, say))


def _figures(finding: Finding, say: Language) -> dict[str, Any]:
    """The figures of a finding, those that are text made safe to show, and a reason in the language."""

    def shown(name: str, value: str) -> str:
        return told(value, say) if name == "reason" else plain(value)

    return {name: shown(name, value) if isinstance(value, str) else value for name, value in finding.figures.items()}


def reason(comparison: Comparison, a: Against, say: Language) -> str:
    """The sentence of the finding that voids this comparison, with its lane where that is none of the two; the bare code
    when it is not among the findings."""
    row = next((row for row in comparison.cells if any(other is a for other in row.against)), None)
    own, bases = (a.lane, a.precision), a.candidates or [(a.base, a.base_precision)]
    finding = refusing(comparison.findings, own, bases, row.where) if row is not None else None
    if finding is None or finding.code != a.verdict.reason:
        return a.verdict.reason
    in_sight = finding.lane is None or (finding.lane, finding.precision) in (own, (a.base, a.base_precision))
    name = label(finding.lane or "", finding.precision or "", comparison)
    return say.pair(finding.code if in_sight else f"{finding.code} ({name})", sentence(finding, say))


def block(findings: Sequence[Finding], say: Language, several: bool) -> list[str]:
    """The lines of the audit, at most 80 columns; `several`: the run has several precisions, so lanes name theirs."""
    lines = ["", ruled(say("audit.title"))]
    if not findings:
        return [*lines, say("audit.not_audited")]
    for level in (FAIL, WARN):
        for group in merged([f for f in findings if f.level == level]):
            lines += _entry(group, say, several)
    passed = passes(findings, several, say)
    if passed:
        lines += wrapped(say.pair(say("audit.passed"), ", ".join(passed)))
    return lines


def evidence(figures: Sequence[Figures], names: Sequence[str], comparison: Comparison, say: Language) -> list[str]:
    """How far each lane is from its ceiling; nothing where that is not known."""
    if all(f.ceiling_basis is None for f in figures):
        return []
    notes = [*ceiling.notes(figures, comparison, say), *ceiling.utilisation_notes(figures, comparison, say)]
    lines = ["", *wrapped(f"{say('audit.evidence')} ({' '.join(notes)})")]
    columns: list[tuple[str, int, list[float | None], Callable[[float], str]]] = [
        (say("audit.ceiling"), 11, [ceiling.most(f) for f in figures], say.number),
        (say("audit.share"), 9, [ceiling.share(f) for f in figures], say.percent),
        ("MBU", 9, [f.mbu for f in figures], say.percent),
        ("MFU", 8, [f.mfu for f in figures], say.percent),
    ]
    filled = [column for column in columns if any(value is not None for value in column[2])]
    lines += [" " * 22 + "".join(f"{head:>{width}}" for head, width, _, _ in filled)] if filled else []
    for i, (f, name) in enumerate(zip(figures, names)):
        written = [(width, value[i], write) for _, width, value, write in filled]
        texts = (f"{write(value) if value is not None else '-':>{width}}" for width, value, write in written)
        said = ceiling.words(f, say)
        if said is not None and all(value is None for _, value, _ in written):
            lines += named(name, 22, said)
            continue
        lines += named(name, 20, "".join(texts))
        lines += [f"    {said}"] if said is not None else []
    return lines


def merged(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Findings of one code and lane together, and with them those of other lanes that say the very same."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        lane = f"{finding.lane} {finding.precision}"
        alike = sentence(finding, ENGLISH) if finding.cell is None else lane
        groups.setdefault((finding.code, alike), []).append(finding)
    return list(groups.values())


def _entry(group: Sequence[Finding], say: Language, several: bool) -> list[str]:
    first = group[0]
    who = ", ".join(dict.fromkeys(lane_name(f, say, several) for f in group))
    cells = cells_of(group, say)
    where = f" ({cells})" if cells else ""
    text = say.pair(f"{say(f'audit.{first.level}')} {first.code} - {who}{where}", sentence(first, say))
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False) + textwrap.wrap(
        f"> {advice(first, say)}", WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
    )


def cells_of(group: Sequence[Finding], say: Language) -> str:
    """The first cell of the findings and how many more there are; nothing where they concern no cell."""
    cells = list(dict.fromkeys(f.cell for f in group if f.cell is not None))
    if not cells:
        return ""
    batch, prompt, new = cells[0]
    first = say("cell_short", batch=batch, prompt=prompt, new=new)
    return first if len(cells) == 1 else f"{first}, {say('audit.more', n=len(cells) - 1)}"


def lane_name(finding: Finding, say: Language, several: bool) -> str:
    """The lane for people, or that all are meant."""
    if finding.lane is None:
        return say("audit.everywhere")
    name = bare_label(finding.lane)
    return f"{name} {finding.precision}" if several else name


def passes(findings: Sequence[Finding], several: bool, say: Language) -> list[str]:
    """Themes that passed: bare where every lane did, else with the lanes that did."""
    lanes = {(f.lane, f.precision) for f in findings if f.lane is not None}
    themes = []
    for theme in THEMES:
        passed = [f for f in findings if f.code == theme and f.level == PASS]
        if not passed:
            continue
        every_lane = theme == "aa" or {(f.lane, f.precision) for f in passed} == lanes
        name = say(f"audit.theme.{theme}")
        themes.append(name if every_lane else f"{name} ({', '.join(lane_name(f, say, several) for f in passed)})")
    return themes
