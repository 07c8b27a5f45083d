"""The search for the tiles of a decode step's kernels, what is kept of it, and what is reached of Inductor's kernels."""

from __future__ import annotations

import gc
import importlib
import inspect
import json
import math
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trtbench.lanes import compile_cache, prepared
from trtbench.lanes.lane import Plan
from trtbench.lanes.tuned import decoder, inductor_kernels, steps, tiles
from trtbench.lanes.tuned.lane import PytorchTuned
from trtbench.lanes.tuned.launch import DependentLaunch
from trtbench.lanes.tuned.session import Session
from trtbench.lanes.tuned.tiles import Tile, Tiles
from trtbench.records.trial import Sampling
from trtbench.settings.cells import Cell

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
        each = other["XBLOCK"] * columns / (32 * other["num_warps"])
        assert columns <= size["r0_"] and other["num_warps"] <= tiles.MOST_WARPS
        assert 1 <= each <= tiles.MOST_EACH or tiles.MOST_EACH < each < tiles.numbers_each(tile, size)


def test_a_start_that_is_too_large_for_a_longer_row_finds_its_way_down() -> None:
    def timed(name: str, tile: Tile) -> float:
        return tiles.numbers_each(tile, {"x": 4096, "r0_": 16384})

    start = {"down": {"XBLOCK": 4, "num_warps": 4}}
    found = tiles.descend(start, {"down": {"x": 4096, "r0_": 16384}}, timed, time.monotonic() + 5)
    assert tiles.sensible(found["down"], {"x": 4096, "r0_": 16384})


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


def test_all_searches_of_a_lane_share_their_time(tmp_path: Path) -> None:
    found = Tiles(tmp_path, searching=True)
    found.seconds = 0.0
    found.search(START, SIZES, Card().use, lambda: 1.0)
    assert found.kept == START and found.seconds < 0


def test_what_another_run_prepared_meanwhile_stays(tmp_path: Path) -> None:
    found = Tiles(tmp_path, searching=True)
    (tmp_path / tiles.FILE).write_text('{"o": {"XBLOCK": 2, "num_warps": 8}}')
    prepared.seal(tmp_path, 1)
    card = Card()
    found.search(START, SIZES, card.use, card.step)
    assert Tiles(tmp_path, searching=False).kept == {"o": {"XBLOCK": 2, "num_warps": 8}}


class Config(SimpleNamespace):
    """As Triton's, as far as it is reached for."""


class Launcher(SimpleNamespace):
    """Of one tile."""


class Kernel:
    """As Inductor's, as far as it is reached for: compiled with one tile, in another process where `fn.fn` is None."""

    def __init__(self, name: str, tile: Tile, elsewhere: bool = False, source: str = "source") -> None:
        self.fn = SimpleNamespace(__name__=name, fn=None if elsewhere else object())
        self.filename, self.size_hints = f"/cache/ab/{source}.py", {"x": 2048, "r0_": 8192}
        self.compiled: list[Tile] = []
        self._cached_launcher: Any = "the last one"
        blocks = {key: value for key, value in tile.items() if key != "num_warps"}
        self.launchers: list[Any] = [Launcher(config=Config(kwargs=blocks, num_warps=tile["num_warps"]))]

    @property
    def tile(self) -> Tile:
        return inductor_kernels.tile_of(self)

    def _reload_kernel(self) -> Any:
        return SimpleNamespace(fn=SimpleNamespace(__name__=self.fn.__name__, fn=object()))

    def _precompile_config(self, config: Any) -> Any:
        assert self.fn.fn is not None and config.found_by_coordesc
        launcher = Launcher(config=config)
        self.compiled.append({**config.kwargs, "num_warps": config.num_warps})
        return SimpleNamespace(make_launcher=lambda: launcher)


def never(*_: Any) -> Any:
    raise AssertionError("not asked for")


def seconds_with(kernels: list[Kernel]) -> Callable[[], float]:
    return lambda: 1e-3 * (1 + 0.02 * sum(distance(k.tile, GOALS[k.fn.__name__]) for k in kernels))


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Kernel]:
    kernels: list[Kernel] = []
    monkeypatch.setattr(inductor_kernels, "loaded", lambda: list(kernels))
    return kernels


def test_inductor_s_kernels_are_cut_as_was_found_and_trials_take_it_from_there(
    tmp_path: Path, loaded: list[Kernel]
) -> None:
    loaded += [Kernel(name, START[name]) for name in ("gate_up", "down")]
    found = Tiles(tmp_path, searching=True)
    inductor_kernels.fit(found, seconds_with(loaded), lambda: ["a copy", "gate_up", "down"])
    assert [kernel.tile for kernel in loaded] == [GOALS["gate_up"], GOALS["down"]]
    assert found.notes() == [tiles.NOTE] and all(kernel._cached_launcher is None for kernel in loaded)

    loaded[:] = [Kernel("gate_up", GOALS["gate_up"], elsewhere=True), Kernel("down", START["down"], elsewhere=True)]
    loaded.append(Kernel("o", {"XBLOCK": 1, "R0_BLOCK": 512, "num_warps": 1}))
    trial = Tiles(tmp_path, searching=False)
    for _ in range(2):  # for every graph that is recorded
        inductor_kernels.fit(trial, never, never)
    assert [kernel.compiled for kernel in loaded] == [[GOALS["gate_up"]], [GOALS["down"]], []]
    assert trial.notes() == [tiles.NOTE]


def test_what_a_recorded_graph_may_run_on_is_never_let_go(tmp_path: Path, loaded: list[Kernel]) -> None:
    """PyTorch 2.13 unloads a launcher's code with the last reference to it."""
    loaded.append(Kernel("down", START["down"]))
    first = weakref.ref(loaded[0].launchers[0])
    found = Tiles(tmp_path, searching=True)
    inductor_kernels.fit(found, seconds_with(loaded), lambda: ["down"])
    recorded = weakref.ref(loaded[0].launchers[0])
    inductor_kernels.fit(found, None, never)
    gc.collect()
    assert first() is not None and recorded() is loaded[0].launchers[0]

    loaded[:] = [Kernel("down", START["down"])]
    as_loaded = weakref.ref(loaded[0].launchers[0])
    inductor_kernels.fit(Tiles(tmp_path, searching=False), None, never)
    gc.collect()
    assert as_loaded() is not None and as_loaded() is not loaded[0].launchers[0]


def test_a_second_shape_searches_only_for_kernels_that_the_first_had_not(tmp_path: Path, loaded: list[Kernel]) -> None:
    loaded.append(Kernel("down", START["down"]))
    found = Tiles(tmp_path, searching=True)
    inductor_kernels.fit(found, lambda: 1.0, lambda: ["down"])
    kept, before = dict(found.kept), len(loaded[0].compiled)
    loaded.append(Kernel("down", START["down"], source="of another span"))
    inductor_kernels.fit(found, lambda: 1.0, lambda: ["down"])
    assert len(found.kept) == 2 and kept.items() <= found.kept.items()
    assert len(loaded[0].compiled) == before and len(loaded[1].compiled) > 1


def test_a_graph_of_one_step_is_no_measure(tmp_path: Path, loaded: list[Kernel]) -> None:
    loaded.append(Kernel("down", START["down"]))
    found = Tiles(tmp_path, searching=True)
    inductor_kernels.fit(found, None, never)
    assert not found.kept and not loaded[0].compiled and found.notes() == []


@pytest.mark.parametrize("blind", ["the profiler fails", "it sees nothing"])
def test_without_a_profile_every_kernel_is_looked_at(
    tmp_path: Path, loaded: list[Kernel], blind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded += [Kernel(name, START[name]) for name in ("gate_up", "down")]

    def names() -> list[str]:
        if blind == "it sees nothing":
            return []
        raise RuntimeError("CUPTI_ERROR_INSUFFICIENT_PRIVILEGES")

    inductor_kernels.fit(Tiles(tmp_path, searching=True), seconds_with(loaded), names)
    assert [kernel.tile for kernel in loaded] == [GOALS["gate_up"], GOALS["down"]]
    assert ("RuntimeError" in capsys.readouterr().out) == (blind == "the profiler fails")


@pytest.mark.ngc
def test_the_places_in_inductor_are_where_they_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the PyTorch that is installed: what its own search for tiles goes through."""
    heuristics = pytest.importorskip("torch._inductor.runtime.triton_heuristics")
    from torch._inductor.codecache import PyCodeCache

    source = inspect.getsource(heuristics.CachingAutotuner)
    for place in ("self.launchers = [", "._precompile_config(", ").make_launcher()", "_reload_kernel().fn"):
        assert place in source, place
    for place in ("self.size_hints = ", "self.filename = ", "self.fn.fn is None", "found_by_coordesc = True"):
        assert place in source, place
    assert isinstance(PyCodeCache.modules, list)
    kernel = object.__new__(heuristics.CachingAutotuner)
    config = Config(kwargs={"XBLOCK": 2, "R0_BLOCK": 512}, num_warps=4)
    kernel.__dict__.update(
        launchers=[SimpleNamespace(config=config)],
        size_hints={"x": 2048, "r0_": 2048},
        filename="/cache/ab/source.py",
        fn=SimpleNamespace(__name__="down"),
    )
    other = object.__new__(heuristics.CachingAutotuner)
    other.__dict__.update(kernel.__dict__, size_hints={"x": 2048})  # adds up nothing
    module = SimpleNamespace(first=kernel, again=kernel, other=other, text="a")
    monkeypatch.setattr(PyCodeCache, "modules", [module])
    assert inductor_kernels.loaded() == [kernel]
    assert inductor_kernels.kernel_key(kernel) == "down source"


class Recorded:
    """A CUDA graph, as far as a session uses one: what was called while it was recorded, called again."""

    recording: ClassVar[list[Recorded]] = []

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def pool(self) -> str:
        return "pool"

    def replay(self) -> None:
        for call in self.calls:
            call()


class Clock:
    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None: ...

    def synchronize(self) -> None: ...

    def elapsed_time(self, end: Clock) -> float:
        return 4.0


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session of a small model that computes on the CPU, compiles nothing and records graphs as on a GPU."""
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    config = decoder.Config(2, 32, 4, 2, 4, 48, 64, 1e-5, False, False, (1.0, 0.5, 0.25, 0.125))
    draw = torch.Generator().manual_seed(3)

    def matrix(*size: int) -> torch.Tensor:
        return torch.randn(size, generator=draw) * 0.4

    def layer() -> decoder.Layer:
        ones = torch.ones(32)
        return decoder.Layer(
            ones, matrix(2, config.rows, 32), None, matrix(32, 2, 16), ones, matrix(2, 48, 32), matrix(32, 48)
        )

    ends = decoder.Ends(matrix(64, 32), torch.ones(32), matrix(64, 32))
    made = Session(
        config, [layer(), layer()], ends, Sampling(), (1, 5, 40), DependentLaunch(Path("none"), "cpu"), True, None
    )
    stream = SimpleNamespace(wait_stream=lambda _: None)

    @contextmanager
    def record(graph: Recorded, pool: Any = None, capture_error_mode: str = "") -> Iterator[None]:
        Recorded.recording.append(graph)
        yield
        Recorded.recording.pop()

    for name, value in {
        "Stream": lambda: stream,
        "current_stream": lambda: stream,
        "stream": lambda _: nullcontext(),
        "synchronize": lambda: None,
        "CUDAGraph": Recorded,
        "graph": record,
        "Event": Clock,
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)

    def recordable(work: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: Any) -> None:
            if Recorded.recording:
                Recorded.recording[-1].calls.append(partial(work, *arguments))
            else:
                work(*arguments)

        return call

    for name in ("prefill_step", "decode_steps"):
        monkeypatch.setattr(made, name, recordable(getattr(made, name)))
    return made


@pytest.mark.ngc
def test_a_session_has_its_kernels_cut_before_it_records_and_that_leaves_no_trace(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = [[7, 9, 11, 13, 15]]
    expected = session.run(prompt, 40)
    assert len(set(expected[0])) > 5
    asked: list[float | None] = []

    def fit(tiles: Tiles, step: Callable[[], float] | None, names: Callable[[], list[str]]) -> None:
        assert tiles is session.tiles
        asked.append(None if step is None else step())
        assert names() == ["down", "o"]

    @contextmanager
    def profile(**_: Any) -> Iterator[Any]:
        times = [("o", 1.0), ("down", 2.0), ("o", 0.5)]
        yield SimpleNamespace(
            events=lambda: [
                SimpleNamespace(name=name, time_range=SimpleNamespace(elapsed_us=lambda us=us: us))
                for name, us in times
            ]
        )

    monkeypatch.setattr(torch.profiler, "profile", profile)
    session.tiles = Tiles(Path("none"), searching=True)
    monkeypatch.setattr(session, "fit", fit)
    monkeypatch.setattr(session, "device", SimpleNamespace(type="cuda"))
    session._compile()
    assert session.run(prompt, 40) == expected == session.run(prompt, 40)
    assert asked == [4e-3, None], "the graph of several steps and the one of a single step; not that of the prefill"


def test_what_was_prepared_is_not_searched_again(
    tiny_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compile_cache.CompileCache, "prepared", lambda cache, *_: prepared.Prepared(1, False, 1))
    cell = Cell(batch=1, prompt_length=4, new_tokens=2, precision="float32")
    plan = Plan(
        model=tiny_model, model_digest="x", precision="float32", device="cpu", threads=2, sampling=Sampling(), cells=(cell,),
        cache=tmp_path,
    )  # fmt: skip
    first = PytorchTuned(plan)
    first.prepare()
    assert first.tiles.searching
    prepared.seal(first.tiles.file.parent, 1)
    first.prepare()
    assert not first.tiles.searching


def test_the_hand_written_kernels_are_cut_likewise(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Triton: what is launched is not looked at, what with is."""
    triton = ModuleType("triton")
    language = ModuleType("triton.language")
    triton.__dict__.update(
        jit=lambda function: function,
        next_power_of_2=lambda n: 1 << (n - 1).bit_length(),
        cdiv=lambda a, b: -(-a // b),
        language=language,
        __version__="0",
    )
    for name, module in {"triton": triton, "triton.language": language}.items():
        monkeypatch.setitem(sys.modules, name, module)
    for name in ("lane", "kernels"):
        monkeypatch.delitem(sys.modules, f"trtbench.lanes.triton.{name}", raising=False)
    lane = importlib.import_module("trtbench.lanes.triton.lane")
    for name in ("lane", "kernels"):
        monkeypatch.delitem(sys.modules, f"trtbench.lanes.triton.{name}")
    made = lane.TritonSession(
        session.config, session.layers, session.ends, Sampling(), (1, 5, 40), DependentLaunch(tmp_path, "cpu")
    )
    assert made.caches[0].lo.shape == (45, made.config.rows), "its kernels read rows of the cache"
    goal = {**made.cut, "down": {"XBLOCK": 8, "num_warps": 1}, "attend": {"XBLOCK": 16, "num_warps": 2}}

    def step() -> float:
        return 1e-3 * (1 + 0.02 * sum(distance(made.cut[name], goal[name]) for name in goal))

    found = Tiles(tmp_path, searching=True)
    made.fit(found, None, never)
    assert not found.kept and found.notes() == []
    made.fit(found, step, never)
    assert made.cut == found.kept == goal and found.notes() == [tiles.NOTE]
    launched = []

    class Launch:
        def __getitem__(self, grid: tuple[int, ...]) -> Any:
            return lambda *_, **named: launched.append((grid, named["ROWS"], named["num_warps"]))

    made._launch("down", Launch(), 32)
    assert launched == [((4,), 8, 1)]
    trial = lane.TritonSession(
        session.config, session.layers, session.ends, Sampling(), (1, 5, 40), DependentLaunch(tmp_path, "cpu")
    )
    trial.fit(Tiles(tmp_path, searching=False), never, never)
    assert trial.cut == goal


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
