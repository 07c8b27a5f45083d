"""The families of models whose arithmetic the tuned decoder has, and what their config.json means for it.

A setting of transformers' configuration class is computed, refused by name, or without effect on what comes out; a test
holds the three lists against the classes. What a file leaves out is what transformers takes then.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from trtbench.errors import Unsupported
from trtbench.lanes.tuned import rotary
from trtbench.lanes.tuned.decoder import Config
from trtbench.model import files as model_files

ACTIVATIONS = ("silu", "gelu_pytorch_tanh")
# Refused where they are set, by their names.
REFUSED = ("attention_bias", "mlp_bias", "use_bidirectional_attention")
# Of transformers' classes, without effect on greedy or drawn ids: training, ids that a workload gives by itself, lengths that no
# computed rotary embedding asks for, whether a cache is kept.
WITHOUT_EFFECT = (
    "attention_dropout",
    "bos_token_id",
    "embd_pdrop",
    "eos_token_id",
    "initializer_range",
    "max_position_embeddings",
    "pad_token_id",
    "pretraining_tp",
    "resid_pdrop",
    "use_cache",
)

_LLAMA = {
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": None,
    "head_dim": None,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False,
    "rope_theta": 10000.0,
    "rope_scaling": None,
    "rope_parameters": None,
}
_QWEN = {
    **_LLAMA,
    "vocab_size": 151936,
    "intermediate_size": 22016,
    "num_key_value_heads": 32,
    "use_sliding_window": False,
    "sliding_window": 4096,
    "max_window_layers": 28,
    "layer_types": None,
}
_GEMMA = {
    **_LLAMA,
    "vocab_size": 256000,
    "hidden_size": 3072,
    "intermediate_size": 24576,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "head_dim": 256,
    "hidden_act": "gelu_pytorch_tanh",
    "tie_word_embeddings": True,
}
_GEMMA2 = {
    **{name: value for name, value in _GEMMA.items() if name != "hidden_act"},
    "hidden_size": 2304,
    "intermediate_size": 9216,
    "num_hidden_layers": 26,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "hidden_activation": "gelu_pytorch_tanh",
    "query_pre_attn_scalar": 256,
    "sliding_window": 4096,
    "layer_types": None,
    "final_logit_softcapping": 30.0,
    "attn_logit_softcapping": 50.0,
}
_NORMS = ("input_layernorm", None, "post_attention_layernorm", None)


@dataclasses.dataclass(frozen=True)
class Family:
    """`defaults`: the settings that are computed, with what transformers takes where a file is silent. `norms`: before attention,
    after it, before the MLP, after it. `offset`: what is added to a norm's weight; None: Llama's way of rounding."""

    defaults: Mapping[str, Any]
    norms: tuple[str | None, str | None, str | None, str | None] = _NORMS
    offset: float | None = None
    head_norms: bool = False
    bias: bool = False
    fused: bool = False  # one matrix for Q, K and V, one for gate and up
    refused: tuple[str, ...] = ()


_AROUND = (
    "input_layernorm",
    "post_attention_layernorm",
    "pre_feedforward_layernorm",
    "post_feedforward_layernorm",
)
FAMILIES: dict[str, Family] = {
    "llama": Family(_LLAMA),
    "mistral": Family({**_LLAMA, "intermediate_size": 14336, "num_key_value_heads": 8, "sliding_window": 4096}),
    "qwen2": Family(_QWEN, bias=True),
    "qwen3": Family({**_QWEN, "head_dim": 128}, head_norms=True),
    "granite": Family(
        {
            **_LLAMA,
            "embedding_multiplier": 1.0,
            "attention_multiplier": 1.0,
            "residual_multiplier": 1.0,
            "logits_scaling": 1.0,
        }
    ),
    "gemma": Family(_GEMMA, offset=1.0),
    "gemma2": Family(_GEMMA2, _AROUND, offset=1.0),
    "gemma3_text": Family(
        {
            **{name: value for name, value in _GEMMA2.items() if name != "attn_logit_softcapping"},
            "vocab_size": 262208,
            "rope_theta": 1_000_000.0,
            "rope_local_base_freq": 10_000.0,
            "sliding_window_pattern": 6,
            "final_logit_softcapping": None,
        },
        _AROUND,
        offset=1.0,
        head_norms=True,
        refused=("attn_logit_softcapping",),  # transformers reads it and does not compute it
    ),
    "phi3": Family(
        {
            **_LLAMA,
            "vocab_size": 32064,
            "hidden_size": 3072,
            "intermediate_size": 8192,
            "rms_norm_eps": 1e-5,
            "max_position_embeddings": 4096,
            "original_max_position_embeddings": 4096,
            "partial_rotary_factor": 1.0,
            "sliding_window": None,
        },
        fused=True,
    ),
    "smollm3": Family(
        {
            **_LLAMA,
            "vocab_size": 128256,
            "hidden_size": 2048,
            "num_hidden_layers": 36,
            "num_attention_heads": 16,
            "num_key_value_heads": 4,
            "tie_word_embeddings": True,
            "rope_theta": 2_000_000.0,
            "use_sliding_window": False,
            "sliding_window": None,
            "no_rope_layers": None,
            "no_rope_layer_interval": 4,
            "layer_types": None,
        }
    ),
    "olmo2": Family(
        {**_LLAMA, "vocab_size": 50304, "rms_norm_eps": 1e-5},
        (None, "post_attention_layernorm", None, "post_feedforward_layernorm"),
        offset=0.0,
        head_norms=True,
    ),
}


def read_config(folder: Path, longest: int, dtype: torch.dtype = torch.float32) -> Config:
    """Read config.json for cells of up to `longest` ids and weights in `dtype`; Unsupported names what is not computed."""
    raw = model_files.read_config(folder)
    if raw.get("quantization_config") is not None:
        raise Unsupported("pytorch-tuned does not read quantised weights")
    if raw.get("model_type") == "gemma3":
        raw = _text_of(raw)
    kind = raw.get("model_type")
    family = FAMILIES.get(str(kind))
    if kind is None or family is None:
        raise Unsupported(f"pytorch-tuned has its own decoder for {', '.join(FAMILIES)}, and this model is {kind}")
    for name in (*REFUSED, *family.refused):
        if raw.get(name):
            raise Unsupported(f"pytorch-tuned does not compute a model with {name}={raw[name]!r}")
    raw = {**family.defaults, **raw}
    name = "hidden_activation" if "hidden_activation" in family.defaults else "hidden_act"
    if kind == "gemma" and raw[name] == "gelu" and _takes_tanh():
        raw[name] = "gelu_pytorch_tanh"
    if raw[name] not in ACTIVATIONS:
        raise Unsupported(f"pytorch-tuned does not compute a model with {name}={raw[name]!r}")
    types = layer_types(kind, raw)
    _check_window(raw, types, longest)
    heads = raw["num_attention_heads"]
    size = raw.get("head_dim") or raw["hidden_size"] // heads
    config = Config(
        layers=raw["num_hidden_layers"],
        hidden=raw["hidden_size"],
        heads=heads,
        kv_heads=raw["num_key_value_heads"] or heads,
        half=size // 2,
        intermediate=raw["intermediate_size"],
        vocab=raw["vocab_size"],
        eps=raw["rms_norm_eps"],
        tied=raw["tie_word_embeddings"],
        bias=family.bias,
        kind=kind,
        activation=raw[name],
        **_rotary_of(kind, raw, types, size, longest),
        **_multipliers(kind, raw, dtype),
    )
    return dataclasses.replace(config, beyond_llama=_beyond_llama(config, family))


def _takes_tanh() -> bool:
    """Whether the installed transformers computes the tanh form for a Gemma 1 that says gelu, as its first files do and as they
    mean it: from 5 on; 4 computes the exact one."""
    return int(importlib.metadata.version("transformers").split(".")[0]) >= 5


def _text_of(raw: dict[str, Any]) -> dict[str, Any]:
    """The language model of a Gemma 3 that also sees; transformers runs it without a cap of the logits."""
    text = {"model_type": "gemma3_text", **(raw.get("text_config") or {})}
    if text.get("final_logit_softcapping"):
        raise Unsupported("pytorch-tuned does not compute a gemma3 with final_logit_softcapping in its text_config")
    tied = {part.get("tie_word_embeddings", True) for part in (raw, text)}
    if len(tied) > 1:
        raise Unsupported(
            "pytorch-tuned does not compute a gemma3 whose text_config has a tie_word_embeddings of its own"
        )
    return {**text, "tie_word_embeddings": tied.pop()}


def layer_types(kind: str, raw: dict[str, Any]) -> list[str]:
    """full_attention or sliding_attention for each layer, as transformers takes them from the settings."""
    count, window = raw["num_hidden_layers"], raw.get("sliding_window")
    if kind in ("mistral", "phi3"):
        return ["full_attention" if window is None else "sliding_attention"] * count
    if "layer_types" not in FAMILIES[kind].defaults:
        return ["full_attention"] * count
    if raw["layer_types"] is not None:
        types = raw["layer_types"]
        if len(types) != count or not set(types) <= {"full_attention", "sliding_attention"}:
            raise Unsupported(f"pytorch-tuned does not compute a model with layer_types={types!r}")
        return list(types)
    used = window is not None and raw.get("use_sliding_window", True)
    if kind == "gemma2":
        slides = [(i + 1) % 2 != 0 for i in range(count)]
    elif kind == "gemma3_text":
        slides = [(i + 1) % raw["sliding_window_pattern"] != 0 for i in range(count)]
    elif kind == "smollm3":
        slides = [used and not turned for turned in _turned_layers(raw)]
    else:
        slides = [used and i >= raw["max_window_layers"] for i in range(count)]
    return ["sliding_attention" if slide else "full_attention" for slide in slides]


def _turned_layers(raw: dict[str, Any]) -> list[int]:
    """SmolLM3: 1 for each layer that turns its heads, 0 for one that does not."""
    given = raw["no_rope_layers"]
    count, interval = raw["num_hidden_layers"], raw["no_rope_layer_interval"]
    return list(given[:count]) if given is not None else [int((i + 1) % interval != 0) for i in range(count)]


def _check_window(raw: dict[str, Any], types: list[str], longest: int) -> None:
    if "sliding_attention" not in types:
        return
    window = raw.get("sliding_window")
    if window is None or not raw.get("use_sliding_window", True):
        raise Unsupported(
            "pytorch-tuned does not compute layer_types with sliding_attention and no sliding_window in use"
        )
    if window < longest:
        raise Unsupported(f"pytorch-tuned has no sliding window; this model's is {window}, the longest cell {longest}")


def _rotary_of(kind: str, raw: dict[str, Any], types: list[str], size: int, longest: int) -> dict[str, Any]:
    """The fields of `Config` that say how heads are turned."""
    if kind == "phi3":
        return rotary.phi3(raw, size, longest)._asdict()
    if kind == "gemma3_text":
        each = rotary.by_kind_of_layer(raw, types, size)
        return {"frequencies": each[0], "by_layer": each if len(set(each)) > 1 else ()}
    frequencies = rotary.plain(rotary.settings_of(raw), size).frequencies
    if kind != "smollm3" or all(turned := _turned_layers(raw)):
        return {"frequencies": frequencies}
    still = (0.0,) * len(frequencies)
    return {"frequencies": frequencies, "by_layer": tuple(frequencies if turn else still for turn in turned)}


def _multipliers(kind: str, raw: dict[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    """The fields of `Config` that scale or cap."""
    if kind == "granite":
        return {
            "embedding_scale": float(raw["embedding_multiplier"]),
            "query_scale": float(raw["attention_multiplier"]),
            "residual_scale": float(raw["residual_multiplier"]),
            "logits_divisor": float(raw["logits_scaling"]),
        }
    if not kind.startswith("gemma"):
        return {}
    # Rounded to the weights' kind of number first, as transformers does.
    scaled: dict[str, Any] = {"embedding_scale": torch.tensor(raw["hidden_size"] ** 0.5, dtype=dtype).item()}
    if "query_pre_attn_scalar" in raw and kind != "gemma":
        scaled["query_scale"] = raw["query_pre_attn_scalar"] ** -0.5
        scaled["logits_cap"] = raw["final_logit_softcapping"]
    if kind == "gemma2":
        scaled["score_cap"] = raw["attn_logit_softcapping"]
    return scaled


def _beyond_llama(config: Config, family: Family) -> tuple[str, ...]:
    """What a decode step of this model has beyond a Llama's; tables of cosine and sine and the weights of norms are not that."""
    beyond = {
        "norms of queries and keys": family.head_norms,
        "norms after attention and MLP": family.norms[1] is not None,
        config.activation: config.activation != "silu",
        "a scale of the embedding": config.embedding_scale != 1,
        "a scale of the scores": config.scale != (2 * config.half) ** -0.5,
        "a scale of the residuals": config.residual_scale != 1,
        "a divisor of the logits": config.logits_divisor != 1,
        "a cap of the scores": config.score_cap is not None,
        "a cap of the logits": config.logits_cap is not None,
    }
    return tuple(name for name, there in beyond.items() if there)
