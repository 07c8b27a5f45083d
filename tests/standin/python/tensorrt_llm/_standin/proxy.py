"""The parent's side of the executor, whose worker is another process as under MPI."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from typing import Any

from tensorrt_llm._standin import failures, release
from tensorrt_llm._standin.log import python_log
from tensorrt_llm._standin.worker import worker_main


class InThisProcess(threading.Thread):
    """A worker in the calling process, with what a process has that is asked for here."""

    pid = os.getpid()

    def kill(self) -> None:
        """Nothing short of the process's own end ends a thread."""


class Executor:
    """Spawns the worker, waits until it is ready and hands its tokens to the results.

    The worker is spawned, not forked: it imports the caller's main module again, so that a script without a main
    guard fails here as it does with the real package. Nothing limits the wait for a worker that hangs.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        self._process: Any
        if release.single_process():
            self._connection, child = multiprocessing.Pipe()
            self._process = InThisProcess(
                target=worker_main, args=(child, spec), name="tensorrt_llm-worker", daemon=True
            )
            self._process.start()
        else:
            failures.at_spawn()
            release.refuse_to_spawn()
            context = multiprocessing.get_context("spawn")
            self._connection, child = context.Pipe()
            self._process = context.Process(target=worker_main, args=(child, spec), name="tensorrt_llm-worker")
            self._process.start()
            child.close()
        self._results: dict[int, Any] = {}
        self._lock = threading.Lock()
        try:
            self._wait_until_ready()
        except BaseException:
            self._process.kill()
            raise
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

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
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._connection.close()
