"""Tiny models of the families that the tuned decoder knows, with seeded weights, as folders that transformers wrote and with a
config.json in the spelling of the Hub's files (transformers 4; 5 reads it too)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SIZES = {
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
LONGROPE = {"type": "longrope", "short_factor": [1.0, 1.5, 2.0, 1.2, 1.1, 3.0], "long_factor": [4.0] * 6}
GEMMA3: dict[str, Any] = {
    "head_dim": 32,
    "query_pre_attn_scalar": 24,
    "sliding_window": 64,
    "sliding_window_pattern": 2,
    "rope_theta": 5000.0,
    "rope_local_base_freq": 50.0,
    "rope_scaling": {"rope_type": "linear", "factor": 8.0},
}
# Each setting of a family's own is at a value that bears on the ids.
TINY: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {"rope_scaling": {"rope_type": "linear", "factor": 2.0}}),
    "mistral": ("mistral", {"head_dim": 32, "sliding_window": 64}),
    "qwen2": ("qwen2", {"tie_word_embeddings": True}),
    "qwen3": ("qwen3", {"head_dim": 32, "rope_theta": 500.0}),
    "granite": (
        "granite",
        {
            "embedding_multiplier": 12.0,
            "attention_multiplier": 0.11,
            "residual_multiplier": 0.3,
            "logits_scaling": 8.0,
            "tie_word_embeddings": True,
        },
    ),
    "gemma": ("gemma", {"head_dim": 32}),
    "gemma2": (
        "gemma2",
        {
            "head_dim": 32,
            "query_pre_attn_scalar": 24,
            "attn_logit_softcapping": 2.0,
            "final_logit_softcapping": 3.0,
            "sliding_window": 64,
        },
    ),
    "gemma3": ("gemma3_text", {**GEMMA3, "final_logit_softcapping": 3.0}),
    "phi3": ("phi3", {}),
    "phi4-mini": (
        "phi3",
        {
            "partial_rotary_factor": 0.75,
            "rope_scaling": LONGROPE,
            "original_max_position_embeddings": 32,
            "max_position_embeddings": 256,
            "tie_word_embeddings": True,
        },
    ),
    "smollm3": ("smollm3", {"no_rope_layer_interval": 2}),
    "smollm3-untied": ("smollm3", {"no_rope_layers": [0, 1, 1], "tie_word_embeddings": False}),
    "olmo2": ("olmo2", {"rope_theta": 500.0}),
}


def config_of(name: str) -> dict[str, Any]:
    kind, own = TINY[name]
    return {"model_type": kind, **SIZES, **own}


def write_tiny(folder: Path, config: dict[str, Any], seed: int) -> Any:
    """Write the model and return it as transformers loads it."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    own = json.loads(json.dumps(config))
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(own.pop("model_type"), **own))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            # Gemma's norms lie around 0, and the others' around 1.
            around = 1.0 if "norm" in name and "gemma" not in config["model_type"] else 0.0
            weight.copy_(around + torch.randn_like(weight) * (0.3 if "norm" in name else 0.12))
    model.tie_weights()
    model.save_pretrained(folder)
    architectures = json.loads((folder / "config.json").read_text())["architectures"]
    (folder / "config.json").write_text(json.dumps({**config, "architectures": architectures}))
    return loaded(folder)


def loaded(folder: Path) -> Any:
    """transformers' own. Its SDPA leaves Gemma 2's cap of the scores out (4.57) or is refused for it (5)."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()


def greedy(model: Any, prompts: list[list[int]], new_tokens: int) -> list[list[int]]:
    import torch
    from transformers import GenerationConfig

    ids = torch.tensor(prompts)
    asked = GenerationConfig(max_new_tokens=new_tokens, min_new_tokens=new_tokens, do_sample=False, pad_token_id=0)
    with torch.no_grad():
        output = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=asked)
    return [row[len(prompt) :] for row, prompt in zip(output.tolist(), prompts)]
