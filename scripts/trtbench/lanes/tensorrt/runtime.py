"""What `tensorrt-engine` and `tensorrt-pytorch` share: TensorRT-LLM's two runtimes, which people mix up.

Both run in a spawned process, or in the calling one, whichever was found faster for the cell; on several cards in a spawned
process for each. docs/tensorrt-contract.md has
the source of every argument and variable.
"""

from __future__ import annotations

import abc
import datetime
import os
from typing import Any

from trtbench.engine import preflight, worker_process
from trtbench.errors import Unsupported
from trtbench.lanes.lane import Lane
from trtbench.model import kv_cache, vocabulary
from trtbench.model.files import read_config
from trtbench.records.trial import EngineMetrics, Statement

PDL = "TRTLLM_ENABLE_PDL"
PDL_CAPABILITY = (9, 0)  # programmatic dependent launch is an instruction of these cards and later ones
PLACES = {  # what stands between an LLM and its engine, by its class
    "GenerationExecutorWorker": worker_process.CALLING,
    "GenerationExecutorProxy": worker_process.SPAWNED,
}
MOMENTS = ("arrival_time", "first_scheduled_time", "first_token_time", "last_token_time")


class TensorRTLLM(Lane):
    """What both runtimes share: ids in, exactly N ids out, nothing kept between calls, no text in the timed pass."""

    llm: Any = None
    _why = ""  # the engine runs where it does, where that was no choice

    @classmethod
    def environment(cls) -> dict[str, str]:
        """No programmatic dependent launch on a card that has none: some releases ask FlashInfer for it on every card, which
        then compiles instructions that this one does not know."""
        gpu = preflight.gpu_in_use()
        return {PDL: "0"} if gpu and gpu.capability and gpu.capability < PDL_CAPABILITY else {}

    @abc.abstractmethod
    def start(self) -> Any:
        """Construct the runtime's LLM."""

    def load(self) -> None:
        from tensorrt_llm import SamplingParams

        self._params = SamplingParams
        config = read_config(self.plan.model)
        if reason := kv_cache.unsplittable(config, self.plan.tp_size):
            raise Unsupported(reason)
        self._end = vocabulary.end_id(config)
        self._why = worker_process.set_place(self.plan.value, self.plan.tp_size)
        self.llm = self.start()
        asked = os.environ.get(worker_process.VARIABLE)
        if self.plan.tp_size == 1 and asked is not None and self.place() not in (None, asked):
            raise Unsupported(f"{worker_process.VARIABLE}={asked} was set, and the engine {self.where()}")

    def place(self) -> str | None:
        """Where the engine runs, told by what TensorRT-LLM made for it; None for what is not known."""
        return PLACES.get(type(getattr(self.llm, "_executor", None)).__name__)

    def where(self) -> str:
        """The same in words."""
        if self.ranks() > 1:
            return f"in {self.ranks()} processes, one for each card"
        sayings = {worker_process.CALLING: "in the calling process", worker_process.SPAWNED: "in a process of its own"}
        place = self.place()
        return sayings[place] if place else "in a process that it does not name"

    def ranks(self) -> int:
        """Cards that the model is split over, as the runtime completed its own arguments; where it does not let see them, what
        was asked for."""
        found: Any = self.llm
        for name in ("args", "parallel_config", "tp_size"):
            found = getattr(found, name, None)
        return found if isinstance(found, int) else self.plan.tp_size

    def params(self, new_tokens: int, **more: Any) -> Any:
        """Exactly `new_tokens` ids: the end of sequence is ignored. Its id is given because there is no tokenizer."""
        sampling = self.plan.sampling
        choice: dict[str, Any] = {"top_k": 1}
        if sampling.temperature > 0:
            choice = {"temperature": sampling.temperature, "top_p": sampling.top_p, "seed": sampling.seed}
        return self._params(
            max_tokens=new_tokens,
            ignore_eos=True,
            end_id=self._end,
            pad_id=self._end,
            detokenize=False,
            **choice,
            **more,
        )

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        results = self.llm.generate(prompts, self.params(new_tokens), use_tqdm=False)
        return [list(result.outputs[0].token_ids) for result in results]

    def engine_metrics(self, prompts: list[list[int]], new_tokens: int) -> EngineMetrics | None:
        results = self.llm.generate(prompts, self.params(new_tokens, return_perf_metrics=True), use_tqdm=False)
        return metrics_of([getattr(result.outputs[0], "request_perf_metrics", None) for result in results])

    def close(self) -> None:
        if self.llm is not None:
            self.llm.shutdown()

    def state(self, runtime: str, **more: Any) -> Statement:
        """The statement, as far as both runtimes answer alike."""
        import tensorrt_llm

        simulated = bool(getattr(tensorrt_llm, "SIMULATED", False))
        gpu = preflight.gpu_in_use()
        on_cpu = self.plan.device == "cpu"
        why = f": {self._why}" if self._why else ""
        notes = [f"the engine {self.where()}{why}", *self.set_for_the_card(), *more.pop("notes", [])]
        asked = [*more.pop("asked", []), *([] if on_cpu else ["cuda_graphs"])]
        fields: dict[str, Any] = dict(
            runtime=runtime,
            runtime_version=tensorrt_llm.__version__,
            device="cpu" if on_cpu else "cuda:0",
            device_name="CPU" if on_cpu else gpu.name if gpu else "unknown",
            prefix_reuse=False,
            simulated=simulated,
            versions={"tensorrt_llm": tensorrt_llm.__version__},
            notes=notes,
            asked=asked or None,
            tensor_parallel=self.ranks() if self.ranks() > 1 else None,
        )
        return Statement(**{**fields, **more})

    def set_for_the_card(self) -> list[str]:
        """What the environment says of programmatic dependent launch, where it says anything."""
        value = os.environ.get(PDL)
        if value is None:
            return []
        why = ", which this card does not have" if value == "0" and self.environment() else ""
        return [f"{PDL}={value}: programmatic dependent launch {'off' if value == '0' else 'as asked for'}{why}"]


def metrics_of(reports: list[Any]) -> EngineMetrics | None:
    """The engine's own times of a batch; None when this release gives none, or lacks one of the names."""
    spans: list[list[int]] = [[], [], []]
    reused: list[int] = []
    for report in reports:
        times = getattr(report, "timing_metrics", None)
        moments = [moment for name in MOMENTS if isinstance(moment := getattr(times, name, None), datetime.timedelta)]
        if len(moments) != len(MOMENTS):
            return None
        for span, moment in zip(spans, moments[1:]):
            span.append(max(0, round((moment - moments[0]).total_seconds() * 1e9)))
        blocks = getattr(getattr(report, "kv_cache_metrics", None), "num_reused_blocks", None)
        reused += [blocks] if isinstance(blocks, int) else []
    return EngineMetrics(
        queued=spans[0], ttft=spans[1], e2e=spans[2], reused_blocks=sum(reused) if len(reused) == len(reports) else None
    )
