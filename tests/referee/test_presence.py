"""What is there of a run: honest runs of every kind miss nothing, and files are read by no chance of their names."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import factory
from cheats.changes import TRT, recorded_earlier
from liars import Story
from trtbench.comparison import untrusted
from trtbench.errors import UserError
from trtbench.machine import quiet
from trtbench.measure.progress import Progress
from trtbench.measure.rounds import Rounds
from trtbench.records import run_folder
from trtbench.records.files import encode, write_whole
from trtbench.records.run import Absent
from trtbench.records.telemetry import Disturbance
from trtbench.records.trial import Failure, Sealed, Statement, Trial
from trtbench.referee.audit import audit, presence, sealed
from trtbench.referee.audit.context import Context
from trtbench.referee.audit.findings import FAIL, WARN, Finding
from trtbench.settings.choosing import Entrant
from trtbench.settings.knobs import Settings

A, B, C = (Entrant(lane, "float32") for lane in ("pytorch-eager", "onnxruntime", "pytorch-tuned"))
BUSY = Disturbance(kind="cpu", value=0.2, limit=0.01)
CELLS = {"prompt_lengths": (factory.CELL.prompt_length,), "new_tokens": (factory.CELL.new_tokens,)}


class Killed(Exception):
    """The process that runs the trials has ended."""


class Calls:
    """A run by several calls of the command, in which trials fail, are disturbed, and are cut off."""

    def __init__(self, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.draw = random.Random(seed)
        self.record = factory.run((A.lane, B.lane), stopped=None, settings=factory.settings(**CELLS))
        self.known: list[Trial] = []
        noise = quiet.Noise(0.2, [])
        monkeypatch.setattr(quiet, "wait", lambda *_: (noise if self.draw.random() < 0.3 else None, 1.0))

    def attempt(self, entrant: Entrant, index: int, attempt: int, position: int, number: int, waited: float) -> Trial:
        chance = self.draw.random()
        if chance < 0.08:
            raise Killed
        failed = Failure(phase="load", reason="it fell over") if chance < 0.2 else None
        ms = self.draw.uniform(90, 110) * (3 if entrant == C else 1)
        return factory.trial(
            entrant.lane,
            (ms, ms * 1.01),
            index=index,
            attempt=attempt,
            position=position,
            round=number,
            failure=failed,
            settings=self.record.settings,
            disturbed=[BUSY] if failed is None and chance > 0.8 else [],
            sealed=Sealed(
                headline=self.record.headline,
                lanes=list(self.record.lanes),
                candidates=list(self.record.candidates or []),
            ),
        )

    def left_out(self, entrant: Entrant, failure: Failure) -> None:
        self.record.absent.append(Absent(lane=entrant.lane, precision=entrant.precision, failure=failure))

    def call(self, entrants: list[Entrant], trials: int) -> None:
        for e in entrants:
            if e.lane not in self.record.lanes:
                self.record.lanes.append(e.lane)
                self.record.candidates = [*(self.record.candidates or []), (e.lane, e.precision)]
            self.record.absent = [a for a in self.record.absent if a.lane != e.lane]
        self.record.stopped, self.record.unquiet = None, None
        settings = Settings(trials=trials, **CELLS)  # type: ignore[arg-type]
        rounds = Rounds(
            self.record,
            self.known,
            list(entrants),
            settings,
            0,
            False,
            Progress(quiet=True),
            self.attempt,
            self.left_out,
            lambda: None,
        )
        with contextlib.suppress(Killed):
            rounds.run(resumed=bool(self.known), joined=False)

    def findings(self) -> list[Finding]:
        context = Context.of(self.record, self.known)
        return [*presence.check(context), *sealed.check(context)]


@pytest.mark.parametrize("seed", range(60))
def test_a_run_cut_off_and_taken_up_again_misses_nothing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls(seed, monkeypatch)
    for number in range(5):
        calls.call([A, B, *([C] if number > 1 else [])], trials=calls.draw.choice([2, 4, 6]))
        assert calls.findings() == []
    assert len(calls.known) > 8


@pytest.mark.parametrize("seed", range(20))
def test_any_record_but_those_at_the_end_is_missed(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls(seed, monkeypatch)
    calls.call([A, B], trials=6)
    calls.call([A, B], trials=6)
    for lost in [t for t in calls.known if t.position < len(calls.known)]:
        calls_without = [t for t in calls.known if t is not lost]
        findings = list(presence.check(Context.of(calls.record, calls_without)))
        assert ("provenance.position", FAIL, str(lost.position)) in {
            (f.code, f.level, f.figures.get("missing")) for f in findings
        }


def test_a_place_beyond_all_measure_hangs_nothing() -> None:
    story = Story().tell()
    story.trials[-1].position = story.trials[-1].index = 10**18
    findings = audit(story.seal().run, story.trials, story.judged, story.workload)
    assert {"provenance.position", "provenance.gap"} <= {f.code for f in findings if f.level == FAIL}


def failures(story: Story) -> list[tuple[str, str]]:
    findings = audit(story.seal().run, story.trials, story.judged, story.workload)
    return [(f.code, f.level) for f in findings if f.code == "provenance.failed"]


def fails(story: Story, phase: str, reason: str = "it fell over") -> Trial:
    """The last trial of the headline failed; what it holds is up to the test."""
    trial = list(story.of(TRT))[-1]
    trial.failure, trial.statement = Failure(phase=phase, reason=reason), None
    return trial


def test_a_trial_that_fell_over_in_its_second_cell_keeps_the_first() -> None:
    story = Story().tell()
    story.workload = factory.a_workload([*story.workload.cells, factory.CELL])
    fails(story, "generate")
    assert failures(story) == []


def test_a_trial_whose_cells_are_all_holes_has_failed_and_says_what_it_is() -> None:
    story = Story().tell()
    statement = story.trials[0].statement
    trial = fails(story, "cells", "no room")
    trial.statement = statement
    for record in trial.cells:
        record.hole, record.e2e, record.ttft = "no room", None, None
    assert failures(story) == []


def test_a_lane_with_a_choice_may_fail_while_it_is_loaded_for_the_second_value() -> None:
    story = Story().tell()
    statement: Statement | None = story.trials[0].statement
    story.workload = factory.a_workload([*story.workload.cells, factory.CELL])
    for t in story.of(TRT):
        t.cells[0].setting = "fancy"
    fails(story, "load").statement = statement
    assert failures(story) == []


def test_an_engine_that_ends_after_its_last_call_voids_nothing() -> None:
    story = Story().tell()
    fails(story, "memory")
    assert failures(story) == [("provenance.failed", WARN)]


def stored(tmp_path: Path) -> Path:
    story = Story(rounds=3).tell().seal()
    return factory.store(tmp_path, story.run, story.trials) / "trials"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.rename(t.with_suffix(".bak")), "0002-.*bak.*is not named as a trial's file is"),
        (lambda t: t.rename(t.with_suffix(".JSON")), "JSON.*is not named as a trial's file is"),
        (lambda t: shutil.copy(t, t.with_name(t.name + "~")), "~.*is not named as a trial's file is"),
        (lambda t: shutil.copy(t, t.with_name("copy.json")), "copy.json.*is not named as a trial's file is"),
        (lambda t: t.with_name("old").mkdir(), "old.*is not named as a trial's file is"),
        (lambda t: t.rename(t.with_name("0099" + t.name[4:])), "0099-.* holds the trial of 0002-"),
        (lambda t: shutil.copy(t, t.with_name(t.name.replace("-a1", "-a2"))), "-a2.json holds the trial of 0002-.*-a1"),
    ],
)
def test_a_file_under_another_name_is_refused_and_named(
    tmp_path: Path, change: Callable[[Path], object], said: str
) -> None:
    trials = stored(tmp_path)
    assert len(run_folder.trials(tmp_path, factory.RUN)) == 6
    change(next(trials.glob("0002-*")))
    with pytest.raises(UserError, match=said):
        run_folder.trials(tmp_path, factory.RUN)
    with pytest.raises(UserError, match=said):
        untrusted.read(trials.parent)


def test_what_a_write_that_was_cut_off_left_is_passed_over(tmp_path: Path) -> None:
    trials = stored(tmp_path)
    for name in (".0007-x-float32-t1-a1.json.ab12cd", ".DS_Store"):
        (trials / name).write_bytes(b"{")
    assert len(run_folder.trials(tmp_path, factory.RUN)) == 6


def test_a_record_hidden_by_its_name_is_missed(tmp_path: Path) -> None:
    trials = stored(tmp_path)
    hidden = next(trials.glob("0002-*"))
    hidden.rename(hidden.with_name("." + hidden.name))
    run = run_folder.read(tmp_path, factory.RUN)
    findings = audit(run, run_folder.trials(tmp_path, factory.RUN))
    assert ("provenance.position", "2") in {(f.code, f.figures.get("missing")) for f in findings}


def test_a_trial_carries_what_was_fixed_through_its_file(tmp_path: Path) -> None:
    story = Story(rounds=1).tell().seal()
    factory.store(tmp_path, story.run, story.trials)
    carried = run_folder.trials(tmp_path, factory.RUN)[0].sealed
    assert carried == story.trials[0].sealed and carried is not None
    assert carried.candidates == story.run.candidates


def test_an_earlier_record_holds_nothing_that_came_later(tmp_path: Path) -> None:
    story = Story(rounds=1).tell().seal()
    home = factory.store(tmp_path, story.run, story.trials) / "trials"
    file = sorted(home.iterdir())[0]
    record = run_folder.trials(tmp_path, factory.RUN)[0]
    sealed = record.sealed
    recorded_earlier(record)
    record.settings, record.sealed = {}, sealed
    record.cells = []
    write_whole(file, encode(record))
    with pytest.raises(UserError, match="holds sealed, which came with version 2"):
        run_folder.trials(tmp_path, factory.RUN)
