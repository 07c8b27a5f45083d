"""What `tensorrt-engine` and `tensorrt-pytorch` share: TensorRT-LLM's two runtimes, which people mix up.

Both run in a spawned process. docs/tensorrt-contract.md has the source of every argument.
"""

from __future__ import annotations

import abc
import datetime
from typing import Any

from trtbench.engine import preflight
from trtbench.lanes.lane import Lane
from trtbench.model.files import read_config
from trtbench.records.trial import EngineMetrics, Statement

MOMENTS = ("arrival_time", "first_scheduled_time", "first_token_time", "last_token_time")


class TensorRTLLM(Lane):
    """What both runtimes share: ids in, exactly N ids out, nothing kept between calls, no text in the timed pass."""

    llm: Any = None

    @abc.abstractmethod
    def start(self) -> Any:
        """Construct the runtime's LLM."""

    def load(self) -> None:
        from tensorrt_llm import SamplingParams

        self._params = SamplingParams
        eos = read_config(self.plan.model).get("eos_token_id")
        self._end = eos[0] if isinstance(eos, list) else eos if isinstance(eos, int) else -1
        self.llm = self.start()

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
        fields: dict[str, Any] = dict(
            runtime=runtime,
            runtime_version=tensorrt_llm.__version__,
            device="cpu" if on_cpu else "cuda:0",
            device_name="CPU" if on_cpu else gpu.name if gpu else "unknown",
            prefix_reuse=False,
            simulated=simulated,
            versions={"tensorrt_llm": tensorrt_llm.__version__},
        )
        return Statement(**{**fields, **more})


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
