"""Weights under their names in a TensorRT-LLM checkpoint, from and to those of Hugging Face."""

from __future__ import annotations

from typing import Any

import torch

Tensors = dict[str, torch.Tensor]

# TensorRT-LLM's linear layers of one transformer layer: name there, names in the model's code (fused ones listed).
LINEARS = {
    "llama": {
        "attention.qkv": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
        "attention.dense": ["self_attn.o_proj"],
        "mlp.fc": ["mlp.gate_proj"],
        "mlp.gate": ["mlp.up_proj"],
        "mlp.proj": ["mlp.down_proj"],
    },
    "opt": {
        "attention.qkv": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
        "attention.dense": ["self_attn.out_proj"],
        "mlp.fc": ["fc1"],
        "mlp.proj": ["fc2"],
    },
    "gpt2": {
        "attention.qkv": ["attn.c_attn"],
        "attention.dense": ["attn.c_proj"],
        "mlp.fc": ["mlp.c_fc"],
        "mlp.proj": ["mlp.c_proj"],
    },
}
NORMS = {
    "llama": {"input_layernorm": "input_layernorm", "post_layernorm": "post_attention_layernorm"},
    "opt": {"input_layernorm": "self_attn_layer_norm", "post_layernorm": "final_layer_norm"},
    "gpt2": {"input_layernorm": "ln_1", "post_layernorm": "ln_2"},
}
LAYERS = {"llama": "model.layers", "opt": "model.decoder.layers", "gpt2": "transformer.h"}
OUTER = {
    "llama": {"vocab_embedding": "model.embed_tokens", "ln_f": "model.norm"},
    "opt": {
        "vocab_embedding": "model.decoder.embed_tokens",
        "position_embedding": "model.decoder.embed_positions",
        "ln_f": "model.decoder.final_layer_norm",
    },
    "gpt2": {
        "vocab_embedding": "transformer.wte",
        "position_embedding": "transformer.wpe",
        "ln_f": "transformer.ln_f",
    },
}
FAMILIES = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "llama",
    "OPTForCausalLM": "opt",
    "GPT2LMHeadModel": "gpt2",
}
OPT_POSITION_OFFSET = 2  # OPT's position embedding has two rows in front that no position uses


def linear_prefixes(family: str, layers: int) -> list[tuple[str, list[str]]]:
    """Every linear layer that gets quantised: its prefix in a checkpoint, its modules in the model."""
    return [
        (f"transformer.layers.{layer}.{name}", [f"{LAYERS[family]}.{layer}.{module}" for module in modules])
        for layer in range(layers)
        for name, modules in LINEARS[family].items()
    ]


def _normalised(family: str, tensors: Tensors) -> Tensors:
    """Put the prefix of the language model class before names saved from the bare model."""
    outer, inner = {"llama": ("model.", "model."), "opt": ("model.", "decoder."), "gpt2": ("transformer.", "h.")}[
        family
    ]
    bare = not any(name.startswith(outer) for name in tensors) and any(name.startswith(inner) for name in tensors)
    return {outer + name: value for name, value in tensors.items()} if bare else tensors


def to_checkpoint(family: str, layers: int, tensors: Tensors) -> Tensors:
    """Rename, fuse and (GPT-2's Conv1D) transpose a Hugging Face model's weights; dtypes stay."""
    source = _normalised(family, tensors)
    result: Tensors = {}
    for prefix, modules in linear_prefixes(family, layers):
        for kind in ("weight", "bias"):
            parts = [source[f"{module}.{kind}"] for module in modules if f"{module}.{kind}" in source]
            if parts:
                joined = torch.cat(parts, dim=0) if len(parts) > 1 else parts[0]
                transposed = family == "gpt2" and kind == "weight"
                result[f"{prefix}.{kind}"] = (joined.t() if transposed else joined).contiguous()
    for layer in range(layers):
        for name, module in NORMS[family].items():
            for kind in ("weight", "bias"):
                value = source.get(f"{LAYERS[family]}.{layer}.{module}.{kind}")
                if value is not None:
                    result[f"transformer.layers.{layer}.{name}.{kind}"] = value
    for name, module in OUTER[family].items():
        for kind in ("weight", "bias"):
            if f"{module}.{kind}" in source:
                result[f"transformer.{name}.{kind}"] = source[f"{module}.{kind}"]
    embedding = result["transformer.vocab_embedding.weight"]
    result["lm_head.weight"] = source.get("lm_head.weight", embedding).clone()
    if family == "opt":
        positions = result["transformer.position_embedding.weight"]
        result["transformer.position_embedding.weight"] = positions[OPT_POSITION_OFFSET:].contiguous()
        if "model.decoder.project_in.weight" in source:
            into, out = (source[f"model.decoder.project_{way}.weight"].float() for way in ("in", "out"))
            result["lm_head.weight"] = (embedding.float() @ out).to(embedding.dtype)
            result["transformer.vocab_embedding.weight"] = (embedding.float() @ into.t()).to(embedding.dtype)
    return result


def from_checkpoint(family: str, config: dict[str, Any], tensors: Tensors) -> Tensors:
    """Undo `to_checkpoint` for tensors that are no longer quantised."""
    layers = config["num_hidden_layers"]
    heads, kv_heads = config["num_attention_heads"], config.get("num_key_value_heads") or config["num_attention_heads"]
    size = config.get("head_size") or config["hidden_size"] // heads
    result: Tensors = {}
    for prefix, modules in linear_prefixes(family, layers):
        for kind in ("weight", "bias"):
            value = tensors.get(f"{prefix}.{kind}")
            if value is None:
                continue
            if len(modules) == 3:
                parts = value.split([heads * size, kv_heads * size, kv_heads * size], dim=0)
            else:
                parts = (value.t() if family == "gpt2" and kind == "weight" else value,)
            for module, part in zip(modules, parts, strict=True):
                result[f"{module}.{kind}"] = part.contiguous()
    for layer in range(layers):
        for name, module in NORMS[family].items():
            for kind in ("weight", "bias"):
                value = tensors.get(f"transformer.layers.{layer}.{name}.{kind}")
                if value is not None:
                    result[f"{LAYERS[family]}.{layer}.{module}.{kind}"] = value
    for name, module in OUTER[family].items():
        for kind in ("weight", "bias"):
            value = tensors.get(f"transformer.{name}.{kind}")
            if value is not None:
                result[f"{module}.{kind}"] = value
    if family == "opt":
        positions = result["model.decoder.embed_positions.weight"]
        unused = torch.zeros(OPT_POSITION_OFFSET, positions.shape[1], dtype=positions.dtype)
        result["model.decoder.embed_positions.weight"] = torch.cat([unused, positions])
    result["lm_head.weight"] = tensors["lm_head.weight"]
    return result
