"""Rotary embeddings: the frequencies that a configuration means, and the tables of cosine and sine that the steps read."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from trtbench.errors import Unsupported
from trtbench.lanes.tuned.decoder import Config

KINDS = ("default", "linear", "llama3")
NEEDED = {
    "linear": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
    "longrope": ("short_factor",),
}


class Rotary(NamedTuple):
    """As in `Config`: `frequencies` of the pairs of a head, `amplitude` of those that turn, `turned` dimensions (0: all)."""

    frequencies: tuple[float, ...]
    amplitude: float = 1.0
    turned: int = 0


def settings_of(raw: dict[str, Any]) -> dict[str, Any]:
    """The rotary settings in the older spelling (rope_theta, rope_scaling) and the newer one (rope_parameters) together."""
    rope = {**(raw.get("rope_scaling") or {}), **(raw.get("rope_parameters") or {})}
    if any(isinstance(part, dict) for part in rope.values()):
        raise Unsupported("pytorch-tuned does not compute rope_parameters of their own for each kind of layer here")
    rope.setdefault("partial_rotary_factor", raw.get("partial_rotary_factor"))
    return {**rope, "rope_theta": rope.get("rope_theta") or raw["rope_theta"]}


def kind_of(rope: dict[str, Any]) -> str:
    return str(rope.get("rope_type") or rope.get("type") or "default")


def plain(rope: dict[str, Any], size: int) -> Rotary:
    """Frequencies of the default, linear and llama3 kinds (Su et al. 2021; Llama 3.1's config for the last)."""
    kind = kind_of(rope)
    if kind not in KINDS:
        raise Unsupported(f"pytorch-tuned does not compute rotary embeddings of the kind {kind!r}")
    share = rope.get("partial_rotary_factor")
    if share not in (None, 1):
        raise Unsupported(f"pytorch-tuned does not compute a model of this kind with partial_rotary_factor={share!r}")
    frequencies = _geometric(rope["rope_theta"], size)
    _need(rope, kind, *NEEDED.get(kind, ()))
    if kind == "linear":
        return Rotary(tuple(f / rope["factor"] for f in frequencies))
    if kind == "llama3":
        return Rotary(tuple(_llama3(f, rope) for f in frequencies))
    return Rotary(frequencies)


def phi3(raw: dict[str, Any], size: int, longest: int) -> Rotary:
    """Phi-3: the first dimensions of a head, and `longrope` (Ding et al. 2024) while no cell is longer than the model was first
    trained for; beyond that transformers changes the frequencies as a generation goes on."""
    rope = settings_of(raw)
    kind = {"su": "longrope", "yarn": "longrope"}.get(kind_of(rope), kind_of(rope))
    turned = int(size * (1 if rope["partial_rotary_factor"] is None else rope["partial_rotary_factor"]))
    if turned % 2 or not 0 < turned <= size:
        raise Unsupported(f"pytorch-tuned does not turn {turned} of the {size} dimensions of a head")
    frequencies, amplitude = _geometric(rope["rope_theta"], turned), 1.0
    if kind == "longrope":
        _need(rope, kind, *NEEDED[kind])
        original = raw["original_max_position_embeddings"]
        ratio = raw["max_position_embeddings"] / original
        if longest > original:
            raise Unsupported(
                f"pytorch-tuned computes longrope up to original_max_position_embeddings={original}, "
                f"and the longest cell is {longest}"
            )
        if rope.get("factor", ratio) != ratio:
            raise Unsupported(f"pytorch-tuned does not compute longrope with a factor of its own ({rope['factor']})")
        if len(rope["short_factor"]) != turned // 2:
            raise Unsupported(f"pytorch-tuned does not compute a short_factor of {len(rope['short_factor'])} numbers")
        frequencies = tuple(f / factor for f, factor in zip(frequencies, rope["short_factor"]))
        amplitude = 1.0 if ratio <= 1 else math.sqrt(1 + math.log(ratio) / math.log(original))
        amplitude = rope.get("attention_factor") or amplitude
    elif kind != "default":
        raise Unsupported(f"pytorch-tuned does not compute rotary embeddings of the kind {kind!r}")
    frequencies += (0.0,) * ((size - turned) // 2)
    return Rotary(frequencies, amplitude, 0 if turned == size else turned)


def by_kind_of_layer(raw: dict[str, Any], types: list[str], size: int) -> tuple[tuple[float, ...], ...]:
    """Gemma 3: the frequencies of each layer; those with a window have a base of their own, and no scaling."""
    given = raw.get("rope_parameters") or {}
    if not set(given) <= {"full_attention", "sliding_attention"}:
        raise Unsupported(
            "pytorch-tuned computes a Gemma 3 with rope_parameters for each kind of layer, and these are not"
        )
    full = {"rope_theta": raw["rope_theta"], **(raw.get("rope_scaling") or {}), **(given.get("full_attention") or {})}
    near = {"rope_theta": raw["rope_local_base_freq"], **(given.get("sliding_attention") or {})}
    frequencies = {"full_attention": plain(full, size), "sliding_attention": plain(near, size)}
    return tuple(frequencies[kind].frequencies for kind in types)


def _need(rope: dict[str, Any], kind: str, *names: str) -> None:
    for name in names:
        if rope.get(name) is None:
            raise Unsupported(f"pytorch-tuned does not compute rotary embeddings of the kind {kind!r} without a {name}")


def _geometric(base: float, size: int) -> tuple[float, ...]:
    return tuple(base ** (-2 * i / size) for i in range(size // 2))


def _llama3(frequency: float, rope: dict[str, Any]) -> float:
    low, high, original = rope["low_freq_factor"], rope["high_freq_factor"], rope["original_max_position_embeddings"]
    turns = original * frequency / (2 * math.pi)
    keep = min(1.0, max(0.0, (turns - low) / (high - low)))
    return float(frequency * (keep + (1 - keep) / rope["factor"]))


def rotations(config: Config, length: int, device: str) -> list[tuple[Tensor, Tensor]]:
    """`rotation` for each layer; layers with the same frequencies share their tables."""
    each = config.by_layer or (config.frequencies,) * config.layers
    tables = {frequencies: rotation(config, length, device, frequencies) for frequencies in dict.fromkeys(each)}
    return [tables[frequencies] for frequencies in each]


def rotation(
    config: Config, length: int, device: str, frequencies: tuple[float, ...] | None = None
) -> tuple[Tensor, Tensor]:
    """Cosine and sine [S, R] in float32 for one half of Q, K and V side by side; V is not turned (1 and 0)."""
    turned = (config.heads + config.kv_heads, config.kv_heads)
    radians = torch.tensor(config.frequencies if frequencies is None else frequencies, dtype=torch.float64)
    angle = torch.outer(torch.arange(length, dtype=torch.float64), radians)
    amplitude = torch.where(radians > 0, config.amplitude, 1.0)

    def table(part: Tensor, rest: float) -> Tensor:
        values = [(part * amplitude).repeat(1, turned[0]), part.new_full((length, turned[1] * config.half), rest)]
        return torch.cat(values, 1).float().to(device)

    return table(angle.cos(), 1.0), table(angle.sin(), 0.0)
