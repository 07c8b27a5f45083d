"""Shapes of the families whose config.json has keys of its own: GPT-2, OPT, GPT-J, GPT-NeoX, Phi, BLOOM, MPT, Falcon, StableLM.

Which keys a file may leave out and what then counts are transformers' own defaults.
"""

from __future__ import annotations

from trtbench.errors import UserError
from trtbench.model.config_reader import Reader
from trtbench.model.shape import ModelShape


def gpt2(reader: Reader) -> ModelShape:
    hidden, heads = reader.number("n_embd"), reader.number("n_head")
    return ModelShape(
        architecture=reader.architecture,
        layers=reader.number("n_layer"),
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=reader.per_head(hidden, heads),
        intermediate=reader.number("n_inner", default=4 * hidden),
        vocab=reader.number("vocab_size"),
        tied=reader.flag("tie_word_embeddings", True),
        gated=False,
        learned_positions=reader.number("n_positions"),
        qkv_bias=True,
        output_bias=True,
        mlp_bias=True,
        norm_vectors=2,
    )


def opt(reader: Reader) -> ModelShape:
    hidden, heads = reader.number("hidden_size"), reader.number("num_attention_heads")
    projected = reader.number("word_embed_proj_dim", default=hidden)
    pre_norm = reader.flag("do_layer_norm_before", True)
    if projected != hidden or not pre_norm or reader.flag("_remove_final_layer_norm", False):
        raise UserError(
            f"An OPT with word_embed_proj_dim={projected}, hidden_size={hidden} and "
            f"do_layer_norm_before={pre_norm} can't be counted here; "
            "those with equal sizes and a final norm can (every OPT but 350m)."
        )
    bias = reader.flag("enable_bias", True)
    return ModelShape(
        architecture=reader.architecture,
        layers=reader.number("num_hidden_layers"),
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=reader.per_head(hidden, heads),
        intermediate=reader.number("ffn_dim"),
        vocab=reader.number("vocab_size"),
        tied=reader.flag("tie_word_embeddings", True),
        gated=False,
        # Two rows more than positions: OPT's position ids start at 2.
        learned_positions=reader.number("max_position_embeddings") + 2,
        qkv_bias=bias,
        output_bias=bias,
        mlp_bias=bias,
        norm_vectors=2 if reader.flag("layer_norm_elementwise_affine", True) else 0,
    )


def gptj(reader: Reader) -> ModelShape:
    hidden, heads = reader.number("n_embd"), reader.number("n_head")
    return ModelShape(
        architecture=reader.architecture,
        layers=reader.number("n_layer"),
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=reader.per_head(hidden, heads),
        intermediate=reader.number("n_inner", default=4 * hidden),
        vocab=reader.number("vocab_size"),
        tied=reader.flag("tie_word_embeddings", False),
        gated=False,
        mlp_bias=True,
        norm_vectors=2,
        norms_per_layer=1,
        head_bias=True,
    )


def gpt_neox(reader: Reader) -> ModelShape:
    hidden, heads = reader.number("hidden_size"), reader.number("num_attention_heads")
    bias = reader.flag("attention_bias", True)
    return ModelShape(
        architecture=reader.architecture,
        layers=reader.number("num_hidden_layers"),
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=reader.per_head(hidden, heads),
        intermediate=reader.number("intermediate_size"),
        vocab=reader.number("vocab_size"),
        tied=reader.flag("tie_word_embeddings", False),
        gated=False,
        qkv_bias=bias,
        output_bias=bias,
        mlp_bias=True,
        norm_vectors=2,
    )


def phi(reader: Reader) -> ModelShape:
    """Phi-1 to Phi-2; later ones are nearer to Llama."""
    hidden, heads = reader.number("hidden_size"), reader.number("num_attention_heads")
    head_dim = reader.per_head(hidden, heads)
    return ModelShape(
        architecture=reader.architecture,
        layers=reader.number("num_hidden_layers"),
        hidden=hidden,
        heads=heads,
        kv_heads=reader.number("num_key_value_heads", default=heads),
        head_dim=head_dim,
        intermediate=reader.number("intermediate_size"),
        vocab=reader.number("vocab_size"),
        tied=reader.flag("tie_word_embeddings", False),
        gated=False,
        qkv_bias=True,
        output_bias=True,
        mlp_bias=True,
        norm_vectors=2,
        norms_per_layer=1,
        attention_vectors=4 * head_dim * reader.flag("qk_layernorm", False),
        head_bias=True,
    )


def stablelm(reader: Reader) -> ModelShape:
    hidden, heads = reader.number("hidden_size"), reader.number("num_attention_heads")
    kv_heads, head_dim = reader.number("num_key_value_heads"), reader.per_head(hidden, heads)
    return ModelShape(
        architecture=reader.architecture,
        layers=reader.number("num_hidden_layers"),
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        intermediate=reader.number("intermediate_size"),
        vocab=reader.number("vocab_size"),
        tied=reader.flag("tie_word_embeddings", False),
        qkv_bias=reader.flag("use_qkv_bias", False),
        norm_vectors=2,
        norms_per_layer=1 if reader.flag("use_parallel_residual", False) else 2,
        attention_vectors=(heads + kv_heads) * head_dim * reader.flag("qk_layernorm", False),
    )


def bloom(reader: Reader) -> ModelShape:
    hidden, heads = reader.number("hidden_size", "n_embed"), reader.number("n_head", "num_attention_heads")
    return ModelShape(
        architecture=reader.architecture,
        layers=reader.number("n_layer", "num_hidden_layers"),
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=reader.per_head(hidden, heads),
        intermediate=4 * hidden,
        vocab=reader.number("vocab_size"),
        tied=reader.flag("tie_word_embeddings", True),
        gated=False,
        qkv_bias=True,
        output_bias=True,
        mlp_bias=True,
        norm_vectors=2,
        embedding_norms=1,
    )


def mpt(reader: Reader) -> ModelShape:
    """As transformers builds it: no biases, positions by ALiBi, one pair of keys and values for each head."""
    hidden, heads = reader.number("d_model"), reader.number("n_heads")
    return ModelShape(
        architecture=reader.architecture,
        layers=reader.number("n_layers"),
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=reader.per_head(hidden, heads),
        intermediate=reader.number("expansion_ratio", default=4) * hidden,
        vocab=reader.number("vocab_size"),
        tied=reader.flag("tie_word_embeddings", True),
        gated=False,
    )


def falcon(reader: Reader) -> ModelShape:
    """All decoders of that name: 7B (one pair of keys and values for all heads), 40B and 180B (one for a group), rw-1b (one
    for each)."""
    hidden, heads = reader.number("hidden_size", "n_embed"), reader.number("num_attention_heads", "n_head")
    grouped, parallel = reader.flag("new_decoder_architecture", False), reader.flag("parallel_attn", True)
    kv_heads = 1 if reader.flag("multi_query", True) else heads
    if grouped:
        kv_heads = reader.number("num_kv_heads", "n_head_kv", default=heads)
    norms = reader.number("num_ln_in_parallel_attn", default=2 if grouped else 1)
    bias = reader.flag("bias", False)
    return ModelShape(
        architecture=reader.architecture,
        layers=reader.number("num_hidden_layers", "n_layer"),
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=reader.per_head(hidden, heads),
        intermediate=reader.number("ffn_hidden_size", default=4 * hidden),
        vocab=reader.number("vocab_size"),
        tied=reader.flag("tie_word_embeddings", True),
        gated=False,
        qkv_bias=bias,
        output_bias=bias,
        mlp_bias=bias,
        norm_vectors=2,
        norms_per_layer=2 if not parallel or norms == 2 else 1,
    )


FAMILIES = {
    "bloom": bloom,
    "falcon": falcon,
    "gpt2": gpt2,
    "gpt_neox": gpt_neox,
    "gptj": gptj,
    "mpt": mpt,
    "opt": opt,
    "phi": phi,
    "stablelm": stablelm,
}
