"""The reductions that Inductor made, and how they are cut. Inductor chooses that for each kernel alone, and what it chose moved a
decode step by a third from one compilation to the next (docs/performance.md).

Inductor has no public way to say it for a kernel, so this reaches where its own search does; without those places the lane
runs as Inductor cut it, and says nothing of tiles.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trtbench.lanes.tuned.tiles import Tile, Tiles

NUMBERS = {"XBLOCK", "R0_BLOCK", "num_warps"}
# Launchers that were replaced: a graph that was recorded with one of them runs on its code, which goes with the last reference.
_replaced: list[Any] = []


def fit(tiles: Tiles, step: Callable[[], float] | None, names: Callable[[], list[str]]) -> None:
    """Cut the kernels that were launched so far as was found to be best. Where that is to be found, `step` gives the seconds of
    steps as they are cut now, and `names` the kernels in them, those first that take most of the time."""
    kernels = loaded()
    if tiles.searching and step is not None:
        ordered = in_steps(kernels, names)
        new = {kernel_key(kernel): kernel for kernel in ordered if kernel_key(kernel) not in tiles.kept}
        if new:
            _search(tiles, new, step)
    for kernel in kernels:
        tile = tiles.kept.get(kernel_key(kernel))
        if tile is not None:
            tiles.used = True
            # Also one that has this tile by itself: as it was loaded its steps took longer (docs/performance.md).
            if getattr(kernel, "cut_here", None) != tile:
                _replaced.extend(kernel.launchers)
                launch(kernel, tile, launcher_of(kernel, tile))


def in_steps(kernels: list[Any], names: Callable[[], list[str]]) -> list[Any]:
    """Those of the kernels that the steps launch, in that order; all where nobody can tell."""
    try:
        order = names()
    except Exception as error:
        print(f"no profile of the steps ({type(error).__name__}): every kernel is looked at", flush=True)
        return kernels
    found = [kernel for name in order for kernel in kernels if kernel.fn.__name__ == name]
    return found or kernels


def _search(tiles: Tiles, kernels: dict[str, Any], step: Callable[[], float]) -> None:
    launchers: dict[tuple[str, str], Any] = {}

    def use(key: str, tile: Tile) -> None:
        wanted = key, str(tile)
        if wanted not in launchers:
            launchers[wanted] = launcher_of(kernels[key], tile)
        launch(kernels[key], tile, launchers[wanted])

    for kernel in kernels.values():
        _replaced.extend(kernel.launchers)
    tiles.search(
        {key: tile_of(kernel) for key, kernel in kernels.items()},
        {key: dict(kernel.size_hints) for key, kernel in kernels.items()},
        use,
        step,
    )


def loaded() -> list[Any]:
    """Inductor's reductions over one range that were launched in this process."""
    try:
        from torch._inductor.codecache import PyCodeCache
        from torch._inductor.runtime.triton_heuristics import CachingAutotuner
    except ImportError:
        return []
    found = {}
    for module in PyCodeCache.modules:
        for kernel in vars(module).values():
            if isinstance(kernel, CachingAutotuner) and len(kernel.launchers) == 1 and kernel.filename:
                found[id(kernel)] = kernel
    return [
        kernel
        for kernel in found.values()
        if set(kernel.size_hints or ()) == {"x", "r0_"} and {"XBLOCK"} < set(tile_of(kernel)) <= NUMBERS
    ]


def kernel_key(kernel: Any) -> str:
    """Its name and that of its file, which tells its source."""
    return f"{kernel.fn.__name__} {Path(kernel.filename).stem}"


def tile_of(kernel: Any) -> Tile:
    config = kernel.launchers[0].config
    return {name: value for name, value in config.kwargs.items() if "BLOCK" in name} | {"num_warps": config.num_warps}


def launcher_of(kernel: Any, tile: Tile) -> Any:
    """The kernel compiled with this tile, as Inductor's own search compiles it."""
    if kernel.fn.fn is None:  # it was compiled in another process
        kernel.fn = kernel._reload_kernel().fn
    config = copy.deepcopy(kernel.launchers[0].config)
    config.kwargs = {**config.kwargs, **{name: value for name, value in tile.items() if name != "num_warps"}}
    config.num_warps = tile["num_warps"]
    config.found_by_coordesc = True  # else it would be searched for once more
    return kernel._precompile_config(config).make_launcher()


def launch(kernel: Any, tile: Tile, launcher: Any) -> None:
    """Have the next launches be of this one, which has that tile."""
    kernel.launchers, kernel.cut_here = [launcher], tile
    kernel._cached_launcher = None  # PyTorch 2.13 keeps the last one beside
