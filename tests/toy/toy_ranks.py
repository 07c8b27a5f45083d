"""A lane in a process for each rank that fails or ends in the place that TOY_RANKS names: `rank:method:how`, several behind commas.

rank: its number, or `all`; how: raise, late (after what the ranks exchange), refuse, kill, leave (with status 3)."""

from __future__ import annotations

import os
import signal
import sys

from toy_lanes import ToyTorch

from trtbench.errors import Unsupported
from trtbench.lanes.prepared import Prepared
from trtbench.records.trial import Memory
from trtbench.settings.lanes import LANES, Row

NAME = "toy-ranks"


class ToyRanks(ToyTorch):
    def prepare(self) -> Prepared | None:
        self.fail("prepare")
        return super().prepare()

    def load(self) -> None:
        super().load()
        self.fail("load")

    def generate(self, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
        """As any toy, but for what the ranks have in common: their number is added to the first id."""
        import torch
        import torch.distributed

        self.fail("generate")
        ranks = torch.ones(1, dtype=torch.long)
        torch.distributed.all_reduce(ranks)
        self.fail("generate", "late")
        return [[row[0] + int(ranks), *row[1:]] for row in super().generate(prompts, new_tokens)]

    def memory(self) -> Memory:
        self.fail("memory")
        return Memory(weights=100 + self.plan.rank, kv_pool=10, torch_allocated=None if self.plan.rank else 7)

    def fail(self, where: str, when: str = "") -> None:
        """Do what TOY_RANKS asks for at this place."""
        for failure in os.environ.get("TOY_RANKS", "").split(","):
            rank, _, rest = failure.partition(":")
            place, _, how = rest.partition(":")
            if rank not in ("all", str(self.plan.rank)) or place != where or (how == "late") != (when == "late"):
                continue
            if how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if how == "leave":
                sys.stdout.flush()
                os._exit(3)
            if how == "refuse":
                raise Unsupported("the toy can't be split")
            raise RuntimeError(f"the toy's {where} is broken\nand said more on a second line")


def install() -> None:
    LANES.update(ROWS)


ROWS = {
    NAME: Row(
        where="toy_ranks:ToyRanks",
        family="toyranks",
        script="bench_toy.sh",
        modules=("torch",),
        devices=("cpu",),
        precisions={"cpu": ("float32",)},
        label=NAME,
        over_cards="ranks",
    )
}
