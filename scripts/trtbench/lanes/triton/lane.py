"""`pytorch-triton`: the tuned decoder with hand-written Triton kernels in its CUDA graphs; one sequence, greedy.

A measure of what is left beyond PyTorch's own means; never the base of a headline.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import triton

from trtbench.errors import Unsupported
from trtbench.lanes.prepared import Prepared
from trtbench.lanes.triton import kernels
from trtbench.lanes.tuned.decoder import Config
from trtbench.lanes.tuned.lane import PytorchTuned
from trtbench.lanes.tuned.session import STEPS, Session
from trtbench.lanes.tuned.steps import Wide
from trtbench.lanes.tuned.tiles import Tile, Tiles
from trtbench.records.trial import Statement

# Where the search for the best on this card begins (`tuned.tiles`): rows a program and warps, found on an H200 with the shape of
# TinyLlama (docs/performance.md). Any are right. Of "attend" the rows are positions of the cache.
TILES: dict[str, tuple[int, int]] = {
    "qkv": (1, 1),
    "o": (2, 1),
    "gate_up": (2, 2),
    "down": (4, 4),
    "head": (8, 4),
    "attend": (256, 8),
}


class TritonSession(Session):
    """Replaces the decode steps; prefill and its first id stay compiled PyTorch."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if self.batch != 1:
            raise Unsupported(f"pytorch-triton runs one sequence, not a batch of {self.batch}")
        c = self.config
        like = partial(torch.empty, device=self.device, dtype=self.x.dtype)
        self.middle, self.mixed, self.inner = like(c.hidden), like(2 * c.heads * c.half), like(c.intermediate)
        self.best = torch.empty(c.vocab, device=self.device)
        self.index = torch.empty(c.vocab, device=self.device, dtype=torch.int32)
        cuda = self.device.type == "cuda"
        self.pdl = cuda and torch.cuda.get_device_capability()[0] >= 9
        # A flag of the launch, which Triton's interpreter does not know.
        self.launch_flags = {"launch_pdl": True} if self.pdl else {}
        self.cut: dict[str, Tile] = {
            name: {"XBLOCK": rows, "num_warps": warps} for name, (rows, warps) in TILES.items()
        }
        self.hidden_row = {"H": c.hidden, "K": triton.next_power_of_2(c.hidden)}

    @property
    def form_of_one(self) -> tuple[type, tuple[int, ...]]:
        return Wide, (self.total, self.config.rows)

    def fit(self, tiles: Tiles, step: Callable[[], float] | None, names: Callable[[], list[str]]) -> None:
        c = self.config
        work = {
            "qkv": (c.rows, c.hidden),
            "o": (c.hidden, 2 * c.heads * c.half),
            "gate_up": (c.intermediate, c.hidden),
            "down": (c.hidden, c.intermediate),
            "head": (c.vocab, c.hidden),
            "attend": (self.total, c.half),
        }
        power = triton.next_power_of_2
        if tiles.searching and step is not None and not tiles.kept:
            sizes = {name: {"x": power(rows), "r0_": power(columns)} for name, (rows, columns) in work.items()}
            start = {name: {**tile, "XBLOCK": min(tile["XBLOCK"], sizes[name]["x"])} for name, tile in self.cut.items()}
            tiles.search(start, sizes, self.cut.__setitem__, step)
        if tiles.kept:
            self.cut, tiles.used = dict(tiles.kept), True

    def span(self, position: int) -> int:
        """The attention kernel reads the position itself, so one graph serves all of them."""
        return self.total

    def decode_steps(self, count: int, span: int) -> None:
        for _ in range(count):
            for layer, cache, turn in zip(self.layers, self.caches, self.turns):
                self._layer(layer, cache, turn)
            self._next()

    def _launch(self, name: str, kernel: Any, rows: int, *arguments: Any, **constants: Any) -> None:
        tile = self.cut[name]
        grid = (triton.cdiv(rows, tile["XBLOCK"]),)
        kernel[grid](
            *arguments, **constants, ROWS=tile["XBLOCK"], PDL=self.pdl, num_warps=tile["num_warps"], **self.launch_flags
        )

    def _layer(self, w: Any, cache: Any, turn: Any) -> None:
        c, x = self.config, self.x
        bias = x if w.bias is None else w.bias
        self._launch(
            "qkv", kernels.qkv, c.rows, x, w.norm, w.qkv, bias, *turn, *cache, self.position, c.rows, c.eps,
            **self.hidden_row, BIAS=w.bias is not None,
        )  # fmt: skip
        attend = self.cut["attend"]
        kernels.attend[(c.heads,)](
            *cache, self.position, self.mixed, c.rows, (2 * c.half) ** -0.5,
            HEADS=c.heads, KV_HEADS=c.kv_heads, D=c.half, HALF=triton.next_power_of_2(c.half), SPAN=attend["XBLOCK"],
            PDL=self.pdl, num_warps=attend["num_warps"], **self.launch_flags,
        )  # fmt: skip
        self._launch(
            "o", kernels.add_product, c.hidden, self.mixed, w.o, x, self.middle, c.hidden, **_row(w.o[0].numel())
        )
        self._launch(
            "gate_up", kernels.gate_up, c.intermediate, self.middle, w.mlp_norm, w.up, self.inner, c.intermediate, c.eps,
            **self.hidden_row,
        )  # fmt: skip
        self._launch(
            "down", kernels.add_product, c.hidden, self.inner, w.down, self.middle, x, c.hidden, **_row(c.intermediate)
        )

    def _next(self) -> None:
        c, (embedding, norm, head) = self.config, self.ends
        self._launch(
            "head", kernels.head, c.vocab, self.x, norm, head, self.best, self.index, c.vocab, c.eps, **self.hidden_row
        )
        parts = triton.cdiv(c.vocab, self.cut["head"]["XBLOCK"])
        kernels.advance[(1,)](
            self.best, self.index, embedding, self.position, self.output, self.x, parts, self.length,
            **self.hidden_row, PARTS=triton.next_power_of_2(parts), PDL=self.pdl, num_warps=8,
            **self.launch_flags,
        )  # fmt: skip


def _row(length: int) -> dict[str, int]:
    """A row as two powers of two, since Triton's tiles are: 5632 is 4096 and 2048 with little left over."""
    second = triton.next_power_of_2(length)
    if second == length:
        return {"K": length, "FIRST": length, "SECOND": 0}
    return {"K": length, "FIRST": second // 2, "SECOND": triton.next_power_of_2(length - second // 2)}


class PytorchTriton(PytorchTuned):
    """`pytorch-tuned` with the sessions above."""

    name = "pytorch-triton"
    sources = (*PytorchTuned.sources, "lanes/triton/lane", "lanes/triton/kernels")

    def make_session(self, shape: tuple[int, int, int]) -> TritonSession:
        return TritonSession(
            self.config, self.layers, self.ends, self.plan.sampling, shape, self.launch, tiles=self.tiles
        )

    def read_config(self, dtype: torch.dtype) -> Config:
        """The kernels are a Llama's; what else a model has is refused by name, before its weights are read."""
        config = super().read_config(dtype)
        if config.beyond_llama:
            raise Unsupported(
                f"pytorch-triton has kernels for the layers of a Llama, and {config.kind} also has "
                f"{', '.join(config.beyond_llama)}"
            )
        return config

    def prepare(self) -> Prepared:
        if all(cell.batch > 1 for cell in self.plan.cells):
            raise Unsupported("pytorch-triton runs one sequence, and no cell has a batch of 1")
        if self.plan.sampling.temperature > 0:
            raise Unsupported("pytorch-triton is greedy; its kernels draw nothing")
        return super().prepare()

    def statement(self) -> Statement:
        statement = super().statement()
        statement.versions["triton"] = triton.__version__
        return statement

    def attention(self) -> str:
        return "hand-written Triton kernel; SDPA in prefill"

    def notes(self) -> list[str]:
        return [
            "decode by hand-written Triton kernels, five a layer; prefill compiled by torch.compile",
            f"{STEPS} decode steps in one CUDA graph",
            *(f"the compiled kernel that chooses the first id: {note}" for note in self.launch.notes()),
            *self.tiles.notes(),
        ]
