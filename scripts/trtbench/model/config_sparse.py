"""Shapes of mixtures of experts that differ from Llama in more than the experts: gpt-oss, Llama 4, DeepSeek V2 and V3.

Which keys a file may leave out and what then counts are transformers' own defaults.
"""

from __future__ import annotations

from trtbench.errors import UserError
from trtbench.model.config_reader import Reader
from trtbench.model.shape import Latent, ModelShape


def gpt_oss(reader: Reader) -> ModelShape:
    layers, heads = reader.number("num_hidden_layers"), reader.number("num_attention_heads")
    width = reader.number("intermediate_size")
    bias = reader.flag("attention_bias", True)
    window, windowed = None, 0
    if reader.config.get("sliding_window", 128) is not None:
        window = reader.number("sliding_window", default=128)
        windowed = reader.layers_of("sliding_attention", layers, layers - layers // 2)
    return ModelShape(
        architecture=reader.architecture,
        layers=layers,
        hidden=reader.number("hidden_size"),
        heads=heads,
        kv_heads=reader.number("num_key_value_heads"),
        head_dim=reader.number("head_dim", default=64),
        intermediate=width,
        vocab=reader.number("vocab_size"),
        tied=reader.flag("tie_word_embeddings", False),
        qkv_bias=bias,
        output_bias=bias,
        attention_vectors=heads,
        sliding_window=window,
        windowed_layers=windowed,
        experts=reader.number("num_local_experts", "num_experts"),
        active_experts=reader.number("num_experts_per_tok", "experts_per_token"),
        expert_intermediate=width,
        expert_bias=True,
        sparse_layers=layers,
    )


def llama4(reader: Reader) -> ModelShape:
    layers, heads = reader.number("num_hidden_layers"), reader.number("num_attention_heads")
    width = reader.number("intermediate_size")
    step = reader.number("interleave_moe_layer_step", default=1)
    sparse = layers // step
    if reader.config.get("moe_layers") is not None:
        sparse = len({layer for layer in reader.items("moe_layers") if layer in range(layers)})
    bias = reader.flag("attention_bias", False)
    window, windowed = None, 0
    if reader.config.get("attention_chunk_size", 8192) is not None:
        window = reader.number("attention_chunk_size", default=8192)
        every = reader.number("no_rope_layer_interval", default=4)
        turning = reader.items("no_rope_layers")
        by_list = sum(bool(turns) for turns in turning[:layers]) if turning else layers - layers // every
        windowed = reader.layers_of("chunked_attention", layers, by_list)
    return ModelShape(
        architecture=reader.architecture,
        layers=layers,
        hidden=reader.number("hidden_size"),
        heads=heads,
        kv_heads=reader.number("num_key_value_heads"),
        head_dim=reader.number("head_dim", default=128),
        intermediate=reader.number("intermediate_size_mlp"),
        vocab=reader.number("vocab_size"),
        tied=reader.flag("tie_word_embeddings", False),
        qkv_bias=bias,
        output_bias=bias,
        sliding_window=window,
        windowed_layers=windowed,
        chunked=True,
        experts=reader.number("num_local_experts"),
        active_experts=reader.number("num_experts_per_tok"),
        expert_intermediate=width,
        shared_intermediate=width,
        shared_gate=False,
        sparse_layers=sparse,
    )


def deepseek(reader: Reader) -> ModelShape:
    """V2, V3 and R1; without the layers that only guess further tokens ahead."""
    layers, heads = reader.number("num_hidden_layers"), reader.number("num_attention_heads")
    width = reader.number("moe_intermediate_size")
    rope_dim = reader.number("qk_rope_head_dim")
    latent = Latent(
        q_rank=reader.count("q_lora_rank", 0),
        kv_rank=reader.number("kv_lora_rank"),
        rope_dim=rope_dim,
        value_dim=reader.number("v_head_dim"),
    )
    if reader.flag("attention_bias", False):
        raise UserError("A DeepSeek with attention_bias can't be counted here; those that were published have none.")
    return ModelShape(
        architecture=reader.architecture,
        layers=layers,
        hidden=reader.number("hidden_size"),
        heads=heads,
        kv_heads=heads,
        head_dim=reader.number("qk_nope_head_dim") + rope_dim,
        intermediate=reader.number("intermediate_size"),
        vocab=reader.number("vocab_size"),
        tied=reader.flag("tie_word_embeddings", False),
        attention_vectors=latent.q_rank + latent.kv_rank,
        experts=reader.number("n_routed_experts"),
        active_experts=reader.number("num_experts_per_tok"),
        expert_intermediate=width,
        shared_intermediate=width * reader.count("n_shared_experts", 0),
        shared_gate=False,
        sparse_layers=max(0, layers - reader.count("first_k_dense_replace", 0)),
        latent=latent,
    )


SPARSE = {
    "deepseek_v2": deepseek,
    "deepseek_v3": deepseek,
    "gpt_oss": gpt_oss,
    "llama4_text": llama4,
}
