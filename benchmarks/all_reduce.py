"""What one all-reduce costs between the cards of this machine, as the tuned lane makes it: over NCCL, inside a CUDA graph.

    python benchmarks/all_reduce.py [CARDS]

Microseconds for the sizes of a decode step and of a prefill, float16, one after the other in a graph, the copy before each of them
counted. Prints JSON.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
import tempfile
from pathlib import Path

import torch
import torch.distributed
import torch.distributed._functional_collectives as collectives
import torch.multiprocessing

EACH = 64  # all-reduces in a graph
REPLAYS = 50
SIZES = ((1, 2048), (1, 4096), (8, 4096), (32, 4096), (128, 4096), (1024, 4096), (4096, 4096))  # tokens, hidden


def measure(rank: int, cards: int, store: str) -> None:
    os.environ.setdefault("NCCL_NVLS_ENABLE", "0")
    os.environ.setdefault("NCCL_SOCKET_IFNAME", "lo")
    torch.cuda.set_device(rank)
    torch.distributed.init_process_group(
        "nccl",
        init_method=f"file://{store}",
        rank=rank,
        world_size=cards,
        timeout=datetime.timedelta(minutes=2),
        device_id=torch.device("cuda", rank),
    )
    group = torch.distributed.group.WORLD.group_name
    rows = []
    for tokens, hidden in SIZES:
        x = torch.zeros(tokens, hidden, device="cuda", dtype=torch.float16)
        collectives.all_reduce(x, "sum", group).clone()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            y = x
            for _ in range(EACH):
                y = collectives.wait_tensor(collectives.all_reduce(y, "sum", group))
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        graph.replay()
        torch.cuda.synchronize()
        begin.record()
        for _ in range(REPLAYS):
            graph.replay()
        end.record()
        end.synchronize()
        microseconds = begin.elapsed_time(end) * 1e3 / (EACH * REPLAYS)
        rows.append({"tokens": tokens, "hidden": hidden, "bytes": x.nbytes, "microseconds": round(microseconds, 2)})
        del graph, y
    if rank == 0:
        nccl = ".".join(map(str, torch.cuda.nccl.version()))
        machine = {"card": torch.cuda.get_device_name(), "cards": cards, "torch": torch.__version__, "nccl": nccl}
        print(json.dumps({**machine, "rows": rows}, indent=1), flush=True)
    torch.distributed.destroy_process_group()


def main() -> None:
    cards = int(sys.argv[1]) if len(sys.argv) > 1 else torch.cuda.device_count()
    store = str(Path(tempfile.mkdtemp()) / "store")
    torch.multiprocessing.spawn(measure, (cards, store), nprocs=cards)


if __name__ == "__main__":
    main()
