"""Models from the Hugging Face Hub: one commit, only the files that are needed, every byte checked.

huggingface_hub gives the commit and the list of files with sizes and hashes, and its `http_get` moves the bytes.
Its own snapshot download is not used, for what its source says of it: over HTTP it compares sizes but no hashes, the
newer versions throw away what has arrived when a process ends, and a snapshot is there before its files are. Here a
file is called by its name only when its hash is right, and the folder `snapshots/COMMIT` appears when all are in it.
`http_get` never takes the Xet protocol, whose chunks can't be resumed by offset and lie in the user's own cache; the
Hub serves the same bytes over plain HTTPS for files of up to 50 GB.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from trtbench.errors import UserError
from trtbench.model.files import check_config, check_folder
from trtbench.model.hub_errors import Source, no_such_file, not_usable, offline_sentence, sentence
from trtbench.records.files import write_whole
from trtbench.settings.knobs import Settings

# The main branch of this model since March 2024; MODEL_REVISION overrides it.
PINNED = {"TinyLlama/TinyLlama-1.1B-Chat-v1.0": "fe8a4ea1ffedaf415f4da2f062534de366a451e6"}
INDEX = "model.safetensors.index.json"
WEIGHTS = "model.safetensors"
CONFIGURATION = ("config.json", "generation_config.json", "tokenizer_config.json", INDEX)
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
)
MARGIN = 256 * 2**20  # bytes of disk that stay free for records and logs
_COMMIT = re.compile(r"[0-9a-f]{40}")
_DISK = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EFBIG,
    errno.ENAMETOOLONG,
)


@dataclasses.dataclass(frozen=True)
class File:
    """A file as the Hub lists it: size in bytes, and the SHA-256 (LFS) or the Git blob id (SHA-1) of its content."""

    name: str
    size: int | None
    sha256: str | None
    blob: str | None


def fetch(settings: Settings) -> Path:
    """Return the folder of the model's snapshot (…/snapshots/COMMIT), downloading it unless it is there.

    A commit that is there needs no network. A branch or tag is resolved at the Hub each time, and offline to the
    commit it last had. Raises UserError for whatever the Hub refuses, lacks or serves wrongly; never falls back.
    """
    source = _source(settings)
    offline = _offline_by(settings)
    commit = source.revision if _COMMIT.fullmatch(source.revision) else None
    if offline:
        commit = commit or _refs(source.home).get(source.revision)
    if commit and (folder := source.home / "snapshots" / commit).is_dir():
        return _usable(folder)
    if offline:
        raise UserError(offline_sentence(source, offline))
    try:
        with _locked(source.home):
            folder = _download(source, say=settings.log_level in ("info", "debug"))
    except OSError as error:
        if error.errno not in _DISK:
            raise
        raise UserError(
            f"{error.filename or source.home} cannot be written ({error.strerror}): DATA_DIR must name a folder "
            "that belongs to you, with room for the model; what has arrived is kept."
        ) from None
    return _usable(folder)


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
    from huggingface_hub import constants

    logging.set_verbosity_error()
    if settings.log_level == "error":
        disable_progress_bars()
    name = settings.model_name
    try:
        validate_repo_id(name)
    except HFValidationError:
        raise UserError(
            f"MODEL_NAME={name!r} is neither a folder that exists nor a Hub id such as {next(iter(PINNED))}."
        ) from None
    endpoint = (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
    try:
        parts = urlsplit(endpoint)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right:
        raise UserError(f"HF_ENDPOINT={endpoint!r} is not an address; it takes one such as https://huggingface.co.")
    if not re.fullmatch(r"[!-~]*", settings.hf_token):
        raise UserError("HF_TOKEN holds characters that no token has (spaces or letters beyond ASCII); copy it again.")
    return Source(
        name=name,
        revision=settings.model_revision or PINNED.get(name, "main"),
        home=settings.data / "models" / "hub" / f"models--{name.replace('/', '--')}",
        endpoint=endpoint,
        token=settings.hf_token,
    )


def _offline_by(settings: Settings) -> str | None:
    """The setting that forbids the network, as the user would write it."""
    if settings.offline:
        return "OFFLINE=1"
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE"):
            return f"{name}={os.environ[name]}"
    return None


def _refs(home: Path) -> dict[str, str]:
    """Commits that branches and tags had when they were last fetched."""
    try:
        known = json.loads((home / "refs.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {k: v for k, v in known.items() if _COMMIT.fullmatch(str(v))} if isinstance(known, dict) else {}


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """One download of a model at a time: the second run waits and finds the folder."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _usable(folder: Path) -> Path:
    try:
        check_folder(folder)
    except UserError as error:
        raise UserError(f"{error} Delete {folder} to download it again.") from None
    return folder


def _download(source: Source, say: bool) -> Path:
    """List, check what can be checked without the weights, fetch the rest, and let the snapshot appear."""
    commit, files = _list(source)
    folder = source.home / "snapshots" / commit
    if not folder.is_dir():
        reason = not_usable(source, commit, sorted(files))
        if reason:
            raise UserError(reason)
        making = source.home / f".{commit}.partial"
        making.mkdir(exist_ok=True)
        for name in CONFIGURATION:
            if name in files:
                _get(source, commit, files[name], making)
        check_config(making, f"{source.name} on the Hub")
        rest = [files[name] for name in (*TOKENIZER, *_weights(source, making, files)) if name in files]
        _check_room(source, rest, making)
        if say:
            size = sum(file.size or 0 for file in rest)
            print(f"downloading {source.name} at {commit[:12]}: {size / 1e9:.2f} GB", file=sys.stderr, flush=True)
        for file in rest:
            _get(source, commit, file, making)
        folder.parent.mkdir(exist_ok=True)
        making.rename(folder)
    if source.revision != commit:
        refs = {**_refs(source.home), source.revision: commit}
        write_whole(source.home / "refs.json", json.dumps(refs, indent=1).encode())
    return folder


def _list(source: Source) -> tuple[str, dict[str, File]]:
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
    if not _COMMIT.fullmatch(commit) or (_COMMIT.fullmatch(source.revision) and commit != source.revision):
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


def _weights(source: Source, folder: Path, files: dict[str, File]) -> list[str]:
    """The safetensors to fetch: what the index names, else model.safetensors, else all there are."""
    if INDEX not in files:
        return [WEIGHTS] if WEIGHTS in files else sorted(name for name in files if name.endswith(".safetensors"))
    try:
        names = set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, AttributeError, TypeError):
        raise UserError(f"{source.name}/{INDEX} on the Hub is not a safetensors index.") from None
    for name in names:
        if name not in files or not name.endswith(".safetensors"):
            raise UserError(no_such_file(source, str(name)))
    return sorted(names)


def _check_room(source: Source, files: list[File], folder: Path) -> None:
    """Refuse before the weights what would not fit on the disk, or what HTTP does not serve."""
    from huggingface_hub import constants

    need = MARGIN
    for file in files:
        if (file.size or 0) > constants.MAX_HTTP_DOWNLOAD_SIZE:
            raise UserError(
                f"{source.name}/{file.name} has {(file.size or 0) / 1e9:.0f} GB, and the Hub serves over HTTPS files "
                "of up to 50 GB; download the model with the hf tool and set MODEL_NAME to its folder."
            )
        if not (folder / file.name).is_file():
            part = _part(folder, file)
            need += max(0, (file.size or 0) - (part.stat().st_size if part.is_file() else 0))
    free = shutil.disk_usage(folder).free
    if free < need:
        raise UserError(
            f"{source.name} needs {need / 1e9:.1f} GB of disk, and {source.home} has {free / 1e9:.1f} GB free; "
            "free space, or name with DATA_DIR a folder on another disk."
        )


def _part(folder: Path, file: File) -> Path:
    return folder / f"{file.name}.part"


def _get(source: Source, commit: str, file: File, folder: Path) -> None:
    """Fetch one file unless it is there; it gets its name only after size and hash are found right."""
    final, part = folder / file.name, _part(folder, file)
    if final.is_file():
        return
    while True:
        resumed = part.is_file() and part.stat().st_size > 0
        _transfer(source, commit, file, part)
        if _right(part, file):
            part.replace(final)
            return
        part.unlink()
        if not resumed:  # what was there before may have been the wrong part: once more from the beginning
            raise UserError(
                f"what {source.shown} sent as {source.name}/{file.name} is not what it lists "
                f"({'SHA-256' if file.sha256 else 'Git blob id'} differs); it is thrown away: try again, "
                "and look at HF_ENDPOINT and at any proxy between."
            )


def _transfer(source: Source, commit: str, file: File, part: Path) -> None:
    """Bring the partial file to its whole size. A cut connection is resumed as long as each attempt brings bytes, with
    one that brings none in between; what has arrived stays for the next run."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.errors import HTTPError
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    # identity: a compressed answer has neither the listed size nor offsets to resume from
    headers: dict[str, Any] = {**build_hf_headers(token=source.token or False), "Accept-Encoding": "identity"}
    url = hf_hub_url(source.name, file.name, revision=commit, endpoint=source.endpoint)
    fruitless = 0
    while True:
        had = part.stat().st_size if part.is_file() else 0
        if file.size is not None and had > file.size:
            part.unlink()
            had = 0
        try:
            with part.open("ab") as stream:
                http_get(
                    url,
                    stream,
                    resume_size=had,
                    headers=headers,
                    expected_size=file.size,
                    displayed_filename=file.name,
                )
                stream.flush()
                os.fsync(stream.fileno())
            return
        except (OSError, HTTPError) as error:
            if isinstance(error, OSError) and error.errno in _DISK:
                raise
            answered = getattr(getattr(error, "response", None), "status_code", None) is not None
            fruitless = 0 if part.stat().st_size > had else fruitless + 1
            if answered or fruitless > 1:
                raise UserError(sentence(error, source, file.name)) from None


def _right(path: Path, file: File) -> bool:
    """Compare with the hash that the Hub lists; a mirror that lists none leaves only the size to compare."""
    if file.sha256:
        state, wanted = hashlib.sha256(), file.sha256
    elif file.blob and _COMMIT.fullmatch(file.blob):
        # Git's name of a blob: SHA-1 over "blob SIZE\0" and the content
        state, wanted = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False), file.blob
    else:
        return file.size is None or path.stat().st_size == file.size
    with path.open("rb") as stream:
        while block := stream.read(1 << 22):
            state.update(block)
    return state.hexdigest() == wanted.lower()
