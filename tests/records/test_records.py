"""The record: what is written is read back, and whatever is wrong with a file is told in one sentence with its name."""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import factory
from trtbench.errors import UserError
from trtbench.records.files import encode, write_whole
from trtbench.records.telemetry import Disturbance, Gpu, Telemetry
from trtbench.records.trial import Failure, checksum, json_schema, read_trial, write_trial
from trtbench.settings.knobs import ROOT

SCHEMA_FILE = ROOT / "docs" / "schema" / "trial-2.json"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "trial.json"
    write_trial(path, factory.trial())
    return path


def change(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads(path.read_bytes())
    edit(data)
    path.write_text(json.dumps(data))


def set_at(place: str, value: object) -> Callable[[dict[str, Any]], object]:
    *way, last = place.split(".")

    def edit(data: Any) -> None:
        for step in way:
            data = data[int(step) if step.isdigit() else step]
        data[last] = value

    return edit


def test_what_is_written_is_read_back(file: Path) -> None:
    trial = read_trial(file)
    assert trial == factory.trial()
    assert trial.checksum == checksum(trial)


@given(
    times=st.lists(st.floats(min_value=1e-3, max_value=1e7), min_size=1, max_size=8),
    reason=st.text(max_size=40),
    load=st.floats(min_value=0, max_value=1e18),
)
def test_any_figures_survive_the_file(
    times: list[float], reason: str, load: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    reason = reason.encode("utf-8", "replace").decode()
    trial = factory.trial(
        e2e_ms=times, failure=Failure(phase="x", reason=reason), telemetry=Telemetry(load_average=load)
    )
    path = tmp_path_factory.mktemp("record") / "trial.json"
    write_trial(path, trial)
    assert read_trial(path) == trial


def whole(record: Any) -> Any:
    """The record with every float in it replaced by a whole number."""
    if isinstance(record, float):
        return int(record)
    if isinstance(record, list):
        return [whole(part) for part in record]
    if isinstance(record, msgspec.Struct):
        return msgspec.structs.replace(
            record, **{name: whole(getattr(record, name)) for name in record.__struct_fields__}
        )
    return record


def test_a_whole_number_in_a_field_of_floats_does_not_read_as_a_change(tmp_path: Path) -> None:
    trial = whole(
        factory.trial(
            telemetry=factory.telemetry(
                gpus=[Gpu(uuid="GPU-1", name="NVIDIA H100", samples=1, idle_utilisation=0.5, energy=7.5)]
            )
        )
    )
    trial.disturbed = [Disturbance(kind="gpu_process", value=1, limit=0)]
    assert isinstance(trial.seconds, int)
    write_trial(tmp_path / "trial.json", trial)
    written = read_trial(tmp_path / "trial.json")
    assert written == trial
    assert written.checksum == checksum(written)


def test_unknown_is_absent_and_never_zero(file: Path) -> None:
    data = json.loads(file.read_bytes())
    assert data["telemetry"]["gpus"] is None
    assert data["cells"][0]["memory"]["gpu_peak"] is None


@pytest.mark.parametrize("kept", [0, 1, 100, 2000, -2])
def test_a_truncated_record(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(UserError, match="trial.json is truncated or not JSON"):
        read_trial(file)


@pytest.mark.parametrize("version", [0, 3, 99])
def test_another_schema_version(file: Path, version: int) -> None:
    change(file, set_at("schema", version))
    with pytest.raises(
        UserError, match=f"trial.json has schema version {version}; this program reads versions 1 and 2"
    ):
        read_trial(file)


def as_recorded_before(data: dict[str, Any]) -> None:
    """What a trial of schema 1 looks like: none of what came with schema 2."""
    data["schema"] = 1
    for name in ("round", "disturbed", "began", "ended"):
        data[name] = None
    for part in (data["cells"][0], data["cells"][0]["e2e"], data["cells"][0]["ttft"]):
        part.pop("between", None)
    data["cells"][0]["began"] = data["cells"][0]["ended"] = None
    data["telemetry"]["cpu"] = data["telemetry"]["waited"] = data["cells"][0]["cpu"] = None
    data["settings"].pop("QUIET", None)
    data["model"]["config_text"] = data["model"]["files"] = data["environment"]["program"] = None


def test_a_record_of_schema_1_is_read(file: Path) -> None:
    change(file, as_recorded_before)
    assert read_trial(file).schema == 1


CPU = {"seconds": 1.0, "cores": 2, "others": 0.0, "stolen": 0.0}
LATER = {
    "round": 1,
    "disturbed": [],
    "telemetry.cpu": CPU,
    "telemetry.waited": 0.0,
    "cells.0.cpu": CPU,
    "settings.QUIET": "wait",
    "announced": {"vllm": "0.24.0"},
    "model.config_text": "{}",
    "model.files": {"config.json": "0" * 64},
    "environment.cards": [{"uuid": "GPU-0", "name": "NVIDIA L4"}],
    "environment.venv": ".venv-vllm",
    "environment.program": "1.0.0",
    "began": 1,
    "cold.lookup": 1,
    "cells.0.ended": 1,
    "cells.0.e2e.between": 1,
}


@pytest.mark.parametrize("place", LATER)
def test_a_record_of_schema_2_does_not_pass_as_one_of_schema_1(file: Path, place: str) -> None:
    change(file, as_recorded_before)
    change(file, set_at(place, LATER[place]))
    with pytest.raises(UserError, match="has schema version 1 and holds .*, which came with version 2"):
        read_trial(file)


@pytest.mark.parametrize("name", ["round", "disturbed"])
def test_a_record_of_schema_2_has_what_came_with_it(file: Path, name: str) -> None:
    change(file, set_at(name, None))
    with pytest.raises(UserError, match=f"has schema version 2 and lacks {name}"):
        read_trial(file)


def test_a_disturbance_of_an_unknown_kind_is_refused(file: Path) -> None:
    change(file, set_at("disturbed", [{"kind": "bad luck", "value": 1.0, "limit": 0.0}]))
    with pytest.raises(UserError, match="not a valid trial record"):
        read_trial(file)


def test_another_schema_version_is_named_also_when_its_fields_are_unknown(file: Path) -> None:
    change(file, lambda data: data.update(schema=3, news=[1]))
    with pytest.raises(UserError, match="schema version 3"):
        read_trial(file)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (set_at("cells.0.e2e.times", [-5, 7]), r">= 1.*cells\[0\]\.e2e\.times"),
        (set_at("cells.0.e2e.times", [0, 7]), r">= 1.*cells\[0\]\.e2e\.times"),
        (set_at("cells.0.e2e.times", [1.5, 7]), r"Expected `int`"),
        (set_at("cells.0.e2e.times", ["7", 7]), r"Expected `int`"),
        (set_at("cells.0.memory.peak_rss", -1), "peak_rss"),
        (set_at("seconds", -0.5), "seconds"),
        (set_at("seconds", None), "seconds"),
        (set_at("cells.0.e2e.foreign_cpu", [-0.1, 0]), "foreign_cpu"),
        (lambda data: data.pop("lane"), "missing required field `lane`"),
        (lambda data: data["environment"].pop("machine"), "missing required field `machine`"),
        (set_at("extra", 1), "unknown field `extra`"),
        (set_at("environment.venv", "../elsewhere"), r"matching regex.*environment\.venv"),
        (set_at("environment.venv", "v" * 65), r"length <= 64.*environment\.venv"),
        (set_at("model.extra", 1), "unknown field `extra`"),
        (set_at("kind", "report"), "kind"),
        (set_at("lane", "warp-drive"), "the lane 'warp-drive', which this program does not know"),
        (set_at("cells.0.e2e.times", [5]), "1 times stand beside 2 outputs"),
        (set_at("cells.0.e2e.output", [0]), "2 times stand beside 1 outputs"),
        (set_at("cells.0.e2e.output", [0, 1]), "beyond the 1 stored outputs"),
        (set_at("cells.0.ttft.outputs", []), "beyond the 0 stored outputs"),
        (set_at("cells.0.ttft.foreign_cpu", [0.0]), "2 times stand beside 1 CPU readings"),
    ],
)
def test_a_record_that_does_not_fit_is_refused_with_the_files_name(
    file: Path, edit: Callable[[dict[str, Any]], object], said: str
) -> None:
    change(file, edit)
    with pytest.raises(UserError, match=said) as refused:
        read_trial(file)
    assert str(file) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_no_number_that_is_none(file: Path, number: str) -> None:
    file.write_text(file.read_text().replace('"waited": 0.0', f'"waited": {number}'))
    assert number in file.read_text()
    with pytest.raises(UserError, match="trial.json is"):
        read_trial(file)


def test_empty_passes_are_refused(file: Path) -> None:
    change(file, lambda data: data["cells"][0]["e2e"].update(times=[], output=[], foreign_cpu=[]))
    with pytest.raises(UserError, match="0 times"):
        read_trial(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.json cannot be read: No such file"):
        read_trial(tmp_path / "none.json")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: factory.trial(seconds=math.nan),
        lambda: factory.trial(telemetry=Telemetry(read_bandwidth=math.inf)),
        lambda: factory.trial(telemetry=Telemetry(cpu_mhz=[0, math.nan])),
        lambda: factory.trial(settings={"TOP_P": math.nan}),
    ],
)
def test_nan_is_never_written(wrong: Callable[[], Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a record holds numbers only"):
        write_trial(tmp_path / "trial.json", wrong())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("old_new", [("102000000", "102000001"), ('"index": 1', '"index": 2'), ("107", "117")])
def test_the_checksum_tells_one_changed_digit(file: Path, old_new: tuple[str, str]) -> None:
    text = file.read_text()
    assert old_new[0] in text
    file.write_text(text.replace(*old_new, 1))
    trial = read_trial(file)
    assert trial.checksum != checksum(trial)


def test_records_are_the_same_bytes_each_time() -> None:
    assert encode(factory.trial()) == encode(factory.trial())


# The schema


def test_the_committed_schema_is_the_generated_one() -> None:
    assert SCHEMA_FILE.read_bytes() == json_schema()


def test_the_schema_takes_a_real_record_and_refuses_a_wrong_one(file: Path) -> None:
    schema = json.loads(SCHEMA_FILE.read_bytes())
    validator = jsonschema.validators.validator_for(schema)(schema)
    validator.check_schema(schema)
    data = json.loads(file.read_bytes())
    assert list(validator.iter_errors(data)) == []
    for place, value in (("cells.0.e2e.times", [-5]), ("extra", 1), ("seconds", "5")):
        wrong = json.loads(file.read_bytes())
        set_at(place, value)(wrong)
        assert list(validator.iter_errors(wrong)), place


# Written whole or not at all


def test_a_full_disk_leaves_the_old_file_and_nothing_else(small_disk: Callable[[int], Path]) -> None:
    folder = small_disk(256)
    path = folder / "view.json"
    write_whole(path, b"old")
    with pytest.raises(OSError, match="No space left") as full:
        write_whole(path, b"x" * 1_000_000)
    assert full.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"old"
    assert list(folder.iterdir()) == [path]


def test_a_written_file_has_the_users_usual_mode(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_whole(tmp_path / "ours", b"")
    assert os.stat(tmp_path / "ours").st_mode == os.stat(tmp_path / "usual").st_mode


def test_folders_on_the_way_are_made(tmp_path: Path) -> None:
    write_whole(tmp_path / "a" / "b" / "file", b"x")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"x"
