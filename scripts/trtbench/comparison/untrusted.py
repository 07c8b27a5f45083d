"""Reading what other people wrote: a bundle, a run's folder or a report. All of it is taken for hostile.

Size is looked at before anything is read and counted while it is unpacked; nothing is ever unpacked to disk, and a
bundle holds no file names, so no path can lead out of it. Whatever does not hold together is one sentence.
"""

from __future__ import annotations

import os
import re
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from trtbench.comparison.comparing import compare
from trtbench.comparison.result import Comparison
from trtbench.errors import UserError
from trtbench.model.workload import Workload
from trtbench.records import judgement, run_folder
from trtbench.records.files import SCHEMA, decode_as
from trtbench.records.judgement import Judgement
from trtbench.records.run import Run, counting
from trtbench.records.trial import Trial, check_trial
from trtbench.referee.audit import audit
from trtbench.referee.audit.findings import LEVELS, THEMES, Finding
from trtbench.settings.knobs import DEFAULTS, ROWS
from trtbench.settings.lanes import LANES

PACKED = 32 * 2**20  # bytes of a file as it lies on disk
UNPACKED = 64 * 2**20  # bytes of JSON, all files of a run together
TRIALS = 20_000
DEPTH = 24  # of JSON inside of JSON
TEXT = 20_000  # characters of one text
WORK = 50_000_000  # prompt ids that a re-audit would have to make

# Sentences that engines and people wrote; the formats clean them. Everything else is a name, and names are plain.
_FREE = {"reason", "hint", "hole", "notes", "problems", "stopped", "command", "failure", "config", "figures"}
_NOT_PLAIN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|<[A-Za-z/!?]")

T = TypeVar("T")


class Bundle(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag="bundle", tag_field="kind"):
    """A run in one file: gzip around this JSON. `note` says what was done to the records; `originals` are the checksums
    that the records had before, in the order of `trials`."""

    schema: int
    note: str
    run: Run
    workload: Workload | None
    judgement: Judgement | None
    trials: list[Trial]
    originals: list[str]


def read(path: Path) -> tuple[Comparison, str]:
    """What lies at `path`, compared and, where its records are there, audited again; and what it is: folder, bundle or
    report. Raises UserError with one sentence for everything that is wrong with it."""
    try:
        if path.is_dir():
            return _compared(*_folder(path)), "folder"
        data = plain_bytes(path, PACKED)
        if data[:2] == b"\x1f\x8b":
            return _compared(*_bundle(path, data)), "bundle"
        if data[:4] == b"PK\x03\x04" or data[257:262] == b"ustar":
            raise UserError(f"{path} is an archive of files; what is wanted is a bundle (compare.py --bundle FILE).")
        return _report(path, data), "report"
    except UserError:
        raise
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
        AssertionError,
    ) as error:
        # The checks above know what is wrong; this is for what they do not foresee.
        raise UserError(
            f"{path} does not hold together ({type(error).__name__}); it cannot be compared with."
        ) from None
    except MemoryError:
        raise UserError(f"{path} needs more memory than there is; it cannot be compared with.") from None


def plain_bytes(path: Path, most: int, links: bool = True) -> bytes:
    """The bytes of a regular file of at most `most` bytes; devices, pipes and (`links` False) symbolic links are refused."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | (0 if links else os.O_NOFOLLOW))
    except OSError as error:
        what = "is a symbolic link" if path.is_symlink() and not links else f"cannot be read: {error.strerror}"
        raise UserError(f"{path} {what}.") from None
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise UserError(f"{path} is not a regular file.")
        data = file.read(most + 1)
    if len(data) > most:
        raise UserError(f"{path} is larger than {most // 2**20} MiB, the most that is read.")
    return data


def unpacked(path: Path, data: bytes, most: int = UNPACKED) -> bytes:
    """The content of a gzip file, at most `most` bytes of it: what would unpack to more is refused, not unpacked."""
    opened = zlib.decompressobj(wbits=31)
    try:
        found = opened.decompress(data, most + 1)
    except zlib.error:
        raise UserError(f"{path} is not a whole gzip file.") from None
    if len(found) > most:
        raise UserError(f"{path} unpacks to more than {most // 2**20} MiB, the most that is read.")
    if not opened.eof or opened.unused_data:
        raise UserError(f"{path} is not a whole gzip file.")
    return found


Parts = tuple[str, Run, list[Trial], "Judgement | None", "Workload | None"]


def _bundle(path: Path, data: bytes) -> Parts:
    content = unpacked(path, data)
    tame(str(path), content)
    found = decode_as(Bundle, content, str(path))
    if found.schema != SCHEMA:
        raise UserError(f"{path} has schema version {found.schema}; this program reads version {SCHEMA}.")
    return str(path), found.run, found.trials, found.judgement, found.workload


def _folder(path: Path) -> Parts:
    left = [UNPACKED]

    def one(kind: type[T], file: Path) -> T:
        data = plain_bytes(file, left[0], links=False)
        left[0] -= len(data)
        tame(str(file), data)
        return decode_as(kind, data, str(file))

    def maybe(kind: type[T], name: str) -> T | None:
        file = path / name
        return one(kind, file) if file.exists() or file.is_symlink() else None

    if not (path / "run.json").exists():
        raise UserError(f"{path} is not a run's folder: it holds no run.json.")
    files = path / "trials"
    if files.is_symlink():
        raise UserError(f"{files} is a symbolic link.")
    names = sorted(files.glob("*.json"))[: TRIALS + 1]
    trials = [one(Trial, name) for name in names]
    return (
        str(path),
        one(Run, path / "run.json"),
        trials,
        maybe(Judgement, judgement.FILE),
        maybe(Workload, "workload.json"),
    )


def _compared(
    where: str, run: Run, trials: list[Trial], judged: Judgement | None, workload: Workload | None
) -> Comparison:
    _check_run(where, run, trials, workload)
    for trial in trials:
        check_trial(trial, where)
    if judged is not None and judged.schema != SCHEMA:
        raise UserError(f"{where} has schema version {judged.schema}; this program reads version {SCHEMA}.")
    if not counting(trials):
        raise UserError(f"{where} holds no finished trial.")
    trials = run_folder.compacted(trials)
    return compare(run, trials, audit(run, trials, judged, workload), judged)


def _check_run(where: str, run: Run, trials: list[Trial], workload: Workload | None) -> None:
    if len(trials) > TRIALS:
        raise UserError(f"{where} holds more than {TRIALS} trials, the most that are read.")
    if run.schema != SCHEMA:
        raise UserError(f"{where} has schema version {run.schema}; this program reads version {SCHEMA}.")
    _check_settings(where, run.settings)
    unknown = [name for name in (*run.lanes, *(a.lane for a in run.absent)) if name not in LANES]
    if unknown:
        raise UserError(f"{where} names the lane {unknown[0]!r}, which this program does not know.")
    cells = {(r.cell, len(p.times)) for t in trials for r in t.cells for p in (r.e2e, r.ttft) if p is not None}
    for cell, _ in cells:
        for name, value in (
            ("BATCH_SIZES", cell.batch),
            ("PROMPT_LENGTHS", cell.prompt_length),
            ("NEW_TOKENS", cell.new_tokens),
        ):
            most = ROWS[name].high
            if most is not None and value > most:
                raise UserError(f"{where} has a cell with {name}={value}; at most {most:g} is possible.")
    if sum(cell.batch * cell.prompt_length * calls for cell, calls in cells) > WORK:
        raise UserError(f"{where} stands for more than {WORK:,} prompt ids, the most that are audited again.")
    if workload is not None:
        starts, size = workload.starts, len(workload.ring)
        if not size or starts[:1] != [0] or starts != sorted(set(starts)) or starts[-1] >= size:
            raise UserError(f"{where} holds a workload whose prompts do not lie in its ring of ids.")


def _check_settings(where: str, settings: dict[str, Any]) -> None:
    """Settings that figures are computed with have the type of their default."""
    if "EQUIVALENCE_MARGIN" not in settings:
        raise UserError(f"{where} lacks the setting EQUIVALENCE_MARGIN.")
    for name, value in settings.items():
        if name not in DEFAULTS:
            continue
        default = DEFAULTS[name]
        right: tuple[type, ...] = (list,) if isinstance(default, tuple) else (type(default),)
        if isinstance(default, float):
            right = (int, float)
        if not isinstance(value, right) or isinstance(value, bool) != isinstance(default, bool):
            raise UserError(f"{where} has {name}={str(value)[:40]!r}; it takes {ROWS[name].wanted()}.")


def _report(path: Path, data: bytes) -> Comparison:
    """benchmark_comparison_report.json: figures and findings as they were written."""
    tame(str(path), data)
    found = decode_as(Comparison, data, str(path))
    if found.schema != SCHEMA:
        raise UserError(f"{path} has schema version {found.schema}; this program reads version {SCHEMA}.")
    _check_settings(str(path), found.settings)
    for row in found.cells:
        for f in row.figures:
            if f.lane not in LANES:
                raise UserError(f"{path} names the lane {f.lane!r}, which this program does not know.")
            if (
                not f.latency_trials
                or len(f.latency_trials) != f.trials
                or min(f.latency_trials) <= 0
                or f.latency <= 0
            ):
                raise UserError(f"{path}: the times of {f.lane} are not one positive number a trial.")
    for finding in found.findings:
        _check_finding(path, finding)
    return found


def _check_finding(path: Path, finding: Finding) -> None:
    if finding.level not in LEVELS or finding.code.split(".")[0] not in THEMES:
        raise UserError(f"{path} has the finding {finding.code!r}, which this program does not know.")


def tame(where: str, data: bytes) -> None:
    """Refuse JSON that is too deep, numbers that are too large, texts that are too long, and names with control
    characters or markup in them."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{where} is truncated or not JSON: {error}.") from None
    except RecursionError:
        raise UserError(f"{where} holds JSON deeper than {DEPTH} levels.") from None
    for name, each, depth in _leaves(value):
        if depth > DEPTH:
            raise UserError(f"{where} holds JSON deeper than {DEPTH} levels.")
        if isinstance(each, str):
            if len(each) > TEXT:
                raise UserError(f"{where} holds a text of more than {TEXT:,} characters ({name}).")
            if name not in _FREE and _NOT_PLAIN.search(each):
                raise UserError(f"{where} holds control characters or markup in a name ({name}).")
        elif isinstance(each, int) and abs(each) >= 2**63:
            raise UserError(f"{where} holds a number beyond 64 bits ({name}).")


def _leaves(value: Any) -> Iterator[tuple[str, Any, int]]:
    """Every text and number with the name of the field it stands in and its depth; keys count as texts. Lists of
    numbers, which are most of a record, are looked at by their extremes."""
    pending: list[tuple[str, Any, int]] = [("$", value, 0)]
    while pending:
        name, each, depth = pending.pop()
        if depth > DEPTH or not isinstance(each, (dict, list)):
            yield name, each, depth
        elif isinstance(each, dict):
            for key, part in each.items():
                inside = name if name in _FREE else key[:40] if key.isprintable() else "a key"
                yield inside if inside in _FREE else "a key", key, depth
                pending.append((inside, part, depth + 1))
        elif all(type(part) is int for part in each):
            for part in (min(each), max(each)) if each else ():
                yield name, part, depth
        else:
            pending.extend((name, part, depth + 1) for part in each)
