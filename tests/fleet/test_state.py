"""The journal: whatever ends the program, what it says was done was done, and what was done it says."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtbench.errors import UserError
from trtbench.fleet.state import Audited, Back, Ended, Event, Placing, State
from trtbench.fleet.wanted import Wanted

RUNS = [Wanted(kind="small", model="demo", precision="float32", repeat=n, settings={}) for n in (1, 2, 3)]
ONE, TWO, _ = (run.id for run in RUNS)


def begun(folder: Path, *events: Event) -> State:
    state = State(folder, RUNS)
    with state.writing("first", resume=False):
        state.add(events)
    return state


def read(folder: Path) -> State:
    state = State(folder, RUNS)
    state.read()
    return state


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    state = begun(
        tmp_path,
        Placing(run=ONE, job="a"),
        Placing(run=TWO, job="b"),
        Ended(run=ONE, job="a", how="lost", reason="gone", node="n1"),
        Placing(run=ONE, job="c"),
        Ended(run=TWO, job="b", how="unplaced"),
        Back(run=ONE, job="c", bundle="d" * 64, machine="1" * 16, node="n2"),
    )
    again = read(tmp_path)
    assert again.courses == state.courses and again.fleet == state.fleet
    one, two, three = again.courses.values()
    assert (one.how, one.attempts, one.losses, one.placed, one.node, one.job) == ("back", 2, 1, 2, "n2", "")
    assert (two.how, two.attempts, two.losses, two.placed) == ("unplaced", 0, 0, 1)
    assert three.ran.status == "missing"
    assert again.next_job(two) != "b" and again.next_job(two) != again.next_job(one)


def test_a_fleet_that_was_cut_off_before_its_first_line_begins(tmp_path: Path) -> None:
    (tmp_path / "state.jsonl").write_text('{"event":"beg')
    assert begun(tmp_path).fleet == read(tmp_path).fleet


@given(cut=st.integers(min_value=1, max_value=400))
def test_a_line_that_was_cut_off_counts_for_nothing(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    folder = tmp_path_factory.mktemp("fleet")
    begun(folder, Placing(run=ONE, job="a"), Ended(run=ONE, job="a", how="failed", reason="r" * 200))
    path = folder / "state.jsonl"
    data = path.read_bytes()
    first = data.index(b"\n") + 1
    path.write_bytes(data[: max(first, len(data) - cut)])
    whole = path.read_bytes().count(b"\n")
    assert (read(folder).courses[ONE].placed, read(folder).courses[ONE].how) == [(0, ""), (1, ""), (1, "failed")][
        whole - 1
    ]
    state = State(folder, RUNS)
    with state.writing("first", resume=True):
        state.add([Placing(run=TWO, job="b")])
    assert read(folder).courses[TWO].job == "b"
    assert path.read_bytes().count(b"\n") == whole + 1


def test_an_outcome_counts_for_its_bundle_and_this_program_alone(tmp_path: Path) -> None:
    back = Back(run=ONE, job="a", bundle="d" * 64)
    for bundle, program, outcome in (
        ("e" * 64, "1.0.0", b"{}"),
        ("d" * 64, "0.0.1", b"{}"),
        ("d" * 64, "1.0.0", b"[]"),
    ):
        folder = tmp_path / f"{bundle[0]}{program}{outcome.hex()}"
        begun(folder, back, Audited(run=ONE, bundle=bundle, content="c", program=program, outcome=msgspec.Raw(outcome)))
        assert read(folder).courses[ONE].outcome is None


def test_a_fleet_is_begun_once_and_resumed_where_it_is(tmp_path: Path) -> None:
    state = State(tmp_path, RUNS)
    with pytest.raises(UserError, match="holds no fleet; leave --resume out"), state.writing("first", resume=True):
        pass
    assert begun(tmp_path).fleet == begun(tmp_path).fleet  # one that has placed nothing yet is as good as none
    begun(tmp_path, Placing(run=ONE, job="a"))
    with pytest.raises(UserError, match="add --resume"), State(tmp_path, RUNS).writing("first", resume=False):
        pass


def test_a_changed_plan_may_have_more_runs_and_not_fewer(tmp_path: Path) -> None:
    begun(tmp_path, Placing(run=TWO, job="a"))
    with pytest.raises(UserError, match=f"{TWO}, which the plan no longer has"):
        State(tmp_path, RUNS[:1]).read()
    more = State(tmp_path, [*RUNS, msgspec.structs.replace(RUNS[0], repeat=9)])
    more.read()
    assert len(more.courses) == 4


def _hold(folder: str, held: object, go: object) -> None:
    with State(Path(folder), RUNS).writing("first", resume=True):
        held.set()  # type: ignore[attr-defined]
        go.wait(30)  # type: ignore[attr-defined]


def test_two_commands_never_conduct_one_fleet(tmp_path: Path) -> None:
    begun(tmp_path)
    spawn = multiprocessing.get_context("spawn")
    held, go = spawn.Event(), spawn.Event()
    other = spawn.Process(target=_hold, args=(str(tmp_path), held, go))
    other.start()
    try:
        assert held.wait(30)
        with (
            pytest.raises(UserError, match=f"process {other.pid}"),
            State(tmp_path, RUNS).writing("first", resume=True),
        ):
            pass
    finally:
        go.set()
        other.join(30)


@pytest.mark.parametrize("text", ["{}\n", "[]\n", "x\n", '{"event":"placing","run":"a","job":"b"}\n', "\xff\n"])
def test_what_is_no_journal_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.jsonl").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match="state.jsonl"):
        read(tmp_path)
