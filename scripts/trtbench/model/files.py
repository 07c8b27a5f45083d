"""A model's folder: its configuration and its safetensors, and what makes it unusable here."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

from trtbench.errors import UserError
from trtbench.model import pickled
from trtbench.model.built_in import SYNTHETIC

INDEX = "model.safetensors.index.json"


def check_folder(folder: Path) -> None:
    """Refuse a folder that is not a usable model: no configuration, own code, no safetensors, missing shards."""
    if not folder.is_dir():
        raise UserError(
            f"MODEL_NAME={str(folder)!r} is not a folder; give a Hub id, a folder, or one of {', '.join(SYNTHETIC)}."
        )
    check_config(folder, str(folder))
    files = weight_files(folder)
    if not files:
        raise UserError(
            f"{folder} holds no *.safetensors; weights in other formats (pickle) are not loaded: convert them"
            f"{f' ({pickled.OFFER})' if pickle_files(folder) else ''}, "
            "or name with MODEL_REVISION a revision that has them."
        )
    for file in files:
        _read_header(file)
    if not (folder / "tokenizer.json").is_file():
        raise UserError(f"{folder} has no tokenizer.json; convert its tokenizer to the fast format first.")


def check_config(folder: Path, where: str) -> None:
    """Refuse own code (auto_map, of the model or its tokenizer) and a missing architecture; `where` is named then."""
    config = read_config(folder)
    configs = {"config.json": config}
    if (folder / "tokenizer_config.json").is_file():
        configs["tokenizer_config.json"] = read_config(folder, "tokenizer_config.json")
    for name, content in configs.items():
        if "auto_map" in content:
            raise UserError(
                f"{where}/{name} has auto_map: the model brings its own code, and this program runs none; "
                "take a model that transformers knows by itself."
            )
    if not isinstance(config.get("architectures"), list) or not config["architectures"]:
        raise UserError(f"{where}/config.json names no architecture.")


def read_config(folder: Path, name: str = "config.json") -> dict[str, Any]:
    """Read config.json (or `name`); a UserError names the folder when it is absent or broken."""
    try:
        config = json.loads((folder / name).read_text(encoding="utf-8"))
    except OSError:
        raise UserError(f"{folder} has no {name}; a Hugging Face model folder is wanted.") from None
    except ValueError as error:
        raise UserError(f"{folder}/{name} is not JSON: {error}.") from None
    if not isinstance(config, dict):
        raise UserError(f"{folder}/{name} is not a JSON object.")
    return config


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files, those of the index where there is one. A shard that is missing is a UserError."""
    index = folder / INDEX
    if not index.is_file():
        return sorted(folder.glob("*.safetensors"))
    names = indexed_files(index, str(index))
    for name in names:
        if not (folder / name).is_file():
            raise UserError(f"{folder} lacks {name}, which its index names; fetch the model again.")
    return [folder / name for name in names]


def indexed_files(index: Path, where: str, kind: str = "safetensors") -> list[str]:
    """The names of the files of this kind that an index has, each once; a UserError names `where` it came from."""
    try:
        return sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError):
        raise UserError(f"{where} is not a {kind} index.") from None


def pickle_files(folder: Path) -> list[Path]:
    """The files of weights of a folder that has them in pickle alone; none where it has safetensors, or neither."""
    names = {file.name for file in folder.iterdir()} if folder.is_dir() else set()
    first = pickled.first_file(names)
    if first is None or weight_files(folder):
        return []
    if first == pickled.WEIGHTS:
        return [folder / first]
    listed = indexed_files(folder / first, str(folder / first), "pickle")
    return [folder / name for name in pickled.shard_names(listed, names, str(folder))]


def check_pickled(folder: Path) -> None:
    """Refuse a folder of pickle weights that can't be converted: no configuration, own code, no tokenizer."""
    check_config(folder, str(folder))
    if pickled.tokenizer_files([file.name for file in folder.iterdir()]) is None:
        raise UserError(pickled.no_tokenizer(str(folder)))


def _read_header(file: Path) -> dict[str, Any]:
    """The header of a safetensors file (8 bytes length, then JSON); a cut file is a UserError."""
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > 100_000_000:
                raise ValueError("header too long")
            header: dict[str, Any] = json.loads(stream.read(length))
        end = max((tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"), default=0)
        if file.stat().st_size < 8 + length + end:
            raise ValueError("cut off")
    except (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file} is not a whole safetensors file ({error}); fetch or convert it again.") from None
    return header


def parameters(folder: Path) -> int:
    """Number of stored weights, from the headers (tied weights that are stored once count once)."""
    return sum(
        math.prod(tensor["shape"])
        for file in weight_files(folder)
        for name, tensor in _read_header(file).items()
        if name != "__metadata__"
    )
