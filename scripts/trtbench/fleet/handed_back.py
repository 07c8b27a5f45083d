"""What a run says at the end of its log: the bundle, and where it was measured. A log is untrusted: all of it may be made up."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import NamedTuple

from trtbench.comparison.safe_reading import PACKED
from trtbench.errors import UserError, reason_of
from trtbench.fleet.on_machine import BEGIN, END
from trtbench.records.files import shown

_PLACE = re.compile(r"machine=([0-9a-f]{16}) card=([0-9a-f]{16}|)", re.ASCII)
_SIZE = re.compile(r"sha256=([0-9a-f]{64}) bytes=([0-9]{1,9})", re.ASCII)
_OF_RAY = re.compile(r"^Running entrypoint for job |\bjob_manager\.py:\d+ -- ")  # what Ray itself says in a job's log
_LAST = 2**16  # characters of a log that are looked through for why a run failed


class HandedBack(NamedTuple):
    """A bundle as bytes that nobody has read yet, and the names of the machine and of the cards that it comes from."""

    machine: str
    card: str
    bundle: bytes


def handed_back(log: str) -> HandedBack:
    """The last whole bundle of a log. Raises UserError where there is none, or it is not what it says it is."""
    text = f"\n{log.replace(chr(13), '')}\n"
    end = text.rfind(f"\n{END}\n")
    begin = text.rfind(f"\n{BEGIN}\n", 0, max(end, 0) + 1)
    if end < 0 or begin < 0:
        raise UserError("its log holds no whole bundle.")
    place, _, rest = text[begin + len(BEGIN) + 2 : end].partition("\n")
    size, _, encoded = rest.partition("\n")
    where, what = _PLACE.fullmatch(place), _SIZE.fullmatch(size)
    if where is None or what is None:
        raise UserError("the bundle in its log does not say where it comes from, or how large it is.")
    if int(what[2]) > PACKED or len(encoded) > PACKED * 3 // 2:
        raise UserError(f"the bundle in its log is larger than {PACKED // 2**20} MiB, the most that is read.")
    try:
        bundle = base64.b64decode(encoded.replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        raise UserError("the bundle in its log is not base64.") from None
    if len(bundle) != int(what[2]) or hashlib.sha256(bundle).hexdigest() != what[1]:
        raise UserError("the bundle in its log is not what was sent: its size or its SHA-256 is another.")
    return HandedBack(where[1], where[2], bundle)


def reason(log: str) -> str:
    """Why a run failed, by the last of what it said: printable, short, and on one line; empty where it said nothing."""
    said = "\n".join(line for line in log[-_LAST:].splitlines() if not _OF_RAY.search(line))
    return shown(reason_of(said, 1)) if said.strip() else ""
