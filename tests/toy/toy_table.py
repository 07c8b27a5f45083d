"""Rows of the toy lanes. Two that behave (`toy-torch` stands in for the PyTorch baseline) and one for each way to fail.

They run on a CPU; TOY_DEVICES=cpu,cuda lets them say that they run on a GPU too."""

from __future__ import annotations

import dataclasses
import os

from trtbench.settings.lanes import LANES, Choice, Row

DEVICES = tuple(os.environ.get("TOY_DEVICES", "cpu").split(","))
WELL = {"toy-torch": "ToyTorch", "toy-fast": "ToyFast"}
CHOOSING = {"toy-choice": "ToyChoice", "toy-one-way": "ToyOneWay", "toy-other-way": "ToyOtherWay"}
ALONE = {"toy-choice-alone": "ToyChoice"}  # whose choice bears on one sequence at most
COMPUTING = {"toy-cpu": "ToyCpu", "toy-cpu-fast": "ToyCpuFast", "toy-cpu-slow": "ToyCpuSlow"}
ILL = {
    "toy-short": "Short",
    "toy-raises": "Raises",
    "toy-killed": "Killed",
    "toy-orphan": "Orphan",
    "toy-greedy": "Greedy",
    "toy-hangs": "Hangs",
    "toy-crowded": "Crowded",
    "toy-fault": "Fault",
    "toy-unprepared": "Unprepared",
    "toy-torch-unprepared": "Unprepared",
}
ROWS = {
    name: Row(
        where=f"toy_lanes:{cls}",
        family=name.replace("-", ""),
        script="bench_toy.sh",
        modules=(),
        devices=DEVICES,
        precisions=dict.fromkeys(DEVICES, ("float32", "bfloat16")),
        baseline=name in ("toy-torch", "toy-torch-unprepared", "toy-cpu", "toy-cpu-slow"),
        label=name.replace("-", " ").title(),
        choices=dict.fromkeys(DEVICES, Choice("toy.way", ("plain", "fancy"), 1 if name in ALONE else None))
        if name in {**CHOOSING, **ALONE}
        else {},
    )
    for name, cls in {**WELL, **CHOOSING, **ALONE, **COMPUTING, **ILL}.items()
}

# A lane of the program itself, in an environment of its own: transformers 4.57.3 beside the 5.x of the run's Python.
ROWS["toy-older-eager"] = dataclasses.replace(
    LANES["pytorch-eager"],
    devices=("cpu",),
    baseline=False,
    family="toyolder",
    label="Older Eager",
    environments={"cpu": ".venv-ngc"},
)


def install() -> None:
    LANES.update(ROWS)


def wait_shorter() -> None:
    """TOY_WAIT: how many seconds a run waits for a quiet machine in place of a minute."""
    from trtbench.machine import disturbance

    disturbance.WAIT = float(os.environ["TOY_WAIT"])


def bear_neighbours() -> None:
    """TOY_UNDISTURBED: other tests beside it disturb nobody."""
    from trtbench.machine import disturbance

    disturbance.FOREIGN_CPU = dict.fromkeys(disturbance.FOREIGN_CPU, 1.0)


def be_disturbed() -> None:
    """TOY_DISTURBED: somebody disturbs every process."""
    from trtbench.machine import disturbance
    from trtbench.records.telemetry import Disturbance

    disturbance.disturbances = lambda trial, rules, clock: [Disturbance(kind="cpu", value=0.5, limit=rules.foreign_cpu)]


def spare_the_judge() -> None:
    """Toy ids mean nothing to a reference model: say so in place of loading one, which takes seconds."""
    from pathlib import Path

    from trtbench.records import judgement
    from trtbench.referee.judge import asking, writing
    from trtbench.referee.judge.spec import Spec

    def start(results: Path, spec: Spec, phase: object) -> judgement.Judgement:
        found = writing.judged(spec, failure="toy lanes are not judged")
        judgement.write(Path(spec.output), found)
        return found

    asking.start = start
