"""clean.sh on real files: what it lists, what it deletes, and that results stay under whatever name they are meant."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trtbench.doctor import clean
from trtbench.errors import UserError
from trtbench.settings import reading
from trtbench.settings.environments import STAMP, UNFINISHED
from trtbench.settings.knobs import ROOT, Settings

RUN = "20260102-030405"


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with an environment, a model of each kind, a cache and results."""
    root = tmp_path / "clone"
    for file in (
        ".venv/bin/python",
        ".venv-vllm/lib/big",
        "data/models/.gitkeep",
        "data/models/packaged/smollm2-0.1.2-abc/model.safetensors",
        "data/models/packaged/.smollm2-0.1.2-abc.lock",
        "data/models/hub/models--owner--name/snapshots/0/model.safetensors",
        "data/models/synthetic-demo-1-abc/model.safetensors",
        "data/engines/one/engine.json",
        "data/cache/openvino/float32-1/model.bin",
        "data/cache/onnxruntime/float32-1/model.onnx",
        f"data/results/runs/{RUN}/run.json",
        "data/results/benchmark_comparison.html",
    ):
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 5000)
    (root / ".venv-vllm" / STAMP).write_text(UNFINISHED + "\n", encoding="utf-8")
    monkeypatch.setattr(clean, "ROOT", root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def settings(clone: Path) -> Settings:
    return Settings(data_dir=str(clone / "data"))


def names(settings: Settings) -> list[str]:
    return [item.name for item in clean.listing(settings)]


def results(clone: Path) -> list[Path]:
    return sorted(path for path in (clone / "data" / "results").rglob("*") if path.is_file() and path.name != ".lock")


def test_the_list_has_everything_by_the_name_that_deletes_it(settings: Settings) -> None:
    assert names(settings) == [
        *(".venv", ".venv-vllm"),
        *("models", "models/owner/name", "models/smollm2", "models/synthetic-demo-1-abc"),
        *("engines", "engines/one", "checkpoints", "cache", "cache/onnxruntime", "cache/openvino"),
    ]
    told = clean.described(settings)
    assert "half made" in told and "results: never deleted here" in told
    assert "12.3 kB  models/smollm2" in told  # a folder and a file, in blocks of the disk


def test_an_environment_beside_those_of_lanes_is_told_by_its_script(clone: Path, settings: Settings) -> None:
    for name in (".venv-fleet", ".venv-mine"):
        (clone / name / "bin").mkdir(parents=True)
    lines = clean.described(settings).splitlines()
    assert [line.split(maxsplit=3)[2:] for line in lines if ".venv-fleet" in line] == [
        [".venv-fleet", "of scripts/fleet.sh"]
    ]
    assert any(".venv-mine" in line and "none of this version's" in line for line in lines)
    assert "deleted .venv-fleet (" in clean.clean([".venv-fleet"], settings)
    assert not (clone / ".venv-fleet").exists()


def test_what_is_named_goes_and_nothing_else(clone: Path, settings: Settings) -> None:
    kept = results(clone)
    told = clean.clean(["cache", "models/smollm2", ".venv-vllm"], settings)
    assert names(settings) == [
        *(".venv", "models", "models/owner/name", "models/synthetic-demo-1-abc", "engines", "engines/one"),
        *("checkpoints", "cache"),
    ]
    assert results(clone) == kept and len(kept) == 2
    assert (clone / "data" / "cache").is_dir() and (clone / "data" / "models" / ".gitkeep").is_file()
    freed = int(told.splitlines()[-1].split()[0].replace(",", ""))
    assert 4 * 5000 <= freed <= 200_000
    assert "deleted models/smollm2 (" in told


def test_a_part_and_the_whole_are_freed_once(settings: Settings) -> None:
    alone = clean.weigh(next(item for item in clean.listing(settings) if item.name == "cache"), []).bytes
    told = clean.clean(["cache/openvino", "cache"], settings)
    assert told.splitlines()[-1] == f"{alone:,} bytes freed"


def test_a_folder_with_nothing_in_it_is_no_mistake(settings: Settings) -> None:
    assert clean.clean(["checkpoints"], settings) == "0 bytes freed\n"
    Path(settings.data_dir, "checkpoints").mkdir()
    assert clean.clean(["checkpoints"], settings) == "deleted checkpoints (0 B)\n0 bytes freed\n"


def test_a_second_name_elsewhere_frees_nothing(clone: Path, settings: Settings) -> None:
    (clone / "kept").hardlink_to(clone / "data" / "engines" / "one" / "engine.json")
    told = clean.clean(["engines/one"], settings)
    assert int(told.splitlines()[-1].split()[0].replace(",", "")) < 5000
    assert (clone / "kept").stat().st_size == 5000


@pytest.mark.parametrize(
    "name",
    [
        *(
            "results",
            "data/results",
            "./data/results/",
            "data/cache/../results",
            "results/runs",
            f"data/results/runs/{RUN}",
        ),
        *("data", "data/", ".", "..", "/", "cache/../results", "models/../../data/results", "RESULTS-LINK", "ABSOLUTE"),
    ],
)
def test_results_are_refused_under_whatever_name(clone: Path, settings: Settings, name: str) -> None:
    (clone / "link").symlink_to(clone / "data" / "results")
    name = {"RESULTS-LINK": "link", "ABSOLUTE": str(clone / "data" / "results")}.get(name, name)
    before = sorted(clone.rglob("*"))
    with pytest.raises(UserError, match="results are never deleted"):
        clean.clean([name], settings)
    assert sorted(clone.rglob("*")) == before


def test_results_that_lie_in_the_cache_keep_it(clone: Path, settings: Settings) -> None:
    inside = Settings(data_dir=settings.data_dir, results_dir=str(clone / "data" / "cache" / "mine"))
    (clone / "data" / "cache" / "mine").mkdir()
    for name in ("cache", "cache/mine"):
        with pytest.raises(UserError, match="results are never deleted"):
            clean.clean([name], inside)
    clean.clean(["cache/openvino"], inside)
    assert names(inside)[-2:] == ["cache/mine", "cache/onnxruntime"]


def test_results_of_an_earlier_results_dir_are_known_by_their_runs(clone: Path, settings: Settings) -> None:
    run = clone / "data" / "cache" / "elsewhere" / "runs" / RUN
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match=r"cache holds results .*elsewhere/runs"):
        clean.clean(["engines", "cache"], settings)
    assert "engines/one" in names(settings)


def test_a_link_to_results_is_no_way_to_them(clone: Path, settings: Settings) -> None:
    kept = results(clone)
    (clone / "data" / "cache" / "shortcut").symlink_to(clone / "data" / "results")
    clean.clean(["cache/shortcut"], settings)  # the link itself
    assert results(clone) == kept
    (clone / "data" / "checkpoints").symlink_to(clone / "data" / "results")
    for name in ("checkpoints", "checkpoints/runs", "checkpoints/benchmark_comparison.html"):
        with pytest.raises(UserError, match="results are never deleted"):
            clean.clean([name], settings)
    assert results(clone) == kept


def test_a_link_to_an_environment_elsewhere_goes_alone(clone: Path, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_text("x", encoding="utf-8")
    (clone / ".venv-cuda").symlink_to(tmp_path / "elsewhere")
    clean.clean([".venv-cuda"], settings)
    assert not (clone / ".venv-cuda").is_symlink() and (tmp_path / "elsewhere" / "file").is_file()


@pytest.mark.parametrize("name", ["nonsense", "models/none", ".git", "scripts", "-", ""])
def test_an_unknown_name_is_told_with_those_that_are_known(clone: Path, settings: Settings, name: str) -> None:
    (clone / "scripts").mkdir()
    with (
        pytest.raises(UserError, match=r"nothing that can be deleted here; there is \.venv, \.venv-vllm, models")
        if name
        else (pytest.raises(UserError))
    ):
        clean.clean([".venv", name], settings)
    assert (clone / ".venv").is_dir() and (clone / "scripts").is_dir()


@pytest.fixture
def held() -> Iterator[Callable[[Path], None]]:
    """Hold a lock as a run, a container or a build does."""
    files = []

    def hold(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.append(path.open("a+"))
        fcntl.flock(files[-1], fcntl.LOCK_EX)
        files[-1].write("4711")
        files[-1].flush()

    yield hold
    for file in files:
        file.close()


@pytest.mark.parametrize(
    "place",
    [
        *("results/.lock", "cache/device.lock", "engines/.lock", "models/packaged/.smollm2-0.1.2-abc.lock"),
        *("results/fleet-runs/abc/run/.lock", "results/fleet-runs/abc/fleet/run/.lock"),
    ],
)
def test_while_something_runs_nothing_goes(
    clone: Path, settings: Settings, held: Callable[[Path], None], place: str
) -> None:
    held(clone / "data" / place)
    before = names(settings)
    with pytest.raises(UserError, match="a run or a build is in progress"):
        clean.clean(["cache"], settings)
    assert names(settings) == before
    assert "cache/openvino" in clean.described(settings)


def test_the_locks_stay_for_those_who_wait(clone: Path, settings: Settings) -> None:
    (clone / "data" / "cache" / "device.lock").touch()
    clean.clean(["cache", "models"], settings)
    assert os.listdir(clone / "data" / "cache") == ["device.lock"]
    assert (clone / "data" / "models" / "packaged").is_dir() is False


def test_what_belongs_to_somebody_else_is_told_before_anything_goes(
    clone: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = clone / "data" / "cache" / "openvino" / "float32-1"
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed)  # root may do everything
    monkeypatch.setattr(clean, "whose", lambda path: f"; {path} belongs to root, and you are me")
    with pytest.raises(UserError, match=r"float32-1 can't be written; .* belongs to root, and you are me"):
        clean.clean(["models/smollm2", "cache"], settings)
    assert "models/smollm2" in names(settings)
    (line,) = [line for line in clean.described(settings).splitlines() if "  cache/openvino " in line]
    assert line.split()[:2] == ["16.4", "kB"] and line.endswith("float32-1 can't be written")


def test_a_deletion_that_is_cut_off_leaves_no_half_environment(
    clone: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path / "lib"))

    with monkeypatch.context() as patch:
        patch.setattr(clean.shutil, "rmtree", cut_off)
        with pytest.raises(UserError, match="can't be deleted"):
            clean.clean([".venv"], settings)
    assert not (clone / ".venv").exists()
    assert ".venv-venv-deleted" in names(settings)
    clean.clean([".venv-venv-deleted"], settings)
    assert not list(clone.glob(".venv-venv*"))


def test_the_folders_of_the_file_count(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other" / "cache" / "mine").mkdir(parents=True)
    (clone / ".env").write_text(
        f"DATA_DIR={tmp_path}/other\nRESULTS_DIR={tmp_path}/other/cache/mine\n", encoding="utf-8"
    )
    monkeypatch.setattr(reading, "ROOT", clone)
    for name in ("DATA_DIR", "RESULTS_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert clean.main([]) == 0
    told = capsys.readouterr().out
    assert f"{tmp_path}/other/cache/mine" in told and "models/smollm2" not in told
    with pytest.raises(UserError, match="results are never deleted"):
        clean.main(["cache/mine"])
    monkeypatch.setenv("RESULTS_DIR", str(tmp_path / "elsewhere"))
    assert clean.main(["cache/mine"]) == 0
    assert not (tmp_path / "other" / "cache" / "mine").exists()


def test_the_script_takes_the_folders_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "data" / "cache" / "openvino").mkdir(parents=True)
    (tmp_path / "data" / "results").mkdir()

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", str(ROOT / "scripts" / "clean.sh"), *words],
            env={**os.environ, "DATA_DIR": str(tmp_path / "data")},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert "cache/openvino" in call().stdout
    refused = call("cache/../results")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("error: ") and len(refused.stderr.splitlines()) == 1
    unknown = call("--force")
    assert unknown.returncode == 2 and "--force" in unknown.stderr
    assert call("cache/openvino").returncode == 0
    assert not (tmp_path / "data" / "cache" / "openvino").exists()
