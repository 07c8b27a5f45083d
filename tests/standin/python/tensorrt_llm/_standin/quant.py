"""Weight quantisation as the converters store it, and the way back. Rounding is to nearest throughout."""

from __future__ import annotations

import torch

from tensorrt_llm._standin.names import Tensors

FP8_MAX = 448.0


def quantise_per_channel(weight: torch.Tensor, bits: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Quantise a [out, in] weight with one scale per output channel; 4 bits are packed two in a byte.

    The scale is max|w| / 2**(bits-1) and values are clipped to the signed range, as in the converters' symmetric
    weight-only quantisation. Returns the int8 tensor and the scales in the weight's dtype.
    """
    scale = (weight.float().abs().amax(dim=1) / 2 ** (bits - 1)).clamp(min=1e-8)
    levels = (weight.float() / scale.unsqueeze(1)).round().clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return _store(levels, bits), scale.to(weight.dtype)


def dequantise_per_channel(stored: torch.Tensor, scale: torch.Tensor, bits: int) -> torch.Tensor:
    """Return the [out, in] weight in the scales' dtype."""
    return (_levels(stored, bits) * scale.float().unsqueeze(1)).to(scale.dtype)


def quantise_per_group(weight: torch.Tensor, block: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Quantise to 4 bits with one scale per `block` inputs; a last group may be shorter.

    This is AWQ's storage without its search for scales by activation: the stand-in doesn't pretend to that.
    """
    groups = weight.float().split(block, dim=1)
    scales = torch.stack([group.abs().amax(dim=1) / 8 for group in groups], dim=1).clamp(min=1e-8)
    levels = torch.cat(
        [(group / scales[:, index : index + 1]).round().clamp(-8, 7) for index, group in enumerate(groups)], dim=1
    )
    return _store(levels, 4), scales.to(weight.dtype)


def dequantise_per_group(stored: torch.Tensor, scales: torch.Tensor, block: int) -> torch.Tensor:
    """Return the [out, in] weight in the scales' dtype."""
    levels = _levels(stored, 4)
    wide = scales.float().repeat_interleave(block, dim=1)[:, : levels.shape[1]]
    return (levels * wide).to(scales.dtype)


def _store(levels: torch.Tensor, bits: int) -> torch.Tensor:
    whole = levels.to(torch.int8)
    if bits == 8:
        return whole
    nibbles = (whole & 0x0F).to(torch.uint8)
    return (nibbles[:, 0::2] | (nibbles[:, 1::2] << 4)).view(torch.int8)


def _levels(stored: torch.Tensor, bits: int) -> torch.Tensor:
    if bits == 8:
        return stored.float()
    packed = stored.view(torch.uint8)
    nibbles = torch.stack([packed & 0x0F, packed >> 4], dim=2).reshape(packed.shape[0], -1).to(torch.int8)
    return torch.where(nibbles > 7, nibbles - 16, nibbles).float()


def to_fp8(values: torch.Tensor, scale: float) -> torch.Tensor:
    """Divide by the scale, clip to E4M3's range and cast."""
    return (values.float() / scale).clamp(-FP8_MAX, FP8_MAX).to(torch.float8_e4m3fn)


def dequantise(tensors: Tensors, algorithm: str | None, group_size: int, dtype: torch.dtype) -> Tensors:
    """Return a checkpoint's tensors with every weight in `dtype` and the scales gone."""
    result: Tensors = {}
    for name, value in tensors.items():
        prefix, _, kind = name.rpartition(".")
        scale = tensors.get(f"{prefix}.per_channel_scale")
        factors = tensors.get(f"{prefix}.weights_scaling_factor")
        if kind in ("per_channel_scale", "weights_scaling_factor", "activation_scaling_factor"):
            continue
        if kind == "weight" and scale is not None:
            value = dequantise_per_channel(value, scale, 4 if algorithm == "W4A16" else 8)
        elif kind == "weight" and factors is not None and algorithm == "FP8":
            value = value.float() * factors.float()
        elif kind == "weight" and factors is not None:
            value = dequantise_per_group(value, factors, group_size)
        result[name] = value.to(dtype)
    return result
