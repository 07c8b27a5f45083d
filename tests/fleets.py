"""Fleets for tests, made without a measurement: a plan, runs that came back and runs that did not."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Sequence
from typing import Any

from trtbench.fleet.outcome import Measured, Outcome, Own
from trtbench.fleet.plan import Plan
from trtbench.fleet.ran import Ran
from trtbench.fleet.wanted import Kind, Wanted

CELL = (1, 128, 200)
LANES = {"pytorch-compile": 1.0, "tensorrt-engine": 0.5, "tensorrt-pytorch": 0.52, "vllm": 0.6}


def digest(text: str) -> str:
    """16 hexadecimal digits, as the name of a machine or a card."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def plan(kinds: Sequence[str] = ("h200", "h100"), models: Sequence[str] = ("tinyllama",), **more: Any) -> Plan:
    """A plan whose kinds cost 2, 3, … an hour."""
    priced = {kind: Kind(cards=1, price=2.0 + i) for i, kind in enumerate(kinds)}
    fields: dict[str, Any] = dict(name="test", precisions=["float16"], kinds=priced, currency="EUR")
    return Plan(models=list(models), **{**fields, **more})


def measured(latency: float, lane: str = "tensorrt-engine", cell: tuple[int, int, int] = CELL, **more: Any) -> Measured:
    """Figures of a lane in a cell."""
    fields: dict[str, Any] = dict(precision="float16", energy=latency / 1e3)
    return Measured(
        batch=cell[0],
        prompt_length=cell[1],
        new_tokens=cell[2],
        lane=lane,
        latency=latency,
        throughput=cell[0] * cell[2] / latency * 1e3,
        **{**fields, **more},
    )


def own(ratio: float, word: str = "faster", cell: tuple[int, int, int] = CELL, **more: Any) -> Own:
    """TensorRT against PyTorch on the run's own machine."""
    fields: dict[str, Any] = dict(
        lane="tensorrt-engine", precision="float16", base="pytorch-compile", base_precision="float16"
    )
    low, high = ratio * 0.97, ratio * 1.03
    return Own(
        batch=cell[0],
        prompt_length=cell[1],
        new_tokens=cell[2],
        word=word,
        ratio=ratio,
        low=low,
        high=high,
        **{**fields, **more},
    )


def outcome(figures: Sequence[Measured], **more: Any) -> Outcome:
    """What is kept of a run with these figures."""
    fields: dict[str, Any] = dict(
        run="20260102-030405",
        created="2026-01-02T03:04:05+00:00",
        model="tinyllama",
        model_digest="m" * 64,
        workload_digest="w" * 64,
        place="NVIDIA H200",
        cards=1,
        cpu="Example CPU",
        machine="a" * 16,
        program="1.0.0",
        commit="c" * 40,
        settings={"TRIALS": "5"},
        word="faster",
        fails=0,
        warns=0,
        demonstration=False,
        synthetic=False,
        simulated=any(m.simulated for m in figures),
        own=[],
    )
    return Outcome(measured=list(figures), **{**fields, **more})


def ran(figures: Sequence[Measured], kind: str = "h200", machine: str = "one", repeat: int = 1, **more: Any) -> Ran:
    """A run that came back from a machine; `more` are fields of what is kept of it, but for `model`, `precision` and `card`."""
    model, precision, card = more.pop("model", "tinyllama"), more.pop("precision", "float16"), more.pop("card", "0")
    return Ran(
        wanted=Wanted(kind=kind, model=model, precision=precision, repeat=repeat, settings={}),
        status="back",
        machine=digest(machine),
        card=digest(machine + card),
        attempts=1,
        outcome=outcome(figures, **more),
    )


def not_back(status: str, reason: str, repeat: int = 1, kind: str = "h200", model: str = "tinyllama") -> Ran:
    """A run that did not come back."""
    wanted = Wanted(kind=kind, model=model, precision="float16", repeat=repeat, settings={})
    return Ran(wanted=wanted, status=status, reason=reason, attempts=3, losses=2)


def machines(latencies: Sequence[float], kind: str = "h200", **more: Any) -> list[Ran]:
    """One run on each of several machines of a kind."""
    return [ran([measured(ms)], kind, f"{kind} {i}", repeat=i, **more) for i, ms in enumerate(latencies, 1)]


def cards(latencies: Sequence[Sequence[float]], kind: str = "h200", **more: Any) -> list[Ran]:
    """One run on each card of several machines of a kind: a list of latencies a machine."""
    return [
        ran([measured(ms)], kind, f"{kind} {i}", repeat=100 * i + j, card=str(j), **more)
        for i, of in enumerate(latencies, 1)
        for j, ms in enumerate(of, 1)
    ]


def large(
    models: int = 20, kinds: int = 5, on: int = 10, repeats: int = 1, cells: int = 4, seed: int = 1
) -> tuple[Plan, list[Ran]]:
    """Models × kinds of `on` machines × repeats: four lanes in each cell, machines of a kind a few per cent apart; some runs are not
    back."""
    draw = random.Random(seed)
    names = [f"example/Model-{i + 1}-{2 ** (i % 6)}B-Instruct" for i in range(models)]
    kind_names = [f"h{200 + 10 * i}" for i in range(kinds)]
    shapes = [(batch, length, 128) for batch in (1, 8, 32, 64) for length in (128, 1024)][:cells]
    speed = {(k, i): math.exp(draw.gauss(0, 0.03)) for k in kind_names for i in range(on)}
    runs = []
    for m, model in enumerate(names):
        for k, kind in enumerate(kind_names):
            for i in range(on):
                for again in range(repeats):
                    repeat = i * repeats + again + 1
                    if draw.random() < 0.02:
                        status = draw.choice(["failed", "lost", "refused", "stopped", "missing"])
                        runs.append(not_back(status, f"The model {model} does not fit.", repeat, kind, model))
                        continue
                    base = 1000 * (m + 1) * (1 + 0.3 * k) * speed[kind, i]
                    figures = [
                        measured(base * share * math.sqrt(shape[0]) * math.exp(draw.gauss(0, 0.01)), lane, shape)
                        for shape in shapes
                        for lane, share in LANES.items()
                    ]
                    told = [own(draw.uniform(1.8, 2.2), cell=shape) for shape in shapes]
                    runs.append(
                        ran(figures, kind, f"{kind} {i}", repeat, own=told, place=f"NVIDIA {kind.upper()}", model=model)
                    )
    return plan(kind_names, names, repeats=on * repeats), runs
