"""A run as one small file to hand on: `compare.py --bundle FILE`. It names no person, host, folder, card or address.

Taking something out (trtbench.comparison.sieve) changes a record, so it is sealed anew, and its old checksum stands in
`originals`. A record whose seal was already broken keeps the broken one: bundling must not make an edited record look
whole.

The reports of NVIDIA's own benchmark are no records and stay behind.

The same run gives the same bytes: sorted fields, no time, no name in the gzip header.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from trtbench import __version__
from trtbench.comparison.safe_reading import PACKED, UNPACKED
from trtbench.comparison.sieve import Sieve, names_in
from trtbench.errors import UserError
from trtbench.model.workload import Workload
from trtbench.records import judgement
from trtbench.records.files import SCHEMA, encode, write_whole
from trtbench.records.judgement import Judgement
from trtbench.records.run import Run
from trtbench.records.trial import Trial, Version, checksum

NOTE = "anonymised by trtbench: texts in brackets were taken out, and each record was sealed anew"


class Bundle(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag="bundle", tag_field="kind"):
    """A run in one file: gzip around this JSON. `note` says what was done to the records; `originals` are the checksums
    that the records had before, in the order of `trials`; `program` is the version of this program that made it."""

    schema: int
    note: str
    run: Run
    workload: Workload | None
    judgement: Judgement | None
    trials: list[Trial]
    originals: list[str]
    program: Version | None = None


def make(
    run: Run, trials: list[Trial], judged: Judgement | None, workload: Workload | None, names: Iterable[str]
) -> bytes:
    """The bundle's bytes. With prompts of the user's own the workload is left out: its ids are their text."""
    own_prompts = bool(run.settings.get("PROMPTS_FILE"))
    raw = msgspec.json.encode([run, trials, judged])
    sieve = Sieve([*names, *names_in(raw)])
    bundle = Bundle(
        schema=SCHEMA,
        note=NOTE,
        run=_sieved(Run, run, sieve),
        workload=None if own_prompts or workload is None else msgspec.structs.replace(workload, prompts_name="prompts"),
        judgement=_judgement(judged, sieve),
        trials=[_trial(trial, sieve) for trial in trials],
        originals=[trial.checksum for trial in trials],
        program=__version__,
    )
    content = encode(bundle)
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=packed, mtime=0) as file:
        file.write(content)
    if len(content) > UNPACKED or len(packed.getvalue()) > PACKED:
        raise UserError(
            f"run {run.id} makes a bundle of {len(content) / 2**20:.0f} MiB ({len(packed.getvalue()) / 2**20:.0f} packed); "
            f"at most {UNPACKED // 2**20} ({PACKED // 2**20} packed) are read."
        )
    return packed.getvalue()


def write(path: Path, data: bytes) -> None:
    """Write the bundle, whole or not at all; a file that is no gzip file is not overwritten."""
    try:
        if path.exists() and (not path.is_file() or path.open("rb").read(2) != b"\x1f\x8b"):
            raise UserError(f"{path} exists and is no bundle; it is left alone.")
        write_whole(path, data)
    except OSError as error:
        raise UserError(f"the bundle cannot be written to {path}: {error.strerror or error}.") from None


def _sieved(kind: Any, value: Any, sieve: Sieve) -> Any:
    return msgspec.convert(sieve.value(msgspec.to_builtins(value)), kind)


def _trial(trial: Trial, sieve: Sieve) -> Trial:
    sieved: Trial = _sieved(Trial, trial, sieve)
    if trial.checksum == checksum(trial):
        sieved.checksum = checksum(sieved)
    return sieved


def _judgement(judged: Judgement | None, sieve: Sieve) -> Judgement | None:
    if judged is None:
        return None
    sieved: Judgement = _sieved(Judgement, judged, sieve)
    if judged.checksum == judgement.checksum(judged):
        sieved.checksum = judgement.checksum(sieved)
    return sieved
