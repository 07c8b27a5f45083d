"""Makes a lane's calls over two ranks and tells what came of each, a line of JSON behind TOLD.

python drive_ranks.py LANE MODEL GRACE CALL… (GRACE in seconds; `again`: close, and begin with a new one; `pause`: a second)"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import msgspec
import psutil
import toy_ranks

from trtbench.lanes import ranks
from trtbench.lanes.lane import Plan
from trtbench.records.trial import Sampling
from trtbench.settings.cells import Cell

CELL = Cell(batch=1, prompt_length=3, new_tokens=4, precision="float32")


def opened(name: str, model: Path) -> ranks.Ranks:
    plan = Plan(
        model=model,
        model_digest="d",
        precision="float32",
        device="cpu",
        threads=2,
        sampling=Sampling(),
        cells=(CELL,),
        cache=model,
        tp_size=2,
    )
    return ranks.Ranks(name, plan)


def tell(told: dict[str, object]) -> None:
    """A line in one piece: the other rank writes to the same pipe."""
    os.write(1, f"\nTOLD {json.dumps(told)}\n".encode())


def main() -> None:
    name, model, grace, *calls = sys.argv[1:]
    toy_ranks.install()
    ranks.GRACE = float(grace)
    arguments = {"begin": (CELL,), "generate": ([[1, 2, 3]], 4)}
    lane = opened(name, Path(model))
    for call in calls:
        told: dict[str, object] = {"call": call}
        try:
            if call == "pause":
                time.sleep(1)
            elif call == "again":
                lane.close()
                lane = opened(name, Path(model))
            else:
                told["value"] = msgspec.to_builtins(getattr(lane, call)(*arguments.get(call, ())))
        except Exception as error:
            told["error"] = [type(error).__name__, str(error)]
        tell(told)
    lane.close()
    left = [process.pid for process in psutil.Process().children(recursive=True)]
    tell({"call": "close", "value": left})


if __name__ == "__main__":
    main()
