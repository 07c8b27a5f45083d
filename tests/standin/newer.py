"""An image of a later release, after the engine runtime: no trtllm-build, no converters, no TensorRT; Open MPI 5."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from standin.kit import HERE

GONE = {"_tensorrt_engine", "commands", "__pycache__"}


def newer_image(folder: Path, version: str = "1.3.0rc27") -> dict[str, str]:
    """Lay the image out in `folder`; return the variables with which the product runs in it."""
    package, programs, examples = folder / "python" / "tensorrt_llm", folder / "bin", folder / "app" / "examples"
    for made in (package / "commands", programs, examples):
        made.mkdir(parents=True)
    standin = HERE / "python" / "tensorrt_llm"
    for part in standin.iterdir():
        if part.name not in GONE:
            (package / part.name).symlink_to(part)
    for name in ("__init__.py", "bench.py"):
        (package / "commands" / name).symlink_to(standin / "commands" / name)
    notes = package.with_name(f"tensorrt_llm-{version}+simulated.dist-info")
    notes.mkdir()
    (metadata,) = (HERE / "python").glob("tensorrt_llm-*.dist-info/METADATA")
    (notes / "METADATA").write_text(metadata.read_text().replace("1.2.1", version))
    for name in ("nvidia-smi", "trtllm-bench"):
        shutil.copy(HERE / "bin" / name, programs / name)  # copies: the stand-in's own find its package beside them
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {
        "PYTHONPATH": str(folder / "python"),
        "PATH": path,
        "EXAMPLES_DIR": str(examples),
        "STANDIN_VERSION": version,
        "STANDIN_OPEN_MPI": "5.0.10rc2",
    }
