"""The Pythons that the lanes of a run are started with, and what is installed in each."""

from __future__ import annotations

from collections.abc import Sequence

from trtbench.errors import UserError
from trtbench.machine import host, torch_on_card
from trtbench.machine.device import Device
from trtbench.settings import lanes
from trtbench.settings.environments import here
from trtbench.settings.lanes import LANES


class Interpreters:
    """`of_lane`: the interpreter of each lane, `environments`: the machine with that one's software, `machine`: the digest of
    what all of them share."""

    def __init__(self, names: Sequence[str], device: Device) -> None:
        self.of_lane = {name: lanes.interpreter(name, device.kind) or here() for name in names}
        if device.kind == "cuda":
            self._ask_torch()
        described = {
            python: host.environment(device.names, device.driver, device.cuda, device.cards, python)
            for python in {here(), *self.of_lane.values()}
        }
        self.environments = {name: described[python] for name, python in self.of_lane.items()}
        self.machine = described[here()].machine

    def _ask_torch(self) -> None:
        """Raises UserError where the torch of a lane can't use the card: before minutes are spent on what could only fail."""
        for python in dict.fromkeys(self.of_lane.values()):
            names = [name for name, own in self.of_lane.items() if own == python and "torch" in LANES[name].modules]
            reason = torch_on_card.why_not(python) if names else ""
            if reason:
                raise UserError(
                    f"{python.name or python.program}: {reason}. {', '.join(names)} would fail: install a torch that fits the card's "
                    "driver there (NVIDIA_SETUP.md, A GPU without Docker), or set DEVICE=cpu."
                )
