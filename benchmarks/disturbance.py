#!/usr/bin/env python3
"""By how much does a neighbour on the CPU shift each lane's times? Writes benchmarks/disturbance.json.

    PYTHONPATH=scripts python benchmarks/disturbance.py [--device cpu] [--lanes a,b] [--model demo] [--rounds 12]

For each lane one process loads the model, warms up and then times blocks of generations, each beside a neighbour that
keeps a share of all cores busy (LOADS; each round has every one of them in a seeded order, and none). The shift is the
mean time beside a load over the mean time beside none in the same round, its median over rounds. The
neighbour is one process a core, busy for its share of every PERIOD. What a file already holds of other machines stays, and
of other lanes on this one when their cell is the same.
The limits of machine/disturbance.py are chosen by these figures; docs/methodology.md shows them.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import time
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from trtbench.lanes.lane import Plan, create
from trtbench.machine import device, host
from trtbench.measure.trial import load
from trtbench.model import finding, prompt_files, workload
from trtbench.records.trial import Cold, Sampling
from trtbench.settings.cells import Cell
from trtbench.settings.knobs import ROOT, Settings
from trtbench.settings.lanes import DEFAULT_PRECISION, LANES

LOADS = (0.01, 0.02, 0.05, 0.10, 0.25)  # share of all cores
PERIOD = 0.05  # seconds
SEED = 20261128
BLOCK = 1.0  # seconds of generations beside one load, at least; one call at least


def neighbour(share: Synchronized[float]) -> None:
    """Keep one core busy for `share` of the time, until this process is ended."""
    while True:
        began = time.perf_counter()
        busy = share.value * PERIOD
        while time.perf_counter() - began < busy:
            pass
        time.sleep(max(0.001, PERIOD - (time.perf_counter() - began)))


def blocks(lane_name: str, cell: Cell, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds per generation beside each load, round by round."""
    share = multiprocessing.Value("d", 0.0)
    cores = len(os.sched_getaffinity(0))
    neighbours = [multiprocessing.Process(target=neighbour, args=(share,), daemon=True) for _ in range(cores)]
    for process in neighbours:
        process.start()
    settings = Settings(model_name=options.model, data_dir=str(options.data.absolute()))
    path = finding.resolve(settings).absolute()
    work = workload.build(prompt_files.read_prompts(prompt_files.PROMPTS), path, [cell], Sampling(), "x")
    lane = create(lane_name)(
        Plan(
            model=path,
            model_digest=finding.describe(path, settings).digest,
            precision=cell.precision,
            device=options.device,
            threads=host.usable_cores(),
            sampling=Sampling(),
            cells=(cell,),
            cache=options.data.absolute() / "cache",
            model_name=options.model,
        )
    )
    lane.prepare()
    load(lane, Cold())
    calls = 0

    def block() -> float:
        nonlocal calls
        times = []
        began = time.perf_counter()
        while not times or time.perf_counter() - began < BLOCK:
            prompts = work.prompts(cell, calls)
            calls += 1
            start = time.perf_counter()
            lane.generate(prompts, cell.new_tokens)
            times.append(time.perf_counter() - start)
        return statistics.fmean(times)

    for _ in range(5):
        block()
    draw = random.Random(SEED)
    seconds: dict[float, list[float]] = {level: [] for level in (0.0, *LOADS)}
    for _ in range(options.rounds):
        for level in draw.sample(list(seconds), len(seconds)):
            share.value = level
            time.sleep(2 * PERIOD)
            seconds[level].append(block())
    lane.close()
    for process in neighbours:
        process.terminate()
    return {"seconds": {str(level): times for level, times in seconds.items()}}


def shifts(seconds: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """The median shift beside each load over rounds, a share of the time beside none, and between which two of the ordered
    rounds the median lies with 95 % (sign test: no shape of the noise is taken for granted)."""
    rows = {}
    for level in map(str, LOADS):
        ratios = sorted(time / quiet - 1 for time, quiet in zip(seconds[level], seconds["0.0"]))
        rounds = len(ratios)
        outside = max((k for k in range(rounds // 2) if _tail(rounds, k) <= 0.025), default=0)
        rows[level] = {"shift": statistics.median(ratios), "low": ratios[outside], "high": ratios[rounds - 1 - outside]}
    return rows


def _tail(rounds: int, fewest: int) -> float:
    """The chance that at most so many of so many rounds lie below their median."""
    return sum(math.comb(rounds, k) for k in range(fewest + 1)) / 2**rounds


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what a neighbour on the CPU does to each lane's times.")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--lanes", default="")
    parser.add_argument("--model", default="demo")
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="where models and what is prepared lie")
    parser.add_argument("--prompt-length", type=int, default=128)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)  # a lane, in a process of its own
    options = parser.parse_args()
    cell = Cell(
        batch=1,
        prompt_length=options.prompt_length,
        new_tokens=options.new_tokens,
        precision=DEFAULT_PRECISION[options.device],
    )
    if options.one:
        print(json.dumps(blocks(options.one, cell, options)))
        return 0
    names = (
        options.lanes.split(",") if options.lanes else [n for n, row in LANES.items() if options.device in row.devices]
    )
    found = json.loads(options.output.read_text(encoding="utf-8")) if options.output.is_file() else {}
    card = device.resolve(options.device)
    machine = ", ".join([*(card.names or []), f"{os.cpu_count()} x {host.cpu_model()}"])
    size = {
        "device": options.device,
        "threads": host.usable_cores(),
        "model": options.model,
        "prompt_length": cell.prompt_length,
        "new_tokens": cell.new_tokens,
        "precision": cell.precision,
    }
    there = found.get(machine, {})
    if not size.items() <= there.items():
        there = {**size, "lanes": {}}
    found[machine], lanes = there, there["lanes"]
    measured = 0
    for name in names:
        command = [sys.executable, __file__, *sys.argv[1:], "--one", name]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if answer.returncode != 0:
            print(f"{name}: gave no figures", file=sys.stderr)
            continue
        seconds = json.loads(answer.stdout.splitlines()[-1])["seconds"]
        measured += 1
        lanes[name] = {
            "rounds": options.rounds,
            "ms": statistics.median(seconds["0.0"]) * 1e3,
            "shifts": shifts(seconds),
            "seconds": {level: [round(time, 6) for time in times] for level, times in seconds.items()},
        }
        options.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        row = lanes[name]["shifts"]
        print(
            f"{name:<18}{lanes[name]['ms']:>9.1f} ms "
            + "  ".join(
                f"{float(level):.0%}: {r['shift']:+.1%} ({r['low']:+.1%} to {r['high']:+.1%})"
                for level, r in row.items()
            ),
            flush=True,
        )
    return 0 if measured else 1


if __name__ == "__main__":
    sys.exit(main())
