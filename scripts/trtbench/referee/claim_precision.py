"""How the weights and the KV cache of a claim are stored, by what was said of it: never more bits than that says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from trtbench.errors import UserError
from trtbench.model.config_packed import FEWEST, bits_of, packed_bits
from trtbench.referee import roofline
from trtbench.referee.claim_formats.numbers import UNSAID

_UNSAID = UNSAID | {"auto", "default"}
_QUANTISED = 16  # an element of fewer bits is a quantised one
_CACHE = 8  # bits of a quantised model's KV cache where nobody says them: engines quantise it along with the weights


def of_config(config: Mapping[str, Any]) -> roofline.Precision:
    """How config.json says that weights are stored: in the bits of its quantisation, else in float16."""
    bits = packed_bits(config)
    if bits is None:
        return roofline.precision("float16")
    method = str(config["quantization_config"].get("quant_method", "quantised"))[:40]
    return _packed(f"{method} ({bits:g} {'bit' if bits == 1 else 'bits'})", bits)


def of_row(
    words: str | None, cache: Sequence[str], default: roofline.Precision, said: bool
) -> tuple[roofline.Precision, str | None]:
    """The precision of a row that says `words` of its weights and `cache` of keys and values, and the words where they are not
    known. `default` is for rows that say nothing and, where the user `said` it, for words that nobody knows."""
    precision, unknown = default, None
    word = (words or "").strip().removeprefix("torch.")
    if word.lower() not in _UNSAID:
        known = _known(word)
        unknown = None if known or said else word
        precision = known or (default if said else _packed(f"{FEWEST:g} bit", FEWEST))
    kept = [word for word in (part.strip().removeprefix("torch.") for part in cache) if word.lower() not in _UNSAID]
    if kept:
        precision = dataclasses.replace(precision, kv_bits=min(bits_of(_long(word)) or FEWEST for word in kept))
    return precision, unknown


def _known(word: str) -> roofline.Precision | None:
    try:
        return roofline.precision(word)
    except UserError:
        bits = bits_of(word)
        return None if bits is None else _packed(word, bits)


def _long(word: str) -> str:
    """half as float16."""
    try:
        return roofline.precision(word).name
    except UserError:
        return word


def _packed(name: str, bits: float) -> roofline.Precision:
    """Weights of so many bits, at the fastest rate that any card has for any precision."""
    fastest = max(each.peak_factor for each in roofline.PRECISIONS.values())
    return roofline.Precision(name, bits, _CACHE if bits < _QUANTISED else bits, fastest)
