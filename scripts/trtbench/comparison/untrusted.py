"""The other side of `--against` where other people wrote it: a bundle, a run's folder or a report. All of it is taken
for hostile.

Bytes are read by trtbench.comparison.safe_reading; a bundle holds no file names, so no path can lead out of it. Whether
it holds together says trtbench.comparison.plausible. Whatever does not is one sentence.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from trtbench.comparison.bundle import Bundle
from trtbench.comparison.comparing import compare
from trtbench.comparison.plausible import TRIALS, check_records, check_report
from trtbench.comparison.result import Comparison
from trtbench.comparison.safe_reading import PACKED, UNPACKED, tame, unpacked
from trtbench.errors import UserError
from trtbench.model.workload import Workload
from trtbench.records import judgement, run_folder
from trtbench.records.files import check_schema, decode_as, plain_bytes
from trtbench.records.judgement import Judgement
from trtbench.records.run import Run
from trtbench.records.trial import Trial
from trtbench.referee.audit import audit

Parts = tuple[str, Run, list[Trial], "Judgement | None", "Workload | None"]  # the first says where they come from
T = TypeVar("T")

_UNFORESEEN = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, AssertionError)


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
    except _UNFORESEEN as error:
        # The checks know what is wrong; this is for what they do not foresee.
        raise UserError(
            f"{path} does not hold together ({type(error).__name__}); it cannot be compared with."
        ) from None
    except MemoryError:
        raise UserError(f"{path} needs more memory than there is; it cannot be compared with.") from None


def _bundle(path: Path, data: bytes) -> Parts:
    content = unpacked(path, data)
    tame(str(path), content)
    bundle = decode_as(Bundle, content, str(path))
    check_schema(bundle.schema, str(path))
    return str(path), bundle.run, bundle.trials, bundle.judgement, bundle.workload


def _folder(path: Path) -> Parts:
    bytes_left = UNPACKED

    def record(kind: type[T], file: Path) -> T:
        nonlocal bytes_left
        data = plain_bytes(file, bytes_left, links=False)
        bytes_left -= len(data)
        tame(str(file), data)
        return decode_as(kind, data, str(file))

    def maybe(kind: type[T], name: str) -> T | None:
        file = path / name
        return record(kind, file) if file.exists() or file.is_symlink() else None

    if not (path / "run.json").exists():
        raise UserError(f"{path} is not a run's folder: it holds no run.json.")
    folder = path / "trials"
    if folder.is_symlink():
        raise UserError(f"{folder} is a symbolic link.")
    files = run_folder.trial_files(folder)[: TRIALS + 1]
    trials = [run_folder.check_name(record(Trial, file), file) for file in files]
    run = record(Run, path / "run.json")
    return str(path), run, trials, maybe(Judgement, judgement.FILE), maybe(Workload, "workload.json")


def _report(path: Path, data: bytes) -> Comparison:
    """benchmark_comparison_report.json: figures and findings as they were written."""
    tame(str(path), data)
    report = decode_as(Comparison, data, str(path))
    check_report(str(path), report)
    return report


def _compared(
    where: str, run: Run, trials: list[Trial], judged: Judgement | None, workload: Workload | None
) -> Comparison:
    check_records(where, run, trials, judged, workload)
    trials = run_folder.compacted(trials)
    return compare(run, trials, audit(run, trials, judged, workload), judged)
