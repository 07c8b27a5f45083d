"""Families of models in their published sizes: counted here, built by transformers on its meta device, and published."""

from __future__ import annotations

import json
from typing import Any

import pytest
from test_shape import PUBLISHED

from trtbench.errors import UserError
from trtbench.model import kv_cache
from trtbench.model.shape import ModelShape
from trtbench.report.claim_page import document


def _sizes(
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


def _neox(vocab: int, hidden: int, layers: int, heads: int) -> dict[str, Any]:
    return _sizes("gpt_neox", vocab, hidden, 4 * hidden, layers, heads, heads)


def _falcon(hidden: int, layers: int, heads: int, **more: Any) -> dict[str, Any]:
    return {
        "model_type": "falcon",
        "vocab_size": 65024,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        **more,
    }


TIED, UNTIED = {"tie_word_embeddings": True}, {"tie_word_embeddings": False}
FALCON_40B = {"new_decoder_architecture": True, "num_kv_heads": 8}
FALCON_RW = {"vocab_size": 50304, "multi_query": False, "parallel_attn": False, "bias": True, "alibi": True}
BLOOM = {"model_type": "bloom", "vocab_size": 250880}
MPT = {"model_type": "mpt", "vocab_size": 50432, "max_seq_len": 2048, "expansion_ratio": 4}
GPTJ = {"model_type": "gptj", "vocab_size": 50400, "n_embd": 4096, "n_layer": 28, "n_head": 16, "n_positions": 2048}
GPT_OSS = {"head_dim": 64, "num_experts_per_tok": 4, "sliding_window": 128}
DEEPSEEK = {"kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128}
V2_LITE = {
    **DEEPSEEK,
    "q_lora_rank": None,
    "n_routed_experts": 64,
    "n_shared_experts": 2,
    "num_experts_per_tok": 6,
    "moe_intermediate_size": 1408,
    "first_k_dense_replace": 1,
}
V2 = {
    **V2_LITE,
    "q_lora_rank": 1536,
    "n_routed_experts": 160,
    "moe_intermediate_size": 1536,
}
V3 = {
    **DEEPSEEK,
    "q_lora_rank": 1536,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "moe_intermediate_size": 2048,
    "first_k_dense_replace": 3,
}
LLAMA4 = {"intermediate_size_mlp": 16384, "num_experts_per_tok": 1, "head_dim": 128, "no_rope_layers": []}
SCOUT = {**LLAMA4, "num_local_experts": 16, "interleave_moe_layer_step": 1}
MAVERICK = {**LLAMA4, "num_local_experts": 128, "interleave_moe_layer_step": 2}
STABLELM_12B = {"qk_layernorm": True, "use_parallel_residual": True}

# The sizes of each published config.json, and the parameters that were published of its decoder (None: rounded only).
SIZES: dict[str, tuple[dict[str, Any], int | None]] = {
    "granite-3.0-8b": (_sizes("granite", 49155, 4096, 12800, 40, 32, 8, **TIED), 8_170_848_256),
    "OLMo-2-1B": (_sizes("olmo2", 100352, 2048, 8192, 16, 16, 16), 1_484_916_736),
    "OLMo-2-7B": (_sizes("olmo2", 100352, 4096, 11008, 32, 32, 32), 7_298_617_344),
    "OLMo-2-32B": (_sizes("olmo2", 100352, 5120, 27648, 64, 40, 8), 32_234_279_936),
    "SmolLM3-3B": (_sizes("smollm3", 128256, 2048, 11008, 36, 16, 4), 3_075_098_624),
    "falcon-7b": (_falcon(4544, 32, 71), 6_921_720_704),
    "falcon-40b": (_falcon(8192, 60, 128, **FALCON_40B), 41_303_293_952),
    "falcon-rw-1b": (_falcon(2048, 24, 32, **FALCON_RW), 1_311_625_216),
    "falcon-11b": (
        _falcon(4096, 60, 32, **FALCON_40B, num_ln_in_parallel_attn=1, ffn_hidden_size=16384, **UNTIED),
        None,
    ),
    "pythia-160m": (_neox(50304, 768, 12, 12), 162_322_944),
    "pythia-6.9b": (_neox(50432, 4096, 32, 32), 6_857_302_016),
    "gpt-neox-20b": (_neox(50432, 6144, 44, 64), 20_554_567_680),
    "phi-1_5": (_sizes("phi", 51200, 2048, 8192, 24, 32, 32), 1_418_270_720),
    "phi-2": (_sizes("phi", 51200, 2560, 10240, 32, 32, 32), 2_779_683_840),
    "stablelm-3b": (_sizes("stablelm", 50304, 2560, 6912, 32, 32, 32), 2_795_443_200),
    "stablelm-2-1.6b": (_sizes("stablelm", 100352, 2048, 5632, 24, 32, 32, use_qkv_bias=True), 1_644_515_328),
    "stablelm-2-12b": (_sizes("stablelm", 100352, 5120, 13824, 40, 32, 8, **STABLELM_12B), None),
    "gpt-j-6b": (GPTJ, 6_050_882_784),
    "bloom-560m": ({**BLOOM, "hidden_size": 1024, "n_layer": 24, "n_head": 16}, 559_214_592),
    "bloom": ({**BLOOM, "hidden_size": 14336, "n_layer": 70, "n_head": 112}, 176_247_271_424),
    "mpt-7b": ({**MPT, "d_model": 4096, "n_heads": 32, "n_layers": 32}, 6_649_286_656),
    "gpt-oss-20b": (_sizes("gpt_oss", 201088, 2880, 2880, 24, 64, 8, **GPT_OSS, num_local_experts=32), 20_914_757_184),
    "gpt-oss-120b": (
        _sizes("gpt_oss", 201088, 2880, 2880, 36, 64, 8, **GPT_OSS, num_local_experts=128),
        116_829_156_672,
    ),
    "Llama-4-Scout": (_sizes("llama4_text", 202048, 5120, 8192, 48, 40, 8, **SCOUT), 107_769_861_120),
    "Llama-4-Maverick": (_sizes("llama4_text", 202048, 5120, 8192, 48, 40, 8, **MAVERICK), 400_711_848_960),
    "DeepSeek-V2-Lite": (_sizes("deepseek_v2", 102400, 2048, 10944, 27, 16, 16, **V2_LITE), 15_706_484_224),
    "DeepSeek-V2": (_sizes("deepseek_v2", 102400, 5120, 12288, 60, 128, 128, **V2), 235_741_434_880),
    "DeepSeek-V3": (_sizes("deepseek_v3", 129280, 7168, 18432, 61, 128, 128, **V3), 671_026_404_352),
}


@pytest.mark.parametrize("name", SIZES)
def test_a_published_size_is_counted_as_transformers_builds_it_and_as_its_makers_say(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, published = SIZES[name]
    shape = ModelShape.from_config(config)
    if published is not None:
        assert shape.parameters == published
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: counts not compared with transformers")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: counts not compared")
    # What the weights hold is no matter, and drawing it takes most of the time.
    monkeypatch.setattr(transformers.PreTrainedModel, "initialize_weights", lambda model: None)
    built_config = transformers.AutoConfig.for_model(**config)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(built_config)
    # What transformers writes is read the same as what was published.
    assert ModelShape.from_config(json.loads(built_config.to_json_string())).parameters == shape.parameters
    assert shape.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert shape.head_parameters == model.get_output_embeddings().weight.numel()
    assert shape.parameter_groups["input_embedding"] == model.get_input_embeddings().weight.numel()


@pytest.mark.parametrize(
    ("name", "billions"),
    [("gpt-oss-20b", 3.61), ("gpt-oss-120b", 5.13), ("DeepSeek-V3", 36.6), ("DeepSeek-V2", 20.85)],
)
def test_what_a_token_reads_of_a_mixture_is_what_its_makers_say_is_active(name: str, billions: float) -> None:
    assert ModelShape.from_config(SIZES[name][0]).parameters_read == pytest.approx(billions * 1e9, rel=0.002)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("falcon-7b", 32 * 2 * 64),  # one pair for all heads
        ("falcon-40b", 60 * 2 * 8 * 64),
        ("falcon-rw-1b", 24 * 2 * 2048),
        ("granite-3.0-8b", 40 * 2 * 8 * 128),
        ("OLMo-2-7B", 32 * 2 * 4096),
        ("SmolLM3-3B", 36 * 2 * 4 * 128),
        ("phi-2", 32 * 2 * 2560),
        ("stablelm-2-12b", 40 * 2 * 8 * 160),
        ("gpt-j-6b", 28 * 2 * 4096),
        ("bloom", 70 * 2 * 14336),
        ("mpt-7b", 32 * 2 * 4096),
        ("gpt-oss-20b", 24 * 2 * 8 * 64),
        ("Llama-4-Scout", 48 * 2 * 8 * 128),
        ("DeepSeek-V2-Lite", 27 * (512 + 64)),
        ("DeepSeek-V3", 70_272 // 2),  # 70.272 kB in 2 bytes each: "Insights into DeepSeek-V3", table 1
    ],
)
def test_what_is_kept_of_a_token(name: str, values: int) -> None:
    config = SIZES[name][0]
    shape = ModelShape.from_config(config)
    assert shape.layers * kv_cache.values_of(shape) == values
    assert kv_cache.bytes_per_token_of(config) == 2 * values


def test_a_pool_for_an_architecture_that_is_not_known_is_sized_as_a_llamas() -> None:
    config = _sizes("unheard-of", 1000, 64, 128, 3, 4, 2)
    assert kv_cache.bytes_per_token_of(config) == 2 * 3 * 2 * 2 * 16


@pytest.mark.parametrize(
    ("config", "window", "layers"),
    [
        (SIZES["gpt-oss-20b"][0], 128, 12),
        ({**SIZES["gpt-oss-20b"][0], "sliding_window": None}, None, 0),
        ({**SIZES["gpt-oss-20b"][0], "layer_types": ["full_attention"] * 23 + ["sliding_attention"]}, 128, 1),
        (SIZES["Llama-4-Scout"][0], 8192, 36),
        ({**SIZES["Llama-4-Scout"][0], "attention_chunk_size": None}, None, 0),
        ({**SIZES["Llama-4-Scout"][0], "no_rope_layers": [1, 0] * 24}, 8192, 24),
        (SIZES["SmolLM3-3B"][0], None, 0),
        (_sizes("olmo3", 100278, 4096, 11008, 32, 32, 32), 4096, 24),
    ],
)
def test_windows(config: dict[str, Any], window: int | None, layers: int) -> None:
    shape = ModelShape.from_config(config)
    assert (shape.sliding_window, shape.windowed_layers) == (window, layers)


# As published: the text_config of the 4B names neither its heads nor its vocabulary.
GEMMA3_4B = {
    "model_type": "gemma3",
    "architectures": ["Gemma3ForConditionalGeneration"],
    "text_config": {
        "hidden_size": 2560,
        "intermediate_size": 10240,
        "model_type": "gemma3_text",
        "num_hidden_layers": 34,
        "sliding_window": 1024,
    },
}
GEMMA3_27B = {
    "model_type": "gemma3",
    "text_config": {
        "hidden_size": 5376,
        "intermediate_size": 21504,
        "model_type": "gemma3_text",
        "num_hidden_layers": 62,
        "num_attention_heads": 32,
        "num_key_value_heads": 16,
        "head_dim": 128,
        "sliding_window": 1024,
    },
}


@pytest.mark.parametrize(("config", "embedding", "others"), [(GEMMA3_4B, 675, 3209), (GEMMA3_27B, 1416, 25600)])
def test_the_decoder_of_a_gemma_3_that_sees(config: dict[str, Any], embedding: int, others: int) -> None:
    """Millions of the embedding and of the rest, as the technical report of Gemma 3 has them in table 1."""
    shape = ModelShape.from_config(config)
    groups = shape.parameter_groups
    assert groups["input_embedding"] / 1e6 == pytest.approx(embedding, rel=0.006)
    assert (shape.parameters - groups["input_embedding"]) / 1e6 == pytest.approx(others, rel=0.006)
    assert shape.sliding_window == 1024 and shape.windowed_layers == shape.layers - shape.layers // 6
    assert shape.architecture == config.get("architectures", ["gemma3"])[0]


@pytest.mark.parametrize("kind", ["gemma3", "llama4", "mistral3"])
def test_the_decoder_in_a_text_config_is_the_one_alone(kind: str) -> None:
    text = {
        "gemma3": _sizes("gemma3_text", 512, 64, 128, 6, 4, 2),
        "llama4": _sizes("llama4_text", 512, 64, 128, 6, 4, 2, **SCOUT),
        "mistral3": _sizes("mistral", 512, 64, 128, 6, 4, 2),
    }[kind]
    alone = ModelShape.from_config(text)
    both = ModelShape.from_config({"model_type": kind, "text_config": text, "vision_config": {"hidden_size": 9}})
    assert both.parameters == alone.parameters and both.kv_heads == alone.kv_heads
    unnamed = {key: value for key, value in text.items() if key != "model_type"}
    assert ModelShape.from_config({"model_type": kind, "text_config": unnamed}).parameters == alone.parameters
    tied = ModelShape.from_config({"model_type": kind, "text_config": text, "tie_word_embeddings": True})
    assert tied.tied


def test_transformers_builds_the_same_decoder_of_a_gemma_3_that_sees() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: counts not compared with transformers")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: counts not compared")
    config = transformers.Gemma3Config(text_config=dict(GEMMA3_4B["text_config"]))
    with torch.device("meta"):
        decoder = transformers.Gemma3ForCausalLM(config.text_config)
    counted = ModelShape.from_config(GEMMA3_4B)
    assert counted.parameters == sum(parameter.numel() for parameter in decoder.parameters())
    assert ModelShape.from_config(json.loads(config.to_json_string())).parameters == counted.parameters


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"attention_bias": True}, "attention_bias"),
        ({"kv_lora_rank": None}, "kv_lora_rank"),
        ({"q_lora_rank": -1}, "q_lora_rank=-1"),
        ({"first_k_dense_replace": True}, "first_k_dense_replace=True"),
        ({"num_experts_per_tok": 300}, "num_experts_per_tok=300"),
        ({"n_shared_experts": "two"}, "n_shared_experts='two'"),
    ],
)
def test_a_deepseek_that_cannot_be_counted_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=named):
        ModelShape.from_config({**SIZES["DeepSeek-V3"][0], **change})


@pytest.mark.parametrize("text", [None, [], "llama", {}, {"model_type": "bert"}, {"model_type": 3}])
def test_a_text_config_that_is_none_is_refused_in_a_sentence(text: object) -> None:
    with pytest.raises(UserError):
        ModelShape.from_config({"model_type": "llama4", "text_config": text})


def test_a_huge_number_of_layers_is_not_counted_one_by_one() -> None:
    config = {**SIZES["Llama-4-Maverick"][0], "num_hidden_layers": 10**12}
    assert ModelShape.from_config(config).sparse_layers == 10**12 // 2


def test_the_page_on_claims_offers_the_models_that_are_counted_here() -> None:
    configs = json.loads((document.FOLDER / "models.json").read_text(encoding="utf-8"))
    counted = {name: config for name, (config, _) in {**PUBLISHED, **SIZES}.items()}
    assert configs == {name: config for name, config in counted.items() if name != "TinyLlama-1.1B"}
