"""What lanes, cells and machines are called for people, also those that this program does not have."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from trtbench.comparison import cards
from trtbench.comparison.clean_text import NAME, plain
from trtbench.comparison.result import Comparison, Row
from trtbench.referee.record_roofline import on_gpu
from trtbench.report.language import Language
from trtbench.settings.lanes import LANES


def bare_label(lane: str) -> str:
    """A lane's name without its precision; what it calls itself where this program does not know it."""
    return LANES[lane].label if lane in LANES else plain(lane, NAME)


def label(lane: str, precision: str, comparison: Comparison) -> str:
    """A lane's name; with its precision where the run has several."""
    return bare_label(lane) + (f" {plain(precision, NAME)}" if several_precisions(comparison) else "")


def several_precisions(comparison: Comparison) -> bool:
    """Whether lanes of more than one precision have figures, so that lanes name theirs."""
    return len({f.precision for row in comparison.cells for f in row.figures}) > 1


def listed(lanes: Sequence[tuple[str, str]]) -> str:
    """Lanes for a program to read: their names with spaces between, `lane/precision` where the precisions differ."""
    several = len({precision for _, precision in lanes}) > 1
    return " ".join(plain(f"{lane}/{precision}" if several else lane, NAME) for lane, precision in lanes)


def cell_name(row: Row, say: Language) -> str:
    """Batch, prompt and new tokens."""
    return say("cell", batch=row.batch, prompt=row.prompt_length, new=row.new_tokens)


def moment(written: str) -> str:
    """A time of a record for people: date, minute, and UTC; as it is written where it is no such time."""
    try:
        return datetime.datetime.fromisoformat(written).astimezone(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError):
        return plain(written, NAME)


def program(comparison: Comparison, say: Language) -> str:
    """The version of this program that measured, and of that which compared, where they are not one."""
    measured, compared = (plain(v or "", NAME) for v in (comparison.environment.program, comparison.program))
    word = "program_version" if measured == compared else "program_versions" if measured else "program_unknown"
    return say(word, measured=measured, compared=compared)


def place(comparison: Comparison) -> str:
    """The cards, or the CPU where there is none."""
    return gpus(comparison) or plain(comparison.environment.cpu_model, NAME)


def gpus(comparison: Comparison) -> str:
    """The cards of the run; empty where there is none."""
    return cards.named([plain(name, NAME) for name in comparison.environment.gpus or ()])


def split(comparison: Comparison, say: Language) -> str | None:
    """That the model was split, and over how many cards or processes; nothing where no lane says so."""
    ranks = max((stated.statement.tensor_parallel or 1 for stated in comparison.statements), default=1)
    if ranks == 1:
        return None
    on_cards = any(on_gpu(stated.statement) for stated in comparison.statements)
    return say("split_cards" if on_cards else "split_processes", n=ranks)


def of_cards(key: str, comparison: Comparison) -> str:
    """The key of a sentence about the card, or about the cards where there are several."""
    return f"{key}_cards" if len(comparison.environment.gpus or ()) > 1 else key
