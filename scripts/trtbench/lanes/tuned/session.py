"""One shape of a generation on the tuned decoder: its buffers, its compiled steps and, on a GPU, its CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch._dynamo.exc import BackendCompilerFailed
from torch._inductor import config as inductor_config

from trtbench.lanes.tuned import inductor_kernels, launch, steps
from trtbench.lanes.tuned.decoder import Config, Ends, Layer, embed
from trtbench.lanes.tuned.launch import DependentLaunch
from trtbench.lanes.tuned.rotary import rotations
from trtbench.lanes.tuned.tiles import Tiles
from trtbench.records.trial import Sampling
from trtbench.settings.lanes import FEW

STEPS = 16  # decode steps in one CUDA graph
REPLAYS = 9  # of which the median is the time of steps
STATIC_LAUNCHER = "use_static_cuda_launcher"  # of Inductor
LEAST_SPAN = 512  # attention looks at 512, 1024, 2048 … positions, at most at all


def options(device: str, wide: bool, dependent_launch: bool) -> dict[str, Any]:
    """What Inductor is asked for beyond its defaults, and why."""
    chosen: dict[str, Any] = {launch.OPTION: True} if dependent_launch else {}
    if device == "cuda":
        chosen |= {
            "coordinate_descent_tuning": True,
            # A reduction cut in two costs a second kernel; a decode step is bound by how many there are.
            "split_reductions": not wide,
            "assert_indirect_indexing": False,  # positions come from this program
        }
        if STATIC_LAUNCHER in inductor_config.get_config_copy():
            # PyTorch 2.10 and 2.11 find a kernel for it on disk without the tile that was searched for; a graph has no use for it.
            chosen[STATIC_LAUNCHER] = False
    return chosen


class Session:
    """Buffers and steps for `batch` prompts of `length` ids and up to `new_tokens` new ones. A single sequence, and on a CPU a
    `few` of them, are decoded by compiled `sums` over rows, or as any batch by the matrix library."""

    def __init__(
        self,
        config: Config,
        layers: list[Layer],
        ends: Ends,
        sampling: Sampling,
        shape: tuple[int, int, int],
        dependent_launch: DependentLaunch,
        sums: bool = True,
        tiles: Tiles | None = None,
    ) -> None:
        self.config, self.layers, self.ends, self.sampling = config, layers, ends, sampling
        self.launch, self.tiles = dependent_launch, tiles
        self.batch, self.length, self.new_tokens = shape
        self.total = self.length + self.new_tokens
        weight = ends.embedding
        self.device = weight.device
        self.wide = self.batch == 1 and sums
        self.few = 1 < self.batch <= FEW and sums and self.device.type == "cpu"
        zeros = partial(torch.zeros, device=self.device)
        size = (self.batch, config.kv_heads, self.total, 2 * config.half)
        make, shape_of_one = self.form_of_one if self.wide else (steps.Heads, size)
        self.caches = [make(*(zeros(shape_of_one, dtype=weight.dtype) for _ in range(2))) for _ in layers]
        self.turns = rotations(config, self.total, str(self.device))
        self.ids = zeros((self.batch, self.length), dtype=torch.long)
        self.output = zeros((self.batch, self.new_tokens), dtype=torch.long)
        self.position = zeros(1, dtype=torch.long)
        hidden = (config.hidden,) if self.wide else (self.batch, 1, config.hidden)
        self.x = zeros(hidden, dtype=weight.dtype)
        self._compile()

    def _compile(self) -> None:
        """The steps as functions that are compiled when they are called, and no graph of any; what was there is dropped."""
        self.pool: Any = None
        self.recorded: dict[tuple[int, int], Callable[[], None]] = {}
        compiled = partial(torch.compile, dynamic=False, fullgraph=True)
        tuned = options(self.device.type, self.wide, self.launch.on)
        # Functions of their own for each session: what was compiled for another shape stays out of its guards.
        self.prefill = compiled(_copy(steps.prefill))
        decode = steps.decode_one if self.wide else steps.decode_few if self.few else steps.decode_batch
        self.decode = compiled(_copy(decode), options=tuned)
        self.finish = compiled(_copy(_finish), options=tuned)

    @property
    def form_of_one(self) -> tuple[type, tuple[int, ...]]:
        """The cache of a single sequence, and the shape of its tensors."""
        return steps.Columns, (self.config.rows, self.total)

    @property
    def cache_bytes(self) -> int:
        return sum(part.nbytes for cache in self.caches for part in cache)

    def run(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        """Generate; the new ids are in host memory when this returns. Where kernels can't be compiled with dependent launch, all
        of them are compiled without, and the generation begins anew: nothing of one without a whole prefill is used."""
        shape = f"batch {self.batch} and {self.length} prompt ids"
        try:
            ids = self._generate(prompts, new_tokens)
        except BackendCompilerFailed as error:
            if not self.launch.on or isinstance(error.inner_exception, torch.OutOfMemoryError):
                raise
            reason = launch.reason_of(error)
        else:
            if self.launch.on:
                self.launch.used.add(shape)
            return ids
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        self.launch.used.discard(shape)
        try:
            with self.launch.given_up(reason):
                self._compile()
                return self._generate(prompts, new_tokens)
        except BaseException:
            self._compile()
            raise

    def _generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        self.ids.copy_(torch.tensor(prompts))
        self._recorded(0, 0)()
        done = 1
        while done < new_tokens:
            position = self.length + done - 1
            span = self.span(position)
            whole_graph = min(STEPS, new_tokens - done) == STEPS and self.span(position + STEPS - 1) == span
            count = STEPS if whole_graph else 1
            self._recorded(count, span)()
            done += count
        return self.output[:, :new_tokens].tolist()  # type: ignore[no-any-return]

    def span(self, position: int) -> int:
        """How many cache positions attention looks at when the newest is `position`: few values, so few compilations."""
        span = LEAST_SPAN
        while span <= position:
            span *= 2
        return min(span, self.total)

    def prefill_step(self) -> None:
        """Prefill and the first new id."""
        x = embed(self.ids, self.ends, self.config)
        for layer, cache, turn in zip(self.layers, self.caches, self.turns):
            x = self.prefill(x, layer, cache, *turn, self.config)
        self.position.fill_(self.length - 1)
        self.x.copy_(self._end(x[0, -1].clone() if self.wide else x[:, -1:].clone()))

    def decode_steps(self, count: int, span: int) -> None:
        """`count` decode steps."""
        x = self.x
        for _ in range(count):
            for layer, cache, turn in zip(self.layers, self.caches, self.turns):
                x = self.decode(x, layer, cache, *turn, self.position, span, self.config)
                x = x[0] if isinstance(x, tuple) else x
            x = self._end(x)
        self.x.copy_(x)

    def _end(self, x: torch.Tensor) -> torch.Tensor:
        choice = (self.sampling.temperature, self.sampling.top_p)
        return self.finish(x, self.ends, self.config, self.position, self.output, self.length, choice, self.few)

    def _recorded(self, count: int, span: int) -> Callable[[], None]:
        """The steps as one call: on a GPU a CUDA graph, made at the first use; count 0 is the prefill."""
        work = self.recorded.get((count, span))
        if work is None:
            work = partial(self.decode_steps, count, span) if count else self.prefill_step
            if self.device.type == "cuda":
                work = self._graph(work, count, span)
            self.recorded[count, span] = work
        return work

    def _graph(self, work: Callable[[], None], count: int, span: int) -> Callable[[], None]:
        # Compiling and tuning may not happen while recording, and the trial run must leave no trace.
        kept = [part.clone() for part in (self.position, self.x, self.output)]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            if count:
                self.decode_steps(1, span)
            else:
                work()
        torch.cuda.current_stream().wait_stream(side)
        if count and self.wide and self.tiles is not None:
            where = count, span, kept[0]
            # A single step is too short to tell tiles apart.
            step = partial(self._seconds_of, *where) if count == STEPS else None
            self.fit(self.tiles, step, partial(self._kernels_of, *where))
        for part, value in zip((self.position, self.x, self.output), kept):
            part.copy_(value)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        # Beside NCCL's own thread, which asks the card for what it waits for, only this thread's calls may be what breaks a recording.
        mode = "global" if self.config.ranks == 1 else "thread_local"
        with torch.cuda.graph(graph, pool=self.pool, capture_error_mode=mode):
            work()
        self.pool = graph.pool()
        return graph.replay  # type: ignore[no-any-return]

    def fit(self, tiles: Tiles, step: Callable[[], float] | None, names: Callable[[], list[str]]) -> None:
        """Cut the kernels of decode steps as `tiles` says, or find that out by `step`, the seconds of steps as they are now."""
        inductor_kernels.fit(tiles, step, names)

    def _seconds_of(self, count: int, span: int, position: torch.Tensor) -> float:
        """The median of a few replays of the steps, recorded for this alone, each from the same position."""
        self.position.copy_(position)
        self.decode_steps(1, span)  # what is not compiled or loaded yet can't be while recording
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.decode_steps(count, span)
        milliseconds: list[float] = []
        for _ in range(REPLAYS):
            self.position.copy_(position)
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            graph.replay()
            end.record()
            end.synchronize()
            milliseconds.append(begin.elapsed_time(end))
        return sorted(milliseconds)[REPLAYS // 2] / 1e3

    def _kernels_of(self, count: int, span: int, position: torch.Tensor) -> list[str]:
        """The names of the kernels in the steps, those first that take most of the time."""
        from torch.profiler import ProfilerActivity, profile

        self.position.copy_(position)
        with profile(activities=[ProfilerActivity.CUDA], acc_events=True) as profiled:
            self.decode_steps(count, span)
            torch.cuda.synchronize()
        time: dict[str, float] = {}
        for event in profiled.events() or []:
            time[event.name] = time.get(event.name, 0.0) + event.time_range.elapsed_us()
        return sorted(time, key=lambda name: -time[name])


def _finish(
    x: torch.Tensor,
    ends: Ends,
    config: Config,
    position: torch.Tensor,
    output: torch.Tensor,
    length: int,
    choice: tuple[float, float],
    few: bool,
) -> torch.Tensor:
    """Choose the next ids, note them, move on by one position, and return their embeddings in the shape of `x`."""
    ids = steps.choose(steps.logits_of(x if x.dim() == 1 else x[:, 0], ends, config, few), *choice, config)
    output.index_copy_(1, position - (length - 1), ids[:, None])
    position.add_(1)
    return embed(ids, ends, config).view(x.shape)


def _copy(function: Callable[..., Any]) -> Callable[..., Any]:
    import types

    return types.FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
