"""Reading and writing what must last: files and folders written whole or not at all, JSON read strictly, contents hashed."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from trtbench.errors import UserError

SCHEMA = 2  # version of all records
READ = (1, 2)  # versions that are read
DECISIONS = 2  # from this version on records say how the run decided
LARGEST = 2**30  # bytes of one file that is read; a trial of 50 million ids has less
DEPTH = 24  # of JSON inside of JSON where a record takes any
SHOWN = 300  # characters of what a reader says of a file

T = TypeVar("T")


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What records are made of: a field that is not known is an error."""


def encode(value: Any) -> bytes:
    """JSON with sorted fields and a final newline. Raises ValueError for NaN or infinity, which JSON cannot hold."""
    built = msgspec.to_builtins(value)
    _check_finite(built, "$")
    return msgspec.json.format(msgspec.json.encode(built, order="deterministic"), indent=1) + b"\n"


def as_read(record: T) -> T:
    """The record as whoever reads its file has it: a whole number in a field of floats is a float there, and written
    differently. A seal is over this form. One that no reader takes comes back as it is: the reader says what is wrong."""
    try:
        return msgspec.convert(msgspec.to_builtins(record), type=type(record))
    except msgspec.ValidationError:
        return record


def _check_finite(value: Any, path: str) -> None:
    # msgspec writes NaN and infinity as null without a word.
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{path} is {value}; a record holds numbers only")
    if isinstance(value, dict):
        for name, part in value.items():
            _check_finite(part, f"{path}.{name}")
    elif isinstance(value, (list, tuple)):
        for i, part in enumerate(value):
            if not isinstance(part, int):
                _check_finite(part, f"{path}[{i}]")


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path` through a temporary file in the same folder: whole or not at all, also on a full disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes it private; results are for the user to share
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def whole_folder(final: Path, suffix: str = "making") -> Iterator[Path]:
    """An empty folder beside `final`, to be filled in the block; at its end it takes the place of `final`, whatever was
    there. When the block raises, or the process is killed, `final` is as it was. Where no lock keeps others from making the
    same folder, `suffix` must be this process's own."""
    making = final.with_name(f".{final.name}.{suffix}")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    try:
        yield making
        shutil.rmtree(final, ignore_errors=True)
        making.rename(final)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise


def hash_content(state: hashlib._Hash, path: Path) -> None:
    """Feed the content of a file to a hash, block by block: it may be larger than the memory."""
    with path.open("rb") as stream:
        while block := stream.read(1 << 22):
            state.update(block)


def plain_bytes(path: Path, most: int = LARGEST, links: bool = True) -> bytes:
    """The bytes of a regular file of at most `most` bytes; devices, pipes and (`links` False) symbolic links are refused."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | (0 if links else os.O_NOFOLLOW))
    except (OSError, ValueError) as error:
        reason = "is a symbolic link" if path.is_symlink() and not links else f"cannot be read: {_reason(error)}"
        raise UserError(f"{path} {reason}.") from None
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise UserError(f"{path} is not a regular file.")
    with os.fdopen(handle, "rb") as file:
        # Its size first: a sparse file of a terabyte takes no room on the disk and all of the memory.
        if status.st_size > most:
            raise UserError(f"{path} is larger than {most // 2**20} MiB, the most that is read.")
        return file.read(status.st_size)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def read_as(kind: type[T], path: Path, links: bool = True) -> T:
    """Read a JSON file strictly as `kind`; a UserError names the file and what is wrong with it."""
    return decode_as(kind, plain_bytes(path, links=links), str(path))


def decode_as(kind: type[T], data: bytes, where: str) -> T:
    """Decode JSON strictly as `kind`; a UserError names `where` it came from and what is wrong with it."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        version = _schema_of(data)
        if version is not None:
            check_schema(version, where)
        raise UserError(f"{where} is not a valid {kind.__name__.lower()} record: {shown(error)}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{where} is truncated or not JSON: {shown(error)}.") from None


def shown(value: object) -> str:
    """What a file holds as a sentence about it may quote it: printable, and not longer than SHOWN."""
    text = str(value)
    plain = "".join(letter if letter.isprintable() else "?" for letter in text[:SHOWN])
    return plain if len(text) <= SHOWN else f"{plain} …"


def check_schema(version: Any, where: str) -> None:
    """Raises UserError for a version of records that this program does not read; `where` names what has it."""
    if version not in READ or isinstance(version, bool):
        known = " and ".join(map(str, READ))
        raise UserError(f"{where} has schema version {shown(version)}; this program reads versions {known}.")


def check_fields(version: int, where: str, required: dict[str, Any], optional: dict[str, Any]) -> None:
    """Raises UserError where a record of version DECISIONS lacks one of the fields `required` since then, and where an earlier
    one has any of them: it would be a later one that hides what it holds."""
    if version >= DECISIONS:
        lacking = [name for name, value in required.items() if value is None]
        if lacking:
            raise UserError(f"{where} has schema version {version} and lacks {lacking[0]}.")
        return
    later = [name for name, value in {**required, **optional}.items() if value is not None]
    if later:
        raise UserError(
            f"{where} has schema version {version} and holds {later[0]}, which came with version {DECISIONS}."
        )


class _Version(msgspec.Struct):
    """The one field of a file that is no record: everything else is passed over, and takes no memory."""

    schema: Any = None


def _schema_of(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data, type=_Version).schema
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
