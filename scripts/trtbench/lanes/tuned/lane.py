"""`pytorch-tuned`: the best that PyTorch's own means give for Llama and its kin (`families`).

An own decoder with fused weights and a static KV cache, compiled layer by layer with `torch.compile`. On a GPU one
CUDA graph holds several decode steps with the choice of the token and the advance of the position, so that no Python
runs for a token; on a CPU the compiled layers are called in a loop.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

from trtbench.errors import Unsupported
from trtbench.lanes.lane import Lane
from trtbench.lanes.prepared import Prepared
from trtbench.records.trial import Memory, Statement
from trtbench.settings.lanes import FEW

if TYPE_CHECKING:
    import torch

    from trtbench.lanes.tuned.decoder import Config
    from trtbench.lanes.tuned.launch import DependentLaunch
    from trtbench.lanes.tuned.session import Session
    from trtbench.lanes.tuned.tiles import Tiles


class PytorchTuned(Lane):
    """Compiles at the first call of a shape; `prepare` makes those calls once, so that trials find it on disk. It comes before
    `load`, also where all is there."""

    name = "pytorch-tuned"
    sources: tuple[str, ...] = tuple(
        f"lanes/tuned/{part}"
        for part in (
            "lane",
            "families",
            "rotary",
            "weights",
            "decoder",
            "steps",
            "session",
            "launch",
            "tiles",
            "inductor_kernels",
        )
    )
    loaded = False
    session: Session | None = None
    launch: DependentLaunch
    tiles: Tiles

    def prepare(self) -> Prepared:
        from trtbench.lanes.compile_cache import CompileCache
        from trtbench.lanes.prepared import found
        from trtbench.lanes.tuned.launch import DependentLaunch
        from trtbench.lanes.tuned.tiles import Tiles

        cache = CompileCache(self.plan, self.name, *self.sources)
        self.launch = DependentLaunch(cache.folder, self.plan.device)
        # The ranks would each find their own, and while one tries a tile all must make the same calls: over several cards the
        # kernels stay as Inductor cuts them.
        self.tiles = Tiles(cache.folder, searching=found(cache.folder) is None and self.plan.tp_size == 1)
        return cache.prepared(self, self.launch.mixed)

    def make_session(self, shape: tuple[int, int, int]) -> Session:
        from trtbench.lanes.tuned.session import Session

        sums = self.plan.value != "matrix library"
        return Session(self.config, self.layers, self.ends, self.plan.sampling, shape, self.launch, sums, self.tiles)

    def load(self) -> None:
        if self.loaded:
            return
        import torch

        from trtbench.lanes import torch_facts
        from trtbench.lanes.tuned.weights import read_weights
        from trtbench.model import torch_loading

        if self.plan.precision not in torch_loading.DTYPES:
            raise Unsupported(f"PyTorch runs float32, float16 and bfloat16 here, not {self.plan.precision}")
        torch.set_num_threads(self.plan.threads)
        torch.set_grad_enabled(False)
        torch.manual_seed(self.plan.sampling.seed)
        # Every cell and every span of positions is a specialisation of the same functions.
        torch._dynamo.config.recompile_limit = 64
        self.torch, self._torch_facts = torch, torch_facts
        dtype = torch_loading.DTYPES[self.plan.precision]
        self.config = self.read_config(dtype)
        self.layers, self.ends = read_weights(self.plan.model, self.config, dtype, self.plan.device)
        self.loaded = True

    def read_config(self, dtype: torch.dtype) -> Config:
        from trtbench.lanes.tuned.families import read_config
        from trtbench.lanes.tuned.weights import share_of

        return share_of(read_config(self.plan.model, self.plan.max_length, dtype), self.plan.tp_size, self.plan.rank)

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        return self._session(len(prompts), len(prompts[0]), new_tokens).run(prompts, new_tokens)

    def _session(self, batch: int, length: int, new_tokens: int) -> Session:
        """The buffers and graphs for a shape; the last one's are given back first."""
        session = self.session
        if session is None or (session.batch, session.length) != (batch, length) or session.new_tokens < new_tokens:
            lengths = [c.new_tokens for c in self.plan.cells if (c.batch, c.prompt_length) == (batch, length)]
            self.session = session = None
            gc.collect()
            if self.plan.device == "cuda":
                self.torch.cuda.empty_cache()
            self.session = session = self.make_session((batch, length, max([new_tokens, *lengths])))
        return session

    def statement(self) -> Statement:
        return self._torch_facts.statement_of(
            str(self.ends.embedding.dtype).removeprefix("torch."),
            self.ends.embedding.device,
            cuda_graphs=self.plan.device == "cuda",
            attention=self.attention(),
            notes=self.notes(),
        )

    def attention(self) -> str:
        """How it is computed, in all cells."""
        sums = self.plan.value != "matrix library"
        batches = {cell.batch for cell in self.plan.cells}
        ways = dict.fromkeys("compiled sums" if sums and batch == 1 else "products" for batch in sorted(batches))
        prefill = "SDPA" if self.config.score_cap is None else "capped products"
        return f"{' or '.join(ways)} over the used positions; {prefill} in prefill"

    def notes(self) -> list[str]:
        """How the rest is computed."""
        notes = ["own decoder with fused QKV and gate/up weights, layers compiled by torch.compile"]
        if self.plan.device == "cuda":
            from trtbench.lanes.tuned.session import STEPS

            notes.append(f"{STEPS} decode steps in one CUDA graph")
        else:
            batches = sorted({cell.batch for cell in self.plan.cells})
            by_sums = [str(batch) for batch in batches if self.plan.value != "matrix library" and batch <= FEW]
            if by_sums:
                notes.append(f"decode steps as compiled sums at batch {', '.join(by_sums)}")
        return [*notes, *self.launch.notes(), *self.tiles.notes()]

    def memory(self) -> Memory:
        parts: list[Any] = [part for layer in self.layers for part in layer if part is not None]
        return self._torch_facts.memory([*parts, *self.ends], self.session.cache_bytes if self.session else None)

    def close(self) -> None:
        self.session = None
