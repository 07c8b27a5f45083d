"""fairness, of the cards that the model is split over: as many as were asked for, in every lane, and all of them used (law 2).

A card more raises a lane's ceiling (referee/record_roofline.py), whether it does anything or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from trtbench.figures.base import Key
from trtbench.records.telemetry import Card, Gpu
from trtbench.records.trial import Trial
from trtbench.referee.audit.context import Context, numbers
from trtbench.referee.audit.findings import Finding, found
from trtbench.referee.record_roofline import on_gpu

IDLE = 0.25  # of what a trial took of the card that it loaded most: the parts of a model that is split are nearly alike


def check(context: Context) -> Iterator[Finding]:
    setting = context.run.settings.get("TP_SIZE")
    asked = setting if isinstance(setting, int) else 1  # a run of before has none
    for key, members in context.groups.items():
        yield from _differing("fairness.cards", key, members, asked, _ranks)
        on_cards = [t for t in members if t.statement is not None and on_gpu(t.statement)]
        yield from _differing("fairness.more_cards", key, on_cards, asked, lambda trial: _cards(trial, asked))
        yield from _idle(key, on_cards)


def _differing(
    code: str, key: Key, members: Sequence[Trial], asked: int, number_of: Callable[[Trial], int]
) -> Iterator[Finding]:
    differing = [(trial, number) for trial in members if (number := number_of(trial)) != asked]
    if differing:
        trials = numbers([trial for trial, _ in differing])
        yield found(code, key, found=differing[0][1], wanted=asked, trials=trials)


def _ranks(trial: Trial) -> int:
    return (trial.statement.tensor_parallel if trial.statement else None) or 1


def _cards(trial: Trial, asked: int) -> int:
    """How many cards a trial's record has; where its parts differ, the number that is not the one that was asked for."""
    environment, telemetry = trial.environment, trial.telemetry
    told = [
        _different(environment.cards or ()),
        _different((telemetry.gpus if telemetry else None) or ()),
        len(environment.gpus or ()),
    ]
    return next((number for number in told if number not in (0, asked)), asked)


def _different(cards: Sequence[Card | Gpu]) -> int:
    """One card that is there twice is one, where cards have names of their own."""
    uuids = [card.uuid for card in cards]
    return len(set(uuids)) if all(uuids) else len(uuids)


def _idle(key: Key, members: Sequence[Trial]) -> Iterator[Finding]:
    """A card that held hardly anything of a model that is said to be split over it."""
    idle = []
    for trial in members:
        gpus = (trial.telemetry.gpus if trial.telemetry else None) or []
        taken = [
            gpu.memory_peak - gpu.memory_baseline
            for gpu in gpus
            if gpu.memory_peak is not None and gpu.memory_baseline is not None
        ]
        if len(taken) == len(gpus) > 1 and min(taken) < IDLE * max(taken):
            idle.append((trial, min(taken), max(taken), taken.index(min(taken)) + 1))
    if idle:
        trial, least, most, place = idle[0]
        yield found(
            "fairness.idle_card",
            key,
            place=place,
            least=least / 1e6,
            most=most / 1e6,
            trials=numbers([trial for trial, *_ in idle]),
        )
