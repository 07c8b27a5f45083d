"""Programmatic dependent launch of compiled kernels: asked of Inductor where the card has it, given up where compiling with
it fails.

A kernel is then set up while the one before it drains (Hopper and later). PyTorch 2.10 has the option and can't compile a
kernel with it that loads anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch._dynamo.exc import BackendCompilerFailed

from trtbench.errors import in_one_line
from trtbench.records.files import write_whole

OPTION = "triton.enable_pdl"
FILE = "dependent_launch.json"
NAME = "programmatic dependent launch"


def possible(device: str) -> bool:
    """Whether the card has it and Inductor knows of it."""
    if device != "cuda":
        return False
    from torch._inductor import config

    return torch.cuda.get_device_capability()[0] >= 9 and hasattr(config.triton, "enable_pdl")


class DependentLaunch:
    """What a lane's sessions are compiled with. A refusal is kept in the lane's folder of compiled kernels, which is of one
    version of PyTorch and one card, so that its trials compile without at once."""

    def __init__(self, folder: Path, device: str) -> None:
        self.file = folder / FILE
        self.asked = possible(device)
        self.refusal: str | None = json.loads(self.file.read_text())["refusal"] if self.file.is_file() else None
        self.used: set[str] = set()  # the shapes that generated with it, as a sentence names them

    @property
    def on(self) -> bool:
        """Whether the next compilation asks for it."""
        return self.asked and self.refusal is None

    @contextmanager
    def given_up(self, reason: str) -> Iterator[None]:
        """The same again without it. Only what then succeeds says that it was to blame; an error in here says that it was
        not, goes on as it is, and leaves no refusal."""
        self.refusal = reason
        try:
            yield
        except BaseException:
            self.refusal = None
            raise
        print(f"{NAME}: compiling with it failed ({reason}); compiled without", flush=True)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.file, json.dumps({"refusal": reason}).encode())

    def mixed(self) -> bool:
        """Whether it was given up after shapes had been compiled with it; whoever asks compiles them again."""
        mixed = self.refusal is not None and bool(self.used)
        if mixed:
            self.used.clear()
        return mixed

    def notes(self) -> list[str]:
        """What the lane states: that its kernels have it, or that it was asked for and why they have not."""
        if not self.asked:
            return []
        if self.refusal is None:
            return [NAME] if self.used else []
        kept = f" from then on; with it: {', '.join(sorted(self.used))}" if self.used else ""
        return [f"{NAME} asked for; this torch could not compile with it ({self.refusal}), compiled without{kept}"]


def reason_of(error: BackendCompilerFailed) -> str:
    """What the compiler said, in one line."""
    return in_one_line(error.inner_exception)
