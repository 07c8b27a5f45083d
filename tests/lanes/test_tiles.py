"""The search for the tiles of a decode step's kernels, what is kept of it, and what is reached of Inductor's kernels."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trtbench.lanes.tuned import inductor_kernels, steps, tiles
from trtbench.lanes.tuned.tiles import Tile, Tiles

powers = st.integers(0, 13).map(lambda n: 2**n)
sizes = st.fixed_dictionaries({"x": powers, "r0_": powers})
in_parts = st.fixed_dictionaries({"XBLOCK": powers, "R0_BLOCK": powers, "num_warps": st.sampled_from([1, 2, 4, 8, 16])})
in_one = st.fixed_dictionaries({"XBLOCK": powers, "num_warps": st.sampled_from([1, 2, 4, 8, 16])})


@given(st.one_of(in_parts, in_one), sizes)
def test_what_is_tried_stays_within_the_kernel_and_gives_every_thread_work_and_registers(
    tile: Tile, size: dict[str, int]
) -> None:
    for other in tiles.neighbours(tile, size) + tiles.whole_rows(tile, size):
        assert other.keys() == tile.keys() and other["XBLOCK"] <= size["x"]
        columns = other.get("R0_BLOCK", size["r0_"])
        assert columns <= size["r0_"]
        assert 1 <= other["XBLOCK"] * columns / (32 * other["num_warps"]) <= tiles.MOST_EACH


def distance(tile: Tile, goal: Tile) -> float:
    return sum(abs(math.log2(tile[name] / goal[name])) for name in goal)


GOALS = {
    "gate_up": {"XBLOCK": 2, "R0_BLOCK": 2048, "num_warps": 4},
    "down": {"XBLOCK": 1, "R0_BLOCK": 1024, "num_warps": 2},
    "o": {"XBLOCK": 4, "num_warps": 4},
}
START = {
    "gate_up": {"XBLOCK": 1, "R0_BLOCK": 2048, "num_warps": 16},
    "down": {"XBLOCK": 8, "R0_BLOCK": 512, "num_warps": 4},
    "o": {"XBLOCK": 1, "num_warps": 1},
}
SIZES = {name: {"x": 2048, "r0_": 1024 if name == "o" else 8192} for name in GOALS}


class Card:
    """A card on which a step takes longer the further its kernels' tiles are from the best ones."""

    def __init__(self, refuses: Tile | None = None) -> None:
        self.now = {name: dict(tile) for name, tile in START.items()}
        self.refuses, self.steps = refuses, 0

    def use(self, name: str, tile: Tile) -> None:
        if tile == self.refuses:
            raise RuntimeError("out of registers")
        self.now[name] = tile

    def step(self) -> float:
        self.steps += 1
        return 1e-3 * (1 + 0.02 * sum(distance(self.now[name], GOALS[name]) for name in GOALS))


def test_the_best_tiles_are_found_kept_and_in_use_at_the_end(tmp_path: Path) -> None:
    card = Card()
    found = Tiles(tmp_path / "kernels", searching=True)
    found.search(START, SIZES, card.use, card.step)
    assert found.kept == GOALS and card.now == GOALS
    assert Tiles(tmp_path / "kernels", searching=False).kept == GOALS
    assert found.notes() == [], "a lane states tiles that its kernels have, not those that were found"


def test_a_tile_that_the_card_refuses_is_passed_by(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = Card(refuses=GOALS["down"])
    found = Tiles(tmp_path, searching=True)
    found.search(START, SIZES, card.use, card.step)
    assert found.kept["gate_up"] == GOALS["gate_up"] and found.kept["down"] != GOALS["down"] == card.refuses
    assert distance(found.kept["down"], GOALS["down"]) == 1 and card.now == found.kept
    assert "RuntimeError" in capsys.readouterr().out


def test_where_kernels_can_t_be_reached_at_all_nothing_is_kept(tmp_path: Path) -> None:
    def use(name: str, tile: Tile) -> None:
        raise AttributeError("this PyTorch has it elsewhere")

    found = Tiles(tmp_path, searching=True)
    found.search(START, SIZES, use, lambda: 1.0)
    assert found.kept == {} == json.loads((tmp_path / tiles.FILE).read_text())


def test_the_search_ends_in_time_with_what_it_has() -> None:
    def timed(name: str, tile: Tile) -> float:
        return distance(tile, GOALS[name])

    assert tiles.descend(START, SIZES, timed, time.monotonic() - 1) == START


def test_a_difference_within_the_noise_is_none() -> None:
    times = iter([1.0, *(0.9995 for _ in range(100))])
    assert tiles.descend({"o": START["o"]}, SIZES, lambda name, tile: next(times), time.monotonic() + 5) == {
        "o": START["o"]
    }


class Config(SimpleNamespace):
    """As Triton's, as far as it is reached for."""


class Kernel:
    """As Inductor's, as far as it is reached for: compiled with one tile, in another process where `fn.fn` is None."""

    def __init__(self, name: str, tile: Tile, elsewhere: bool = False) -> None:
        self.fn = SimpleNamespace(__name__=name, fn=None if elsewhere else object())
        self.filename, self.size_hints = f"/cache/ab/{name}-source.py", {"x": 2048, "r0_": 8192}
        self.compiled: list[Tile] = []
        self._cached_launcher: Any = "the last one"
        blocks = {key: value for key, value in tile.items() if key != "num_warps"}
        self.launchers: list[Any] = [SimpleNamespace(config=Config(kwargs=blocks, num_warps=tile["num_warps"]))]

    def _reload_kernel(self) -> Any:
        return SimpleNamespace(fn=SimpleNamespace(__name__=self.fn.__name__, fn=object()))

    def _precompile_config(self, config: Any) -> Any:
        assert self.fn.fn is not None and config.found_by_coordesc
        launcher = SimpleNamespace(config=config)
        self.compiled.append({**config.kwargs, "num_warps": config.num_warps})
        return SimpleNamespace(make_launcher=lambda: launcher)


def test_inductor_s_kernels_are_cut_as_was_found_and_trials_take_it_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels = {name: Kernel(name, tile) for name, tile in START.items() if name != "o"}
    monkeypatch.setattr(inductor_kernels, "loaded", lambda: kernels)

    def step() -> float:
        return 1e-3 * (
            1 + 0.02 * sum(distance(inductor_kernels.tile_of(k), GOALS[name]) for name, k in kernels.items())
        )

    found = Tiles(tmp_path, searching=True)
    inductor_kernels.fit(found, step, lambda: ["a copy", *kernels])
    assert {name: inductor_kernels.tile_of(k) for name, k in kernels.items()} == {n: GOALS[n] for n in kernels}
    assert found.notes() == [tiles.NOTE] and all(k._cached_launcher is None for k in kernels.values())

    def never(*_: Any) -> Any:
        raise AssertionError("a trial searches for nothing")

    kernels = {name: Kernel(name, tile, elsewhere=True) for name, tile in START.items()}
    trial = Tiles(tmp_path, searching=False)
    inductor_kernels.fit(trial, never, never)
    assert {name: k.compiled for name, k in kernels.items()} == {
        "gate_up": [GOALS["gate_up"]],
        "down": [GOALS["down"]],
        "o": [],
    }
    assert trial.notes() == [tiles.NOTE]


def test_a_second_shape_searches_only_for_kernels_that_the_first_had_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels = {"down": Kernel("down", START["down"])}
    monkeypatch.setattr(inductor_kernels, "loaded", lambda: kernels)
    found = Tiles(tmp_path, searching=True)
    inductor_kernels.fit(found, lambda: 1.0, lambda: list(kernels))
    kept = dict(found.kept)
    kernels["gate_up"] = Kernel("gate_up", START["gate_up"])
    before = len(kernels["down"].compiled)
    inductor_kernels.fit(found, lambda: 1.0, lambda: list(kernels))
    assert len(found.kept) == 2 and kept.items() <= found.kept.items()
    assert len(kernels["down"].compiled) == before + 1, "cut once more, not searched for"


def test_the_places_in_inductor_are_where_they_are_looked_for() -> None:
    heuristics = pytest.importorskip("torch._inductor.runtime.triton_heuristics")
    kernel = heuristics.CachingAutotuner
    assert hasattr(kernel, "_precompile_config")
    from torch._inductor.codecache import PyCodeCache

    assert isinstance(PyCodeCache.modules, list)
    assert inductor_kernels.loaded() == {}, "a CPU has no such kernels"


@given(st.sampled_from([1, 64, 576, 896, 1536, 2048, 4864, 5632, 8192, 11008, 14336]))
def test_a_row_in_parts_has_few_of_them_each_a_power_of_two(length: int) -> None:
    parts = steps.parts_of(length)
    part = length // parts
    assert length % parts == 0 and parts <= steps.MOST_PARTS
    assert parts == 1 or (part & (part - 1) == 0 and part >= steps.LEAST_PART)
    assert (parts > 1) == (length in (896, 1536, 5632, 14336))


def test_a_row_in_parts_sums_up_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = torch.Generator().manual_seed(5)
    matrix, row = (torch.randn(*size, generator=draw).half() for size in ((7, 1536), (1536,)))
    whole = steps.row_sums(matrix, row)
    monkeypatch.setattr(steps, "on_a_gpu", lambda _: True)
    assert whole.dtype is torch.float32
    torch.testing.assert_close(steps.row_sums(matrix, row), whole)
    torch.testing.assert_close(whole, (matrix.double() @ row.double()).float())
