"""Reading and writing what must last: JSON, written whole or not at all, read strictly."""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from trtbench.errors import UserError

SCHEMA = 1  # version of all records

T = TypeVar("T")


def encode(value: Any) -> bytes:
    """JSON with sorted fields and a final newline. Raises ValueError for NaN or infinity, which JSON cannot hold."""
    built = msgspec.to_builtins(value)
    _finite(built, "$")
    return msgspec.json.format(msgspec.json.encode(built, order="deterministic"), indent=1) + b"\n"


def _finite(value: Any, path: str) -> None:
    # msgspec writes NaN and infinity as null without a word.
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{path} is {value}; a record holds numbers only")
    if isinstance(value, dict):
        for name, part in value.items():
            _finite(part, f"{path}.{name}")
    elif isinstance(value, (list, tuple)):
        for i, part in enumerate(value):
            if not isinstance(part, int):
                _finite(part, f"{path}[{i}]")


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


def read_as(kind: type[T], path: Path) -> T:
    """Read a JSON file strictly as `kind`; a UserError names the file and what is wrong with it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from None
    return decode_as(kind, data, str(path))


def decode_as(kind: type[T], data: bytes, where: str) -> T:
    """Decode JSON strictly as `kind`; a UserError names `where` it came from and what is wrong with it."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        found = _schema_of(data)
        if found is not None and found != SCHEMA:
            raise UserError(f"{where} has schema version {found}; this program reads version {SCHEMA}.") from None
        raise UserError(f"{where} is not a valid {kind.__name__.lower()} record: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{where} is truncated or not JSON: {error}.") from None


def _schema_of(data: bytes) -> Any:
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    return found.get("schema") if isinstance(found, dict) else None
