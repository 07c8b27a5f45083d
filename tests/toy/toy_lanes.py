"""Lanes without an engine: they sleep and answer with ids made from the prompt, or fail in one certain way."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from trtbench.errors import Unsupported
from trtbench.lanes.lane import Lane
from trtbench.lanes.prepared import Prepared
from trtbench.records.trial import Statement


class ToyTorch(Lane):
    """Behaves. TOY_SECONDS: how long one generation takes."""

    seconds = float(os.environ.get("TOY_SECONDS", "0.004"))

    def load(self) -> None:
        print("toy loaded", flush=True)

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        time.sleep(self.seconds)
        return [[(sum(row) + i) % 500 for i in range(new_tokens)] for row in prompts]

    def statement(self) -> Statement:
        return Statement(
            runtime="Toy",
            runtime_version="1",
            device="cpu",
            device_name="CPU",
            compute_precision=self.plan.precision,
            weight_precision=self.plan.precision,
        )


class ToyFast(ToyTorch):
    seconds = ToyTorch.seconds / 2


class ToyChoice(ToyTorch):
    """One sequence is four times as fast in the fancy way, more of them in the plain one."""

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        if (self.plan.value == "fancy") != (len(prompts) == 1):
            time.sleep(3 * self.seconds)
        return super().generate(prompts, new_tokens)


class ToyOneWay(ToyTorch):
    """The fancy way does not work here."""

    def load(self) -> None:
        if self.plan.value == "fancy":
            raise Unsupported("there is no fancy way on this machine")
        super().load()


class ToyOtherWay(ToyTorch):
    """The plain way, which is the makers' default, can't even be prepared here."""

    def prepare(self) -> Prepared | None:
        if self.plan.value == "plain":
            raise Unsupported("the plain way does not compile on this machine")
        return super().prepare()


class ToyCpu(ToyTorch):
    """Computes on every core, so that a neighbour slows it."""

    megabytes = 30

    def load(self) -> None:
        super().load()
        cores = os.cpu_count() or 1
        self.pool = ThreadPoolExecutor(cores)
        self.shares = [bytes(self.megabytes * 2**20 // 2)] * cores

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        list(self.pool.map(lambda share: hashlib.sha256(share).digest(), self.shares))
        return [[(sum(row) + i) % 500 for i in range(new_tokens)] for row in prompts]


class ToyCpuFast(ToyCpu):
    megabytes = 20


class ToyCpuSlow(ToyCpu):
    megabytes = 120


class Short(ToyTorch):
    """Stops early, as an engine does that heeds the end of sequence."""

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        return [row[: max(1, new_tokens - 1)] for row in super().generate(prompts, new_tokens)]


class Raises(ToyTorch):
    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        raise RuntimeError("the engine fell over\nand said more on a second line")


class Killed(ToyTorch):
    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        print("last words of the engine", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("still alive")


class Orphan(Killed):
    """Is killed while a forked worker in a session of its own still holds all its files, the parent's pipe too."""

    def load(self) -> None:
        if os.fork() == 0:
            os.setsid()
            time.sleep(8)
            os._exit(0)


class Greedy(ToyTorch):
    """Has memory for one sequence only."""

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        if len(prompts) > 1:
            raise MemoryError
        return super().generate(prompts, new_tokens)


class Hangs(ToyTorch):
    """Never answers; a worker process hangs with it."""

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)", "toy-worker"])
        time.sleep(600)
        raise AssertionError("woke up")


class Unprepared(ToyTorch):
    def prepare(self) -> Prepared | None:
        raise Unsupported("the toy converter refuses this model")


class OutOfMemoryError(RuntimeError):
    """As torch names it."""


class Crowded(ToyTorch):
    """Has GPU memory for one sequence only, and says so as torch does."""

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        if len(prompts) > 1:
            raise OutOfMemoryError(
                "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 24.00 GiB of which "
                "3.50 GiB is free. Including non-PyTorch memory, this process has 20.00 GiB memory in use."
            )
        return super().generate(prompts, new_tokens)


class Fault(ToyTorch):
    """Fails on a GPU in its second trial (the first leaves the file TOY_LOST), with the message TOY_FAULT; where NVML_LOST
    names a file, it is made then, and NVML's stand-in says that the card is lost."""

    def load(self) -> None:
        told = Path(os.environ["TOY_LOST"])
        self.fails = told.exists()
        told.touch()

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        if self.fails:
            if "NVML_LOST" in os.environ:
                Path(os.environ["NVML_LOST"]).touch()
            raise RuntimeError(os.environ["TOY_FAULT"])
        return super().generate(prompts, new_tokens)
