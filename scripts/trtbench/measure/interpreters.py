"""The Pythons that the lanes of a run are started with, and what is installed in each."""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.machine import host
from trtbench.machine.device import Device
from trtbench.settings import lanes
from trtbench.settings.environments import here


class Interpreters:
    """`of_lane`: the interpreter of each lane, `environments`: the machine with that one's software, `machine`: the digest of
    what all of them share."""

    def __init__(self, names: Sequence[str], device: Device) -> None:
        self.of_lane = {name: lanes.interpreter(name, device.kind) or here() for name in names}
        described = {
            python: host.environment(device.names, device.driver, device.cuda, device.cards, python)
            for python in {here(), *self.of_lane.values()}
        }
        self.environments = {name: described[python] for name, python in self.of_lane.items()}
        self.machine = described[here()].machine
