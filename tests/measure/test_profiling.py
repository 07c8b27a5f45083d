"""What PROFILE=1 makes of a profiler's events, and that a real profile has the operators that were run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trtbench.measure import profiling
from trtbench.measure.profiling import Event


def test_the_difference_of_two_generations_is_the_decode() -> None:
    prefill = [Event("prefill", 0, 50), Event("step", 60, 70)]
    long = [Event("prefill", 0, 50), *(Event("step", 60 + 20 * i, 70 + 20 * i) for i in range(5))]
    made = profiling.summary(prefill, long, 4)
    assert made["events_per_step"] == 1
    assert made["busy_us_per_step"] == 10
    assert made["gap_us_per_step"] == 10
    assert made["by_name"] == [{"name": "step", "per_step": 1.0, "us_each": 10.0, "us_per_step": 10.0, "share": 1.0}]


def test_events_side_by_side_are_counted_once() -> None:
    assert profiling.busy_and_gaps([Event("a", 0, 10), Event("b", 5, 12), Event("c", 20, 21), Event("d", 1, 2)]) == (
        13,
        8,
    )
    assert profiling.busy_and_gaps([]) == (0, 0)


def test_more_names_than_shown_are_said() -> None:
    long = [Event(f"k{i}", i, i + 1) for i in range(profiling.SHOWN + 3)]
    made = profiling.summary([], long, 1)
    assert (len(made["by_name"]), made["names_left_out"]) == (profiling.SHOWN, 3)


def test_a_real_profile_on_the_cpu(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from trtbench.lanes.lane import Lane, Plan
    from trtbench.records.trial import Sampling, Statement
    from trtbench.settings.cells import Cell

    class Toy(Lane):
        profile_steps = 4

        def load(self) -> None: ...

        def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
            x = torch.ones(4, 4)
            for _ in range(new_tokens):
                x = torch.mm(x, x)
            return [[1] * new_tokens for _ in prompts]

        def statement(self) -> Statement:
            raise NotImplementedError

    cell = Cell(batch=1, prompt_length=2, new_tokens=9, precision="float32")
    plan = Plan(tmp_path, "d", "float32", "cpu", 1, Sampling(), (cell,), tmp_path)
    profiling.write(Toy(plan), [(cell, [[1, 2]])], "cpu", tmp_path / "p.json")
    (made,) = json.loads((tmp_path / "p.json").read_text())["cells"]
    assert made["steps"] == 4 and made["events"] == "operators"
    assert {line["name"]: line["per_step"] for line in made["by_name"]}["aten::mm"] == 1
