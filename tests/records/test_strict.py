"""What lies in a run's folder is read within bounds: files only, of this run, with numbers, names and settings that can be."""

from __future__ import annotations

import itertools
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import factory
from fuzzing import Hang, limits, outcome
from trtbench import compare
from trtbench.errors import UserError
from trtbench.model.workload import digest_prompts
from trtbench.records import judgement, run_folder
from trtbench.records.checking import TEXT
from trtbench.records.files import DEPTH, LARGEST, encode
from trtbench.records.result_files import benchmark_name, remove_stale
from trtbench.settings.cells import Cell
from trtbench.settings.knobs import ROWS

TRIAL = "trials/0002-onnxruntime-float32-t1-a1.json"
FILES = ("run.json", "workload.json", judgement.FILE, TRIAL)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A run that is compared without a word."""
    made = factory.trials({"pytorch-eager": [100.0, 101.0, 99.0], "onnxruntime": [50.0, 51.0, 49.0]})
    home = factory.store(tmp_path, factory.run(), made)
    (home / "workload.json").write_bytes(encode(factory.a_workload()))
    return tmp_path


def told(results: Path, *arguments: str) -> str:
    """The sentence that `compare.py` refuses the results with."""
    with limits(), pytest.raises(UserError) as refused:
        compare.main(["--results-dir", str(results), "--no-chart", *arguments])
    sentence = str(refused.value)
    assert sentence.isprintable() and len(sentence) < 600
    return sentence


def home(results: Path) -> Path:
    return run_folder.folder(results, factory.RUN)


# What is no file


def a_socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the name of a socket is short
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)


def a_link_out(path: Path) -> None:
    (path.parents[3] / "secret").write_text("root:x:0:0")
    path.symlink_to(path.parents[3] / "secret")


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (os.mkfifo, "is not a regular file"),
    "folder": (Path.mkdir, "is not a regular file"),
    "socket": (a_socket, "cannot be read|is not a regular file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "is a symbolic link"),
    "link out of the run": (a_link_out, "is a symbolic link"),
    "link to nothing": (lambda path: path.symlink_to("nothing"), "is a symbolic link"),
    "endless": (sparse, "is larger than 1024 MiB, the most that is read"),
    "empty": (Path.touch, "is truncated or not JSON"),
    "deep": (lambda path: path.write_bytes(b"[" * 10**6), "is not a valid|is truncated or not JSON"),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("file", FILES)
def test_what_is_no_record_is_refused_at_once(results: Path, file: str, kind: str) -> None:
    path = home(results) / file
    path.unlink(missing_ok=True)
    make, said = ODD[kind]
    make(path)
    sentence = told(results)
    assert str(path) in sentence
    assert re.search(said, sentence)


def test_a_file_that_nobody_may_read_is_named(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*arguments: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(UserError, match=r"run\.json cannot be read: Permission denied\."):
        run_folder.read(results, factory.RUN)


@pytest.mark.parametrize("kind", ["pipe", "folder", "endless", "deep"])
def test_a_view_of_results_that_is_none_is_left_alone(results: Path, kind: str) -> None:
    path = results / benchmark_name("pytorch")
    ODD[kind][0](path)
    with limits():
        remove_stale(results, factory.RUN)
    assert path.exists()


def test_a_run_whose_file_is_none_does_not_hide_behind_an_older_one(results: Path) -> None:
    (results / "runs" / "20270101-000000").mkdir()
    os.mkfifo(results / "runs" / "20270101-000000" / "run.json")
    assert "20270101-000000/run.json is not a regular file" in told(results)


# A run is its folder's


@pytest.mark.parametrize("other", ["20260102-030406", "../../elsewhere", "x", "", "20260102-030405\n"])
def test_a_run_is_never_written_into_another_ones_folder(results: Path, other: str) -> None:
    neighbour = results / "runs" / "20260102-030406"
    neighbour.mkdir()
    change(results, "run.json", lambda run: run.update(id=other))
    assert "has the id" in told(results)
    assert sorted(p.name for p in results.rglob("*") if "comparison" in p.name or "benchmark" in p.name) == []
    assert list(neighbour.iterdir()) == []


# What can't be


def change(results: Path, file: str, edit: Callable[[Any], object]) -> None:
    path = home(results) / file
    document = json.loads(path.read_bytes())
    edit(document)
    path.write_text(json.dumps(document))


def put(*way: Any) -> Callable[[Any], object]:
    *outside, last, value = way

    def edit(document: Any) -> None:
        for step in outside:
            document = document[step]
        document[last] = value

    return edit


CELL = ("cells", 0, "cell")
PASS = ("cells", 0, "e2e")
NAN = float("nan")


def deep() -> Any:
    value: Any = 1
    for _ in range(DEPTH):
        value = [value]
    return value


WRONG: dict[str, tuple[str, Callable[[Any], object], str]] = {
    "an index of 10^18": (TRIAL, put("index", 10**18), r"Expected `int` <= 1000000 - at `\$\.index`"),
    "a round of 10^18": (TRIAL, put("round", 10**18), r"Expected `int` <= 1000000 - at `\$\.round`"),
    "a batch of 10^9": (TRIAL, put(*CELL, "batch", 10**9), r"Expected `int` <= 4096 - at `\$\.cells\[0\]\.cell\.batch`"),
    "a time of 10^19 ns": (TRIAL, put(*PASS, "times", [10**19] * 2), r"<= 1000000000000000000 - at"),
    "no whole number": (TRIAL, put("position", 1.5), r"Expected `int`, got `float` - at `\$\.position`"),
    "seconds of 1e300": (TRIAL, put("seconds", 1e300), r"Expected `float` <= 1e\+18"),
    "a million calls": (TRIAL, put(*PASS, "times", [1] * 10**6), r"length <= 10000"),
    "rows without end": (TRIAL, put(*PASS, "outputs", [[[]] * 5000]), r"length <= 4096"),
    "an unknown precision": (TRIAL, put("precision", "fp64"), "names the precision 'fp64', which is none of float32"),
    "a setting of another type": (TRIAL, put("settings", "NUM_ITERATIONS", "ten"), "NUM_ITERATIONS='ten'; it takes a whole number"),
    "a config too deep": (TRIAL, put("model", "config", {"x": deep()}), "deeper than 24 levels"),
    "a config of long text": (TRIAL, put("model", "config", {"x": "y" * (TEXT + 1)}), "more than 20,000 characters"),
    "a config beyond 64 bits": (TRIAL, put("model", "config", {"x": 2**64}), "beyond 64 bits"),
    "an unknown lane": ("run.json", put("lanes", ["magic"]), "names the lane 'magic'"),
    "a headline that is none": ("run.json", put("headline", "magic"), "names the lane 'magic'"),
    "settings that are NaN": ("run.json", put("settings", "EQUIVALENCE_MARGIN", NAN), "truncated or not JSON"),
    "settings that are null": ("run.json", put("settings", "EQUIVALENCE_MARGIN", None), "EQUIVALENCE_MARGIN='None'; it takes a number"),
    "a margin beyond its range": ("run.json", put("settings", "EQUIVALENCE_MARGIN", 1e308), "it takes a number from 0.001 to 0.5"),
    "a list with something else": ("run.json", put("settings", "BATCH_SIZES", [1, "x"]), "it takes a comma-separated list"),
    "a switch that is a number": ("run.json", put("settings", "TRY_SETTINGS", 1), "TRY_SETTINGS='1'; it takes 1 or 0"),
    "no model's name": ("run.json", lambda run: run["settings"].pop("MODEL_NAME"), "lacks the setting MODEL_NAME"),
    "a bandwidth of 5e-324": ("run.json", put("read_bandwidth", 5e-324), r"Expected `float` >= 1000"),
    "a level that is none": ("run.json", put("rules", "candidate_level", 1.0), r"Expected `float` < 1"),
    "an empty ring": ("workload.json", put("ring", []), "do not lie in its ring"),
    "starts beyond the ring": ("workload.json", put("starts", [0, 10**12]), "do not lie in its ring"),
    "ids below zero": ("workload.json", put("ring", [-1] * 20), r"Expected `int` >= 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_can_not_be_is_refused_in_one_sentence(results: Path, name: str) -> None:
    file, edit, said = WRONG[name]
    change(results, file, edit)
    sentence = told(results)
    assert str(home(results) / file) in sentence
    assert re.search(said, sentence), sentence


def test_every_setting_a_run_can_be_opened_with_is_read(results: Path) -> None:
    """At both ends of every range, and with what each kind of setting takes."""
    ends: dict[str, tuple[Any, Any]] = {
        name: (row.low if not row.above_low else 1e-9, row.high) for name, row in ROWS.items() if row.low is not None
    }
    for place in (0, 1):
        values = {name: span[place] for name, span in ends.items()}
        changed = {
            name: [values[name]] if isinstance(factory.settings()[name], list) else values[name] for name in values
        }
        change(results, "run.json", lambda run, changed=changed: run["settings"].update(changed))
        run_folder.read(results, factory.RUN)


def test_a_setting_of_another_version_is_passed_over(results: Path) -> None:
    change(results, "run.json", put("settings", "NEVER_HEARD_OF", [1, {"x": None}]))
    run_folder.read(results, factory.RUN)


# Work that the audit does again


@pytest.mark.parametrize("bos", [None, 1])
@pytest.mark.parametrize(("batch", "length", "first"), [(1, 32, 0), (3, 7, 2), (8, 70, 1), (5, 1, 9), (40, 33, 10)])
def test_prompts_are_digested_as_they_were_handed_over(batch: int, length: int, first: int, bos: int | None) -> None:
    cell = Cell(batch=batch, prompt_length=length, new_tokens=8, precision="float32")
    work = factory.a_workload((cell,))
    work = type(work)(
        ring=work.ring, starts=work.starts, bos=bos, cells=work.cells, sampling=work.sampling, prompts_name="x"
    )
    assert work.digest_calls(cell, first, 6) == digest_prompts(work.prompts(cell, first + call) for call in range(6))


def test_the_largest_cell_takes_neither_time_nor_memory(results: Path) -> None:
    """Five thousand million prompt ids, in every record of the run."""
    for path in [home(results) / "workload.json", *(home(results) / "trials").iterdir()]:
        text = (
            path.read_text()
            .replace('"batch": 1,', '"batch": 4096,')
            .replace('"prompt_length": 32', '"prompt_length": 131072')
        )
        text = text.replace('"batch": 1\n', '"batch": 4096\n')
        path.write_text(text)
    assert outcome(results, ("--no-chart",)).kind == "report"


# The limits can be passed


def test_a_hang_and_a_flood_are_told() -> None:
    with pytest.raises(Hang), limits(waiting=0.2):
        time.sleep(5)
    with pytest.raises(Hang), limits(seconds=0.2):
        sum(1 for _ in itertools.count())
    # In a process of its own: libraries that other tests loaded here have threads that don't survive a refused allocation.
    flood = "from fuzzing import limits\nwith limits(memory=2**26):\n    bytearray(2**28)"
    told = subprocess.run(
        [sys.executable, "-c", flood],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert told.returncode == 1 and told.stderr.rstrip().endswith("MemoryError")
