"""Run folders: `results/runs/<id>/` holds run.json, workload.json, trials/*.json and logs/*.log. Nothing in it is ever overwritten
but run.json; the files at the top of `results/` are made from the latest run (result_files.py)."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from trtbench.errors import UserError, why
from trtbench.records import lock
from trtbench.records.files import encode, read_as, write_whole
from trtbench.records.run import ID, Run, check_run, sort_key
from trtbench.records.trial import Trial, read_trial

_TRIAL = re.compile(r"\d{4,}-[\w.-]+-t\d+-a\d+\.json", re.ASCII)


def folder(results: Path, run: str) -> Path:
    return results / "runs" / run


def listed(results: Path) -> list[str]:
    """Ids of all runs, oldest first."""
    home = results / "runs"
    if not home.is_dir():
        return []
    # Whatever lies there as run.json: one that is no file is refused when it is read, and not passed over for an older run.
    return sorted(
        path.name for path in home.iterdir() if ID.fullmatch(path.name) and os.path.lexists(path / "run.json")
    )


def new_id(results: Path) -> str:
    """A new id from the UTC time, never one that exists."""
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%d-%H%M%S")
    candidates = [stamp, *(f"{stamp}-{n}" for n in range(2, 1000))]
    return next(name for name in candidates if not folder(results, name).exists())


def read(results: Path, run: str) -> Run:
    """Read run.json strictly. Its id is where the run's files are written to, so it must be its folder's name."""
    path = folder(results, run) / "run.json"
    record = check_run(read_as(Run, path, links=False), str(path))
    if record.id != run:
        raise UserError(f"{path} has the id {record.id!r}, and its folder is called {run!r}; rename the folder back.")
    return record


def write(results: Path, run: Run) -> None:
    write_whole(folder(results, run.id) / "run.json", encode(run))


def find(results: Path, run: str | None) -> str:
    """The id of the run asked for, else the latest. A UserError says which there are."""
    run_ids = listed(results)
    if not run_ids:
        raise UserError(f"{results} holds no run; start one with: bash scripts/bench_local.sh")
    if run is None:
        return run_ids[-1]
    if run not in run_ids:
        raise UserError(f"{results} holds no run {run!r}; there are {', '.join(run_ids[-5:])}.")
    return run


def trial_name(trial: Trial) -> str:
    """File name of a trial: place in the run, lane, precision, number, attempt."""
    return f"{trial.position:04d}-{trial.lane}-{trial.precision}-t{trial.index}-a{trial.attempt}.json"


def trials(results: Path, run: str) -> list[Trial]:
    """All trials of a run, in the order of their places."""
    return read_trials(trial_files(folder(results, run) / "trials"))


def trial_files(home: Path) -> list[Path]:
    """The files of a folder of trials. Hidden ones are passed over: a write that was cut off leaves one, and so do desktops.
    Raises UserError for whatever else is not named as a trial's file is: passed over, it would be a trial that is missing."""
    if not home.is_dir():
        return []
    try:
        paths = sorted(path for path in home.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise UserError(f"{home} cannot be read: {why(error, home)}.") from None
    strange = next((path for path in paths if not _TRIAL.fullmatch(path.name)), None)
    if strange is not None:
        raise UserError(
            f"{home} holds {strange.name!r}, which is not named as a trial's file is (0001-pytorch-eager-float32-t1-a1.json): "
            "give it its name back, or take it out of the folder."
        )
    return paths


def check_name(trial: Trial, path: Path) -> Trial:
    """Raises UserError where a file is not named after the trial in it: it was copied or renamed."""
    if path.name != trial_name(trial):
        raise UserError(
            f"{path} holds the trial of {trial_name(trial)}: give it its name back, or take it out of the folder."
        )
    return trial


def read_trials(paths: Sequence[Path]) -> list[Trial]:
    """Read these trial files; the result does not depend on their order."""
    return compacted(check_name(read_trial(path), path) for path in paths)


def compacted(loaded: Iterable[Trial]) -> list[Trial]:
    """The trials in the order of their places, with what they repeat held once."""
    shared = _Shared()
    return sorted((shared.compact(trial) for trial in loaded), key=sort_key)


class _Shared:
    """Holds what thousands of records repeat only once: equal ids, environments, models and settings."""

    def __init__(self) -> None:
        self.ids: dict[int, int] = {}
        self.parts: dict[bytes, Any] = {}

    def compact(self, trial: Trial) -> Trial:
        trial.environment = self.once(trial.environment)
        trial.model = self.once(trial.model)
        trial.settings = self.once(trial.settings)
        trial.sealed = self.once(trial.sealed)
        for record in trial.cells:
            for part in (record.e2e, record.ttft):
                if part is not None:
                    part.outputs = [
                        [list(map(self.ids.setdefault, row, row)) for row in output] for output in part.outputs
                    ]
        return trial

    def once(self, part: Any) -> Any:
        return self.parts.setdefault(msgspec.json.encode(part), part)


def locked(results: Path) -> AbstractContextManager[None]:
    """Hold the results folder for one run at a time: two at once would slow each other and neither figure would count."""
    try:
        lock_file = lock.opened(results)
    except OSError as error:
        raise UserError(f"RESULTS_DIR={str(results)!r} cannot be written: {why(error, results)}.") from None

    def refuse(holder: str) -> NoReturn:
        raise UserError(f"another run (process {holder}) is using {results}; wait for it, or set RESULTS_DIR.")

    return lock.held(lock_file, refuse)
