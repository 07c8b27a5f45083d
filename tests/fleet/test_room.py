"""What a run takes of a machine, and for how many there is room: never two on one card, and no neighbour unless asked for."""

from __future__ import annotations

import pytest

from trtbench.errors import UserError
from trtbench.fleet import room
from trtbench.fleet.cluster import Machine
from trtbench.fleet.room import Take
from trtbench.fleet.wanted import Kind


def machine(
    cards: int = 0, cpus: int = 8, type: str = "", labels: dict[str, str] | None = None, **more: float
) -> Machine:
    resources = {"CPU": float(cpus), "GPU": float(cards), **more}
    if type:
        resources[f"accelerator_type:{type}"] = 1.0
    return Machine("id", cards, cpus, resources, labels or {})


def test_a_machine_fits_by_all_that_the_kind_names() -> None:
    machines = [
        machine(8, type="H200", labels={"rack": "1"}),
        machine(1, type="H200"),
        machine(8, type="H100", labels={"rack": "1"}),
        machine(laptop=1.0),
    ]
    assert room.fitting(Kind(accelerator="H200"), machines) == machines[:2]
    assert room.fitting(Kind(accelerator="H200", labels={"rack": "1"}), machines) == machines[:1]
    assert room.fitting(Kind(accelerator="H200", cards=2), machines) == machines[:1]
    assert room.fitting(Kind(resource="laptop"), machines) == machines[3:]
    assert room.fitting(Kind(), machines) == machines


def test_a_run_takes_the_whole_machine_unless_the_plan_says_less() -> None:
    eight = [machine(8), machine(8)]
    assert room.taken("a", Kind(), eight) == Take(8, 8)
    assert room.slots(Take(8, 8), eight) == room.slots(Take(8, 0), eight) == 2
    assert room.taken("a", Kind(), [machine(8, cpus=0)]) == Take(8, 0)
    assert room.taken("a", Kind(cards=1), eight) == Take(1, 0)
    assert room.slots(Take(1, 0), eight) == 16
    assert room.taken("a", Kind(cards=0), [machine(8, cpus=16)]) == Take(0, 16)


def test_on_processors_two_runs_never_share_a_machine_by_default() -> None:
    unlike = [machine(cpus=8), machine(cpus=12)]
    take = room.taken("a", Kind(), unlike)
    assert take == Take(0, 8) and room.slots(take, unlike) == 2
    with pytest.raises(UserError, match="8 to 16 processors"):
        room.taken("a", Kind(), [machine(cpus=8), machine(cpus=16)])
    with pytest.raises(UserError, match="0 to 0 processors"):
        room.taken("a", Kind(), [machine(cpus=0)])
    assert room.taken("a", Kind(cpus=4), unlike) == Take(0, 4)


def test_machines_with_unlike_numbers_of_cards_are_not_guessed_at() -> None:
    with pytest.raises(UserError, match="4 and 8 cards"):
        room.taken("mixed", Kind(), [machine(8), machine(4)])
    assert room.taken("mixed", Kind(cards=4), [machine(8), machine(4)]) == Take(4, 0)


def test_without_a_machine_only_the_plan_can_say() -> None:
    assert room.taken("a", Kind(), []) is None
    assert room.taken("a", Kind(cards=2), []) == Take(2, 0)
    assert room.taken("a", Kind(cards=0, cpus=4), []) == Take(0, 4)


def test_a_kind_without_machine_is_told_with_what_there_is() -> None:
    sentence = room.none_fits(
        "h200", Kind(accelerator="H200", cards=2, labels={"rack": "1"}), [machine(1, type="H100")]
    )
    assert "the resource accelerator_type:H200, the label rack=1, 2 cards" in sentence
    assert "accelerator_type:H100 1" in sentence
    assert "no machine at all" in room.none_fits("h200", Kind(), [])
