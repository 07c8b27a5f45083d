"""SamplingParams with the contract's fields, defaults and checks."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from tensorrt_llm._standin.contract import fields


class _Behaviour:
    """Checks and fillings of the real class that bear on greedy decoding of a fixed length."""

    __slots__ = ()

    def __post_init__(self: Any) -> None:
        if self.pad_id is None:
            self.pad_id = self.end_id
        self.best_of = self.best_of or self.n
        if self.top_p is not None and not 0 <= self.top_p <= 1:
            raise ValueError(f"require 0 <= top_p <= 1, got top_p={self.top_p}")
        if self.top_k is not None and self.top_k < 0:
            raise ValueError(f"require top_k >= 0, got top_k={self.top_k}")
        if self.temperature is not None and self.temperature < 0:
            raise ValueError(f"require temperature >= 0, got temperature={self.temperature}")
        if self.best_of < self.n:
            raise ValueError(f"best_of ({self.best_of}) cannot be less than n ({self.n})")
        if self.best_of > 1 and self._greedy_decoding and not os.environ.get("TLLM_ALLOW_N_GREEDY_DECODING"):
            raise ValueError(
                f"Greedy decoding in the LLM API does not allow multiple returns. Please set to best_of=1, got "
                f"best_of={self.best_of}."
            )
        if self.truncate_prompt_tokens is not None and self.truncate_prompt_tokens < 1:
            raise ValueError(f"truncate_prompt_tokens must be >= 1, got {self.truncate_prompt_tokens}")

    @property
    def _greedy_decoding(self: Any) -> bool:
        unset = self.temperature is None and self.top_p is None and self.top_k is None
        greedy = unset or self.top_k == 1 or self.top_p == 0.0 or self.temperature == 0
        return bool(greedy) and not self.use_beam_search

    def _setup(self: Any, tokenizer: Any) -> None:
        """Fill end_id and pad_id from the tokenizer, as happens when end_id was not given."""
        self.end_id = tokenizer.eos_token_id
        self.pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else self.end_id


SamplingParams: Any = dataclasses.make_dataclass(
    "SamplingParams",
    [
        (name, row["type"], dataclasses.field(default=row["default"]))
        for name, row in fields("tensorrt_llm.SamplingParams").items()
    ],
    bases=(_Behaviour,),
    kw_only=True,
    slots=True,
)
SamplingParams.__module__ = __name__

# Fields that the stand-in acts on; another value than the default elsewhere would be silently ignored.
IMPLEMENTED = {
    "end_id",
    "pad_id",
    "max_tokens",
    "n",
    "best_of",
    "top_k",
    "top_p",
    "temperature",
    "seed",
    "min_tokens",
    "stop_token_ids",
    "return_perf_metrics",
    "ignore_eos",
    "detokenize",
    "add_special_tokens",
    "skip_special_tokens",
}


def refuse_unimplemented(params: Any) -> None:
    """Raise NotImplementedError for a field whose effect the stand-in doesn't have."""
    for name, row in fields("tensorrt_llm.SamplingParams").items():
        if name not in IMPLEMENTED and getattr(params, name) != row["default"]:
            raise NotImplementedError(f"the stand-in does not implement SamplingParams.{name}")
    if params.n != 1 or params.best_of != 1:
        raise NotImplementedError("the stand-in does not implement more than one output per request")
