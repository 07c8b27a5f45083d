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


def fit(tiles: Tiles, step: Callable[[], float], names: Callable[[], list[str]]) -> None:
    """Cut the kernels that were launched so far as was found to be best, or find it: `step` gives the seconds of steps as they
    are cut now, and `names` the kernels in them, those first that take most of the time."""
    kernels = loaded()
    if tiles.searching:
        new = {kernel_key(kernels[name]): kernels[name] for name in names() if name in kernels}
        new = {key: kernel for key, kernel in new.items() if key not in tiles.kept}
        launchers: dict[tuple[str, str], Any] = {}

        def use(key: str, tile: Tile) -> None:
            wanted = key, str(tile)
            if wanted not in launchers:
                launchers[wanted] = launcher_of(new[key], tile)
            launch(new[key], launchers[wanted])

        if new:
            tiles.search(
                {key: tile_of(kernel) for key, kernel in new.items()},
                {key: dict(kernel.size_hints) for key, kernel in new.items()},
                use,
                step,
            )
    for kernel in kernels.values():
        tile = tiles.kept.get(kernel_key(kernel))
        if tile is not None:
            tiles.used = True
            launch(kernel, launcher_of(kernel, tile))


def loaded() -> dict[str, Any]:
    """Inductor's reductions that were launched in this process, by name; of several with one name the newest."""
    try:
        from torch._inductor.codecache import PyCodeCache
        from torch._inductor.runtime.triton_heuristics import CachingAutotuner
    except ImportError:
        return {}
    found = {}
    for module in PyCodeCache.modules:
        for kernel in vars(module).values():
            if isinstance(kernel, CachingAutotuner) and len(kernel.launchers) == 1:
                plain = set(kernel.size_hints or ()) == {"x", "r0_"} and set(tile_of(kernel)) <= NUMBERS
                if plain and kernel.filename:
                    found[kernel.fn.__name__] = kernel
    return found


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


def launch(kernel: Any, launcher: Any) -> None:
    """Have the next launches be of this one."""
    kernel.launchers = [launcher]
    kernel._cached_launcher = None  # PyTorch 2.13 keeps the last one beside
