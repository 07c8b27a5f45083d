"""Decoding on the CPU with the model's own code: one batch of equally long prompts at a time."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch


class Decoder:
    """Steps a transformers model; with reuse on, a repeated batch of prompts starts from its cached blocks."""

    def __init__(self, model: Any, reuse: bool, tokens_per_block: int) -> None:
        self._model = model
        self._reuse = reuse
        self._block = tokens_per_block
        self._cached: dict[tuple[tuple[int, ...], ...], Any] = {}
        self.reused_tokens = 0
        self.vocabulary = int(model.config.vocab_size)

    def cache_bytes_per_token(self) -> int:
        """Bytes of keys and values per token of one sequence."""
        config = self._model.config
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        return int(config.num_hidden_layers * heads * size * 2 * self._model.dtype.itemsize)

    def steps(self, batch: list[dict[str, Any]]) -> Iterator[list[int]]:
        """Yield the chosen ids of every step, one a request, without end."""
        from transformers import DynamicCache

        prompts = [request["prompt"] for request in batch]
        key = tuple(map(tuple, prompts))
        cache = copy.deepcopy(self._cached[key]) if key in self._cached else DynamicCache()
        self.reused_tokens = cache.get_seq_length()
        generators = [torch.Generator().manual_seed(request["seed"] or 0) for request in batch]
        pending = torch.tensor(prompts)[:, self.reused_tokens :]
        first = True
        while True:
            with torch.inference_mode():
                output = self._model(input_ids=pending, past_key_values=cache, use_cache=True)
            logits = output.logits[:, -1, :].float()
            if first and self._reuse:
                self._keep(key, cache)
            first = False
            chosen = [
                _choose(row, request, generator)
                for row, request, generator in zip(logits, batch, generators, strict=True)
            ]
            yield chosen
            pending = torch.tensor(chosen).unsqueeze(1)

    def _keep(self, key: tuple[tuple[int, ...], ...], cache: Any) -> None:
        """Keep the prompt's full blocks, but never its last token, which has to be computed again."""
        length = (len(key[0]) - 1) // self._block * self._block
        if length:
            kept = copy.deepcopy(cache)
            # Negative means how many to drop, which is the form that transformers 4.57 and 5 share.
            if kept.get_seq_length() > length:
                kept.crop(length - kept.get_seq_length())
            self._cached[key] = kept
            while len(self._cached) > 8:
                del self._cached[next(iter(self._cached))]


def _choose(logits: torch.Tensor, request: dict[str, Any], generator: torch.Generator) -> int:
    if request["greedy"]:
        return int(logits.argmax())
    probabilities = torch.softmax(logits / (request["temperature"] or 1.0), dim=-1)
    ordered, ids = probabilities.sort(descending=True)
    keep = torch.ones_like(ordered, dtype=torch.bool)
    if request["top_k"]:
        keep[request["top_k"] :] = False
    if request["top_p"]:
        keep &= ordered.cumsum(0) - ordered < request["top_p"]
    ordered = torch.where(keep, ordered, torch.zeros_like(ordered))
    return int(ids[torch.multinomial(ordered, 1, generator=generator)])
