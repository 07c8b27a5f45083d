"""A model's folder: its configuration and its safetensors, and what makes it unusable here."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Collection
from pathlib import Path
from typing import Any

from trtbench.errors import UserError
from trtbench.model import decoders, pickled, vocabulary
from trtbench.model.built_in import SYNTHETIC
from trtbench.model.placeholders import refuse_placeholder

CODE = "auto_map"  # in a JSON file: which classes of the model's own files to load
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
DEEPEST = 100  # levels of a configuration: far more than any has, and what Python's recursion still bears


def check_folder(folder: Path) -> None:
    """Refuse a folder that is not a usable model: no configuration, own code, no safetensors, missing shards."""
    if not folder.is_dir():
        raise UserError(
            f"MODEL_NAME={str(folder)!r} is not a folder; give a Hub id, a folder, or one of {', '.join(SYNTHETIC)}."
        )
    check_config(folder, str(folder))
    reason = no_weights([file.name for file in folder.iterdir()])
    if reason is not None:
        raise UserError(f"{folder} {reason}.")
    files = weight_files(folder)
    if not files:
        raise UserError(
            f"{folder} holds no *.safetensors; weights in other formats (pickle) are not loaded: convert them"
            f"{f' ({pickled.OFFER})' if pickle_files(folder) else ''}, "
            "or name with MODEL_REVISION a revision that has them."
        )
    for file in files:
        _read_header(file)
    vocabulary.tokenizer_file(folder)


def check_config(folder: Path, where: str) -> None:
    """Refuse a missing architecture, a model that is no decoder, one that needs code of its own (auto_map, of the model or its
    tokenizer, where transformers has no class for it), and ids that it does not have; `where` is named then."""
    config = read_config(folder)
    configs = {"config.json": config}
    for name in ("tokenizer_config.json", "generation_config.json"):
        if (folder / name).is_file():
            configs[name] = read_config(folder, name)
    architectures = config.get("architectures")
    if not isinstance(architectures, list) or not architectures or not isinstance(architectures[0], str):
        raise UserError(f"{where}/config.json names no architecture.")
    for name, content in configs.items():
        if brings_code(content) and decoders.native(config) is False:
            raise UserError(
                f"{where}/{name} has auto_map: the model brings its own code, and this program runs none; {decoders.installed()} "
                f"has no class of its own for model_type {config.get('model_type')!r} and {architectures[0]}: take a model that "
                "transformers knows by itself."
            )
    reason = decoders.no_decoder(config)
    if reason is not None:
        raise UserError(
            f"{where}/config.json {reason}; this program measures decoders, which continue a text: name a causal language model."
        )
    vocabulary.check_special_ids(config, f"{where}/config.json")


def brings_code(content: Any) -> bool:
    """Whether a JSON file of a model names code of the model's own, anywhere in it."""
    if isinstance(content, dict):
        return CODE in content or any(brings_code(part) for part in content.values())
    return isinstance(content, list) and any(brings_code(part) for part in content)


def read_config(folder: Path, name: str = "config.json") -> dict[str, Any]:
    """Read config.json (or `name`); a UserError names the folder when it is absent or broken."""
    if (folder / name).is_file():
        refuse_placeholder(folder / name)
    try:
        config = json.loads((folder / name).read_text(encoding="utf-8"))
    except OSError:
        raise UserError(f"{folder} has no {name}; a Hugging Face model folder is wanted.") from None
    except ValueError as error:
        raise UserError(f"{folder}/{name} is not JSON: {error}.") from None
    except RecursionError:
        raise UserError(f"{folder}/{name} {_TOO_DEEP}.") from None
    if not isinstance(config, dict):
        raise UserError(f"{folder}/{name} is not a JSON object.")
    if _is_too_deep(config):
        raise UserError(f"{folder}/{name} {_TOO_DEEP}.")
    return config


_TOO_DEEP = f"holds JSON deeper than {DEEPEST} levels, which no configuration has; fetch it again"


def _is_too_deep(content: Any) -> bool:
    level = [content]
    for _ in range(DEEPEST):
        wholes = [part for part in level if isinstance(part, (dict, list))]
        level = [part for whole in wholes for part in (whole.values() if isinstance(whole, dict) else whole)]
    return bool(level)


def weights_from(names: Collection[str]) -> str | None:
    """Which of a folder's files says what its weights are: the one that transformers looks for first, or None."""
    return next((name for name in (WEIGHTS, INDEX) if name in names), None)


def no_weights(names: Collection[str]) -> str | None:
    """Why the safetensors among these files of a folder are no model's weights; None where they are, or where there are none."""
    if weights_from(names):
        return None
    adapter = next((name for name in sorted(names) if name.startswith("adapter_model.")), None)
    if adapter is not None:
        return (
            f"holds an adapter ({adapter}) and not the model that it belongs to: merge the two with peft (merge_and_unload, "
            "save_pretrained) into a folder and take that"
        )
    others = sorted(name for name in names if name.endswith(".safetensors"))
    if not others:
        return None
    listed = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
    if any(re.fullmatch(r"model-\d+-of-\d+\.safetensors", name) for name in others):
        return f"holds parts of a model ({listed}) without {INDEX}, which says what is in them: fetch it too"
    variant = next((match[1] for name in others if (match := re.match(r"model\.([^.-]+)[.-]", name))), None)
    if variant is not None:
        return (
            f"holds the variant {variant} alone ({listed}), which transformers loads only on request: save it once as "
            f"{WEIGHTS} (from_pretrained with variant={variant!r}, then save_pretrained)"
        )
    return (
        f"holds {listed}, and neither {WEIGHTS} nor {INDEX}, from which transformers loads: save the model with it once"
    )


def weight_files(folder: Path) -> list[Path]:
    """The safetensors that transformers loads, whatever lies beside them: model.safetensors, else those of the index. A shard
    that is missing is a UserError."""
    source = weights_from([name for name in (WEIGHTS, INDEX) if (folder / name).is_file()])
    if source != INDEX:
        return [folder / WEIGHTS] if source else []
    names = indexed_files(folder / INDEX, str(folder / INDEX))
    for name in names:
        if Path(name).name != name or not (folder / name).is_file():
            raise UserError(f"{folder} lacks {name}, which its index names; fetch the model again.")
    return [folder / name for name in names]


def indexed_files(index: Path, where: str, kind: str = "safetensors") -> list[str]:
    """The names of the files of this kind that an index has, each once; a UserError names `where` it came from."""
    refuse_placeholder(index)
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
    refuse_placeholder(file)
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
