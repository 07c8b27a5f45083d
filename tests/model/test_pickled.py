"""Weights that come as pickle files alone: refused, or converted once, with nothing run and nothing changed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pickles
from trtbench.errors import UserError
from trtbench.model import converted, finding, pickle_conversion
from trtbench.records.identity import model_digest
from trtbench.settings.knobs import Settings

ROOT = Path(__file__).resolve().parents[2]


def settings(folder: Path, data: Path, **more: Any) -> Settings:
    return Settings(
        **{"model_name": str(folder), "data_dir": str(data), "convert_pickle": True, "log_level": "info", **more}
    )


def logits(folder: Path, **loading: Any) -> Any:
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="auto", **loading).eval()
    with torch.no_grad():
        return model(torch.arange(3, 40)[None]).logits


def without_prefix(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name != "lm_head.weight"}


def as_once_saved(name: str) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """Configuration, weights and ways of saving, as repositories of these families have them."""
    import torch

    if name == "OPT in float16, in shards":
        state = dict(pickles.random_model(pickles.OPT, "float16").state_dict())
        half = len(state) // 2
        return pickles.OPT, [dict(list(state.items())[:half]), dict(list(state.items())[half:])], {}
    if name == "OPT in float16, names without their prefix":
        return pickles.OPT, [without_prefix(dict(pickles.random_model(pickles.OPT, "float16").state_dict()), "model.")], {}
    state = dict(pickles.random_model(pickles.GPT2, "float32").state_dict())
    for layer in range(2):  # buffers that older versions of transformers also saved, in other precisions
        state[f"transformer.h.{layer}.attn.bias"] = torch.ones(1, 1, 256, 256, dtype=torch.uint8).tril()
        state[f"transformer.h.{layer}.attn.masked_bias"] = torch.tensor(-1e4, dtype=torch.float64)
    return pickles.GPT2, [state], {"_use_new_zipfile_serialization": False}


@pytest.fixture(scope="module")
def opt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config, parts, saving = as_once_saved("OPT in float16, in shards")
    return pickles.write_folder(tmp_path_factory.mktemp("opt") / "opt-1.3b", config, parts, **saving)


@pytest.fixture
def folder(opt: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(opt, tmp_path / "model"))


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("OPT in float16, in shards", "float16"),
        ("OPT in float16, names without their prefix", "float16"),
        ("GPT-2 in float32, as torch and transformers once saved", "float32"),
    ],
)
def test_what_is_converted_computes_the_same_bit_by_bit(name: str, precision: str, tmp_path: Path) -> None:
    import torch
    from tokenizers import Tokenizer

    config, parts, saving = as_once_saved(name)
    source = pickles.write_folder(tmp_path / "model", config, parts, **saving)
    before = {file.name: file.read_bytes() for file in source.iterdir()}
    chosen = settings(source, tmp_path / "data")
    made = finding.resolve(chosen)
    assert made.is_relative_to(tmp_path / "data" / "models" / "converted")
    assert not list(made.glob("*.bin*"))
    answer = logits(made, use_safetensors=True)
    assert str(answer.dtype) == f"torch.{precision}"
    original = pickles.random_model(config, precision)
    with torch.no_grad():
        assert torch.equal(answer, original(torch.arange(3, 40)[None]).logits)
    assert torch.equal(answer, logits(source, use_safetensors=False))
    described = finding.describe(made, chosen)
    assert described.converted == ("pytorch_model.bin" if len(parts) == 1 else "pytorch_model.bin.index.json")
    assert described.dequantised is None and described.config["torch_dtype"] == precision
    assert described.source == "local" and described.revision is None
    # tied weights are stored, and counted, once
    assert described.parameters == sum(tensor.numel() for tensor in original.parameters())
    # the digest is over what is loaded, and that is there once only
    assert described.files is not None and set(described.files) >= {"config.json", "tokenizer.json", "model.safetensors"}
    assert described.digest == model_digest(described.files)
    assert Tokenizer.from_file(str(made / "tokenizer.json")).encode("the quick fox").ids
    # what it was made of is as it was, and is not read again
    assert {file.name: file.read_bytes() for file in source.iterdir()} == before
    assert finding.resolve(chosen) == made


def test_without_the_setting_the_sentence_names_it(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        finding.resolve(settings(folder, tmp_path / "data", convert_pickle=False))
    assert f"{folder} holds no *.safetensors" in str(refused.value)
    assert "CONVERT_PICKLE=1 converts pytorch_model.bin to safetensors, once" in str(refused.value)
    assert "runs no code" in str(refused.value)
    assert not (tmp_path / "data").exists()
