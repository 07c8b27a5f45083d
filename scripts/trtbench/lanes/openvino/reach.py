"""How far a converted model is right, written beside it: the lane reads it without torch."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from trtbench.lanes import prepared
from trtbench.records.files import write_whole

FILE = "reach.json"


def folder_of(cache: Path, model_digest: str, precision: str) -> Path:
    """Where the converted model lies: named by all that went into it."""
    stored = stored_as(precision)
    key = prepared.key(
        model_digest,
        stored,
        "the model's own masks",
        *(("groups of 128, 64 or 32, head int8",) if stored == "int4" else ()),
        libraries=("openvino", "openvino-tokenizers", "torch", "transformers"),
    )
    return cache / "openvino" / f"{stored}-{key}"


def stored_as(precision: str) -> str:
    """How the converted weights are stored: the checkpoint's own values, or quantised."""
    return precision if precision in ("int8", "int4") else "float32"


def unable(cache: Path, model_digest: str, precision: str, backend: str, length: int) -> str:
    """Why a cell of so many tokens (prompt and new ones) can't be computed with this backend; empty where it can, or where that
    is not known yet."""
    folder = folder_of(cache, model_digest, precision)
    return Reach.read(folder).refusal(backend, length) if (folder / FILE).is_file() else ""


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

    def refusal(self, backend: str, length: int) -> str:
        """Why a cell of so many tokens cannot run with this backend; empty where it can."""
        if self.longest is not None and length > self.longest:
            return f"the model's attention masks were looked at up to {self.longest} tokens, and this cell has {length}"
        if backend != "PA" or self.paged is None or length <= self.paged:
            return ""
        if self.paged == 0:
            return "OpenVINO's paged attention does not compute this model's attention"
        return (
            f"OpenVINO's paged attention leaves out this model's sliding window of {self.window} tokens, and this cell has "
            f"{length}"
        )
