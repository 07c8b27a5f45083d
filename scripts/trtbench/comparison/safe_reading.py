"""Bytes that other people wrote, read so that no size, no depth and no sign in them does harm.

Size is looked at before anything is read and counted while it is unpacked; nothing is ever unpacked to disk. Whatever is
refused is one sentence.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from trtbench.errors import UserError
from trtbench.records.checking import TEXT
from trtbench.records.files import DEPTH

PACKED = 32 * 2**20  # bytes of a file as it lies on disk
UNPACKED = 64 * 2**20  # bytes of JSON, all files of a run together

# Sentences that engines and people wrote; the formats clean them. Everything else is a name, and names are plain.
_FREE = {
    "reason",
    "hint",
    "hole",
    "notes",
    "problems",
    "stopped",
    "command",
    "failure",
    "config",
    "config_text",
    "figures",
}
_NOT_PLAIN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|<[A-Za-z/!?]")


def unpacked(path: Path, data: bytes, most: int = UNPACKED) -> bytes:
    """The content of a gzip file, at most `most` bytes of it: what would unpack to more is refused, not unpacked."""
    stream = zlib.decompressobj(wbits=31)
    try:
        content = stream.decompress(data, most + 1)
    except zlib.error:
        raise UserError(f"{path} is not a whole gzip file.") from None
    if len(content) > most:
        raise UserError(f"{path} unpacks to more than {most // 2**20} MiB, the most that is read.")
    if not stream.eof or stream.unused_data:
        raise UserError(f"{path} is not a whole gzip file.")
    return content


def tame(where: str, data: bytes) -> None:
    """Refuse JSON that is too deep, numbers that are too large, texts that are too long, and names with control
    characters or markup in them."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{where} is truncated or not JSON: {error}.") from None
    except RecursionError:
        raise UserError(f"{where} holds JSON deeper than {DEPTH} levels.") from None
    for name, leaf, depth in _leaves(value):
        if depth > DEPTH:
            raise UserError(f"{where} holds JSON deeper than {DEPTH} levels.")
        if isinstance(leaf, str):
            if len(leaf) > TEXT:
                raise UserError(f"{where} holds a text of more than {TEXT:,} characters ({name}).")
            if name not in _FREE and _NOT_PLAIN.search(leaf):
                raise UserError(f"{where} holds control characters or markup in a name ({name}).")
        elif isinstance(leaf, int) and abs(leaf) >= 2**63:
            raise UserError(f"{where} holds a number beyond 64 bits ({name}).")


def _leaves(value: Any) -> Iterator[tuple[str, Any, int]]:
    """Every text and number with the name of the field it stands in and its depth; keys count as texts. Lists of
    numbers, which are most of a record, are looked at by their extremes."""
    pending: list[tuple[str, Any, int]] = [("$", value, 0)]
    while pending:
        name, node, depth = pending.pop()
        if depth > DEPTH or not isinstance(node, (dict, list)):
            yield name, node, depth
        elif isinstance(node, dict):
            for key, part in node.items():
                inside = name if name in _FREE else key[:40] if key.isprintable() else "a key"
                yield inside if inside in _FREE else "a key", key, depth
                pending.append((inside, part, depth + 1))
        elif all(type(part) is int for part in node):
            for part in (min(node), max(node)) if node else ():
                yield name, part, depth
        else:
            pending.extend((name, part, depth + 1) for part in node)
