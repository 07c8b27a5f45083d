"""Rounds of trials: who comes when, what is run again, who leaves, and when there are enough."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Literal

from trtbench.engine import known_failures
from trtbench.errors import counted
from trtbench.figures.allocation import widener
from trtbench.figures.base import departed
from trtbench.figures.leaving import departures
from trtbench.machine import disturbance, quiet
from trtbench.measure.besides import WITHOUT
from trtbench.measure.progress import Progress
from trtbench.measure.schedule import rounds
from trtbench.measure.stopping import Stop, enough, every_trial
from trtbench.records.run import Rules, Run, Unquiet, counting
from trtbench.records.trial import Failure, Trial
from trtbench.settings.choosing import Entrant
from trtbench.settings.knobs import Settings

MOST_ROUNDS = 1000  # of a run without TRIALS

# Runs attempt n of trial i of an entrant, at a place and in a round of the run, after so many seconds of waiting.
Attempt = Callable[[Entrant, int, int, int, int, float], Trial]


class Rounds:
    """The rounds of one call of the command. `known` are the run's trials, finished by earlier calls too; `entrants` are
    those that still run, on so many `cards` (0: a CPU). Both change as it goes, and so do the run's `departures`, `unquiet`
    and `stopped`; `save` writes the run at once when one of the first two has changed, for nobody could tell them
    afterwards."""

    def __init__(
        self,
        record: Run,
        known: list[Trial],
        entrants: list[Entrant],
        settings: Settings,
        cards: int,
        budget_asked: bool,
        progress: Progress,
        attempt: Attempt,
        failed: Callable[[Entrant, Failure], None],
        save: Callable[[], None],
    ) -> None:
        assert record.rules is not None
        self.record, self.known, self.entrants, self.settings = record, known, entrants, settings
        self.rules: Rules = record.rules
        self.cards, self.budget_asked, self.progress = cards, budget_asked, progress
        self.attempt, self.failed, self.save = attempt, failed, save
        self.position = max((trial.position for trial in known), default=0)
        self.started = 0

    def run(self, resumed: bool, joined: bool, interleaved: bool = True) -> None:
        """Rounds until there are as many as asked for, the interval is narrow enough, or the time is spent. Lanes leave
        early only where all are run together (`interleaved`)."""
        began = time.monotonic()
        self.entrants[:] = [e for e in self.entrants if (e.lane, e.precision) not in departed(self.record)]
        first_round = dict.fromkeys(self.entrants, 1)
        if not resumed:
            first_round = {e: 1 + max((t.round or 0 for t in self.of(e)), default=0) for e in self.entrants}
        orders = rounds(self.entrants, self.settings.seed + (self.position if joined else 0))
        rounds_done = 0
        replayed = self.whole_rounds() if resumed else 0
        limit = self.settings.trials or MOST_ROUNDS
        while self.entrants:
            if rounds_done >= limit:
                self.record.stopped = every_trial(limit, bool(self.record.departures))
                break
            # What an earlier call did is gone through for what is missing in it; whether it is enough is asked after that.
            stopped = self.why_stop(rounds_done, began) if rounds_done >= replayed else None
            if stopped is not None:
                self.record.stopped = stopped
                break
            self.one_round(self.with_extra(next(orders), rounds_done), first_round, rounds_done)
            rounds_done += 1
            if interleaved:
                self.leave(rounds_done)
        self.progress.note(f"stopped: {self.record.stopped or 'no lane is left'}")

    def whole_rounds(self) -> int:
        """The number of the last round in which every entrant has a trial."""
        latest = max((t.round or 0 for t in self.known), default=0)
        in_latest = {(t.lane, t.precision) for t in self.known if t.round == latest}
        return latest if {(e.lane, e.precision) for e in self.entrants} <= in_latest else max(0, latest - 1)

    def with_extra(self, order: Sequence[Entrant], rounds_done: int) -> list[Entrant]:
        """The order of a round, with a second trial of the lane that it serves best, at a seeded place. Not where the number
        of trials is fixed, and not in a round after which others have been run: an extra trial belongs among those it is
        compared with."""
        number = rounds_done + 1
        if self.settings.trials or any((t.round or 0) > number for t in self.known):
            return list(order)
        before = [t for t in counting(self.known) if (t.round or 0) < number]
        lane = widener(before, self.record)
        extra = [e for e in order if (e.lane, e.precision) == lane]
        place = random.Random(self.settings.seed + rounds_done).randint(0, len(order))
        return [*order[:place], *extra, *order[place:]]

    def leave(self, finished: int) -> None:
        """Take out the lanes that can be the base in no cell, now that this round is over."""
        for departure in departures(self.known, self.record, finished):
            assert self.record.departures is not None
            self.record.departures.append(departure)
            self.entrants[:] = [
                e for e in self.entrants if (e.lane, e.precision) != (departure.lane, departure.precision)
            ]
            slowest, fastest = (choose(c.ratio for c in departure.cells) for choose in (max, min))
            times = f"{fastest:.2f}" + (f" to {slowest:.2f}" if len(departure.cells) > 1 else "")
            self.progress.note(
                f"{departure.lane} {departure.precision} leaves after {counted(finished, 'round')}: it takes {times} times as "
                "long as the best PyTorch lane and can't be the base (SLOW_LANES=keep has it stay)"
            )
            self.save()

    def one_round(self, order: Sequence[Entrant], first_round: dict[Entrant, int], rounds_done: int) -> None:
        """The trials of one round that are not there yet, and again those of an earlier call that failed or were disturbed."""
        for turn, entrant in enumerate(order):
            if entrant not in self.entrants:
                continue
            number = first_round[entrant] + rounds_done
            ahead = self.ahead([e for e in order[turn:] if e in self.entrants], rounds_done)
            place = order[: turn + 1].count(entrant)
            if place == 1:
                for index in self.unfinished(entrant, number):
                    self.one_trial(entrant, index, number, ahead)
            if entrant in self.entrants and len({t.index for t in self.of(entrant) if t.round == number}) < place:
                index = 1 + max((t.index for t in self.of(entrant)), default=0)
                self.one_trial(entrant, index, number, ahead)

    def unfinished(self, entrant: Entrant, number: int) -> list[int]:
        """The trials of an entrant in a round that are there and do not stand."""
        in_round = [t for t in self.of(entrant) if t.round == number]
        return sorted({t.index for t in in_round} - {t.index for t in counting(in_round) if self.stands(t)})

    def stands(self, trial: Trial) -> bool:
        """Whether a trial that did not fail is to stay as it is."""
        return not trial.disturbed or not self.repeats

    @property
    def repeats(self) -> bool:
        """Whether disturbed trials are run again."""
        return self.rules.quiet == "wait" and self.record.unquiet is None

    def why_stop(self, rounds_done: int, began: float) -> str | None:
        """In one sentence why no further round is run though fewer than the limit were, or None. `began` is the
        time.monotonic() of the first."""
        return enough(
            counting(self.known),
            self.record,
            self.settings,
            Stop(
                rounds=rounds_done,
                spent=time.monotonic() - began,
                next_round=self.progress.expected([str(e) for e in self.entrants]),
                budget=self.settings.time_budget if not self.settings.trials or self.budget_asked else None,
                asked=self.budget_asked,
            ),
        )

    def of(self, entrant: Entrant) -> list[Trial]:
        """All trials of an entrant."""
        return [t for t in self.known if (t.lane, t.precision) == (entrant.lane, entrant.precision)]

    def ahead(self, rest_of_round: Sequence[Entrant], rounds_done: int) -> list[str]:
        """The entrants still to come, the next one first; empty while the number of rounds is open."""
        if not self.settings.trials:
            return []
        whole_rounds = [str(e) for e in self.entrants] * (self.settings.trials - rounds_done - 1)
        return [*(str(e) for e in rest_of_round), *whole_rounds]

    def one_trial(self, entrant: Entrant, index: int, number: int, ahead: list[str]) -> None:
        """One trial in round `number`, again in the same place while somebody disturbs it. Only what others did is looked
        at (machine/disturbance.py): whether a time pleases decides nothing."""
        attempts = max((t.attempt for t in self.of(entrant) if t.index == index), default=0)
        waited = 0.0
        for again in range(self.rules.attempts):
            self.position += 1
            self.started += 1
            total = self.started - 1 + len(ahead) if self.settings.trials else None
            self.progress.trial(self.started, total, str(entrant), ahead)
            trial = self.attempt(entrant, index, attempts + again + 1, self.position, number, waited)
            self.known.append(trial)
            if trial.failure is not None:
                self.note_failure(entrant, index, trial.failure)
                return
            self.progress.finished(str(entrant), trial.seconds)
            for one in trial.left_out or []:
                self.progress.note(f"{entrant}, trial {index} goes without {WITHOUT[one.kind]}: {one.reason}")
            if not trial.disturbed:
                return
            self.note_disturbance(entrant, trial)
            if not self.repeats:
                self.count_disturbed("warn")
                return
            if again + 1 == self.rules.attempts:
                break
            still, waited = quiet.wait(self.rules, self.cards, self.tell_waiting)
            if still is not None:
                self.count_disturbed("not_quiet", still.share)
                return
        self.count_disturbed(
            "not_quiet", trial.telemetry.cpu.share if trial.telemetry and trial.telemetry.cpu else None
        )

    def note_disturbance(self, entrant: Entrant, trial: Trial) -> None:
        reasons = ", ".join(map(disturbance.said, trial.disturbed or ()))
        self.progress.note(f"{entrant}, trial {trial.index} was disturbed: {reasons}")

    def tell_waiting(self, noise: quiet.Noise) -> None:
        self.progress.note(f"waiting at most {self.rules.wait:g} s for a quiet machine: {noise}")

    def count_disturbed(self, kind: Literal["warn", "not_quiet"], share: float | None = None) -> None:
        """From here on disturbed trials count as they are, and every verdict is weak."""
        if self.record.unquiet is None:
            self.record.unquiet = Unquiet(position=self.position, kind=kind, share=share)
            self.save()
            if kind == "not_quiet":
                self.progress.note(
                    "the machine does not become quiet: disturbed trials count from here on, and every verdict is weak; "
                    "--resume on a quiet machine runs them again"
                )

    def note_failure(self, entrant: Entrant, index: int, failure: Failure) -> None:
        """Say why a trial failed; the entrant is left out when it is the second and none succeeded."""
        own_failures = [
            t for t in self.of(entrant) if t.failure is not None and t.failure.reason != known_failures.LOST_GPU.reason
        ]
        self.progress.note(
            f"{entrant}, trial {index}: {failure.reason}." + (f" {failure.hint}" if failure.hint else "")
        )
        if len(own_failures) >= 2 and all(t.failure is not None for t in self.of(entrant)):
            self.entrants.remove(entrant)
            self.failed(entrant, failure)
