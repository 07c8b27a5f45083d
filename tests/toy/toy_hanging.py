"""One lane that fails or hangs in the place that TOY_FAILS names: `where:how`, several behind commas.

where: memory, engine_metrics, close, exit, or the number of a call to generate; how: raise, oom, hang, kill."""

from __future__ import annotations

import atexit
import os
import signal
import time

from toy_lanes import ToyTorch

from trtbench.records.trial import EngineMetrics, Memory
from trtbench.settings.lanes import LANES, Choice, Row

NAME, SPAWNING = "toy-hanging", "toy-hanging-spawning"


class ToyHanging(ToyTorch):
    calls = 0

    def load(self) -> None:
        super().load()
        atexit.register(fail, "exit")

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        self.calls += 1
        fail(str(self.calls))
        return super().generate(prompts, new_tokens)

    def memory(self) -> Memory:
        fail("memory")
        return Memory(kv_pool=1)

    def engine_metrics(self, prompts: list[list[int]], new_tokens: int) -> EngineMetrics | None:
        fail("engine_metrics")
        return EngineMetrics(queued=[1], ttft=[2], e2e=[3])

    def close(self) -> None:
        fail("close")


def fail(where: str) -> None:
    """Do what TOY_FAILS asks for at this place."""
    for failure in os.environ.get("TOY_FAILS", "").split(","):
        place, _, how = failure.partition(":")
        if place != where:
            continue
        if how == "hang":
            time.sleep(600)
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "oom":
            raise MemoryError("you tried to allocate 4294967296 bytes")
        raise RuntimeError(f"the toy's {where} is broken")


def install() -> None:
    LANES.update(ROWS)


ROWS = {
    name: Row(
        where="toy_hanging:ToyHanging",
        family=name.replace("-", ""),
        script="bench_toy.sh",
        modules=(),
        devices=("cpu",),
        precisions={"cpu": ("float32",)},
        label=name,
        spawns=name == SPAWNING,
        choices={"cpu": Choice("toy.way", ("plain", "fancy"))},
    )
    for name in (NAME, SPAWNING)
}
