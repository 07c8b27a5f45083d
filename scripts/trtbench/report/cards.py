"""How the card was during each lane's timed calls: a sentence a lane for the text, a table for the Markdown and the page."""

from __future__ import annotations

from collections.abc import Callable

from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import CardState, Comparison
from trtbench.report.language import Language
from trtbench.report.names import label

Column = tuple[str, Callable[[CardState], "str | None"]]


def sentences(comparison: Comparison, say: Language) -> list[str]:
    """One for each lane that ran on a card."""
    return [
        say.pair(label(state.lane, state.precision, comparison), ", ".join(_parts(state, say)))
        for state in comparison.cards
    ]


def table(comparison: Comparison, say: Language) -> tuple[list[str], list[list[str]]]:
    """Head and lines, with a column for each of which anything is known; no lines where no lane ran on a card."""
    columns: list[Column] = [
        ("card.sm_clock", _clock),
        ("card.sm_clock_max", lambda state: _whole(state.sm_clock_max)),
        ("card.temperature", lambda state: _whole(state.temperature)),
        ("card.power", lambda state: _watts(state.power, state.power, say)),
        ("card.power_cap", lambda state: _watts(state.power_cap_low, state.power_cap_high, say)),
        ("card.power_cap_default", lambda state: _watts(state.power_cap_default, state.power_cap_default, say)),
        ("card.held_back", lambda state: _held_back(state, say)),
    ]
    states = comparison.cards
    kept = [(key, pick) for key, pick in columns if any(pick(state) is not None for state in states)]
    lines = [
        [label(state.lane, state.precision, comparison), *(pick(state) or "-" for _, pick in kept)] for state in states
    ]
    return [say(key) for key in ("lane", *(key for key, _ in kept))], lines


def _parts(state: CardState, say: Language) -> list[str]:
    parts = []
    clock, power = _clock(state), _watts(state.power, state.power, say)
    cap = _watts(state.power_cap_low, state.power_cap_high, say)
    if clock is not None and state.sm_clock_max is not None:
        parts.append(say("card.says_clock_of", mhz=clock, most=state.sm_clock_max))
    elif clock is not None:
        parts.append(say("card.says_clock", mhz=clock))
    if state.temperature is not None:
        parts.append(say("card.says_temperature", celsius=state.temperature))
    if power is not None and cap is not None:
        parts.append(say("card.says_power_of", watts=power, cap=cap))
    elif power is not None:
        parts.append(say("card.says_power", watts=power))
    elif cap is not None:
        parts.append(say("card.says_cap", cap=cap))
    default = state.power_cap_default
    if default is not None and state.power_cap_low is not None and state.power_cap_low < 0.99 * default:
        parts.append(say("card.says_lowered", watts=say.number(default, 0)))
    if state.held_back:
        parts.append(say("card.says_held_back", reasons=_held_back(state, say)))
    return parts


def _clock(state: CardState) -> str | None:
    """The median, and from where to where where it was not the same all the time: a clock is a name, as a year is."""
    if state.sm_clock is None:
        return None
    low, high = state.sm_clock_low, state.sm_clock_high
    return f"{state.sm_clock:.0f}" + (f" ({low}-{high})" if low != high else "")


def _whole(value: int | None) -> str | None:
    return None if value is None else str(value)


def _watts(low: float | None, high: float | None, say: Language) -> str | None:
    if low is None or high is None:
        return None
    return say.number(low, 0) if round(low) == round(high) else say.span(low, high, 0)


def _held_back(state: CardState, say: Language) -> str | None:
    """What held the clocks back, in words; NVML's name where there are none for it."""
    if state.held_back is None:
        return None
    named = [say(key) if (key := f"card.reason.{reason}") in say else plain(reason, NAME) for reason in state.held_back]
    return ", ".join(named) or say("card.nothing")
