"""How the kernels of a decode step are cut: the rows and columns that a program takes at once, and its warps.

Chosen while a lane is prepared, by the time of whole steps in their CUDA graph, where a kernel starts while the one before it
drains: what is best for a kernel alone is not what is best there (docs/performance.md). What was found is kept with what was
compiled, and trials take it from there. Any choice computes the same but for the order of sums.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from trtbench.lanes import prepared
from trtbench.records.files import write_whole

FILE = "tiles.json"
ROUNDS = 3  # over all kernels, since the best tile of one depends on the others'
SECONDS = 120.0  # for all searches of a lane; what was found by then is kept
GAIN = 0.001  # of a step's time, below which another choice is none
MOST_EACH = 128  # numbers a thread holds
MOST_WARPS = 16
NOTE = "kernels for one sequence cut by the time of whole decode steps"

Tile = dict[str, int]  # XBLOCK rows, R0_BLOCK columns where a row is read in parts, num_warps
Size = dict[str, int]  # x rows and r0_ columns of a kernel's work, as powers of two


def neighbours(tile: Tile, size: Size) -> list[Tile]:
    """The tiles that differ by a factor of two in one number; from one that is too large also those that are less so."""
    others = [{**tile, name: value} for name in tile for value in (tile[name] * 2, tile[name] // 2)]
    too_large = numbers_each(tile, size) > MOST_EACH
    return [
        other
        for other in others
        if sensible(other, size)
        or (too_large and fits(other, size) and numbers_each(other, size) < numbers_each(tile, size))
    ]


def whole_rows(tile: Tile, size: Size) -> list[Tile]:
    """Few whole rows a program, where rows are read in parts: further from most tiles than single steps find."""
    if "R0_BLOCK" not in tile:
        return []
    others = [{"XBLOCK": rows, "R0_BLOCK": size["r0_"], "num_warps": warps} for rows in (1, 2) for warps in (4, 8)]
    return [other for other in others if sensible(other, size)]


def sensible(tile: Tile, size: Size) -> bool:
    """Whether a program has work for each of its threads, and registers for its work."""
    return fits(tile, size) and 1 <= numbers_each(tile, size) <= MOST_EACH


def fits(tile: Tile, size: Size) -> bool:
    """Whether there are so many rows, columns and warps."""
    columns = tile.get("R0_BLOCK", size["r0_"])
    return 1 <= tile["XBLOCK"] <= size["x"] and 1 <= columns <= size["r0_"] and 1 <= tile["num_warps"] <= MOST_WARPS


def numbers_each(tile: Tile, size: Size) -> float:
    """Of a matrix, for each thread."""
    return tile["XBLOCK"] * tile.get("R0_BLOCK", size["r0_"]) / (32 * max(1, tile["num_warps"]))


def descend(
    start: dict[str, Tile], sizes: dict[str, Size], timed: Callable[[str, Tile], float | None], until: float
) -> dict[str, Tile]:
    """The best tile of each kernel, one after the other, from `start` on to what is near and faster.

    `timed` gives the seconds of the steps with this tile for this kernel and the last ones asked for the others, and None
    where it can't be. Ends at the `time.monotonic` of `until`, or when a round over all kernels changes nothing."""
    chosen = dict(start)
    for _ in range(ROUNDS):
        before = dict(chosen)
        for name in start:
            best = timed(name, chosen[name])
            tried = [chosen[name]]
            pending = [*whole_rows(chosen[name], sizes[name]), *neighbours(chosen[name], sizes[name])]
            while best is not None and pending and time.monotonic() < until:
                tile = pending.pop(0)
                if tile in tried:
                    continue
                tried.append(tile)
                seconds = timed(name, tile)
                if seconds is not None and seconds < best * (1 - GAIN):
                    best, chosen[name] = seconds, tile
                    pending = [*neighbours(tile, sizes[name]), *pending]
            if tried[-1] != chosen[name]:
                timed(name, chosen[name])
        if chosen == before:
            break
    return chosen


class Tiles:
    """The tiles of a lane's kernels, in its folder of what was compiled; `searching` while they are to be found."""

    def __init__(self, folder: Path, searching: bool) -> None:
        self.file = folder / FILE
        self.kept: dict[str, Tile] = json.loads(self.file.read_text()) if self.file.is_file() else {}
        self.searching, self.seconds = searching, SECONDS
        self.used = False

    def search(
        self,
        start: dict[str, Tile],
        sizes: dict[str, Size],
        use: Callable[[str, Tile], None],
        step: Callable[[], float],
    ) -> None:
        """Find and keep the tiles of these kernels. `use` has the next step computed with a tile, and raises what a compiler or
        the card has against it; `step` gives the seconds of steps as they then are."""
        refused: list[tuple[str, Tile]] = []

        def timed(name: str, tile: Tile) -> float | None:
            if (name, tile) in refused:
                return None
            try:
                use(name, tile)
                return step()
            except Exception as error:
                print(f"{name} {tile}: {type(error).__name__}", flush=True)
                refused.append((name, tile))
                return None

        began = time.monotonic()
        found = descend(start, sizes, timed, began + self.seconds)
        self.seconds -= time.monotonic() - began
        for name, tile in found.items():
            if (name, tile) not in refused:  # else it could not even be asked for as it was
                self.kept[name] = tile
                print(f"{name}: {_words(start[name])} -> {_words(tile)}", flush=True)
        # Another run may have prepared the same meanwhile, and its trials take from here.
        if prepared.found(self.file.parent) is None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.file, json.dumps(self.kept, indent=1).encode())

    def notes(self) -> Sequence[str]:
        """What the lane states of it."""
        return [NOTE] if self.used else []


def _words(tile: Tile) -> str:
    return " ".join(f"{name}={value}" for name, value in tile.items())
