"""How few bits a weight of a quantised checkpoint takes, by its config.json or by the words that people use. All of it is a lower
bound: what nothing tells takes the fewest bits there are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

FEWEST = 1.0
# Where config.json says no bits: the fewest that a method knows; mxfp4 with a scale for 32 weights.
METHODS = {
    **{"mxfp4": 4.25, "fp8": 8.0, "fbgemm_fp8": 8.0, "finegrained_fp8": 8.0, "eetq": 8.0},
    **{"gptq": 2.0, "awq": 4.0, "bitsandbytes": 4.0, "bnb": 4.0},
}
# Bits of one weight, under the names that methods give them; `bits` of exl2 is a mean such as 2.4.
_BITS = {"bits", "w_bit", "wbits", "weight_bits", "nbits", "num_bits"}
_ALGORITHMS = {"quant_algo"}
_WORD = re.compile(
    r"(?<![a-z0-9])(?:nv|mx|t)?(?:fp|float|bf|bfloat|u?int|nf|f|i?q|tq|w)(\d{1,2})(?!\d)"  # NVFP4, IQ2_XXS, W4A16_AWQ, nf4
    r"|(?<![\d.])(\d{1,2}(?:\.\d{1,4})?)[-_ ]?(?:bits?|bpw)(?![a-z])"  # 4-bit, 2.4bpw
)


def packed_bits(config: Mapping[str, Any]) -> float | None:
    """Fewest bits of a weight in a checkpoint that config.json calls quantised; None for one that it doesn't. Parts may have
    bits of their own: the fewest count."""
    quantised = config.get("quantization_config")
    if not isinstance(quantised, Mapping) or not quantised:
        return None
    said = list(_said(quantised))
    if said:
        return min(said)
    return METHODS.get(str(quantised.get("quant_method")).lower(), FEWEST)


def _said(quantised: Mapping[str, Any]) -> Iterator[float]:
    """Every number of bits that stands in it, however deep."""
    waiting: list[Any] = [quantised]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, Mapping):
            waiting += part.values()
            for name, value in part.items():
                if (
                    name in _BITS
                    and isinstance(value, (int, float))
                    and not isinstance(value, bool)
                    and 1 <= value <= 16
                ):
                    yield value
                elif name in _ALGORITHMS and isinstance(value, str) and (bits := bits_of(value)) is not None:
                    yield bits
                elif name in ("load_in_4bit", "load_in_8bit") and value is True:
                    yield float(name[8])


def bits_of(words: str) -> float | None:
    """Fewest bits of an element that words such as Q2_K, W4A16_AWQ, NVFP4, 4-bit or GPTQ mean; None where they say none."""
    said = [float(kind or plain) for kind, plain in _WORD.findall(words.lower())]
    known = [bits for bits in said if FEWEST <= bits <= 64]
    if known:
        return min(known)
    methods = [METHODS[word] for word in re.findall(r"[a-z0-9]+", words.lower()) if word in METHODS]
    return min(methods, default=None)
