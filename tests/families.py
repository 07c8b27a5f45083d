"""Tiny models of many families with seeded random weights, as folders that the lanes take: small windows, so that short prompts
are longer than they."""

from __future__ import annotations

import contextlib
import io
import shutil
from pathlib import Path
from typing import Any

WINDOW = 16
VOCABULARY = 512  # of the tiny model, whose tokenizer they get
_ENDS = dict(bos_token_id=1, eos_token_id=2, pad_token_id=0)
_PLAIN = dict(
    hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=256
)
_GQA = dict(_PLAIN, num_key_value_heads=2)
_OLD = dict(n_embd=64, n_layer=2, n_head=4, n_positions=256)
_MIXED = ["sliding_attention", "full_attention"]
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": _GQA,
    "mistral": dict(_GQA, sliding_window=WINDOW),
    "phi3": dict(_GQA, sliding_window=WINDOW),
    "qwen2": dict(_GQA, use_sliding_window=True, sliding_window=WINDOW, max_window_layers=1),
    "gemma2": dict(_GQA, tie_word_embeddings=False, head_dim=32, sliding_window=WINDOW),
    "gemma3_text": dict(_GQA, tie_word_embeddings=False, head_dim=32, sliding_window=WINDOW, layer_types=_MIXED),
    "cohere2": dict(_GQA, sliding_window=WINDOW, layer_types=_MIXED),
    "gpt_oss": dict(
        _GQA, head_dim=16, sliding_window=WINDOW, num_local_experts=4, num_experts_per_tok=2, layer_types=_MIXED
    ),
    "mixtral": dict(_GQA, num_local_experts=4),
    "stablelm": _GQA,
    "gpt_neox": _PLAIN,
    "deepseek_v2": dict(
        _PLAIN,
        kv_lora_rank=16,
        q_lora_rank=None,
        qk_rope_head_dim=8,
        qk_nope_head_dim=8,
        v_head_dim=16,
        n_routed_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=32,
        n_shared_experts=1,
        first_k_dense_replace=1,
    ),
    "falcon": dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, bias=False),
    "falcon with biases for distance": dict(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=4, bias=False, alibi=True, parallel_attn=False
    ),
    "bloom": dict(hidden_size=64, n_layer=2, n_head=4),
    "mpt": dict(d_model=64, n_layers=2, n_heads=4, max_seq_len=256),
    "gptj": dict(_OLD, rotary_dim=8),
    "codegen": dict(_OLD, rotary_dim=8, n_ctx=256),
    "gpt2": _OLD,
    "gpt_neo": dict(
        hidden_size=64,
        num_layers=2,
        num_heads=4,
        attention_types=[[["global", "local"], 1]],
        window_size=WINDOW,
        max_position_embeddings=256,
    ),
    "xglm": dict(d_model=64, ffn_dim=128, num_layers=2, attention_heads=4, max_position_embeddings=256),
    "mamba": dict(hidden_size=64, num_hidden_layers=2, state_size=8),
}


def write_family(family: str, folder: Path, tokenizer: Path, spread: float = 6.0) -> Path:
    """Write a model of the family into `folder`, with the tokenizer of the folder `tokenizer`. Its matrices are
    `spread` times what transformers draws: as drawn, attention bears too little on the logits for a wrong mask to show."""
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(
        family.partition(" ")[0], vocab_size=VOCABULARY, **_ENDS, **FAMILIES[family]
    )
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.mul_(spread)
    with contextlib.redirect_stderr(io.StringIO()):
        model.save_pretrained(folder)
    for file in tokenizer.glob("tokenizer*"):
        shutil.copy(file, folder)
    return folder
