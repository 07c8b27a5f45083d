"""A folder is taken only when it is a whole model: safetensors, a fast tokenizer, no code of its own."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from trtbench.errors import UserError
from trtbench.model import finding
from trtbench.records.identity import model_digest
from trtbench.referee.audit import who
from trtbench.settings.knobs import Settings


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to be spoilt."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def edit_json(file: Path, **changed: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))


def cut(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])


def shard(folder: Path) -> None:
    """Name two shards in an index, of which one exists."""
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    weights = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weights}))


def empty_index(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    (folder / "model.safetensors.index.json").write_text("{}")


def pickle_only(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def test_a_whole_folder_is_taken(folder: Path) -> None:
    assert finding.resolve(Settings(model_name=str(folder))) == folder


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: shutil.rmtree(f), "is not a folder; give a Hub id, a folder, or one of tinyllama, demo"),
        (lambda f: (f / "config.json").unlink(), r"no config\.json"),
        (lambda f: cut(f / "config.json", 50), r"config\.json is not JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "is not a JSON object"),
        (lambda f: edit_json(f / "config.json", architectures=[]), "names no architecture"),
        (
            lambda f: edit_json(f / "config.json", auto_map={"AutoModel": "x.Y"}, model_type="own"),
            "auto_map: the model brings its own code",
        ),
        (pickle_only, r"holds no \*\.safetensors; weights in other formats \(pickle\) are not loaded"),
        (lambda f: cut(f / "model.safetensors", 100_000), r"not a whole safetensors file \(cut off\)"),
        (lambda f: cut(f / "model.safetensors", 500), "not a whole safetensors file"),
        (lambda f: cut(f / "model.safetensors", 5), "not a whole safetensors file"),
        (lambda f: cut(f / "model.safetensors", 0), "is empty"),
        (lambda f: (f / "model.safetensors").write_bytes(b"\xff" * 100), "header too long"),
        (lambda f: (f / "model.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0[]"), "not a whole safetensors file"),
        (shard, r"lacks model-00002-of-00002\.safetensors, which its index names"),
        (empty_index, "is not a safetensors index"),
        (lambda f: (f / "tokenizer.json").unlink(), r"no tokenizer\.json"),
    ],
)
def test_what_is_wrong_with_a_folder_is_told(folder: Path, spoil: Callable[[Path], object], said: str) -> None:
    spoil(folder)
    with pytest.raises(UserError, match=said) as refused:
        finding.resolve(Settings(model_name=str(folder), model_source="local"))
    assert str(folder) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_synthetic_name_that_does_not_exist() -> None:
    with pytest.raises(UserError, match="'llama-9000' is not a synthetic model; there are tinyllama, demo"):
        finding.resolve(Settings(model_name="llama-9000", model_source="synthetic"))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("demo", "synthetic"),
        ("tinyllama", "synthetic"),
        ("./x", "local"),
        ("/x", "local"),
        ("~/x", "local"),
        ("owner/name", "hub"),
    ],
)
def test_the_source_is_decided_by_the_look_of_the_name(name: str, source: str) -> None:
    assert finding.source_of(Settings(model_name=name)) == source
    assert finding.source_of(Settings(model_name=name, model_source="local")) == "local"


def test_a_folder_here_is_taken_by_its_bare_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    assert finding.source_of(Settings(model_name="mine")) == "local"


# What a record says of the model


def test_the_model_is_described_from_its_files(folder: Path, tmp_path: Path) -> None:
    described = finding.describe(folder, Settings(model_name=str(folder), data_dir=str(tmp_path)))
    # embedding and head 2 · 512 · 64; each layer 64·64·2 + 64·32·2 + 3·64·128 + 2·64; last norm 64
    assert described.parameters == 2 * 512 * 64 + 2 * (64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 128 + 2 * 64) + 64
    assert described.architecture == "LlamaForCausalLM"
    assert described.source == "local"
    assert not described.synthetic
    assert described.revision is None


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_one_changed_byte_changes_the_digest(folder: Path, tmp_path: Path, name: str) -> None:
    before = finding.digest(folder, tmp_path / "cache")
    data = bytearray((folder / name).read_bytes())
    data[-3] ^= 1
    (folder / name).write_bytes(data)
    assert finding.digest(folder, tmp_path / "cache") != before


def test_the_digests_of_files_are_kept_and_a_broken_note_is_not_believed(folder: Path, tmp_path: Path) -> None:
    digests = finding.file_digests(folder, tmp_path)
    assert list(digests) == ["config.json", "model.safetensors", "tokenizer.json"]
    notes = {note.read_text(): note for note in (tmp_path / "file-digests").iterdir()}
    note = notes[digests["tokenizer.json"]]
    note.write_text("f" * 64)
    assert finding.file_digests(folder, tmp_path) == {**digests, "tokenizer.json": "f" * 64}
    note.write_text("ff")
    assert finding.file_digests(folder, tmp_path) == digests


def test_a_record_carries_the_configuration_as_it_lies_in_the_folder(folder: Path, tmp_path: Path) -> None:
    """And a model's digest, its shape and its parameters follow from what stands there, without the model."""
    described = finding.describe(folder, Settings(model_name=str(folder), data_dir=str(tmp_path)))
    assert described.config_text == (folder / "config.json").read_text()
    assert described.files is not None and described.digest == model_digest(described.files)
    assert described.files["config.json"] == hashlib.sha256(described.config_text.encode()).hexdigest()
    assert list(who.faults(described)) == []


def test_a_configuration_that_is_too_long_is_left_out(folder: Path, tmp_path: Path) -> None:
    edit_json(folder / "config.json", id2label={str(i): "x" * 40 for i in range(2000)})
    described = finding.describe(folder, Settings(model_name=str(folder), data_dir=str(tmp_path)))
    assert described.config_text is None and described.files is not None


@pytest.mark.parametrize(
    ("value", "said"),
    [(10**30, "a number beyond 64 bits"), ("x" * 20_001, "a text of more than 20,000 characters")],
)
def test_a_configuration_that_no_record_can_hold_is_refused_before_the_run(
    folder: Path, tmp_path: Path, value: object, said: str
) -> None:
    edit_json(folder / "config.json", model_max_length=value)
    with pytest.raises(UserError, match=f"config.json holds {said}"):
        finding.describe(folder, Settings(model_name=str(folder), data_dir=str(tmp_path)))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("https://huggingface.co/org/tiny", "org/tiny"),
        ("https://huggingface.co/org/tiny/tree/main", "org/tiny"),
        ("hf.co/org/tiny:Q4_K_M", "org/tiny"),
        ("org/tiny@main", "org/tiny"),
        ("org/tiny/", "org/tiny"),
        (r"C:\models\tiny", None),
        ("llama3.2:1b", None),
    ],
)
def test_an_address_in_place_of_an_id_is_told_the_id(tmp_path: Path, name: str, meant: str | None) -> None:
    settings = Settings(model_name=name, data_dir=str(tmp_path))
    with pytest.raises(UserError, match="neither a folder that exists nor a Hub id") as refused:
        finding.resolve(settings)
    assert (f"did you mean {meant}, " if meant else "TinyLlama-1.1B-Chat-v1.0.") in str(refused.value)
    assert "did you mean" in str(refused.value) or meant is None
