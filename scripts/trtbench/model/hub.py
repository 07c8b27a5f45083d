"""Models from the Hugging Face Hub: one commit, only the files that are needed, every byte checked.

huggingface_hub gives the commit and the list of files with sizes and hashes, and hub_transfer.py moves the bytes.
Its own snapshot download is not used, for what its source says of it: over HTTP it compares sizes but no hashes, the
newer versions throw away what has arrived when a process ends, and a snapshot is there before its files are. Here a
file is called by its name only when its hash is right, and the folder `snapshots/COMMIT` appears when all are in it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

from trtbench.errors import UserError
from trtbench.model import pickled, whereabouts
from trtbench.model.files import INDEX, check_config, indexed_files, weights_from
from trtbench.model.hub_errors import Source, no_id, no_such_file, not_usable, offline_sentence, sentence
from trtbench.model.hub_transfer import DISK_ERRORS, File, check_room, fetch_file
from trtbench.model.offline import offline_by
from trtbench.model.whereabouts import PINNED, SHA1, refs
from trtbench.records import lock
from trtbench.records.files import write_whole
from trtbench.settings.knobs import Settings

CONFIGURATION = ("config.json", "generation_config.json", "tokenizer_config.json")
TOKENIZER = (
    "tokenizer.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "chat_template.jinja",
    "chat_template.json",
)


def fetch(settings: Settings) -> Path:
    """Return the folder of the model's snapshot (…/snapshots/COMMIT), downloading it unless it is there.

    A commit that is there needs no network. A branch or tag is resolved at the Hub each time, and offline to the
    commit it last had. Raises UserError for whatever the Hub refuses, lacks or serves wrongly; never falls back.
    """
    source = _source(settings)
    offline = offline_by(settings)
    if folder := whereabouts.snapshot(source, bool(offline)):
        return folder
    if offline:
        raise UserError(offline_sentence(source, offline))
    try:
        with lock.held(lock.opened(source.home)):  # the second run waits and finds the folder
            folder = _download(source, announce=settings.log_level in ("info", "debug"))
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        raise UserError(
            f"{error.filename or source.home} cannot be written ({error.strerror}): DATA_DIR must name a folder "
            "that belongs to you, with room for the model; what has arrived is kept."
        ) from None
    return whereabouts.checked(folder, source.convert_pickle)


def _source(settings: Settings) -> Source:
    """Where the model is looked for. The library is imported here for the first time, and silenced: this program
    says itself what goes wrong, in one sentence."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ["HF_HUB_ENABLE_HF_TRANSFER"] = "0"  # older versions: leaves holes in a file that is cut off
    try:
        from huggingface_hub.utils import HFValidationError, disable_progress_bars, logging, validate_repo_id
    except ImportError:
        raise UserError(
            f"MODEL_NAME={settings.model_name!r} is on the Hub, and huggingface_hub is not installed; "
            "install it, or set MODEL_NAME to a local folder."
        ) from None
    except ValueError as error:
        raise UserError(f"HF_HUB_ETAG_TIMEOUT or HF_HUB_DOWNLOAD_TIMEOUT is not whole seconds: {error}.") from None
    logging.set_verbosity_error()
    if settings.log_level == "error":
        disable_progress_bars()
    name = settings.model_name
    try:
        validate_repo_id(name)
    except HFValidationError:
        raise UserError(no_id(name, next(iter(PINNED)))) from None
    return whereabouts.hub_source(settings)


def _download(source: Source, announce: bool) -> Path:
    """List, check what can be checked without the weights, fetch the rest, and let the snapshot appear."""
    commit, files = _listing(source)
    folder = source.home / "snapshots" / commit
    if not folder.is_dir():
        reason = not_usable(source, commit, sorted(files))
        if reason:
            raise UserError(reason)
        partial = source.home / f".{commit}.partial"
        partial.mkdir(exist_ok=True)
        index = [INDEX] if weights_from(files) == INDEX else _pickle_index(files)
        for name in (*CONFIGURATION, *index):
            if name in files:
                fetch_file(source, commit, files[name], partial)
        check_config(partial, f"{source.name} on the Hub")
        remaining = [files[name] for name in (*TOKENIZER, *_weight_names(source, partial, files)) if name in files]
        check_room(source, remaining, partial)
        if announce:
            size = sum(file.size or 0 for file in remaining)
            print(f"downloading {source.name} at {commit[:12]}: {size / 1e9:.2f} GB", file=sys.stderr, flush=True)
        for file in remaining:
            fetch_file(source, commit, file, partial)
        folder.parent.mkdir(exist_ok=True)
        partial.rename(folder)
    if source.revision != commit:
        noted = {**refs(source.home), source.revision: commit}
        write_whole(source.home / "refs.json", json.dumps(noted, indent=1).encode())
    return folder


def _listing(source: Source) -> tuple[str, dict[str, File]]:
    """The commit of the revision and the files at its top, by name. Folders below hold other formats."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HTTPError

    try:
        info = HfApi(endpoint=source.endpoint, token=source.token or False).model_info(
            source.name, revision=source.revision, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT
        )
    except (OSError, HTTPError) as error:
        raise UserError(sentence(error, source)) from None
    except (ValueError, KeyError, TypeError, ImportError) as error:
        # not JSON, JSON of another kind, or a proxy setting that the HTTP library does not take
        raise UserError(
            f"{source.shown} does not answer as a Hub does ({type(error).__name__}: {error}): "
            "look at HF_ENDPOINT and at the proxy settings (HTTPS_PROXY)."
        ) from None
    commit = str(info.sha)
    if not SHA1.fullmatch(commit) or (SHA1.fullmatch(source.revision) and commit != source.revision):
        raise UserError(
            f"{source.shown} names the commit {info.sha} for {source.name} at {source.revision}: that can't be; "
            "look at HF_ENDPOINT."
        )
    files = {}
    for entry in info.siblings or []:
        if "/" not in entry.rfilename:
            size = entry.lfs.size if entry.lfs else entry.size
            files[entry.rfilename] = File(
                entry.rfilename, size, entry.lfs.sha256 if entry.lfs else None, None if entry.lfs else entry.blob_id
            )
    return commit, files


def _weight_names(source: Source, folder: Path, files: dict[str, File]) -> list[str]:
    """The safetensors to fetch: those that transformers loads, and no other format of the same weights; pickle files where the
    list holds no safetensors, since one that may not be converted was refused."""
    if _without_safetensors(files):
        if not _pickle_index(files):
            return [pickled.WEIGHTS]
        where = f"{source.name}/{pickled.INDEX} on the Hub"
        return pickled.shard_names(indexed_files(folder / pickled.INDEX, where, "pickle"), files, source.name)
    source_of_weights = weights_from(files)
    if source_of_weights != INDEX:
        return [source_of_weights] if source_of_weights else []
    names = indexed_files(folder / INDEX, f"{source.name}/{INDEX} on the Hub")
    for name in names:
        if name not in files or not name.endswith(".safetensors"):
            raise UserError(no_such_file(source, str(name)))
    return names


def _without_safetensors(files: Iterable[str]) -> bool:
    return not any(name.endswith(".safetensors") for name in files)


def _pickle_index(files: Collection[str]) -> list[str]:
    """The index of pickle files, where they are what is fetched."""
    return [pickled.INDEX] if _without_safetensors(files) and pickled.first_file(files) == pickled.INDEX else []
