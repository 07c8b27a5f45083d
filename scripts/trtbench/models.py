"""From a name to a folder of safetensors and a tokenizer: a synthetic model, a local folder, or the Hub.

Only whole safetensors with a fast tokenizer are taken, and no code that a model brings along.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from pathlib import Path
from typing import Any

from trtbench import synthetic
from trtbench.errors import UserError
from trtbench.records import Model
from trtbench.settings import Settings
from trtbench.synthetic import SYNTHETIC


def source_of(settings: Settings) -> str:
    """Decide hub, local or synthetic from MODEL_SOURCE and the look of MODEL_NAME."""
    if settings.model_source != "auto":
        return settings.model_source
    name = settings.model_name
    if name in SYNTHETIC:
        return "synthetic"
    if name.startswith((".", "/", "~")) or Path(name).is_dir():
        return "local"
    return "hub"


def resolve(settings: Settings) -> Path:
    """Return the folder of the model, making or checking it. Raises UserError with one sentence."""
    source = source_of(settings)
    if source == "synthetic":
        if settings.model_name not in SYNTHETIC:
            raise UserError(
                f"MODEL_NAME={settings.model_name!r} is not a synthetic model; there are {', '.join(SYNTHETIC)}."
            )
        folder = synthetic.make(settings.model_name, settings.seed, settings.data / "models")
        check_folder(folder)
        return folder
    if source == "local":
        folder = Path(settings.model_name).expanduser()
        check_folder(folder)
        return folder
    from trtbench import hub

    return hub.fetch(settings)


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
            f"{folder} holds no *.safetensors; weights in other formats (pickle) are not loaded: convert them, "
            "or name with MODEL_REVISION a revision that has them."
        )
    for file in files:
        _read_header(file)
    if not (folder / "tokenizer.json").is_file():
        raise UserError(f"{folder} has no tokenizer.json; convert its tokenizer to the fast format first.")


def check_config(folder: Path, where: str) -> None:
    """Refuse own code (auto_map, of the model or its tokenizer) and a missing architecture; `where` is named then."""
    config = read_config(folder)
    parts = {"config.json": config}
    if (folder / "tokenizer_config.json").is_file():
        parts["tokenizer_config.json"] = read_config(folder, "tokenizer_config.json")
    for name, part in parts.items():
        if "auto_map" in part:
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
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return sorted(folder.glob("*.safetensors"))
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError):
        raise UserError(f"{index} is not a safetensors index.") from None
    for name in names:
        if not (folder / name).is_file():
            raise UserError(f"{folder} lacks {name}, which its index names; fetch the model again.")
    return [folder / name for name in names]


def _read_header(file: Path) -> dict[str, Any]:
    """The header of a safetensors file (8 bytes length, then JSON); a cut file is a UserError."""
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > 100_000_000:
                raise ValueError("header too long")
            header: dict[str, Any] = json.loads(stream.read(length))
        end = max((part["data_offsets"][1] for name, part in header.items() if name != "__metadata__"), default=0)
        if file.stat().st_size < 8 + length + end:
            raise ValueError("cut off")
    except (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file} is not a whole safetensors file ({error}); fetch or convert it again.") from None
    return header


def parameters(folder: Path) -> int:
    """Number of stored weights, from the headers (tied weights that are stored once count once)."""
    return sum(
        math.prod(part["shape"])
        for file in weight_files(folder)
        for name, part in _read_header(file).items()
        if name != "__metadata__"
    )


def describe(folder: Path, settings: Settings) -> Model:
    """The model as it stands in a record. The digest covers weights, configuration and tokenizer, byte by byte,
    and is kept in DATA_DIR/cache under names, sizes and times of the files, because hashing gigabytes takes seconds."""
    source = source_of(settings)
    config = read_config(folder)
    return Model(
        name=settings.model_name,
        source=source,
        revision=_revision(folder),
        digest=digest(folder, settings.data / "cache"),
        parameters=parameters(folder),
        architecture=str(config["architectures"][0]),
        synthetic=source == "synthetic",
        config={
            name: value for name, value in config.items() if isinstance(value, (int, float, str, bool, list, dict))
        },
    )


def _revision(folder: Path) -> str | None:
    """The commit, where the folder lies in a cache of the Hub: …/snapshots/COMMIT."""
    return folder.name if folder.parent.name == "snapshots" else None


def digest(folder: Path, cache: Path) -> str:
    """SHA-256 over the names and contents of the files that make the model."""
    files = sorted(
        [
            *weight_files(folder),
            *(folder / name for name in ("config.json", "tokenizer.json") if (folder / name).is_file()),
        ]
    )
    looks = json.dumps([[str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns] for f in files])
    note = cache / "digests" / hashlib.sha256(looks.encode()).hexdigest()
    if note.is_file():
        known = note.read_text().strip()
        if len(known) == 64:
            return known
    state = hashlib.sha256()
    for file in files:
        state.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 22):
                state.update(block)
    note.parent.mkdir(parents=True, exist_ok=True)
    temporary = note.with_suffix(f".{os.getpid()}")
    temporary.write_text(state.hexdigest())
    temporary.replace(note)
    return state.hexdigest()
