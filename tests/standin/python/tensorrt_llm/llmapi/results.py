"""What generate and generate_async return."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import queue
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any


class RequestError(RuntimeError):
    """A request that the executor refused or lost."""


@dataclasses.dataclass
class TimingMetrics:
    """Times of one request on the steady clock."""

    arrival_time: datetime.timedelta
    first_scheduled_time: datetime.timedelta
    first_token_time: datetime.timedelta
    last_token_time: datetime.timedelta
    kv_cache_transfer_start: datetime.timedelta = datetime.timedelta(0)
    kv_cache_transfer_end: datetime.timedelta = datetime.timedelta(0)
    kv_cache_size: int = 0


@dataclasses.dataclass
class KvCacheMetrics:
    """Cache blocks of one request."""

    num_total_allocated_blocks: int
    num_new_allocated_blocks: int
    num_reused_blocks: int
    num_missed_blocks: int

    @property
    def kv_cache_hit_rate(self) -> float:
        """Share of the prompt's full blocks that were reused."""
        total = self.num_reused_blocks + self.num_missed_blocks
        return self.num_reused_blocks / total if total else 0.0


@dataclasses.dataclass
class RequestPerfMetrics:
    """Metrics of one request; only with return_perf_metrics."""

    timing_metrics: TimingMetrics
    kv_cache_metrics: KvCacheMetrics


@dataclasses.dataclass
class CompletionOutput:
    """One output sequence; token_ids grows while a request streams."""

    index: int
    text: str = ""
    token_ids: list[int] = dataclasses.field(default_factory=list)
    cumulative_logprob: float | None = None
    logprobs: list[Any] = dataclasses.field(default_factory=list)
    prompt_logprobs: list[Any] = dataclasses.field(default_factory=list)
    finish_reason: str | None = None
    stop_reason: int | str | None = None
    generation_logits: Any = None
    disaggregated_params: Any = None
    request_perf_metrics: RequestPerfMetrics | None = None
    _last_token_ids_len: int = 0
    _last_text_len: int = 0

    @property
    def length(self) -> int:
        """Number of new tokens."""
        return len(self.token_ids)

    @property
    def token_ids_diff(self) -> list[int]:
        """Tokens that the last step added."""
        return self.token_ids[self._last_token_ids_len :]

    @property
    def text_diff(self) -> str:
        """Text that the last step added."""
        return self.text[self._last_text_len :]

    @property
    def logprobs_diff(self) -> list[Any]:
        """Always empty: log probabilities are not implemented."""
        return []


class RequestOutput:
    """A request's result: wait with result(), or iterate (also asynchronously) while it streams."""

    def __init__(
        self, request_id: int, prompt: str | None, prompt_token_ids: list[int], tokenizer: Any, skip_special: bool
    ) -> None:
        self.request_id = request_id
        self.prompt = prompt
        self.prompt_token_ids = prompt_token_ids
        self.outputs = [CompletionOutput(index=0)]
        self.context_logits = None
        self.finished = False
        self._steps: queue.Queue[tuple[Any, ...]] = queue.Queue()
        self._tokenizer = tokenizer
        self._skip_special = skip_special

    def _step(self, timeout: float | None = None) -> None:
        kind, *rest = self._steps.get(timeout=timeout)
        output = self.outputs[0]
        if kind == "error":
            self.finished = True
            raise RequestError(rest[0])
        ids, reason, metrics = rest
        output._last_token_ids_len, output._last_text_len = len(output.token_ids), len(output.text)
        output.token_ids = output.token_ids + list(ids)
        if self._tokenizer is not None:
            output.text = self._tokenizer.decode(output.token_ids, skip_special_tokens=self._skip_special)
        if reason is not None:
            output.finish_reason, output.request_perf_metrics, self.finished = reason, metrics, True

    def result(self, timeout: float | None = None) -> RequestOutput:
        """Wait for the end of the request."""
        while not self.finished:
            self._step(timeout)
        return self

    async def aresult(self) -> RequestOutput:
        """Wait for the end of the request without blocking the event loop."""
        return await asyncio.get_running_loop().run_in_executor(None, self.result)

    def __await__(self) -> Generator[Any, None, RequestOutput]:
        return self.aresult().__await__()

    def __iter__(self) -> Iterator[RequestOutput]:
        while not self.finished:
            self._step()
            yield self

    async def __aiter__(self) -> AsyncIterator[RequestOutput]:
        while not self.finished:
            await asyncio.get_running_loop().run_in_executor(None, self._step)
            yield self

    def __repr__(self) -> str:
        return f"RequestOutput(request_id={self.request_id}, outputs={self.outputs}, finished={self.finished})"
