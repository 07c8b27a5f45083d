"""Reading a model's shape from its config.json: one reader for Llama and its kin, others for the families that differ more.

Which keys a file may leave out and what then counts are transformers' own defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trtbench.errors import UserError
from trtbench.model.config_families import FAMILIES
from trtbench.model.config_reader import Reader, shown
from trtbench.model.config_sparse import SPARSE
from trtbench.model.shape import ModelShape


def from_config(config: Mapping[str, Any]) -> ModelShape:
    """The shape that the dict of a Hugging Face config.json describes.

    Raises UserError for an architecture that isn't known here, and for a missing or senseless value.
    """
    if not isinstance(config, Mapping):
        raise UserError("config.json holds no object; give the config.json of a Hugging Face model.")
    kind, decoder = _decoder(config)
    names = config.get("architectures")
    if names is not None and not isinstance(names, list):
        raise UserError(f"config.json has architectures={shown(names)}; a list is needed.")
    reader = Reader(decoder, _name(names[0] if names else config.get("model_type")))
    if kind in _OTHERS:
        shape = _OTHERS[kind](reader)
    elif kind in _KIN:
        shape = _llama_kin(reader, kind)
    else:
        known_kinds = ", ".join(sorted([*_KIN, *_OTHERS, *COMPOSITE]))
        raise UserError(
            f"A model of model_type={shown(config.get('model_type'))} can't be counted here; known are {known_kinds}."
        )
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
    mlp_bias: bool = False  # mlp_bias switches them
    norms_of: str = ""  # queries and keys are normalised: "head" by head, "all" at once
    window: int | None = None
    window_switch: bool = False  # the window counts only with use_sliding_window
    full_every: int | None = None  # every n-th layer attends to everything
    experts: str = ""  # "", mixtral, qwen
    missing: Mapping[str, int] = field(default_factory=dict)  # what counts for sizes that published files leave out


_KIN = {
    "llama": _Kin(biases="flag", kv_heads_optional=True, mlp_bias=True),
    "granite": _Kin(biases="flag", kv_heads_optional=True, mlp_bias=True),
    "smollm3": _Kin(tied=True, biases="flag", mlp_bias=True, window_switch=True),
    "olmo2": _Kin(biases="flag", kv_heads_optional=True, norms_of="all"),
    "olmo3": _Kin(biases="flag", kv_heads_optional=True, norms_of="all", window=4096, full_every=4),
    "mistral": _Kin(window=4096),
    "phi3": _Kin(kv_heads_optional=True),
    "qwen2": _Kin(biases="qkv", window=4096, window_switch=True),
    "qwen3": _Kin(biases="flag", head_dim=128, norms_of="head", window=4096, window_switch=True),
    "gemma": _Kin(tied=True, biases="flag", head_dim=256),
    "gemma2": _Kin(tied=True, biases="flag", head_dim=256, norms_per_layer=4, window=4096, full_every=2),
    "gemma3_text": _Kin(
        tied=True,
        biases="flag",
        head_dim=256,
        norms_per_layer=4,
        norms_of="head",
        window=4096,
        full_every=6,
        missing={"vocab_size": 262208, "num_attention_heads": 8, "num_key_value_heads": 4},
    ),
    "mixtral": _Kin(experts="mixtral"),
    "qwen2_moe": _Kin(biases="qkv_flag", window=4096, window_switch=True, experts="qwen"),
    "qwen3_moe": _Kin(biases="flag", norms_of="head", window=4096, window_switch=True, experts="qwen"),
}

# Models that see or hear beside what they read: the model_type of the decoder in their text_config, where it names none.
COMPOSITE = {"gemma3": "gemma3_text", "llama4": "llama4_text", "mistral3": "mistral"}
_OTHERS = {**FAMILIES, **SPARSE}


def _name(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)


def _decoder(config: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Which kind of decoder this is, and the part of the file that describes it; "" for none that could be named."""
    kind = config.get("model_type")
    if not isinstance(kind, str):
        return "", config
    text = config.get("text_config")
    if kind not in COMPOSITE:
        return kind, config
    if not isinstance(text, Mapping):
        raise UserError(f"config.json of model_type={shown(kind)} has text_config={shown(text)}; an object is needed.")
    named = text.get("model_type", COMPOSITE[kind])
    tied = {name: config[name] for name in ("tie_word_embeddings",) if name in config}
    return named if isinstance(named, str) else "", {**tied, **text}


def _llama_kin(reader: Reader, kind: str) -> ModelShape:
    kin = _KIN[kind]
    layers = reader.number("num_hidden_layers")
    hidden = reader.number("hidden_size")
    heads = reader.number("num_attention_heads", default=kin.missing.get("num_attention_heads"))
    kv_default = heads if kin.kv_heads_optional else kin.missing.get("num_key_value_heads")
    kv_heads = reader.number("num_key_value_heads", default=kv_default)
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
    head_dim = reader.number("head_dim", default=head_dim or reader.per_head(hidden, heads))
    normalised = {"": 0, "head": 2 * head_dim, "all": (heads + kv_heads) * head_dim}
    return ModelShape(
        architecture=reader.architecture,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        intermediate=intermediate,
        vocab=reader.number("vocab_size", default=kin.missing.get("vocab_size")),
        tied=reader.flag("tie_word_embeddings", kin.tied),
        qkv_bias=all_biases or input_biases,
        output_bias=all_biases,
        mlp_bias=kin.mlp_bias and reader.flag("mlp_bias", False),
        norms_per_layer=kin.norms_per_layer,
        attention_vectors=normalised[kin.norms_of],
        sliding_window=window,
        windowed_layers=windowed,
        experts=experts,
        active_experts=active,
        expert_intermediate=expert_width,
        shared_intermediate=shared,
        sparse_layers=sparse,
    )


def _window(reader: Reader, kin: _Kin, layers: int) -> tuple[int | None, int]:
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
    windowed = layers
    if kin.full_every:
        windowed -= layers // reader.number("sliding_window_pattern", default=kin.full_every)
    return window, reader.layers_of("sliding_attention", layers, windowed)
