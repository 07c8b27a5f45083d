"""Reading a model's shape from its config.json: one reader for Llama and its kin, one each for GPT-2 and OPT.

Which keys a file may leave out and what then counts are transformers' own defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trtbench.errors import UserError
from trtbench.model.shape import ModelShape


def from_config(config: Mapping[str, Any]) -> ModelShape:
    """The shape that the dict of a Hugging Face config.json describes.

    Raises UserError for an architecture that isn't known here, and for a missing or senseless value.
    """
    if not isinstance(config, Mapping):
        raise UserError("config.json holds no object; give the config.json of a Hugging Face model.")
    reader = _Reader(config)
    kind = config.get("model_type")
    if kind == "gpt2":
        shape = _gpt2(reader)
    elif kind == "opt":
        shape = _opt(reader)
    elif isinstance(kind, str) and kind in _KIN:
        shape = _llama_kin(reader, kind)
    else:
        known_kinds = ", ".join(sorted([*_KIN, "gpt2", "opt"]))
        raise UserError(f"A model of model_type={kind!r} can't be counted here; known are {known_kinds}.")
    if shape.heads % shape.kv_heads:
        raise UserError(
            f"config.json has {shape.heads} attention heads and {shape.kv_heads} key-value "
            "heads; the first must be a multiple of the second."
        )
    if shape.active_experts > shape.experts:
        raise UserError(
            f"config.json has num_experts_per_tok={shape.active_experts} of {shape.experts} "
            "experts; it can't be more than there are."
        )
    return shape


@dataclass(frozen=True)
class _Kin:
    """Where one of Llama's kin differs; defaults are those that transformers fills in for a missing key."""

    tied: bool = False
    biases: str = "none"  # none, qkv (always), flag (attention_bias: all four), qkv_flag (qkv_bias)
    kv_heads_optional: bool = False  # without num_key_value_heads there are as many as query heads
    head_dim: int | None = None
    norms_per_layer: int = 2
    head_norms: bool = False
    window: int | None = None
    window_switch: bool = False  # the window counts only with use_sliding_window
    full_every: int | None = None  # every n-th layer attends to everything
    experts: str = ""  # "", mixtral, qwen


_KIN = {
    "llama": _Kin(biases="flag", kv_heads_optional=True),
    "mistral": _Kin(window=4096),
    "phi3": _Kin(kv_heads_optional=True),
    "qwen2": _Kin(biases="qkv", window=4096, window_switch=True),
    "qwen3": _Kin(biases="flag", head_dim=128, head_norms=True, window=4096, window_switch=True),
    "gemma": _Kin(tied=True, biases="flag", head_dim=256),
    "gemma2": _Kin(tied=True, biases="flag", head_dim=256, norms_per_layer=4, window=4096, full_every=2),
    "gemma3_text": _Kin(
        tied=True, biases="flag", head_dim=256, norms_per_layer=4, head_norms=True, window=4096, full_every=6
    ),
    "mixtral": _Kin(experts="mixtral"),
    "qwen2_moe": _Kin(biases="qkv_flag", window=4096, window_switch=True, experts="qwen"),
    "qwen3_moe": _Kin(biases="flag", head_norms=True, window=4096, window_switch=True, experts="qwen"),
}


class _Reader:
    """Typed access to a config dict; a wrong or missing value raises a UserError that names it."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def number(self, *names: str, default: int | None = None) -> int:
        """The first of `names` that is there and not null, a whole number above 0."""
        for name in names:
            value = self.config.get(name)
            if value is not None:
                if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                    raise UserError(f"config.json has {name}={value!r}; a whole number above 0 is needed.")
                return value
        if default is None:
            raise UserError(f"config.json lacks {' or '.join(names)}; a whole number above 0 is needed.")
        return default

    def flag(self, name: str, default: bool) -> bool:
        value = self.config.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise UserError(f"config.json has {name}={value!r}; true or false is needed.")
        return value

    def items(self, name: str) -> list[Any]:
        value = self.config.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise UserError(f"config.json has {name}={value!r}; a list is needed.")
        return value

    def architecture(self) -> str:
        names = self.items("architectures")
        return str(names[0]) if names else str(self.config.get("model_type"))

    def per_head(self, hidden: int, heads: int) -> int:
        if hidden % heads:
            raise UserError(
                f"config.json has a hidden size of {hidden} and {heads} attention heads; "
                "the first must be a multiple of the second."
            )
        return hidden // heads


def _llama_kin(reader: _Reader, kind: str) -> ModelShape:
    kin = _KIN[kind]
    layers = reader.number("num_hidden_layers")
    hidden = reader.number("hidden_size")
    heads = reader.number("num_attention_heads")
    head_dim = reader.config.get("head_dim") or kin.head_dim
    all_biases = kin.biases == "flag" and reader.flag("attention_bias", False)
    input_biases = kin.biases == "qkv" or (kin.biases == "qkv_flag" and reader.flag("qkv_bias", True))
    window, windowed = _window(reader, kin, layers)
    intermediate = reader.number("intermediate_size")
    experts, active, expert_width, shared, sparse = 0, 0, 0, 0, 0
    if kin.experts == "mixtral":
        experts, active = reader.number("num_local_experts"), reader.number("num_experts_per_tok")
        expert_width, sparse = intermediate, layers
    elif kin.experts == "qwen":
        experts = reader.number("num_experts", "num_local_experts")
        active = reader.number("num_experts_per_tok")
        expert_width = reader.number("moe_intermediate_size")
        shared = reader.number("shared_expert_intermediate_size") if kind == "qwen2_moe" else 0
        step, dense = reader.number("decoder_sparse_step", default=1), reader.items("mlp_only_layers")
        sparse = sum((layer + 1) % step == 0 and layer not in dense for layer in range(layers))
    return ModelShape(
        architecture=reader.architecture(),
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=reader.number("num_key_value_heads", default=heads if kin.kv_heads_optional else None),
        head_dim=reader.number("head_dim", default=head_dim or reader.per_head(hidden, heads)),
        intermediate=intermediate,
        vocab=reader.number("vocab_size"),
        tied=reader.flag("tie_word_embeddings", kin.tied),
        qkv_bias=all_biases or input_biases,
        output_bias=all_biases,
        mlp_bias=kind == "llama" and reader.flag("mlp_bias", False),
        norms_per_layer=kin.norms_per_layer,
        head_norms=kin.head_norms,
        sliding_window=window,
        windowed_layers=windowed,
        experts=experts,
        active_experts=active,
        expert_intermediate=expert_width,
        shared_intermediate=shared,
        sparse_layers=sparse,
    )


def _window(reader: _Reader, kin: _Kin, layers: int) -> tuple[int | None, int]:
    """Sliding window and how many layers have one.

    Where the file doesn't say which layers, all of them count: that keeps the bytes a lower bound.
    """
    if kin.window_switch and not reader.flag("use_sliding_window", False):
        return None, 0
    if "sliding_window" in reader.config and reader.config["sliding_window"] is None:
        return None, 0
    if "sliding_window" not in reader.config and kin.window is None:
        return None, 0
    window = reader.number("sliding_window", default=kin.window)
    types = reader.items("layer_types")
    if types:
        return window, types[:layers].count("sliding_attention")
    if kin.full_every:
        return window, layers - layers // reader.number("sliding_window_pattern", default=kin.full_every)
    return window, layers


def _gpt2(reader: _Reader) -> ModelShape:
    hidden, heads = reader.number("n_embd"), reader.number("n_head")
    return ModelShape(
        architecture=reader.architecture(),
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


def _opt(reader: _Reader) -> ModelShape:
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
        architecture=reader.architecture(),
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
