"""CUDA's libraries as pip installs them, loaded before GenAI looks for them: it finds those alone that are loaded already."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def preload() -> None:
    """Have onnxruntime load them. By itself it looks beside its own folder, and they lie elsewhere where its package was put
    beside a torch that brought them."""
    import onnxruntime

    spec = importlib.util.find_spec("nvidia")
    folders = [Path(folder) for folder in (spec.submodule_search_locations or [] if spec is not None else [])]
    beside = Path(onnxruntime.__file__).parents[1] / "nvidia"
    apart = [
        str(folder / "cu13" / "lib") for folder in folders if folder != beside and (folder / "cu13" / "lib").is_dir()
    ]
    if apart and not (beside / "cu13" / "lib").is_dir():
        onnxruntime.preload_dlls(cudnn=False, directory=apart[0])
    else:
        onnxruntime.preload_dlls()
