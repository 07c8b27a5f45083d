"""Files of a model on their way from the Hub to the disk: resumed where they were cut off, every byte checked.

`http_get` of huggingface_hub moves the bytes. It never takes the Xet protocol, whose chunks can't be resumed by offset and
lie in the user's own cache; the Hub serves the same bytes over plain HTTPS for files of up to 50 GB.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

from trtbench.errors import UserError
from trtbench.model.hub_errors import Source, sentence
from trtbench.model.whereabouts import SHA1
from trtbench.records.files import hash_content

MARGIN = 256 * 2**20  # bytes of disk that stay free for records and logs
DISK_ERRORS = (
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


def check_room(source: Source, files: list[File], folder: Path) -> None:
    """Refuse before the weights what would not fit on the disk, or what HTTP does not serve."""
    from huggingface_hub import constants

    needed = MARGIN
    for file in files:
        if (file.size or 0) > constants.MAX_HTTP_DOWNLOAD_SIZE:
            raise UserError(
                f"{source.name}/{file.name} has {(file.size or 0) / 1e9:.0f} GB, and the Hub serves over HTTPS files "
                "of up to 50 GB; download the model with the hf tool and set MODEL_NAME to its folder."
            )
        if not (folder / file.name).is_file():
            part = _part(folder, file)
            needed += max(0, (file.size or 0) - (part.stat().st_size if part.is_file() else 0))
    available = shutil.disk_usage(folder).free
    if available < needed:
        raise UserError(
            f"{source.name} needs {needed / 1e9:.1f} GB of disk, and {source.home} has {available / 1e9:.1f} GB free; "
            "free space, or name with DATA_DIR a folder on another disk."
        )


def fetch_file(source: Source, commit: str, file: File, folder: Path) -> None:
    """Fetch one file unless it is there; it gets its name only after size and hash are found right."""
    final, part = folder / file.name, _part(folder, file)
    if final.is_file():
        return
    while True:
        resumed = part.is_file() and part.stat().st_size > 0
        _transfer(source, commit, file, part)
        if _as_listed(part, file):
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
        arrived = part.stat().st_size if part.is_file() else 0
        if file.size is not None and arrived > file.size:
            part.unlink()
            arrived = 0
        try:
            with part.open("ab") as stream:
                http_get(
                    url,
                    stream,
                    resume_size=arrived,
                    headers=headers,
                    expected_size=file.size,
                    displayed_filename=file.name,
                )
                stream.flush()
                os.fsync(stream.fileno())
            return
        except (OSError, HTTPError) as error:
            if isinstance(error, OSError) and error.errno in DISK_ERRORS:
                raise
            answered = getattr(getattr(error, "response", None), "status_code", None) is not None
            fruitless = 0 if part.stat().st_size > arrived else fruitless + 1
            if answered or fruitless > 1:
                raise UserError(sentence(error, source, file.name)) from None


def _part(folder: Path, file: File) -> Path:
    return folder / f"{file.name}.part"


def _as_listed(path: Path, file: File) -> bool:
    """Whether the content has the hash that the Hub lists; a mirror that lists none leaves only the size to compare."""
    if file.sha256:
        state, listed = hashlib.sha256(), file.sha256
    elif file.blob and SHA1.fullmatch(file.blob):
        # Git's name of a blob: SHA-1 over "blob SIZE\0" and the content
        state, listed = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False), file.blob
    else:
        return file.size is None or path.stat().st_size == file.size
    hash_content(state, path)
    return state.hexdigest() == listed.lower()
