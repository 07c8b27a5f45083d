"""`pytorch-compile`: the fast path that transformers documents, a static KV cache and a compiled decode step."""

from __future__ import annotations

from typing import Any

from trtbench.lanes.prepared import Prepared
from trtbench.lanes.pytorch_eager import PytorchEager
from trtbench.records.trial import Statement
from trtbench.settings.cells import Cell


class PytorchCompile(PytorchEager):
    """`generate(cache_implementation="static")`. On a GPU transformers itself compiles the decode step for it; on a CPU
    it does so only with a private flag, so there the model's forward is compiled as its guide to torch.compile shows."""

    loaded = False
    cell: Cell | None = None
    profile_steps = 2**31  # another length is another static cache, and another compilation

    def prepare(self) -> Prepared:
        from trtbench.lanes.compile_cache import CompileCache

        return CompileCache(
            self.plan, "pytorch-compile", "lanes/pytorch_compile", "lanes/pytorch_eager", "model/torch_loading"
        ).prepared(self)

    def load(self) -> None:
        if self.loaded:
            return
        super().load()
        # Each batch size and length is a compilation of its own; past the limit torch would go on uncompiled.
        self._torch._dynamo.config.recompile_limit = 64
        self._torch._dynamo.config.fail_on_recompile_limit_hit = True
        if self.plan.device == "cpu":
            self.model.forward = self._torch.compile(self.model.forward)
        self.loaded = True

    def begin(self, cell: Cell) -> None:
        """What is as fast as in a run of its own: transformers keeps the longest static cache (4.57, of one batch size) or its
        length (5, of all), over which a shorter cell would attend too; and torch leaves open, where it compiles a second time,
        the sizes that have changed."""
        if self.cell not in (None, cell):
            for kept in ("_cache", "_previous_max_cache_length"):
                if hasattr(self.model, kept):
                    delattr(self.model, kept)
            self._torch.compiler.reset()
        self.cell = cell

    def configuration(self, new_tokens: int) -> Any:
        configuration = super().configuration(new_tokens)
        configuration.cache_implementation = "static"
        return configuration

    def statement(self) -> Statement:
        if self.plan.device == "cpu":
            compiled = (
                "model.forward compiled by torch.compile: on a CPU transformers compiles only with a private flag"
            )
        else:
            compiled = "decode step compiled by transformers itself (mode reduce-overhead: CUDA graphs), prefill eager"
        return self._torch_facts.state(  # type: ignore[no-any-return]
            self.model, cuda_graphs=self.plan.device == "cuda", notes=["static KV cache", compiled]
        )
