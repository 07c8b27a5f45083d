"""The worker process: loads the model, batches the requests and decodes them."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
import traceback
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tensorrt_llm._standin import failures, hardware, profiles, ranks
from tensorrt_llm._standin.log import cpp_log

MIB = 2**20


def worker_main(connection: Connection, spec: dict[str, Any]) -> None:
    """Run until told to stop; when the parent is gone, stay a while as a real orphan would."""
    try:
        failures.at_worker_start()
        worker = Worker(connection, spec)
    except BaseException as error:
        connection.send(("failed", error, traceback.format_exc()))
        return
    connection.send(("ready",))
    with contextlib.suppress(KeyboardInterrupt):
        worker.serve()


@dataclasses.dataclass
class Limits:
    """Sizes that the runtime keeps to, after the engine's own."""

    batch: int
    sequence: int
    num_tokens: int
    prompt: int
    blocks: int
    tokens_per_block: int
    one_token_a_step: bool = False

    def blocks_for(self, request: dict[str, Any]) -> int:
        """Whole cache blocks that a request takes at its longest."""
        length = min(len(request["prompt"]) + int(request["max_tokens"]), self.sequence)
        return math.ceil(length / self.tokens_per_block)


class Worker:
    """One model, its limits and the requests that wait."""

    def __init__(self, connection: Connection, spec: dict[str, Any]) -> None:
        import transformers

        from tensorrt_llm._standin.decode import Decoder

        transformers.utils.logging.disable_progress_bar()
        self.connection = connection
        if spec["runtime"] == "engine":
            from tensorrt_llm._standin.engine import load_engine

            model, config, weight_bytes = load_engine(Path(spec["model"]))
            build = config["build_config"]
            self.limits = self._engine_limits(spec, build)
            tokens_per_block = build["plugin_config"]["tokens_per_block"]
            cpp_log("INFO", f"Loaded engine size: {math.ceil(weight_bytes / MIB)} MiB")
        else:
            from tensorrt_llm._standin.models import load_hugging_face

            model, weight_bytes = load_hugging_face(Path(spec["model"]))
            ranks.check_heads(model.config.num_attention_heads, spec["world_size"])
            num_tokens = min(spec["max_num_tokens"] or 8192, spec["max_seq_len"] * spec["max_batch_size"])
            self.limits = Limits(spec["max_batch_size"], spec["max_seq_len"], num_tokens, spec["max_seq_len"], 0, 0)
            tokens_per_block = spec["kv_cache"]["tokens_per_block"]
        self.decoder = Decoder(model, reuse=spec["kv_cache"]["enable_block_reuse"], tokens_per_block=tokens_per_block)
        self.dtype = model.dtype
        self._size_pool(spec["kv_cache"], tokens_per_block, weight_bytes, spec["world_size"])
        if spec.get("padding") and self.limits.blocks > 1:
            # The sequence that the first incomplete batch is padded with takes a block and keeps it.
            self.limits.blocks -= 1
        self.ends_with_eos = spec["runtime"] == "torch"
        self.waiting: list[dict[str, Any]] = []

    @staticmethod
    def _engine_limits(spec: dict[str, Any], build: dict[str, Any]) -> Limits:
        for name, label in (("max_beam_width", "max beam width"), ("max_batch_size", "max batch size")):
            asked, built = spec[name] or build[name], build[name]
            if asked > built:
                message = (
                    f"Assertion failed: Runtime configured {label} ({asked}) must not exceed engine {label} ({built})"
                )
                cpp_log("ERROR", message)
                raise RuntimeError(f"[TensorRT-LLM][ERROR] {message}")
        num_tokens = build["max_num_tokens"]
        asked = spec["max_num_tokens"]
        if asked is not None and asked > num_tokens:
            cpp_log(
                "WARNING",
                f"Runtime configured max num tokens ({asked}) is larger than model max num tokens "
                f"({num_tokens}) and will be ignored.",
            )
        elif asked is not None:
            num_tokens = asked
        sequence = build["max_seq_len"]
        prompt = sequence - 1 if spec["chunked"] else min(sequence - 1, num_tokens)
        batch = spec["max_batch_size"] or build["max_batch_size"]
        return Limits(batch, sequence, num_tokens, prompt, 0, 0, profiles.fixed_to_one_token(build))

    def _size_pool(self, kv_cache: dict[str, Any], tokens_per_block: int, weight_bytes: int, gpus: int) -> None:
        """The smaller of max_tokens and the fraction of what the pretended GPUs have left."""
        per_token = self.decoder.cache_bytes_per_token()
        free = max(gpus * hardware.gpu_memory_bytes() - weight_bytes, 0)
        fraction = kv_cache["free_gpu_memory_fraction"]
        tokens = int(free * (0.9 if fraction is None else fraction)) // per_token
        if kv_cache["max_tokens"] is not None:
            tokens = min(tokens, kv_cache["max_tokens"])
        self.limits.tokens_per_block = tokens_per_block
        self.limits.blocks = math.ceil(tokens / tokens_per_block)
        if self.limits.blocks == 0:
            raise RuntimeError("[TensorRT-LLM][ERROR] Assertion failed: the KV cache has no room for a single block")
        held = self.limits.blocks * tokens_per_block
        cpp_log(
            "INFO",
            f"[MemUsageChange] Allocated {held * per_token / 2**30:.2f} GiB for max tokens in paged KV cache ({held}).",
        )

    def serve(self) -> None:
        """Take requests until the parent says stop or is gone."""
        while True:
            if not self.waiting or self.connection.poll(0):
                try:
                    kind, *rest = self.connection.recv()
                except (EOFError, OSError):
                    failures.outlive_parent()
                if kind == "shutdown":
                    return
                self.waiting += self._admit(rest[0])
            elif batch := self._next_batch():
                self._run(batch)

    def _admit(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        admitted = []
        for request in requests:
            length = len(request["prompt"])
            if length > self.limits.prompt:
                self._error(
                    request,
                    f"Prompt length ({length}) exceeds maximum input length ({self.limits.prompt}). "
                    "Set log level to info and check TRTGptModel logs for how maximum input length "
                    "is set",
                )
            elif self.limits.blocks_for(request) > self.limits.blocks:
                self._error(
                    request,
                    f"the request needs {self.limits.blocks_for(request)} KV cache blocks, the pool "
                    f"has {self.limits.blocks}",
                )
            else:
                admitted.append(request)
        return admitted

    def _error(self, request: dict[str, Any], message: str) -> None:
        self.connection.send((request["id"], "error", message))

    def _next_batch(self) -> list[dict[str, Any]]:
        """Requests with prompts of one length that fit the batch limit and the pool; the others wait."""
        batch: list[dict[str, Any]] = []
        blocks = 0
        for request in self.waiting:
            needed = self.limits.blocks_for(request)
            alike = not batch or len(request["prompt"]) == len(batch[0]["prompt"])
            if alike and len(batch) < self.limits.batch and blocks + needed <= self.limits.blocks:
                batch.append(request)
                blocks += needed
        self.waiting = [request for request in self.waiting if request not in batch]
        return batch

    def _run(self, batch: list[dict[str, Any]]) -> None:
        try:
            failures.at_run(any(request["metrics"] for request in batch))
            if self.limits.one_token_a_step:
                profiles.refuse_more_than_one_token(batch)
            self._decode(batch)
        except Exception as error:  # one failed batch must not take the other requests with it
            for request in batch:
                self._error(request, str(error))

    def _decode(self, batch: list[dict[str, Any]]) -> None:
        scheduled = time.monotonic()
        first: dict[int, float] = {}
        held: dict[int, list[int]] = {request["id"]: [] for request in batch}
        running = dict(enumerate(batch))
        room = self.limits.sequence - len(batch[0]["prompt"])
        for step, chosen in enumerate(self.decoder.steps(batch), start=1):
            now = time.monotonic()
            for index, request in list(running.items()):
                token = chosen[index]
                if failures.failing("wrong-tokens"):
                    token = (token + 1 + index) % self.decoder.vocabulary
                limit = min(request["max_tokens"], room) - int(failures.failing("short-output"))
                reason, keep = self._finish(request, token, step, limit)
                first.setdefault(request["id"], now)
                held[request["id"]] += [token] * keep
                if reason is not None or request["streaming"]:
                    ids, held[request["id"]] = held[request["id"]], []
                    metrics = self._metrics(request, scheduled, first[request["id"]], now) if reason else None
                    self.connection.send((request["id"], "tokens", ids, reason, metrics))
                if reason is not None:
                    del running[index]
            if not running:
                return

    def _finish(self, request: dict[str, Any], token: int, step: int, limit: int) -> tuple[str | None, bool]:
        """Return the finish reason, if any, and whether the token belongs to the output."""
        if token == request["end_id"] and step > request["min_tokens"]:
            return "stop", self.ends_with_eos
        if token in request["stop_ids"]:
            return "stop", False
        return ("length" if step >= limit else None), True

    def _metrics(self, request: dict[str, Any], scheduled: float, first: float, last: float) -> Any:
        if not request["metrics"]:
            return None
        from tensorrt_llm.llmapi.results import KvCacheMetrics, RequestPerfMetrics, TimingMetrics

        arrival, scheduled_at, first_at, last_at = (
            timedelta(seconds=moment) for moment in (request["arrival"], scheduled, first, last)
        )
        size = self.limits.tokens_per_block
        reused = self.decoder.reused_tokens // size
        full = len(request["prompt"]) // size
        total = self.limits.blocks_for(request)
        return RequestPerfMetrics(
            TimingMetrics(arrival, scheduled_at, first_at, last_at),
            KvCacheMetrics(total, total - reused, reused, full - reused),
        )
