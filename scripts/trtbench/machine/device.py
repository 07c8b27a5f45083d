"""Which device the lanes run on, found without importing an engine."""

from __future__ import annotations

import dataclasses
import os

from trtbench.errors import UserError
from trtbench.machine import nvml
from trtbench.machine.requirements import too_few
from trtbench.records.telemetry import Card


@dataclasses.dataclass(frozen=True)
class Device:
    """`kind` is cpu or cuda; the rest is known for GPUs only. A lane runs on the first GPU that CUDA shows it."""

    kind: str
    names: list[str] | None = None
    driver: str | None = None
    cuda: str | None = None
    cards: list[Card] | None = None

    @property
    def capability(self) -> str | None:
        """The compute capability of the card, such as 8.9, where the driver tells it."""
        return self.cards[0].compute_capability if self.cards else None


def resolve(requested: str, tp_size: int = 1) -> Device:
    """Turn DEVICE into a device with so many cards; auto is cuda where NVML finds a GPU. cuda without one is a UserError, and so
    are a GPU_INDEX that is none of those that are there, and more cards than there are."""
    if requested == "cpu":
        return Device("cpu")
    try:
        with nvml.Session() as session:
            cards = session.cards[:tp_size]
            if len(cards) == tp_size:
                names = [card.name for card in cards]
                return Device("cuda", names, session.driver, session.cuda, [card.constants() for card in cards])
            if os.environ.get("GPU_INDEX") and session.count and not cards:
                raise UserError(
                    f"GPU_INDEX={os.environ['GPU_INDEX']} is no GPU of this machine: it takes a number from 0 to "
                    f"{session.count - 1}, as nvidia-smi lists them."
                )
            if cards:
                raise UserError(too_few(tp_size, len(cards), session.count))
    except (nvml.Absent, nvml.Broken) as error:
        reason = str(error)
    else:
        visible_devices = os.environ.get("CUDA_VISIBLE_DEVICES")
        reason = "the NVIDIA driver sees no GPU"
        if visible_devices is not None:
            reason = f"CUDA_VISIBLE_DEVICES={visible_devices!r} shows no GPU of this machine"
    if requested == "cuda":
        raise UserError(f"DEVICE=cuda, but {reason}; set DEVICE=cpu or see NVIDIA_SETUP.md.")
    return Device("cpu")
