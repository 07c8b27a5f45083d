"""The model folder as NVIDIA's tools must see it.

The image's transformers 4.57.3 reads `rope_theta` and `rope_scaling`; transformers 5 writes both inside
`rope_parameters`, and NVIDIA's converter then takes 10000 as the base without a word. And quantize.py chooses another
loader when the folder's path contains certain words. And TensorRT-LLM's PyTorch runtime computes in what config.json says,
whatever it is asked for. In all cases they get a folder of links with the right config.json in it; the user's own folder is
never written to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trtbench.errors import UserError
from trtbench.model import folder_view
from trtbench.model.files import read_config

# quantize.py looks for these in the model's path, and for the others in that of the calibration set.
LOADER_WORDS = ("vila", "llava-onevision-qwen2", "mpt")
CALIBRATION_WORDS = ("cnn_dailymail", "scienceqa", "science_qa")


def older_config(config: dict[str, Any], where: str) -> dict[str, Any]:
    """The configuration with the keys that transformers 4 reads; the same object when it has them.

    Raises UserError for rope parameters that the older keys cannot say (one set a layer type, no base).
    """
    rope = config.get("rope_parameters")
    if rope is None or "rope_theta" in config:
        return config
    if not isinstance(rope, dict) or not isinstance(rope.get("rope_theta"), (int, float)):
        raise UserError(
            f"{where}/config.json was saved by transformers 5 with rope_parameters that transformers 4.57 in NVIDIA's "
            "image cannot read (no single rope_theta); take the model's original folder."
        )
    older = {name: value for name, value in config.items() if name != "rope_parameters"}
    older["rope_theta"] = rope["rope_theta"]
    scaling = {name: value for name, value in rope.items() if name != "rope_theta"}
    older["rope_scaling"] = scaling if scaling.get("rope_type", "default") != "default" else None
    return older


def stated_dtype(config: dict[str, Any]) -> str | None:
    """The data type that a configuration states: transformers 4 writes `torch_dtype`, later ones write `dtype`. None where
    it states none, or two."""
    stated = {config.get(name) for name in ("torch_dtype", "dtype")} - {None}
    return str(stated.pop()) if len(stated) == 1 else None


def for_tools(folder: Path, cache: Path, quantising: bool = False, dtype: str | None = None) -> Path:
    """The folder to hand to NVIDIA's tools: `folder` itself, or one of links under `cache` when it must differ. Its
    config.json states `dtype` where that is given."""
    config = read_config(folder)
    older = older_config(config, str(folder))
    if dtype is not None and stated_dtype(older) != dtype:
        older = older | {"torch_dtype": dtype, "dtype": dtype}
    if older is config and not (quantising and _word_in(folder, LOADER_WORDS)):
        return folder
    home = cache / "tool-folders"
    if quantising:
        refuse_words(home, LOADER_WORDS, "NVIDIA's quantize.py takes another kind of model for")
    return folder_view.view(folder, home, {"config.json": older})


def refuse_words(path: Path, words: tuple[str, ...], trouble: str) -> None:
    """Raise UserError when the absolute path contains one of the words that quantize.py acts on."""
    word = _word_in(path, words)
    if word:
        raise UserError(
            f"DATA_DIR: {trouble} a path that contains {word!r}, and {path.absolute()} does; "
            "set DATA_DIR to a folder without it."
        )


def _word_in(path: Path, words: tuple[str, ...]) -> str | None:
    text = str(path.absolute()).lower()
    return next((word for word in words if word in text), None)
