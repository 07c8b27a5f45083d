"""What the cards of a split model keep of each token, and which models can't be split."""

from __future__ import annotations

from typing import Any

import pytest

from trtbench.model import kv_cache

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "num_attention_heads": 8,
    "intermediate_size": 128,
    "vocab_size": 32,
}
DEEPSEEK: dict[str, Any] = {
    **LLAMA,
    "model_type": "deepseek_v2",
    "num_key_value_heads": 8,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "q_lora_rank": None,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "first_k_dense_replace": 1,
}


@pytest.mark.parametrize("model_type", ["llama", "unheard_of"])
@pytest.mark.parametrize(
    ("kv_heads", "ranks", "held"),  # heads that all ranks keep together
    [(8, 1, 8), (8, 4, 8), (4, 4, 4), (2, 4, 4), (1, 8, 8)],
)
def test_all_cards_together_keep_every_head_and_some_of_them_twice(
    model_type: str, kv_heads: int, ranks: int, held: int
) -> None:
    config = {**LLAMA, "model_type": model_type, "num_key_value_heads": kv_heads}
    assert (
        kv_cache.bytes_per_token_of(config, ranks=ranks) == 2 * 2 * held * 8 * 2
    )  # K and V, layers, heads, width, bytes


def test_a_latent_is_kept_whole_by_every_card() -> None:
    assert kv_cache.bytes_per_token_of(DEEPSEEK) == 2 * (16 + 4) * 2
    assert kv_cache.bytes_per_token_of(DEEPSEEK, ranks=4) == 4 * 2 * (16 + 4) * 2


def test_heads_that_so_many_cards_do_not_share_evenly_are_named() -> None:
    for ranks in (1, 2, 4, 8):
        assert kv_cache.unsplittable(LLAMA, ranks) == ""
    assert kv_cache.unsplittable(LLAMA, 3) == (
        "TP_SIZE=3 does not divide the 8 attention heads of this model; take a number of cards that does, or TP_SIZE=1"
    )
    assert "the 12 attention heads" in kv_cache.unsplittable({"n_head": 12}, 5)
    assert kv_cache.unsplittable({}, 2) == "", "not known, so left to the engine"
