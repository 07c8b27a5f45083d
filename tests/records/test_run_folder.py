"""Run folders: the order of runs and trials, which trials count, one run at a time."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import factory
from command import environment
from trtbench.errors import UserError
from trtbench.records import run_folder
from trtbench.records.run import Unquiet, counting
from trtbench.records.trial import Failure

FAILED = Failure(phase="load", reason="x")


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    run = factory.run(settings=factory.settings(seed=1, top_p=0.9, lanes=("a", "b")))
    run_folder.write(tmp_path, run)
    assert run_folder.read(tmp_path, run.id) == run


def test_a_run_of_another_version_is_refused(tmp_path: Path) -> None:
    run_folder.write(tmp_path, factory.run(schema=3))
    with pytest.raises(UserError, match=r"run\.json has schema version 3; this program reads versions 1 and 2"):
        run_folder.read(tmp_path, factory.RUN)


SETTINGS = {name: value for name, value in factory.settings().items() if name != "QUIET"}
BEFORE: dict[str, Any] = dict(schema=1, rules=None, candidates=None, departures=None, settings=SETTINGS)


def test_a_run_of_schema_1_is_read(tmp_path: Path) -> None:
    run_folder.write(tmp_path, factory.run(**BEFORE))
    assert run_folder.read(tmp_path, factory.RUN).rules is None


@pytest.mark.parametrize(
    ("later", "value"),
    [
        ("rules", factory.run().rules),
        ("candidates", []),
        ("departures", []),
        ("tried", []),
        ("unquiet", Unquiet(position=1, kind="warn")),
        ("settings", {**SETTINGS, "QUIET": "warn"}),
    ],
)
def test_a_run_of_schema_2_does_not_pass_as_one_of_schema_1(tmp_path: Path, later: str, value: Any) -> None:
    run_folder.write(tmp_path, factory.run(**{**BEFORE, later: value}))
    with pytest.raises(UserError, match="has schema version 1 and holds"):
        run_folder.read(tmp_path, factory.RUN)


@pytest.mark.parametrize("lacking", ["rules", "candidates", "departures"])
def test_a_run_of_schema_2_has_what_came_with_it(tmp_path: Path, lacking: str) -> None:
    run_folder.write(tmp_path, factory.run(**{lacking: None}))
    with pytest.raises(UserError, match=f"has schema version 2 and lacks {lacking}"):
        run_folder.read(tmp_path, factory.RUN)


def test_the_latest_run_is_the_one_meant(tmp_path: Path) -> None:
    for name in ("20260102-030405", "20251231-235959", "20260102-030405-2"):
        run_folder.write(tmp_path, factory.run(id=name))
    (tmp_path / "runs" / "notes").mkdir()
    (tmp_path / "runs" / "20270101-000000").mkdir()  # begun and never written
    assert run_folder.listed(tmp_path) == ["20251231-235959", "20260102-030405", "20260102-030405-2"]
    assert run_folder.find(tmp_path, None) == "20260102-030405-2"
    assert run_folder.find(tmp_path, "20251231-235959") == "20251231-235959"
    with pytest.raises(UserError, match=r"no run 'x'; there are 20251231-235959"):
        run_folder.find(tmp_path, "x")


def test_no_run_at_all_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run; start one with: bash scripts/bench_local.sh"):
        run_folder.find(tmp_path / "results", None)


def test_a_new_id_is_never_one_that_exists(tmp_path: Path) -> None:
    for _ in range(3):
        name = run_folder.new_id(tmp_path)
        assert name not in run_folder.listed(tmp_path)
        run_folder.write(tmp_path, factory.run(id=name))
    assert len(run_folder.listed(tmp_path)) == 3


def test_trials_come_in_the_order_they_ran_whatever_the_order_of_the_files(tmp_path: Path) -> None:
    made = factory.trials({"pytorch-eager": [1.0] * 6, "onnxruntime": [2.0] * 6})
    home = factory.store(tmp_path, factory.run(), made)
    assert [t.position for t in run_folder.trials(tmp_path, factory.RUN)] == list(range(1, 13))
    paths = list((home / "trials").iterdir())
    random.Random(1).shuffle(paths)
    assert run_folder.read_trials(paths) == made


def test_one_broken_record_is_named(tmp_path: Path) -> None:
    home = factory.store(tmp_path, factory.run(), factory.trials({"pytorch-eager": [1.0] * 2}))
    broken = next((home / "trials").glob("0002-*"))
    broken.write_bytes(broken.read_bytes()[:99])
    with pytest.raises(UserError, match="0002-pytorch-eager-float32-t2-a1.json is truncated"):
        run_folder.trials(tmp_path, factory.RUN)


def test_the_last_attempt_counts_unless_it_failed() -> None:
    first = factory.trial(index=1)
    failed_again = factory.trial(index=1, attempt=2, failure=FAILED)
    failed_first = factory.trial(index=2, failure=FAILED)
    then_good = factory.trial(index=2, attempt=2)
    other_lane = factory.trial("onnxruntime", index=1)
    found = [then_good, first, failed_first, other_lane, failed_again]
    assert counting(found) == [then_good, other_lane]


def test_two_runs_at_once_are_refused_and_the_holder_is_named(tmp_path: Path) -> None:
    with run_folder.locked(tmp_path):
        done = subprocess.run(
            [sys.executable, "-c", "from trtbench.records import run_folder; from pathlib import Path; import sys\n"
             "with run_folder.locked(Path(sys.argv[1])): pass", str(tmp_path)],
            env=environment(), capture_output=True, text=True,
        )  # fmt: skip
    assert done.returncode != 0
    assert f"another run (process {os.getpid()}) is using {tmp_path}" in done.stderr
    with run_folder.locked(tmp_path):  # free again, and a stale lock file is no hindrance
        pass


def test_a_results_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match="RESULTS_DIR=.* cannot be written: Not a directory"),
        run_folder.locked(tmp_path / "file" / "results"),
    ):
        pass
