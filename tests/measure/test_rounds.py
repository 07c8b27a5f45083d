"""Rounds: what is run again and where, when the machine does not become quiet, what a resumed run repeats."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

import factory
from trtbench.machine import quiet
from trtbench.measure.progress import Progress
from trtbench.measure.rounds import Rounds
from trtbench.records.run import Run, counting
from trtbench.records.telemetry import Disturbance
from trtbench.records.trial import Failure, Trial
from trtbench.settings.choosing import Entrant
from trtbench.settings.knobs import Settings

A, B = Entrant("pytorch-eager", "float32"), Entrant("onnxruntime", "float32")
BUSY = Disturbance(kind="cpu", value=0.2, limit=0.01)
Place = tuple[str, int, int, int]  # lane, index, attempt, round


class Lab:
    """Runs rounds with trials that cost nothing; those whose place in the run is in `busy` are disturbed."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        busy: Sequence[int] = (),
        still: quiet.Noise | None = None,
        failing: Sequence[int] = (),
        **settings: object,
    ) -> None:
        self.busy, self.failing, self.waits = busy, failing, 0
        self.saved: dict[str, Any] = {}
        self.settings = Settings(**{"trials": 3, **settings})  # type: ignore[arg-type]
        self.record: Run = factory.run((A.lane, B.lane), settings=self.settings.public())
        self.known: list[Trial] = []
        self.out = io.StringIO()

        def wait(*_: object) -> tuple[quiet.Noise | None, float]:
            self.waits += 1
            return still, 7.5

        monkeypatch.setattr(quiet, "wait", wait)

    means: Callable[[str, int, int], float] = staticmethod(lambda lane, number, position: 100.0)
    entrants: tuple[Entrant, ...] = (A, B)

    def attempt(self, entrant: Entrant, index: int, attempt: int, position: int, number: int, waited: float) -> Trial:
        failed = Failure(phase="load", reason="no") if position in self.failing else None
        ms = self.means(entrant.lane, number, position)
        trial = factory.trial(
            entrant.lane,
            (ms * 0.999, ms * 1.001),
            index=index,
            attempt=attempt,
            position=position,
            round=number,
            failure=failed,
            disturbed=[BUSY] if position in self.busy else [],
        )
        assert trial.telemetry is not None
        trial.telemetry.waited = waited
        return trial

    def save(self) -> None:
        self.saved = msgspec.json.decode(msgspec.json.encode(self.record))

    def run(self, resumed: bool = False) -> Lab:
        Rounds(
            self.record,
            self.known,
            list(self.entrants),
            self.settings,
            0,
            False,
            Progress(stream=self.out),
            self.attempt,
            lambda *_: None,
            self.save,
        ).run(resumed, False)
        return self

    @property
    def places(self) -> list[Place]:
        return [(t.lane, t.index, t.attempt, t.round or 0) for t in self.known]


def test_quiet_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(monkeypatch).run()
    assert len(lab.known) == 6 and lab.waits == 0
    assert {place[2] for place in lab.places} == {1}
    assert [t.position for t in lab.known] == list(range(1, 7))
    assert [t.round for t in lab.known] == [1, 1, 2, 2, 3, 3]
    assert lab.record.unquiet is None


def test_a_disturbed_trial_is_run_again_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(monkeypatch, busy=[3]).run()
    first, again = lab.places[2:4]
    assert again == (first[0], first[1], 2, first[3])
    assert [t.round for t in lab.known] == [1, 1, 2, 2, 2, 3, 3]
    kept = counting(lab.known)
    assert lab.known[2] not in kept and lab.known[3] in kept and len(kept) == 6
    assert lab.known[3].telemetry is not None and lab.known[3].telemetry.waited == 7.5
    assert lab.record.unquiet is None
    assert "was disturbed: others used 20.0% of the CPU" in lab.out.getvalue()


def test_a_machine_that_does_not_become_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """One wait in vain, and disturbed trials count from there on; nobody waits again."""
    lab = Lab(monkeypatch, busy=range(2, 99), still=quiet.Noise(0.3, ["make (9) 120% of a core"])).run()
    assert lab.waits == 1
    assert len(lab.known) == 6 == len(counting(lab.known))
    unquiet = lab.record.unquiet
    assert unquiet is not None and (unquiet.position, unquiet.kind, unquiet.share) == (2, "not_quiet", 0.3)
    assert "every verdict is weak" in lab.out.getvalue()
    assert lab.saved["unquiet"]["position"] == 2, "nobody could tell afterwards"


def test_bursts_between_which_it_looks_quiet_end_too(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(monkeypatch, busy=range(1, 99)).run()
    attempts = factory.run().rules
    assert attempts is not None
    assert [place[2] for place in lab.places[: attempts.attempts]] == [1, 2, 3]
    assert len(lab.known) == 6 + attempts.attempts - 1
    assert lab.record.unquiet is not None and lab.record.unquiet.kind == "not_quiet"


def test_warn_runs_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(monkeypatch, busy=[2, 3], quiet="warn")
    lab.record.rules = factory.rules.sealed(lab.settings, "cpu")
    lab.run()
    assert lab.waits == 0 and len(lab.known) == 6 == len(counting(lab.known))
    assert lab.record.unquiet is not None and lab.record.unquiet.kind == "warn"


def test_a_resumed_run_repeats_what_was_disturbed_and_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(monkeypatch, busy=[2, 4], still=quiet.Noise(0.3, [])).run()
    disturbed = [(t.lane, t.index) for t in lab.known if t.disturbed]
    lab.record.unquiet, lab.busy = None, ()
    dropped = lab.known.pop()
    lab.run(resumed=True)
    again = lab.places[5:]
    assert [(lane, index, attempt) for lane, index, attempt, _ in again] == [
        *((lane, index, 2) for lane, index in disturbed),
        (dropped.lane, dropped.index, 1),
    ]
    assert not any(t.disturbed for t in counting(lab.known)) and len(counting(lab.known)) == 6


def test_a_failed_trial_is_not_run_again_but_by_resuming(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(monkeypatch, failing=[3]).run()
    assert len(lab.known) == 6
    failed = lab.known[2]
    lab.failing = ()
    lab.run(resumed=True)
    assert lab.places[6:] == [(failed.lane, failed.index, 2, failed.round)]


# TRIALS=auto: who leaves, who gets an extra trial, what a resumed run adds

C = Entrant("pytorch-tuned", "float32")
TIMES = {A.lane: 300.0, B.lane: 50.0, C.lane: 100.0}


def steady(lane: str, number: int, position: int) -> float:
    return TIMES[lane] * (1 + 0.0005 * (number % 3))


def noisy_base(lane: str, number: int, position: int) -> float:
    """The base swings by a tenth, the others hold still."""
    return steady(lane, number, position) * (1 + 0.1 * (-1) ** position if lane == C.lane else 1)


def auto(monkeypatch: pytest.MonkeyPatch, means: Callable[[str, int, int], float], **more: object) -> Lab:
    lab = Lab(monkeypatch, trials=0, **more)  # type: ignore[arg-type]
    lab.record = factory.run((A.lane, B.lane, C.lane), settings=lab.settings.public())
    lab.means, lab.entrants = means, (A, B, C)
    return lab


def in_rounds(lab: Lab) -> dict[int, Counter[str]]:
    """How many trials of each lane each round has."""
    rounds: dict[int, Counter[str]] = {}
    for t in lab.known:
        rounds.setdefault(t.round or 0, Counter())[t.lane] += 1
    return rounds


def test_a_lane_that_can_be_no_base_leaves_and_the_run_ends_when_it_is_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = auto(monkeypatch, steady).run()
    (gone,) = lab.record.departures or []
    assert (gone.lane, gone.round, gone.rule) == (A.lane, 1, "ratio")
    assert lab.saved["departures"][0]["lane"] == A.lane, "nobody could tell afterwards"
    rounds = in_rounds(lab)
    assert rounds[1] == Counter({A.lane: 1, B.lane: 1, C.lane: 1})
    assert all(rounds[n] == Counter({B.lane: 1, C.lane: 1}) for n in range(2, 10))
    assert lab.record.stopped == "every headline interval is within 1.0% after 9 rounds"
    assert "leaves after 1 round: it takes 3.00 times" in lab.out.getvalue()


def test_a_noisy_base_gets_one_trial_more_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = auto(monkeypatch, noisy_base, time_budget=1e9)
    monkeypatch.setattr("trtbench.measure.rounds.MOST_ROUNDS", 8)
    lab.run()
    rounds = in_rounds(lab)
    assert all(rounds[n][B.lane] == 1 for n in rounds)
    assert {rounds[n][C.lane] for n in range(1, 4)} == {1}
    assert {rounds[n][C.lane] for n in range(4, 9)} == {2}
    places = [[t.lane for t in lab.known if t.round == n] for n in range(4, 9)]
    assert len({tuple(lanes) for lanes in places}) > 1, "not always at the same place"
    assert sorted(t.index for t in lab.known if t.lane == C.lane) == list(range(1, 14))


def test_resuming_adds_nothing_to_rounds_that_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither extra trials, nor lanes that left; and the sentence at the end knows all rounds."""
    lab = auto(monkeypatch, noisy_base, time_budget=1e9)
    monkeypatch.setattr("trtbench.measure.rounds.MOST_ROUNDS", 8)
    lab.run()
    before, gone = in_rounds(lab), [d.lane for d in lab.record.departures or []]
    monkeypatch.setattr("trtbench.measure.rounds.MOST_ROUNDS", 10)
    lab.run(resumed=True)
    after = in_rounds(lab)
    assert {n: after[n] for n in before} == before
    assert after[9] == after[10] == Counter({B.lane: 1, C.lane: 2})
    assert [d.lane for d in lab.record.departures or []] == gone == [A.lane]

    calm = auto(monkeypatch, steady).run()
    calm.record.stopped = None
    calm.run(resumed=True)
    assert calm.record.stopped == "every headline interval is within 1.0% after 9 rounds"
    assert in_rounds(calm) == in_rounds(auto(monkeypatch, steady).run())


def test_a_round_that_was_cut_off_is_finished_first(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = auto(monkeypatch, noisy_base, time_budget=1e9)
    monkeypatch.setattr("trtbench.measure.rounds.MOST_ROUNDS", 6)
    whole = in_rounds(lab.run())
    cut = len(lab.known) - 2
    del lab.known[cut:]
    lab.run(resumed=True)
    assert in_rounds(lab) == whole
    assert all(t.round == 6 for t in lab.known[cut:])


def test_both_trials_of_a_lane_in_a_round_are_run_again_when_disturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = auto(monkeypatch, noisy_base, time_budget=1e9)
    monkeypatch.setattr("trtbench.measure.rounds.MOST_ROUNDS", 6)
    lab.run()
    twice = [t for t in lab.known if t.round == 5 and t.lane == C.lane]
    for t in twice:
        t.disturbed = [BUSY]
    ran = len(lab.known)
    lab.run(resumed=True)
    again = lab.known[ran:]
    assert [(t.lane, t.index, t.attempt, t.round) for t in again] == [(C.lane, t.index, 2, 5) for t in twice]


@pytest.fixture(autouse=True)
def _steady_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
