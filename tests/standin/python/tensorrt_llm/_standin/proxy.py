"""What stands between an LLM and its engine: a proxy of a worker in another process as under MPI, or the worker itself."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
import types
from typing import Any

from tensorrt_llm._standin import failures, release
from tensorrt_llm._standin.log import python_log
from tensorrt_llm._standin.worker import Worker, worker_main
from tensorrt_llm.llmapi.utils import enable_worker_single_process_for_tp1


def create(spec: dict[str, Any]) -> Executor:
    """The executor of an LLM. The variable is asked for one GPU alone: several have a worker in other processes."""
    if spec["world_size"] == 1 and enable_worker_single_process_for_tp1():
        python_log("W", "Using single process worker for TP1, this may hurt streaming generation performance.")
        return GenerationExecutorWorker(spec)
    return GenerationExecutorProxy(spec)


class Executor:
    """Hands requests to a worker at the other end of a pipe, and its tokens to the results."""

    _connection: Any

    def _begin(self) -> None:
        self._results: dict[int, Any] = {}
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def submit(self, requests: list[dict[str, Any]], results: list[Any]) -> None:
        """Send requests as one batch; the worker decides how many run together."""
        with self._lock:
            self._results.update((result.request_id, result) for result in results)
        try:
            self._connection.send(("submit", requests))
        except OSError:
            self._fail_all("the executor's worker has died")

    def _read(self) -> None:
        while True:
            try:
                number, *step = self._connection.recv()
            except (EOFError, OSError):
                self._fail_all("the executor's worker has died")
                return
            with self._lock:
                result = self._results[number]
                if step[0] == "error" or step[2] is not None:
                    del self._results[number]
            result._steps.put(tuple(step))

    def _fail_all(self, message: str) -> None:
        with self._lock:
            waiting, self._results = self._results, {}
        for result in waiting.values():
            result._steps.put(("error", message))

    def shutdown(self) -> None:
        """Ask the worker to end and wait for it."""
        with contextlib.suppress(OSError):  # already gone, which is what is wanted
            self._connection.send(("shutdown",))
        self._wait_for_the_end()
        self._connection.close()

    def _wait_for_the_end(self) -> None:
        raise NotImplementedError


class GenerationExecutorProxy(Executor):
    """Spawns the worker and waits until it is ready.

    The worker is spawned, not forked: it imports the caller's main module again, so that a script without a main
    guard fails here as it does with the real package. Nothing limits the wait for a worker that hangs.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        failures.at_spawn()
        release.refuse_to_spawn()
        context = multiprocessing.get_context("spawn")
        self._connection, child = context.Pipe()
        self._process = context.Process(target=worker_main, args=(child, spec), name="tensorrt_llm-worker")
        self._process.start()
        child.close()
        try:
            self._wait_until_ready()
        except BaseException:
            self._process.kill()
            raise
        self._begin()

    def _wait_until_ready(self) -> None:
        while not self._connection.poll(0.05):
            if not self._process.is_alive() and not self._connection.poll(0):
                python_log("E", "Executor worker died during initialization.")
                raise RuntimeError("Executor worker died during initialization")
        try:
            kind, *rest = self._connection.recv()
        except EOFError:
            python_log("E", "Executor worker died during initialization.")
            raise RuntimeError("Executor worker died during initialization") from None
        if kind != "ready":
            error, trace = rest
            python_log("E", f"Executor worker initialization error: {trace}")
            raise RuntimeError("Executor worker returned error") from error

    def _wait_for_the_end(self) -> None:
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


class GenerationExecutorWorker(Executor):
    """The engine in the calling process: no MPI, no other process, and what fails in it fails in the caller."""

    def __init__(self, spec: dict[str, Any]) -> None:
        failures.at_worker_start()
        self._connection, other_end = multiprocessing.Pipe()
        worker = Worker(other_end, spec)
        self.engine = types.SimpleNamespace()
        if spec["runtime"] == "torch":
            self.engine.model_engine = types.SimpleNamespace(dtype=worker.dtype)
        self._thread = threading.Thread(target=worker.serve, daemon=True)
        self._thread.start()
        self._begin()

    def _wait_for_the_end(self) -> None:
        self._thread.join(10)
