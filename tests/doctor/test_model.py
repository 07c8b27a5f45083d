"""On whether a model is here or can be had, the doctor and the benchmark give one answer, from the same settings."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub_server import COMMIT, Hub, Refusal
from trtbench.doctor import access
from trtbench.errors import UserError
from trtbench.model import converted, finding
from trtbench.model.built_in import folder_of
from trtbench.model.offline import offline_by
from trtbench.settings.knobs import NETWORK_NAMES, Settings
from trtbench.settings.reading import resolve

ROOT = Path(__file__).resolve().parents[2]
OTHER = "f" * 40
Arrange = Callable[[Path, Path, Hub], "dict[str, str]"]


@pytest.fixture
def hub(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    served = Hub({file.name: file.read_bytes() for file in tiny_model.iterdir()})
    for name in (
        *NETWORK_NAMES,
        "HF_TOKEN",
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        "OFFLINE",
        "CONVERT_PICKLE",
        "MODEL_NAME",
        "DATA_DIR",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", served.url)
    yield served
    served.close()


def snapshot(tiny: Path, data: Path, commit: str = COMMIT) -> Path:
    """The model as the program itself keeps it."""
    return Path(shutil.copytree(tiny, data / "models" / "hub" / "models--org--tiny" / "snapshots" / commit))


def damaged(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:1000])


# What is where, and the settings: beside DATA_DIR, those that the case is about.


def _synthetic(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    return {"MODEL_NAME": "demo", "OFFLINE": "1"}


def _not_synthetic(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    return {"MODEL_NAME": "llama-9000", "MODEL_SOURCE": "synthetic"}


def _local(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    return {"MODEL_NAME": str(tiny), "OFFLINE": "1"}


def _local_absent(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    return {"MODEL_NAME": str(data / "nothing")}


def _local_cut_off(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    damaged(Path(shutil.copytree(tiny, data / "mine")))
    return {"MODEL_NAME": str(data / "mine")}


def _local_gguf(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    folder = Path(shutil.copytree(tiny, data / "mine"))
    (folder / "model.safetensors").rename(folder / "model.gguf")
    return {"MODEL_NAME": str(folder)}


def _snapshot(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    snapshot(tiny, data)
    return {"MODEL_NAME": "org/tiny", "MODEL_REVISION": COMMIT, "OFFLINE": "1"}


def _snapshot_by_branch(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    home = snapshot(tiny, data).parents[1]
    (home / "refs.json").write_text(json.dumps({"main": COMMIT}))
    return {"MODEL_NAME": "org/tiny", "OFFLINE": "1"}


def _snapshot_of_another_commit(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    snapshot(tiny, data, OTHER)
    return {"MODEL_NAME": "org/tiny", "MODEL_REVISION": COMMIT, "OFFLINE": "1"}


def _snapshot_damaged(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    damaged(snapshot(tiny, data))
    return {"MODEL_NAME": "org/tiny", "MODEL_REVISION": COMMIT}


def _download_cut_off(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    folder = snapshot(tiny, data)
    folder.rename(folder.parents[1] / f".{COMMIT}.partial")
    return {"MODEL_NAME": "org/tiny", "MODEL_REVISION": COMMIT, "OFFLINE": "1"}


def _cache_of_the_hub(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    """huggingface_hub's own cache is no place of this program; both say which folder it is."""
    cache = data / "cache" / "huggingface" / "hub" / "models--org--tiny" / "snapshots" / COMMIT
    shutil.copytree(tiny, cache)
    return {
        "MODEL_NAME": "org/tiny",
        "MODEL_REVISION": COMMIT,
        "OFFLINE": "1",
        "HF_HOME": str(data / "cache/huggingface"),
    }


def _hub(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    return {"MODEL_NAME": "org/tiny"}


def _hub_offline_by_its_own_variable(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    return {"MODEL_NAME": "org/tiny", "HF_HUB_OFFLINE": "1"}


def _hub_absent(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    return {"MODEL_NAME": "org/misspelt"}


def _hub_revision(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    return {"MODEL_NAME": "org/tiny", "MODEL_REVISION": "v9"}


def _hub_pickle(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    hub.files["pytorch_model.bin"] = hub.files.pop("model.safetensors")
    return {"MODEL_NAME": "org/tiny"}


def _hub_pickle_without_tokenizer(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    del hub.files["tokenizer.json"]
    return {**_hub_pickle(tiny, data, hub), "CONVERT_PICKLE": "1"}


def _old_folder(tiny: Path, data: Path) -> Path:
    """The tiny model as older repositories have theirs: its weights in pickle."""
    import torch
    from safetensors.torch import load_file

    folder = Path(shutil.copytree(tiny, data / "old"))
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder


def _local_pickle(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    return {"MODEL_NAME": str(_old_folder(tiny, data))}


def _local_pickle_converted(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    return {**_local_pickle(tiny, data, hub), "CONVERT_PICKLE": "1"}


def _local_pickle_lacks_a_shard(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    folder = _old_folder(tiny, data)
    (folder / "pytorch_model.bin").unlink()
    index = {"weight_map": {"a": "pytorch_model-00001-of-00001.bin"}}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    return {"MODEL_NAME": str(folder), "CONVERT_PICKLE": "1"}


def _snapshot_pickle(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    """Fetched with the setting, and now without it."""
    home = data / "models" / "hub" / "models--org--tiny" / "snapshots"
    home.mkdir(parents=True)
    _old_folder(tiny, data).rename(home / COMMIT)
    return {"MODEL_NAME": "org/tiny", "MODEL_REVISION": COMMIT, "OFFLINE": "1"}


def _hub_pickle_converted(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    hub.files["pytorch_model.bin"] = (_old_folder(tiny, data) / "pytorch_model.bin").read_bytes()
    del hub.files["model.safetensors"]
    return {"MODEL_NAME": "org/tiny", "CONVERT_PICKLE": "1"}


def _hub_own_code(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    config = json.loads(hub.files["config.json"])
    hub.files["config.json"] = json.dumps({**config, "auto_map": {"AutoModel": "x.Y"}, "model_type": "own"}).encode()
    return {"MODEL_NAME": "org/tiny"}


def _hub_gated(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    hub.refusals["config.json"] = Refusal(401, "GatedRepo", "Access to model org/tiny is restricted.")
    return {"MODEL_NAME": "org/tiny"}


def _hub_gated_token_without_access(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    hub.refusals["config.json"] = Refusal(403, "GatedRepo", "Access to model org/tiny is restricted.")
    return {"MODEL_NAME": "org/tiny", "HF_TOKEN": "hf_SECRET"}


def _hub_token(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    return {"MODEL_NAME": "org/tiny", "HF_TOKEN": "hf_SECRET"}


def _hub_garbage(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    hub.answer = b"<html>"
    return {"MODEL_NAME": "org/tiny"}


def _hub_out_of_order(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    hub.refusals["api"] = Refusal(502)
    return {"MODEL_NAME": "org/tiny"}


def _hub_unreachable(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    hub.close()
    return {"MODEL_NAME": "org/tiny"}


def _hub_no_address(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    return {"MODEL_NAME": "org/tiny", "HF_ENDPOINT": "file:///etc"}


def _hub_no_token(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    return {"MODEL_NAME": "org/tiny", "HF_TOKEN": "two words"}


def _hub_no_name(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    return {"MODEL_NAME": "a b"}


def _package_here(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    shutil.copytree(tiny, folder_of("smollm2", data / "models"))
    return {"MODEL_NAME": "smollm2", "OFFLINE": "1"}


def _package_older_layout(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    shutil.copytree(tiny, data / "models" / "packaged" / "smollm2-0.1.2-0123456789ab")
    return {"MODEL_NAME": "smollm2", "OFFLINE": "1"}


def _package_damaged(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    damaged(Path(shutil.copytree(tiny, folder_of("smollm2", data / "models"))))
    return {"MODEL_NAME": "smollm2", "OFFLINE": "1"}


def _no_package(tiny: Path, data: Path, hub: Hub) -> dict[str, str]:
    return {"MODEL_NAME": "smollm9", "MODEL_SOURCE": "package"}


HAD: tuple[Arrange, ...] = (
    *(_synthetic, _local, _snapshot, _snapshot_by_branch, _hub, _hub_token, _package_here),
    *(_local_pickle_converted, _hub_pickle_converted),
)
NOT: tuple[Arrange, ...] = (
    *(_not_synthetic, _local_absent, _local_cut_off, _local_gguf, _snapshot_of_another_commit, _snapshot_damaged),
    *(_download_cut_off, _cache_of_the_hub, _hub_offline_by_its_own_variable, _hub_absent, _hub_revision, _hub_pickle),
    *(_hub_own_code, _hub_gated, _hub_gated_token_without_access, _hub_garbage, _hub_out_of_order, _hub_unreachable),
    *(_hub_no_address, _hub_no_token, _hub_no_name, _package_older_layout, _package_damaged, _no_package),
    *(_hub_pickle_without_tokenizer, _local_pickle, _local_pickle_lacks_a_shard, _snapshot_pickle),
)
# Told by the same code, so in the same words.
WORD_FOR_WORD = {
    *(_not_synthetic, _local_absent, _local_cut_off, _local_gguf, _snapshot_of_another_commit, _snapshot_damaged),
    *(
        _download_cut_off,
        _cache_of_the_hub,
        _hub_offline_by_its_own_variable,
        _hub_pickle,
        _hub_own_code,
        _hub_no_address,
    ),
    *(_hub_no_token, _hub_no_name, _package_damaged, _no_package),
    *(_hub_pickle_without_tokenizer, _local_pickle, _local_pickle_lacks_a_shard, _snapshot_pickle),
}


@pytest.mark.parametrize("arrange", [*HAD, *NOT], ids=lambda arrange: arrange.__name__.strip("_"))
def test_doctor_and_benchmark_agree(
    arrange: Arrange, tiny_model: Path, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"DATA_DIR": str(tmp_path), **arrange(tiny_model, tmp_path, hub)}.items():
        monkeypatch.setenv(name, value)
    # What a conversion gives has its own tests: here it is asked for, or refused.
    monkeypatch.setattr(converted, "_convert", lambda folder, final, *rest: shutil.copytree(tiny_model, final))
    settings, _ = resolve({}, file=tmp_path / "no.env")
    check = access.model_access_check(settings, offline_by(settings))
    assert "SECRET" not in repr(check)
    asked = list(hub.log)
    if arrange in HAD:
        assert check.level == "ok", check
        assert ("pickle" in check.sentence) == settings.convert_pickle
        assert finding.resolve(settings).is_dir()
    else:
        assert check.level == "fail", check
        with pytest.raises(UserError) as refused:
            finding.resolve(settings)
        if arrange in WORD_FOR_WORD:
            assert check.sentence == str(refused.value)
    if settings.offline:
        assert asked == []
    if settings.hf_token == "hf_SECRET":
        assert {request.authorization for request in asked} == {"Bearer hf_SECRET"}


@pytest.mark.parametrize("place", ["HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"])
def test_a_whole_copy_in_the_librarys_own_cache_is_told_of_and_half_a_one_is_not(
    place: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    below = {"HF_HOME": "hub", "HF_HUB_CACHE": "", "XDG_CACHE_HOME": "huggingface/hub"}[place]
    monkeypatch.setenv(place, str(tmp_path / "cache"))
    model = tmp_path / "cache" / below / "models--org--tiny"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text(COMMIT)
    copy = shutil.copytree(tiny_model, model / "snapshots" / COMMIT)
    settings = Settings(model_name="org/tiny", data_dir=str(tmp_path / "data"), offline=True)
    for revision in ("", COMMIT):
        with pytest.raises(UserError, match=f"take huggingface_hub's own copy with MODEL_NAME={copy}"):
            finding.resolve(dataclasses.replace(settings, model_revision=revision))
    assert finding.resolve(dataclasses.replace(settings, model_name=str(copy))) == copy
    (copy / "tokenizer.json").unlink()
    with pytest.raises(UserError, match="or set MODEL_NAME to a local folder"):
        finding.resolve(settings)


def test_a_token_goes_to_no_other_host(
    tiny_model: Path, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Hub(hub.files)
    hub.storage = storage
    try:
        monkeypatch.setenv("HF_TOKEN", "hf_SECRET")
        settings, _ = resolve({}, file=tmp_path / "no.env")
        settings = Settings(model_name="org/tiny", data_dir=str(tmp_path), hf_token=settings.hf_token)
        assert access.model_access_check(settings, None).level == "ok"
    finally:
        storage.close()
    assert storage.log and {request.authorization for request in storage.log} == {None}
    assert {request.authorization for request in hub.log} == {"Bearer hf_SECRET"}


# Real commands, with all settings in a file beside the program.


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The program in a folder of its own, so that it has a `.env` of its own."""
    folder = tmp_path / "clone"
    folder.mkdir()
    (folder / "data").mkdir()
    shutil.copytree(ROOT / "scripts", folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


BENCHMARK = """
import sys
from trtbench.errors import UserError
from trtbench.model import finding
from trtbench.settings.reading import resolve
settings, _ = resolve({}, defaults="local")
try:
    print(finding.resolve(settings))
except UserError as error:
    sys.exit(f"error: {error}")
"""


def commands(clone: Path, purpose: str = "local", **environment: str) -> tuple[dict[str, str], int, str]:
    """What the doctor says of the model, and status and words of the benchmark's own search."""
    names = ("MODEL_NAME", "DATA_DIR", "OFFLINE", "HF_HUB_OFFLINE", "HF_TOKEN", *NETWORK_NAMES)
    clean = {name: value for name, value in os.environ.items() if name not in names}
    # NO_PROXY is not set: loopback is reached only where .env says so, or where no proxy is set.
    env = {**clean, "PYTHONPATH": str(clone / "scripts"), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    doctor = subprocess.run(
        ["bash", str(clone / "scripts" / "doctor.sh"), "--for", purpose, "--json"],
        env=env, cwd=clone, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert doctor.stdout, doctor.stderr
    (row,) = (row for row in json.loads(doctor.stdout)["checks"] if row["name"] == "model")
    assert "SECRET" not in doctor.stdout + doctor.stderr
    bench = subprocess.run(
        [sys.executable, "-c", BENCHMARK], env=env, cwd=clone, capture_output=True, text=True, timeout=120
    )
    return row, bench.returncode, bench.stdout + bench.stderr


def test_hub_and_token_stand_in_the_file(clone: Path, hub: Hub) -> None:
    hub.refusals["config.json"] = Refusal(401, "GatedRepo", "restricted")
    (clone / ".env").write_text(f"MODEL_NAME=org/tiny\nHF_ENDPOINT={hub.url}\nNO_PROXY=127.0.0.1\n")
    row, status, words = commands(clone)
    assert row["level"] == "fail" and "is gated and HF_TOKEN is not set" in row["sentence"]
    assert status == 1 and "is gated" in words
    hub.refusals.clear()
    hub.log.clear()
    with (clone / ".env").open("a") as file:
        file.write("HF_TOKEN=hf_SECRET\n")
    row, status, words = commands(clone)
    assert row["level"] == "ok" and "can be had" in row["sentence"], row
    assert status == 0 and COMMIT in words
    assert {request.authorization for request in hub.log} == {"Bearer hf_SECRET"}
    # An empty variable counts as not set; one that is set wins over the file.
    row, status, _ = commands(clone, MODEL_NAME="", HF_ENDPOINT="")
    assert (row["level"], status) == ("ok", 0)
    row, status, _ = commands(clone, MODEL_NAME="org/misspelt")
    assert (row["level"], status) == ("fail", 1)


def test_a_proxy_stands_in_the_file(clone: Path, hub: Hub) -> None:
    """The Hub's name can't be resolved: only the proxy leads to it. The hub here is its own proxy, and knows paths."""
    proxy = f"HTTP_PROXY={hub.url}\nHF_ENDPOINT=http://hub.invalid\n"
    (clone / ".env").write_text(f"MODEL_NAME=org/tiny\n{proxy}")
    row, status, words = commands(clone)
    assert row["level"] == "ok", row
    assert status == 0, words
    (clone / ".env").write_text(f"MODEL_NAME=org/tiny\n{proxy}NO_PROXY=hub.invalid\n")
    shutil.rmtree(clone / "data" / "models")
    row, status, words = commands(clone)
    assert row["level"] == "fail" and "can't be reached" in row["sentence"], row
    assert status == 1 and "cannot be reached" in words


def test_folders_of_the_file(clone: Path, tiny_model: Path, tmp_path: Path) -> None:
    snapshot(tiny_model, tmp_path / "elsewhere")
    (clone / ".env").write_text(
        f"MODEL_NAME=org/tiny\nMODEL_REVISION={COMMIT}\nOFFLINE=1\nDATA_DIR={tmp_path / 'elsewhere'}\n"
    )
    row, status, words = commands(clone)
    assert (row["level"], status) == ("ok", 0), (row, words)
    assert str(tmp_path / "elsewhere") in row["sentence"] and str(tmp_path / "elsewhere") in words
    # Containers have ./data, whatever DATA_DIR says.
    row, _, _ = commands(clone, "docker")
    assert row["level"] == "fail" and f"is not in {clone / 'data'}" in row["sentence"]
    snapshot(tiny_model, clone / "data")
    assert commands(clone, "docker")[0]["level"] == "ok"
    row, status, words = commands(clone, MODEL_NAME="./data/mine")
    assert row["level"] == "fail" and row["sentence"] in words and status == 1


@pytest.mark.parametrize(
    ("name", "level", "words"),
    [
        ("./data/models/mine", "ok", "data/models/mine"),
        ("data/models/mine", "ok", "data/models/mine"),
        ("/workspace/data/models/mine", "ok", "data/models/mine"),
        ("./data/models/other", "fail", "is not a folder"),
        ("/workspace/data/models/other", "fail", "is not a folder"),
        ("/srv/models/mine", "fail", "outside of ./data"),
        ("../mine", "fail", "outside of ./data"),
        ("~/mine", "fail", "outside of ./data"),
        ("./data/../../mine", "fail", "outside of ./data"),
        ("demo", "ok", "made here"),
    ],
)
def test_a_folder_must_be_where_containers_see_it(
    name: str, level: str, words: str, clone: Path, tiny_model: Path
) -> None:
    shutil.copytree(tiny_model, clone / "data" / "models" / "mine")
    row, _, _ = commands(clone, "docker", MODEL_NAME=name, OFFLINE="1")
    assert row["level"] == level and words in row["sentence"], row
