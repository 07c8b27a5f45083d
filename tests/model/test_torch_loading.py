"""A model of which a part does not come from its files is measured by nobody."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trtbench.errors import Unsupported

Weights = dict[str, Any]


def _without(name: str) -> Callable[[Weights], Weights]:
    return lambda weights: {key: weight for key, weight in weights.items() if name not in key}


def _called(prefix: str) -> Callable[[Weights], Weights]:
    return lambda weights: {prefix + key: weight for key, weight in weights.items()}


def _with(name: str, value: float) -> Callable[[Weights], Weights]:
    def changed(weights: Weights) -> Weights:
        weights[name] = weights[name].clone()
        weights[name].view(-1)[3] = value
        return weights

    return changed


def _wider(weights: Weights) -> Weights:
    return {**weights, HEAD: weights[HEAD][:-1].clone()}


HEAD, DOWN = "lm_head.weight", "model.layers.0.mlp.down_proj.weight"


@pytest.mark.ngc
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(_without(HEAD), "lm_head.weight of this model is not in its files", id="no head"),
        pytest.param(
            _without("layers.1."), r"model\.layers\.1\..* and \d+ more .*are not in its files", id="a layer less"
        ),
        pytest.param(_called("_orig_mod."), "not in its files", id="saved from torch.compile"),
        pytest.param(_called("module."), "not in its files", id="saved from DataParallel"),
        pytest.param(_called("base_model.model."), "not in its files", id="saved from PEFT"),
        pytest.param(_wider, "lm_head.weight of this model has another size in its files", id="another vocabulary"),
        pytest.param(_with(DOWN, float("nan")), f"{DOWN} .* no numbers in float32", id="NaN"),
        pytest.param(_with(HEAD, float("-inf")), "infinite or no numbers in float32", id="infinite"),
    ],
)
def test_weights_that_are_missing_or_no_numbers_are_refused(
    tiny_model: Path, tmp_path: Path, change: Callable[[Weights], Weights], sentence: str
) -> None:
    from safetensors.torch import load_file, save_file

    from trtbench.model.torch_loading import load_model

    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    save_file(change(load_file(folder / "model.safetensors")), folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(Unsupported, match=sentence):
        load_model(folder, "float32", "cpu", threads=1)


@pytest.mark.ngc
def test_a_weight_that_a_smaller_precision_cannot_hold_is_refused_there(tiny_model: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from trtbench.model.torch_loading import load_model

    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    weights = _with(DOWN, 1e6)(load_file(folder / "model.safetensors"))
    save_file(
        {name: weight.float() for name, weight in weights.items()}, folder / "model.safetensors", {"format": "pt"}
    )
    load_model(folder, "bfloat16", "cpu", threads=1)
    with pytest.raises(Unsupported, match=f"{DOWN} .* in float16"):
        load_model(folder, "float16", "cpu", threads=1)


@pytest.mark.ngc
def test_a_head_that_is_the_embedding_need_not_be_there(tiny_model: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from trtbench.model.torch_loading import load_model

    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": True}))
    save_file(_without(HEAD)(load_file(folder / "model.safetensors")), folder / "model.safetensors", {"format": "pt"})
    model = load_model(folder, "float32", "cpu", threads=1)
    assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()


@pytest.mark.ngc
def test_a_cap_on_scores_is_computed_where_the_model_is_wanted_as_it_was_made(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    import transformers

    from trtbench.model.torch_loading import load_model

    sizes = {"vocab_size": 300, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "head_dim": 32}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "attn_logit_softcapping": 2.0}
    config = transformers.AutoConfig.for_model("gemma2", **sizes, **heads)
    torch.manual_seed(1)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    as_made = load_model(tmp_path, "float32", "cpu", threads=1, as_made=True)
    assert as_made.config._attn_implementation == "eager"
    plain = load_model(tmp_path, "float32", "cpu", threads=1)
    default = "eager" if int(transformers.__version__.split(".")[0]) >= 5 else "sdpa"
    assert plain.config._attn_implementation == default
    assert load_model(tiny_model, "float32", "cpu", threads=1, as_made=True).config._attn_implementation == "sdpa"
