"""Parameter counts against published figures and against transformers' own models on the meta device."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trtbench.errors import UserError
from trtbench.model.shape import TINYLLAMA, ModelShape

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 32000,
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "num_hidden_layers": 22,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "tie_word_embeddings": False,
}


def _config(
    kind: str, vocab: int, hidden: int, mlp: int, layers: int, heads: int, kv_heads: int, **more: Any
) -> dict[str, Any]:
    return {
        "model_type": kind,
        "vocab_size": vocab,
        "hidden_size": hidden,
        "intermediate_size": mlp,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        **more,
    }


TIED = {"tie_word_embeddings": True}
MIXTRAL = {"num_local_experts": 8, "num_experts_per_tok": 2}
QWEN1_5_MOE = {
    "moe_intermediate_size": 1408,
    "num_experts": 60,
    "shared_expert_intermediate_size": 5632,
    "num_experts_per_tok": 4,
}
QWEN3_MOE = {"head_dim": 128, "moe_intermediate_size": 768, "num_experts": 128, "num_experts_per_tok": 8}
GPT2 = {
    "model_type": "gpt2",
    "vocab_size": 50257,
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "n_positions": 1024,
}
OPT = _config("opt", 50272, 768, 0, 12, 12, 12, ffn_dim=3072, max_position_embeddings=2048)

# What each model's config.json says, as far as it matters, and the parameters its safetensors hold.
PUBLISHED = {
    "TinyLlama-1.1B": (LLAMA, 1_100_048_384),
    "Llama-2-7b": (_config("llama", 32000, 4096, 11008, 32, 32, 32), 6_738_415_616),
    "Llama-3.2-1B": (_config("llama", 128256, 2048, 8192, 16, 32, 8, head_dim=64, **TIED), 1_235_814_400),
    "Mistral-7B": (_config("mistral", 32000, 4096, 14336, 32, 32, 8), 7_241_732_096),
    "Mixtral-8x7B": (_config("mixtral", 32000, 4096, 14336, 32, 32, 8, **MIXTRAL), 46_702_792_704),
    "Phi-3-mini-4k": (_config("phi3", 32064, 3072, 8192, 32, 32, 32), 3_821_079_552),
    "Qwen2.5-0.5B": (_config("qwen2", 151936, 896, 4864, 24, 14, 2, **TIED), 494_032_768),
    "Qwen3-0.6B": (_config("qwen3", 151936, 1024, 3072, 28, 16, 8, head_dim=128, **TIED), 596_049_920),
    "Qwen1.5-MoE": (_config("qwen2_moe", 151936, 2048, 5632, 24, 16, 16, **QWEN1_5_MOE), 14_315_784_192),
    "Qwen3-30B-A3B": (_config("qwen3_moe", 151936, 2048, 6144, 48, 32, 4, **QWEN3_MOE), 30_532_122_624),
    "gemma-2b": (_config("gemma", 256000, 2048, 16384, 18, 8, 1, head_dim=256), 2_506_172_416),
    "gemma-2-2b": (_config("gemma2", 256000, 2304, 9216, 26, 8, 4, head_dim=256), 2_614_341_888),
    "gemma-3-1b": (_config("gemma3_text", 262144, 1152, 6912, 26, 4, 1, head_dim=256), 999_885_952),
    "gpt2": (GPT2, 124_439_808),
    "opt-125m": (OPT, 125_239_296),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameter_count_is_the_published_one(name: str) -> None:
    config, parameters = PUBLISHED[name]
    shape = ModelShape.from_config(config)
    assert shape.parameters == parameters
    assert sum(shape.parameter_groups.values()) == parameters


def test_tinyllama_is_built_in_and_leaves_the_input_embedding_out_of_a_step() -> None:
    assert ModelShape.from_config(LLAMA) == TINYLLAMA
    assert TINYLLAMA.parameters_read == 1_100_048_384 - 32000 * 2048 == 1_034_512_384


def test_a_tied_head_is_stored_once_and_still_read_every_step() -> None:
    tied = ModelShape.from_config({**LLAMA, "tie_word_embeddings": True})
    assert tied.parameters == TINYLLAMA.parameters - 32000 * 2048
    assert tied.parameters_read == TINYLLAMA.parameters_read
    assert tied.parameter_groups["output_head"] == 0


def test_only_active_experts_are_read() -> None:
    mixtral = ModelShape.from_config(PUBLISHED["Mixtral-8x7B"][0])
    idle = 32 * 6 * 3 * 4096 * 14336
    assert mixtral.parameters_read == 46_702_792_704 - idle - 32000 * 4096


def test_norms_without_weights_count_nothing() -> None:
    bare = ModelShape.from_config({**OPT, "layer_norm_elementwise_affine": False})
    assert bare.parameters == 125_239_296 - (2 * 12 + 1) * 2 * 768


def _transformers_models() -> list[tuple[str, dict[str, Any]]]:
    small = {
        "vocab_size": 512,
        "hidden_size": 64,
        "intermediate_size": 176,
        "num_hidden_layers": 7,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    qwen_moe = {
        **small,
        "num_experts": 6,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 48,
        "decoder_sparse_step": 2,
        "mlp_only_layers": [3],
    }
    gpt2 = {"vocab_size": 512, "n_embd": 64, "n_layer": 3, "n_head": 4, "n_positions": 128}
    opt = {
        "vocab_size": 512,
        "hidden_size": 64,
        "ffn_dim": 160,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": 128,
        "word_embed_proj_dim": 64,
    }
    return [
        ("llama", small),
        ("llama", {**small, "attention_bias": True, "mlp_bias": True, "head_dim": 24}),
        ("llama", {**small, "tie_word_embeddings": True}),
        ("mistral", small),
        ("mistral", {**small, "head_dim": 40}),
        ("phi3", {**small, "pad_token_id": 0}),
        ("qwen2", small),
        ("qwen3", small),
        ("qwen3", {**small, "attention_bias": True, "head_dim": 16}),
        ("gemma", small),
        ("gemma2", small),
        ("gemma3_text", small),
        ("gemma3_text", {**small, "tie_word_embeddings": False}),
        ("mixtral", {**small, "num_local_experts": 5, "num_experts_per_tok": 2}),
        ("qwen2_moe", {**qwen_moe, "shared_expert_intermediate_size": 80}),
        ("qwen2_moe", {**qwen_moe, "shared_expert_intermediate_size": 80, "qkv_bias": False}),
        ("qwen3_moe", qwen_moe),
        ("gpt2", gpt2),
        ("gpt2", {**gpt2, "n_inner": 100}),
        ("opt", opt),
        ("opt", {**opt, "enable_bias": False}),
    ]


@pytest.mark.parametrize(("kind", "values"), _transformers_models())
def test_counts_agree_with_transformers_on_the_meta_device(kind: str, values: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: counts not compared with transformers")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: counts not compared")
    config = transformers.AutoConfig.for_model(kind, **values)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    shape = ModelShape.from_config(json.loads(config.to_json_string()))
    assert shape.parameters == sum(parameter.numel() for parameter in model.parameters())
    positions = shape.learned_positions * shape.hidden
    assert shape.parameter_groups["input_embedding"] - positions == model.get_input_embeddings().weight.numel()
    assert shape.head_parameters == model.get_output_embeddings().weight.numel()
    layers = sum(
        parameter.numel() for name, parameter in model.named_parameters() if ".layers." in name or ".h." in name
    )
    assert shape.parameter_groups["layers"] == layers


@pytest.mark.parametrize(
    ("change", "window", "layers"),
    [
        ({"model_type": "llama"}, None, 0),
        ({"model_type": "mistral"}, 4096, 22),
        ({"model_type": "mistral", "sliding_window": None}, None, 0),
        ({"model_type": "qwen2", "sliding_window": 1024}, None, 0),
        ({"model_type": "qwen2", "sliding_window": 1024, "use_sliding_window": True}, 1024, 22),
        (
            {
                "model_type": "qwen2",
                "sliding_window": 1024,
                "use_sliding_window": True,
                "layer_types": ["full_attention"] * 20 + ["sliding_attention"] * 2,
            },
            1024,
            2,
        ),
        ({"model_type": "qwen3", "use_sliding_window": True}, 4096, 22),
        ({"model_type": "mistral", "layer_types": ["sliding_attention"] * 30}, 4096, 22),
        ({"model_type": "gemma2"}, 4096, 11),
        ({"model_type": "gemma3_text", "sliding_window": 512}, 512, 19),
    ],
)
def test_sliding_windows(change: dict[str, Any], window: int | None, layers: int) -> None:
    shape = ModelShape.from_config({**LLAMA, **change})
    assert (shape.sliding_window, shape.windowed_layers) == (window, layers)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"model_type": "bert"}, "bert"),
        ({"model_type": None}, "None"),
        ({"model_type": ["llama"]}, "llama"),
        ({"num_hidden_layers": None}, "num_hidden_layers"),
        ({"hidden_size": "2048"}, "hidden_size='2048'"),
        ({"hidden_size": 2047}, "2047"),
        ({"vocab_size": 0}, "vocab_size=0"),
        ({"num_attention_heads": True}, "num_attention_heads=True"),
        ({"num_key_value_heads": 5}, "5 key-value heads"),
        ({"head_dim": "wide"}, "head_dim='wide'"),
        ({"tie_word_embeddings": "no"}, "tie_word_embeddings='no'"),
        (
            {"model_type": "mixtral", "num_local_experts": 2, "num_experts_per_tok": 3},
            "num_experts_per_tok=3",
        ),
        ({"model_type": "gemma2", "layer_types": "sliding"}, "layer_types='sliding'"),
        (
            {"model_type": "opt", "ffn_dim": 8, "max_position_embeddings": 8, "word_embed_proj_dim": 512},
            "350m",
        ),
    ],
)
def test_what_cannot_be_counted_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError) as refusal:
        ModelShape.from_config({**LLAMA, **change})
    assert named in str(refusal.value)


def test_reading_from_a_folder_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(LLAMA), encoding="utf-8")
    assert ModelShape.from_path(tmp_path) == ModelShape.from_path(file) == TINYLLAMA


@pytest.mark.parametrize("content", [None, "{", "[1]", "\ud800".encode("utf-8", "surrogatepass")])
def test_unreadable_files_are_one_sentence(tmp_path: Path, content: str | bytes | None) -> None:
    if content is not None:
        (tmp_path / "config.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=r"config\.json"):
        ModelShape.from_path(tmp_path)


@pytest.mark.parametrize("number", [10**5000, -(10**5000), 10**13], ids=["huge", "below", "large"])
@pytest.mark.parametrize(
    "name",
    [
        "hidden_size",
        "num_hidden_layers",
        "vocab_size",
        "num_key_value_heads",
        "tie_word_embeddings",
        "architectures",
        "model_type",
    ],
)
def test_a_number_of_thousands_of_digits_is_one_sentence(name: str, number: int) -> None:
    with pytest.raises(UserError) as refusal:
        ModelShape.from_config({**LLAMA, name: number})
    assert name in str(refusal.value) and len(str(refusal.value)) < 900
    for nested in ({"architectures": [number]}, {"text_config": number}):
        ModelShape.from_config({**LLAMA, **nested})


def test_a_layer_that_is_listed_twice_is_one_layer() -> None:
    config = {
        **{"model_type": "llama4_text", "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 2},
        **{
            "hidden_size": 64,
            "intermediate_size": 128,
            "intermediate_size_mlp": 256,
            "vocab_size": 1000,
            "head_dim": 8,
        },
        **{"num_local_experts": 4, "num_experts_per_tok": 1},
    }
    for listed in ([1, 3], [1, 3, 3, 1, 9, [3]], [3, 1, 1]):
        assert ModelShape.from_config({**config, "moe_layers": listed}).sparse_layers == 2
