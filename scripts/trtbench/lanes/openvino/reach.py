"""How far a converted model is right, written beside it: the lane reads it without torch."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from trtbench.records.files import write_whole
from trtbench.settings.cells import Cell

FILE = "reach.json"


@dataclasses.dataclass(frozen=True)
class Reach:
    """Tokens, prompt and new ones, up to which the graph is the model: `longest` with either backend, `paged` with the paged
    one; None where there is no end, 0 where not at all. `window`: the smallest of the model's sliding windows."""

    longest: int | None
    paged: int | None
    window: int | None

    def write(self, folder: Path) -> None:
        write_whole(folder / FILE, json.dumps(dataclasses.asdict(self)).encode())

    @classmethod
    def read(cls, folder: Path) -> Reach:
        return cls(**json.loads((folder / FILE).read_text()))

    def refusal(self, backend: str, cell: Cell) -> str:
        """Why the cell cannot run with this backend; empty where it can."""
        length = cell.prompt_length + cell.new_tokens
        if self.longest is not None and length > self.longest:
            return f"the model's attention masks were looked at up to {self.longest} tokens, and this cell has {length}"
        if backend != "PA" or self.paged is None or length <= self.paged:
            return ""
        other = "ATTENTION_BACKEND=SDPA computes it, and TRY_SETTINGS=1 finds that"
        if self.paged == 0:
            return f"OpenVINO's paged attention does not compute this model's attention; {other}"
        return (
            f"OpenVINO's paged attention leaves out this model's sliding window of {self.window} tokens, and this cell has "
            f"{length}; {other}"
        )
