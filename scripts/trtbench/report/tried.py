"""Settings of engines that were tried before the first trial, the losers with their figures: the same sentences for every
format."""

from __future__ import annotations

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Comparison
from trtbench.figures.summary import geometric_mean
from trtbench.records.run import Tried
from trtbench.report.language import Language
from trtbench.report.names import label
from trtbench.report.recorded import told

SHOWN = 20  # the JSON document holds all
REASON = 160  # characters of a reason: one or two lines


def sentences(comparison: Comparison, say: Language) -> list[str]:
    """One for each lane and cell, and how many more there are; nothing where nothing could be chosen."""
    groups: dict[tuple[str, str, int, int, int], list[Tried]] = {}
    for line in comparison.tried:
        key = line.lane, line.precision, line.batch, line.prompt_length, line.new_tokens
        groups.setdefault(key, []).append(line)
    said = [_sentence(lines, comparison, say) for lines in list(groups.values())[:SHOWN]]
    more = len(groups) - SHOWN
    return said + ([say("tried.more", n=more)] if more > 0 else [])


def _sentence(lines: list[Tried], comparison: Comparison, say: Language) -> str:
    first = lines[0]
    place = next((i for i, line in enumerate(lines) if line.chosen), 0)
    excuse = first.failure if all(line.failure for line in lines) else None
    if excuse:
        why = say("tried.excused", reason=told(excuse, say, REASON))
    elif first.failure and place:
        why = say("tried.runs")
    else:
        why = say("tried.faster" if place else "tried.default")
    return say(
        "tried.line",
        lane=label(first.lane, first.precision, comparison),
        cell=say("cell", batch=first.batch, prompt=first.prompt_length, new=first.new_tokens),
        setting=plain(first.setting, NAME),
        values=", ".join(_value(line, excuse, say) for line in lines),
        taken=plain(lines[place].value, NAME),
        why=why,
    )


def _value(line: Tried, excuse: str | None, say: Language) -> str:
    value = plain(line.value, NAME)
    if line.failure and not excuse:
        return say("tried.failed", value=value, reason=told(line.failure, say, REASON))
    if not line.seconds or min(line.seconds) <= 0:
        return say("tried.unseen", value=value)
    ms = [seconds * 1e3 for seconds in line.seconds]
    return say("tried.value", value=value, ms=geometric_mean(ms), low=min(ms), high=max(ms), n=len(ms))
