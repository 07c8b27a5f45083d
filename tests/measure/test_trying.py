"""Trying the values of a setting: rounds, their order, when they end, and what is kept of them."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from pathlib import Path

import pytest

import factory
from trtbench.figures.speedup import MIN_TRIALS
from trtbench.figures.summary import Where, shape
from trtbench.measure import choosing, trying
from trtbench.records.trial import Failure, Trial
from trtbench.settings.lanes import LANES, MOST_VALUES, Choice

CHOICE = Choice("engine.way", ("plain", "fancy"))
WHERE = shape(factory.CELL)


def timed(seconds: float) -> Trial:
    return factory.trial("onnxruntime", (seconds * 1e3,), (1.0,))


def tried(seconds: Callable[[str, int], float], cells: tuple[Where, ...] = (WHERE,)) -> tuple[trying.Values, list[str]]:
    turns: list[str] = []

    def try_out(value: str, number: int) -> Trial:
        turns.append(value)
        return timed(seconds(value, number))

    values = trying.find(CHOICE, cells, 7, try_out)
    assert values is not None
    return values, turns


def test_every_value_runs_once_a_round_and_three_rounds_settle_a_plain_case() -> None:
    values, turns = tried(lambda value, number: (1.0 if value == "plain" else 0.5) + number / 1000)
    assert len(turns) == 2 * MIN_TRIALS
    assert all(set(turns[i : i + 2]) == {"plain", "fancy"} for i in range(0, len(turns), 2))
    lines = trying.told("onnxruntime", "float32", values)
    assert [(line.value, line.chosen, len(line.seconds)) for line in lines] == [("plain", False, 3), ("fancy", True, 3)]
    assert lines[1].seconds == pytest.approx([0.501, 0.502, 0.503])


def test_values_that_cannot_be_told_apart_are_tried_on_and_the_default_is_taken() -> None:
    values, turns = tried(lambda value, number: 1.0 + number / 10)
    assert len(turns) == 2 * trying.MOST_ROUNDS
    assert [line.chosen for line in trying.told("onnxruntime", "float32", values)] == [True, False]


def test_three_rounds_are_run_whatever_they_take_and_no_more_when_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000_000, 1000))
    monkeypatch.setattr(trying.time, "monotonic", lambda: float(next(clock)))
    _, turns = tried(lambda value, number: 1.0 + number / 10)
    assert len(turns) == 2 * MIN_TRIALS


def test_a_value_that_fails_is_tried_once_and_told_with_its_reason() -> None:
    turns: list[str] = []

    def try_out(value: str, number: int) -> Trial:
        turns.append(value)
        if value == "fancy":
            return factory.trial("onnxruntime", failure=Failure(phase="load", reason="no fancy way"))
        return timed(1.0 + number / 100)

    values = trying.find(CHOICE, [WHERE], 7, try_out)
    assert values is not None
    plain, fancy = trying.told("onnxruntime", "float32", values)
    assert (plain.chosen, plain.failure, fancy.chosen, fancy.failure) == (True, None, False, "no fancy way")
    assert turns.count("fancy") == 1 and turns.count("plain") == MIN_TRIALS


def test_a_machine_that_does_not_become_quiet_ends_the_trying() -> None:
    assert trying.find(CHOICE, [WHERE], 7, lambda value, number: None) is None
    lines = trying.told("onnxruntime", "float32", trying.Values(CHOICE, [WHERE]), "not quiet")
    assert [(line.chosen, line.failure) for line in lines] == [(True, "not quiet"), (False, "not quiet")]


def test_every_lane_is_offered_two_values_or_more_and_at_most_as_many_as_any_other() -> None:
    for name, row in LANES.items():
        for device, choice in row.choices.items():
            assert device in row.precisions, name  # also where only the stand-in runs
            assert 2 <= len(choice.values) <= MOST_VALUES and len(set(choice.values)) == len(choice.values), name
    assert not LANES["pytorch-eager"].choices, "by definition the defaults"


def test_what_was_found_for_other_code_of_a_lane_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "way"
    folder.mkdir()
    (folder / "lane.py").write_text("one")
    (folder / "part.py").write_text("two")
    monkeypatch.setitem(LANES, "toy", dataclasses.replace(LANES["pytorch-tuned"], where="toys.rooms.way.lane:Lane"))
    spec = types.SimpleNamespace(origin=str(folder / "lane.py"))
    monkeypatch.setattr(choosing.importlib.util, "find_spec", lambda name: spec)
    before = choosing.code_of("toy")
    assert before == choosing.code_of("toy")
    (folder / "part.py").write_text("three")
    assert choosing.code_of("toy") != before


def test_a_default_that_cannot_compute_a_cell_is_not_taken_for_it_where_nothing_was_tried() -> None:
    """Of a long cell the default says so; a short one keeps it."""
    short, long = WHERE, (1, 4096, 8)
    values = trying.Values(CHOICE, [short, long])
    lines = trying.told(
        *("openvino", "float32", values, "TRY_SETTINGS=0"),
        lambda value, where: "it has no window" if value == "plain" and where[1] > 512 else "",
    )
    assert [(line.prompt_length == 4096, line.value, line.chosen, line.failure) for line in lines] == [
        (False, "plain", True, "TRY_SETTINGS=0"),
        (False, "fancy", False, "TRY_SETTINGS=0"),
        (True, "plain", False, "it has no window"),
        (True, "fancy", True, None),
    ]
    nothing = trying.told("openvino", "float32", values, "TRY_SETTINGS=0", lambda value, where: "nothing can")
    assert [line.chosen for line in nothing] == [True, False, True, False]


def test_what_openvino_cannot_page_is_told_by_its_converted_model(tmp_path: Path) -> None:
    from trtbench.lanes import lane
    from trtbench.lanes.openvino import reach

    choice = LANES["openvino"].choices["cpu"]
    where = (tmp_path, "d" * 64, "float32")
    assert lane.unable(choice, *where, "PA", 56) == ""  # nothing is known before it is converted
    folder = reach.folder_of(*where)
    folder.mkdir(parents=True)
    reach.Reach(longest=None, paged=16, window=16).write(folder)
    assert [bool(lane.unable(choice, *where, value, 56)) for value in choice.values] == [True, False]
    assert lane.unable(choice, *where, "PA", 16) == "" == lane.unable(CHOICE, *where, "plain", 56)
