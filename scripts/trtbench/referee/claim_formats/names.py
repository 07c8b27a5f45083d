"""What people call the columns of a table of speeds, and the units in those names. A name that isn't here is not read, and said.

Left out on purpose: medians and percentiles (a rate is made of means), times of parts, totals of unknown extent, figures a
user or a card.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# In each row the first name that a record has is taken; the others are not read.
NAMES: dict[str, tuple[str, ...]] = {
    "name": ("name", "lane", "backend", "engine", "runtime", "framework", "method", "model_name", "model"),
    "batch": ("batch", "batch_size", "batchsize", "bs", "bsz"),
    "prompt": (
        "prompt", "prompt_length", "prompt_len", "prompt_tokens", "input_tokens", "input_length", "input_len", "isl",
        "in_len", "n_prompt", "num_input_tokens", "num_prompt_tokens",
    ),
    "new_tokens": (
        "new_tokens", "max_new_tokens", "output_tokens", "output_length", "output_len", "osl", "out_len",
        "n_gen", "gen_len", "gen_tokens", "generation_length", "num_output_tokens", "num_new_tokens", "completion_tokens",
        "max_tokens", "tokens",
    ),
    "latency": (
        "latency", "e2e", "e2e_latency", "e2el", "mean_latency", "avg_latency", "average_latency", "latency_mean",
        "latency_avg", "mean_e2el", "mean_e2e_latency", "avg_e2e_latency", "end_to_end_latency", "generation_latency",
        "mean_request_latency", "avg_request_latency", "request_latency",
    ),
    "throughput": (
        "throughput", "output_throughput", "output_token_throughput", "mean_throughput", "avg_throughput", "tps", "tokens",
        "output_tokens", "toks", "tok", "t", "out_tok", "token", "generation", "generation_tokens", "decode", "decode_tokens",
        "decode_tok", "decode_throughput", "requests", "req", "samples", "qps", "rps", "request_throughput", "total_token_throughput",
        "total_throughput", "total_tokens",
    ),
    "cards": ("world_size", "tp", "tp_size", "tensor_parallel_size", "num_gpus", "n_gpus", "gpu_count"),
    "precision": ("quantization", "quant", "weight_precision", "precision", "dtype", "torch_dtype"),
}  # fmt: skip
# Rates by what they count; a name that is in none of these (throughput) says no unit by itself.
_KINDS = {
    "tokens": {
        "output_throughput", "output_token_throughput", "tps", "tokens", "output_tokens", "toks", "tok", "t", "out_tok", "token",
    },
    "decode": {"generation", "generation_tokens", "decode", "decode_tokens", "decode_tok", "decode_throughput"},
    "requests": {"requests", "req", "samples", "qps", "rps", "request_throughput"},
    "total": {"total_token_throughput", "total_throughput", "total_tokens"},
}  # fmt: skip
_RATES_WITHOUT_UNIT = {"tps", "qps", "rps"} | {name for name in NAMES["throughput"] if name.endswith("throughput")}
TIMES = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "ms": 1.0, "s": 1e3}  # in ms
_TIME_WORDS = {
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "msec": "ms", "msecs": "ms", "millis": "ms",
    "millisecond": "ms", "milliseconds": "ms", "usec": "us", "microseconds": "us", "nanoseconds": "ns",
} | {unit: unit for unit in TIMES}  # fmt: skip
_PER_SECOND = re.compile(r"_?(?:_per_s(?:ec(?:ond)?)?|ps|_s)")
_WORDS = {
    "": None, "tok": "tokens", "toks": "tokens", "token": "tokens", "tokens": "tokens", "t": "tokens", "out_tok": "tokens",
    "output_tokens": "tokens", "req": "requests", "requests": "requests", "samples": "requests", "total_tokens": "total",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """What a name means: the quantity (a key of NAMES) and, of times, the unit (a key of TIMES), of rates the kind; None
    where the name does not say it. `rank`: which of two names for one quantity is taken, the lower."""

    quantity: str
    unit: str | None
    rank: int


def column(name: str) -> Column | None:
    """What a column or key of this name holds; None where the name isn't known."""
    base, unit = _taken_apart(name)
    if unit is None:
        for quantity in ("name", "batch", "prompt", "new_tokens", "cards", "precision"):
            if base in NAMES[quantity]:
                return Column(quantity, None, NAMES[quantity].index(base))
    return _time(base, unit) or _rate(base, unit)


def _taken_apart(name: str) -> tuple[str, str | None]:
    """A name in small letters and underscores, and what stands in brackets after it: `Latency (ms)` is latency and ms."""
    written = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())  # tokensPerSec
    bracket = re.fullmatch(r"(.*?)[\s_]*[(\[]([^()\[\]]+)[)\]]", written)
    base, unit = (bracket[1], bracket[2]) if bracket else (written, None)
    return _plain(base), None if unit is None else _plain(unit)


def _plain(text: str) -> str:
    text = re.sub(r"\s*/\s*", "_per_", text.lower())
    return re.sub(r"[^0-9a-zµμ]+", "_", text).strip("_")


def _time(base: str, unit: str | None) -> Column | None:
    if unit is None:
        stem, _, last = base.rpartition("_")
        if stem in NAMES["latency"] and last in _TIME_WORDS:
            base, unit = stem, last
    if base not in NAMES["latency"] or (unit is not None and unit not in _TIME_WORDS):
        return None
    return Column("latency", None if unit is None else _TIME_WORDS[unit], NAMES["latency"].index(base))


def _rate(base: str, unit: str | None) -> Column | None:
    stem = base
    if unit is not None:  # Throughput (tok/s): the unit says what is counted
        counts = next((u for u in (_PER_SECOND.sub("", unit), unit) if u in _WORDS), None)
        if counts is None or base not in NAMES["throughput"] or not _PER_SECOND.search(unit):
            return None
        kind = _kind(base)
        # Of total or decode throughput the unit says no more than that tokens are meant.
        return Column("throughput", kind if kind in ("total", "decode") else _WORDS[counts], _rank(base, kind))
    for end in ("_per_second", "_per_sec", "_per_s", "_s", "_sec"):
        if stem.endswith(end):
            stem = stem.removesuffix(end)
            break
    else:
        if base not in _RATES_WITHOUT_UNIT:
            return None
    if stem.startswith("throughput_") and stem.removeprefix("throughput_") in _WORDS:  # throughput_tok_s
        return Column("throughput", _WORDS[stem.removeprefix("throughput_")], 0)
    if stem not in NAMES["throughput"]:
        return None
    return Column("throughput", _kind(stem), _rank(stem, _kind(stem)))


def _kind(stem: str) -> str | None:
    return next((kind for kind, stems in _KINDS.items() if stem in stems), None)


def _rank(stem: str, kind: str | None) -> int:
    """Output tokens before a rate without a unit, that before decode, requests and totals."""
    order = ("tokens", None, "decode", "requests", "total")
    return order.index(kind) * 100 + NAMES["throughput"].index(stem)
