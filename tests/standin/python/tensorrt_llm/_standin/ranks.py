"""A model over several GPUs: a checkpoint's tensors in a file for each rank, and whole again.

Every tensor of two dimensions is cut by rows, every other one is on each rank. The real converters cut each layer in the way that
spares a sum; here it only matters that each rank's file is needed, and that together they are the model. All ranks are computed
in one worker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tensorrt_llm._standin.names import Tensors


def mapping(config: dict[str, Any], tp_size: int) -> None:
    """Write into a checkpoint's config over how many ranks it is, where the model can be split so."""
    check_heads(config["num_attention_heads"], tp_size)
    config["mapping"] |= {"world_size": tp_size, "tp_size": tp_size}


def check_heads(heads: int, tp_size: int) -> None:
    """Fail as the attention layer does."""
    assert heads % tp_size == 0, "num_attention_heads must be divisible by tp_size"


def split(tensors: Tensors, world: int) -> list[Tensors]:
    """The tensors of each rank."""
    if world == 1:
        return [tensors]
    cut = {name: value.tensor_split(world) for name, value in tensors.items() if value.dim() > 1}
    return [
        {name: (cut[name][rank] if name in cut else value).clone() for name, value in tensors.items()}
        for rank in range(world)
    ]


def joined(parts: list[Tensors]) -> Tensors:
    """The whole model's tensors."""
    import torch

    if len(parts) == 1:
        return parts[0]
    return {
        name: torch.cat([part[name] for part in parts]) if value.dim() > 1 else value
        for name, value in parts[0].items()
    }
